//! Events of the menu's special buttons: scan, pictures, place, mini program.

use crate::text::Str;

use super::record::record;

record! {
    /// A follower scanned something by a `scancode_push` button, and WeChat shows the result.
    #[doc(alias("菜单", "扫码推事件"))]
    pub struct ScancodePush<'a> = "scancode_push" in menu => Success {
        /// The button's key.
        pub event_key: Option<Str<'a>> = "EventKey",
        /// What was scanned, usually `qrcode`.
        pub scan_type: Option<Str<'a>> = "ScanCodeInfo/ScanType",
        /// What it says.
        pub scan_result: Option<Str<'a>> = "ScanCodeInfo/ScanResult",
    }
}

record! {
    /// A follower scanned something by a `scancode_waitmsg` button, and waits for the account's answer.
    #[doc(alias("菜单", "扫码带提示"))]
    pub struct ScancodeWaitmsg<'a> = "scancode_waitmsg" in menu => Reply {
        /// The button's key.
        pub event_key: Option<Str<'a>> = "EventKey",
        /// What was scanned, usually `qrcode`.
        pub scan_type: Option<Str<'a>> = "ScanCodeInfo/ScanType",
        /// What it says.
        pub scan_result: Option<Str<'a>> = "ScanCodeInfo/ScanResult",
    }
}

record! {
    /// A follower took pictures by a `pic_sysphoto` button; they follow as messages.
    #[doc(alias("菜单", "系统拍照发图"))]
    pub struct PicSysphoto<'a> = "pic_sysphoto" in menu => Reply {
        /// The button's key.
        pub event_key: Option<Str<'a>> = "EventKey",
        /// How many pictures.
        pub count: Option<u32> = "SendPicsInfo/Count",
        /// MD5 of each picture, in hexadecimal.
        pub pic_md5_sum: Vec<Str<'a>> = "SendPicsInfo/PicList/item/PicMd5Sum",
    }
}

record! {
    /// A follower took or chose pictures by a `pic_photo_or_album` button; they follow as messages.
    #[doc(alias("菜单", "拍照或者相册发图"))]
    pub struct PicPhotoOrAlbum<'a> = "pic_photo_or_album" in menu => Reply {
        /// The button's key.
        pub event_key: Option<Str<'a>> = "EventKey",
        /// How many pictures.
        pub count: Option<u32> = "SendPicsInfo/Count",
        /// MD5 of each picture, in hexadecimal.
        pub pic_md5_sum: Vec<Str<'a>> = "SendPicsInfo/PicList/item/PicMd5Sum",
    }
}

record! {
    /// A follower chose pictures of the WeChat album by a `pic_weixin` button; they follow as messages.
    #[doc(alias("菜单", "微信相册发图"))]
    pub struct PicWeixin<'a> = "pic_weixin" in menu => Reply {
        /// The button's key.
        pub event_key: Option<Str<'a>> = "EventKey",
        /// How many pictures.
        pub count: Option<u32> = "SendPicsInfo/Count",
        /// MD5 of each picture, in hexadecimal.
        pub pic_md5_sum: Vec<Str<'a>> = "SendPicsInfo/PicList/item/PicMd5Sum",
    }
}

record! {
    /// A follower chose a place by a `location_select` button; it follows as a message.
    #[doc(alias("菜单", "发送位置"))]
    pub struct LocationSelect<'a> = "location_select" in menu => Reply {
        /// The button's key.
        pub event_key: Option<Str<'a>> = "EventKey",
        /// Latitude in degrees.
        pub location_x: Option<f64> = "SendLocationInfo/Location_X",
        /// Longitude in degrees.
        pub location_y: Option<f64> = "SendLocationInfo/Location_Y",
        /// Zoom of the map; a float was seen.
        pub scale: Option<f64> = "SendLocationInfo/Scale",
        /// The place in words.
        pub label: Option<Str<'a>> = "SendLocationInfo/Label",
        /// The name of the friends' circle point of interest, often empty.
        pub poiname: Option<Str<'a>> = "SendLocationInfo/Poiname",
    }
}

record! {
    /// A follower pressed a `miniprogram` button of the menu.
    #[doc(alias("菜单", "跳转小程序"))]
    pub struct ViewMiniprogram<'a> = "view_miniprogram" in menu => Success {
        /// The page of the mini program the button leads to.
        pub event_key: Option<Str<'a>> = "EventKey",
        /// The menu's id; `MENUID` literally was seen.
        pub menu_id: Option<Str<'a>> = "MenuId",
    }
}
