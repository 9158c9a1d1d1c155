//! Events of the account: follow, scan, location, menu.

use crate::text::Str;

use super::record::record;

record! {
    /// A user follows the account, perhaps by scanning a QR code of it.
    #[doc(alias("关注", "follow"))]
    pub struct Subscribe<'a> = "subscribe" in events => Reply {
        /// What led the user here; [`scene`](Subscribe::scene) is the QR code's part of it.
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
        // The second is a slip of the pen that has been in print since 2016.
        key.strip_prefix(SCENE_PREFIX).or_else(|| key.strip_prefix("qrcode_"))
    }

    /// The scene as the 32-bit number it is for a code made by `scene_id`.
    ///
    /// `None` where the scene is a text, or the user came another way.
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
    /// A follower left the account.
    ///
    /// Nobody is left to read a reply.
    #[doc(alias("取消关注", "取关", "unfollow"))]
    pub struct Unsubscribe<'a> = "unsubscribe" in events => Success {}
}

record! {
    /// A follower scanned a QR code of the account.
    ///
    /// A user who does not follow yet comes as [`Subscribe`], with the same scene.
    #[doc(alias("扫码", "带参数二维码"))]
    pub struct Scan<'a> = "scan" in events => Reply {
        /// The scene; [`scene`](Scan::scene) is the same without a prefix that does not belong there.
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

    /// The scene as the 32-bit number it is for a code made by `scene_id`; `None` for a text.
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

/// Stands before the scene in a subscribe's EventKey. One only: a scene may begin with it itself.
const SCENE_PREFIX: &str = "qrscene_";

/// `007` and `+7` are texts: WeChat writes a number the one way.
fn scene_id(scene: &str) -> Option<u32> {
    let canonical = scene == "0" || scene.starts_with(|c: char| matches!(c, '1'..='9'));
    if canonical { scene.parse().ok() } else { None }
}

record! {
    /// A follower's phone reports where it is.
    ///
    /// Comes when the chat is opened, or every 5 seconds while it is open, once the follower has agreed. A place that
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
    /// A follower pressed a `click` button of the menu.
    #[doc(alias("菜单", "点击菜单"))]
    pub struct Click<'a> = "click" in events => Reply {
        /// The button's key, as given when the menu was made.
        pub event_key: Str<'a> = "EventKey",
    }
}

record! {
    /// A follower pressed a `view` button of the menu.
    #[doc(alias("菜单", "菜单跳转"))]
    pub struct View<'a> = "view" in events => Success {
        /// The address the button leads to.
        pub event_key: Option<Str<'a>> = "EventKey",
        /// The menu's id, where the account has menus for groups of followers; `MENUID` literally was seen.
        pub menu_id: Option<Str<'a>> = "MenuId",
    }
}

record! {
    /// A follower opened the chat.
    #[doc(alias("进入会话"))]
    pub struct Enter<'a> = "enter" in none => Success {}
}

record! {
    /// A user opened the customer-service chat of a mini program.
    #[doc(alias("进入客服会话"))]
    pub struct UserEnterTempsession<'a> = "user_enter_tempsession" in mini_program_chat => Success {
        /// What the button that opens the chat was given as `session-from`.
        pub session_from: Option<Str<'a>> = "SessionFrom",
    }
}
