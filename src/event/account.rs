//! Events of the account: follow, scan, location, menu.

use crate::text::Str;

use super::record::record;

record! {
    /// A user followed the account, perhaps by scanning one of its QR codes.
    #[doc(alias("关注", "follow"))]
    pub struct Subscribe<'a> = "subscribe" in events => Reply {
        /// Where the user came from; [`scene`](Subscribe::scene) is the scene of a QR code.
        ///
        /// Absent or empty on a plain follow, `qrscene_…` by a QR code, `last_trade_no_…` after a payment,
        /// `scanbarcode|…` or `scanimage|…` from a product.
        pub event_key: Option<Str<'a>> = "EventKey",
        /// For fetching the QR code's picture.
        pub ticket: Option<Str<'a>> = "Ticket",
    }
}

impl Subscribe<'_> {
    /// The scene of the QR code that was scanned; `None` if the user came another way.
    ///
    /// ```
    /// use wechat_events::{Kind, parse_event};
    ///
    /// let body = b"<xml><MsgType>event</MsgType><Event>subscribe</Event><EventKey>qrscene_door</EventKey></xml>";
    /// let Kind::Subscribe(subscribe) = parse_event(body)?.kind else { panic!() };
    /// assert_eq!(subscribe.scene(), Some("door"));
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn scene(&self) -> Option<&str> {
        let key = self.event_key.as_deref()?;
        // The second is a typo in the official pages since 2016.
        key.strip_prefix(SCENE_PREFIX).or_else(|| key.strip_prefix("qrcode_"))
    }

    /// The scene as a 32-bit number, for a code made with `scene_id`.
    ///
    /// `None` if the scene is a text, or the user came another way.
    ///
    /// ```
    /// use wechat_events::{Kind, parse_event};
    ///
    /// let body = b"<xml><MsgType>event</MsgType><Event>subscribe</Event><EventKey>qrscene_7</EventKey></xml>";
    /// let Kind::Subscribe(subscribe) = parse_event(body)?.kind else { panic!() };
    /// assert_eq!(subscribe.scene_id(), Some(7));
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn scene_id(&self) -> Option<u32> {
        self.scene().and_then(scene_id)
    }
}

record! {
    /// A user unfollowed the account.
    ///
    /// No reply can reach the user any more.
    #[doc(alias("取消关注", "取关", "unfollow"))]
    pub struct Unsubscribe<'a> = "unsubscribe" in events => Success {}
}

record! {
    /// A user who already follows scanned a QR code of the account.
    ///
    /// If the user does not follow yet, [`Subscribe`] is pushed instead, with the same scene.
    #[doc(alias("扫码", "带参数二维码"))]
    pub struct Scan<'a> = "scan" in events => Reply {
        /// The scene; [`scene`](Scan::scene) removes a prefix that some pushes have by mistake.
        pub event_key: Str<'a> = "EventKey",
        /// For fetching the QR code's picture.
        pub ticket: Option<Str<'a>> = "Ticket",
    }
}

impl Scan<'_> {
    /// The scene the QR code was made with: 1 to 64 characters, or a number.
    ///
    /// ```
    /// use wechat_events::{Kind, parse_event};
    ///
    /// let body = b"<xml><MsgType>event</MsgType><Event>SCAN</Event><EventKey>qrscene_door</EventKey></xml>";
    /// let Kind::Scan(scan) = parse_event(body)?.kind else { panic!() };
    /// assert_eq!(scan.scene(), "door");
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn scene(&self) -> &str {
        self.event_key.strip_prefix(SCENE_PREFIX).unwrap_or(&self.event_key)
    }

    /// The scene as a 32-bit number, for a code made with `scene_id`; `None` for a text.
    ///
    /// ```
    /// use wechat_events::{Kind, parse_event};
    ///
    /// let body = b"<xml><MsgType>event</MsgType><Event>SCAN</Event><EventKey>4294967296</EventKey></xml>";
    /// let Kind::Scan(scan) = parse_event(body)?.kind else { panic!() };
    /// assert_eq!((scan.scene(), scan.scene_id()), ("4294967296", None));
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn scene_id(&self) -> Option<u32> {
        scene_id(self.scene())
    }
}

/// Prefix of the scene in a subscribe's EventKey. Removed only once: a scene may begin with it too.
const SCENE_PREFIX: &str = "qrscene_";

/// `007` and `+7` are texts: WeChat never writes numbers so.
fn scene_id(scene: &str) -> Option<u32> {
    let canonical = scene == "0" || scene.starts_with(|c: char| matches!(c, '1'..='9'));
    if canonical { scene.parse().ok() } else { None }
}

record! {
    /// A user's phone reported its location.
    ///
    /// Pushed when the chat is opened, or every 5 seconds while it is open, if the user has agreed. A location that
    /// the user sends is [`LocationMessage`](super::LocationMessage).
    #[doc(alias("上报地理位置"))]
    pub struct Location<'a> = "location" in events => Success {
        /// Degrees north.
        pub latitude: f64 = "Latitude",
        /// Degrees east.
        pub longitude: f64 = "Longitude",
        /// Precision in metres.
        pub precision: Option<f64> = "Precision",
    }
}

record! {
    /// A user clicked a `click` button of the menu.
    #[doc(alias("菜单", "点击菜单"))]
    pub struct Click<'a> = "click" in events => Reply {
        /// The button's key, as given when the menu was made.
        pub event_key: Str<'a> = "EventKey",
    }
}

record! {
    /// A user clicked a `view` button of the menu.
    #[doc(alias("菜单", "菜单跳转"))]
    pub struct View<'a> = "view" in events => Success {
        /// The URL that the button opens.
        pub event_key: Option<Str<'a>> = "EventKey",
        /// The menu's id, if the account has menus for groups of users; the literal `MENUID` was seen.
        pub menu_id: Option<Str<'a>> = "MenuId",
    }
}

record! {
    /// A user opened the chat.
    #[doc(alias("进入会话"))]
    pub struct Enter<'a> = "enter" in none => Success {}
}

record! {
    /// A user opened the customer-service chat of a mini program.
    #[doc(alias("进入客服会话"))]
    pub struct UserEnterTempsession<'a> = "user_enter_tempsession" in mini_program_chat => Success {
        /// The `session-from` of the button that opens the chat.
        pub session_from: Option<Str<'a>> = "SessionFrom",
    }
}
