//! Events of the menu's special buttons: scan, photos, location, mini program.

use crate::text::Str;

use super::record::record;

record! {
    /// A user scanned something with a `scancode_push` button, and WeChat shows the result.
    #[doc(alias("菜单", "扫码推事件"))]
    pub struct ScancodePush<'a> = "scancode_push" in menu => Success {
        /// The button's key.
        pub event_key: Option<Str<'a>> = "EventKey",
        /// What was scanned, usually `qrcode`.
        pub scan_type: Option<Str<'a>> = "ScanCodeInfo/ScanType",
        /// The scanned text.
        pub scan_result: Option<Str<'a>> = "ScanCodeInfo/ScanResult",
    }
}

record! {
    /// A user scanned something with a `scancode_waitmsg` button, and waits for the account's reply.
    #[doc(alias("菜单", "扫码带提示"))]
    pub struct ScancodeWaitmsg<'a> = "scancode_waitmsg" in menu => Reply {
        /// The button's key.
        pub event_key: Option<Str<'a>> = "EventKey",
        /// What was scanned, usually `qrcode`.
        pub scan_type: Option<Str<'a>> = "ScanCodeInfo/ScanType",
        /// The scanned text.
        pub scan_result: Option<Str<'a>> = "ScanCodeInfo/ScanResult",
    }
}

record! {
    /// A user took photos with a `pic_sysphoto` button; they follow as messages.
    #[doc(alias("菜单", "系统拍照发图"))]
    pub struct PicSysphoto<'a> = "pic_sysphoto" in menu => Reply {
        /// The button's key.
        pub event_key: Option<Str<'a>> = "EventKey",
        /// Number of pictures.
        pub count: Option<u32> = "SendPicsInfo/Count",
        /// MD5 of each picture, in hexadecimal.
        pub pic_md5_sum: Vec<Str<'a>> = "SendPicsInfo/PicList/item/PicMd5Sum",
    }
}

record! {
    /// A user took or chose photos with a `pic_photo_or_album` button; they follow as messages.
    #[doc(alias("菜单", "拍照或者相册发图"))]
    pub struct PicPhotoOrAlbum<'a> = "pic_photo_or_album" in menu => Reply {
        /// The button's key.
        pub event_key: Option<Str<'a>> = "EventKey",
        /// Number of pictures.
        pub count: Option<u32> = "SendPicsInfo/Count",
        /// MD5 of each picture, in hexadecimal.
        pub pic_md5_sum: Vec<Str<'a>> = "SendPicsInfo/PicList/item/PicMd5Sum",
    }
}

record! {
    /// A user chose photos from the WeChat album with a `pic_weixin` button; they follow as messages.
    #[doc(alias("菜单", "微信相册发图"))]
    pub struct PicWeixin<'a> = "pic_weixin" in menu => Reply {
        /// The button's key.
        pub event_key: Option<Str<'a>> = "EventKey",
        /// Number of pictures.
        pub count: Option<u32> = "SendPicsInfo/Count",
        /// MD5 of each picture, in hexadecimal.
        pub pic_md5_sum: Vec<Str<'a>> = "SendPicsInfo/PicList/item/PicMd5Sum",
    }
}

record! {
    /// A user chose a location with a `location_select` button; it follows as a message.
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
        /// The name of the point of interest in Moments, often empty.
        pub poiname: Option<Str<'a>> = "SendLocationInfo/Poiname",
    }
}

record! {
    /// A user clicked a `miniprogram` button of the menu.
    #[doc(alias("菜单", "跳转小程序"))]
    pub struct ViewMiniprogram<'a> = "view_miniprogram" in menu => Success {
        /// The page of the mini program that the button opens.
        pub event_key: Option<Str<'a>> = "EventKey",
        /// The menu's id; the literal `MENUID` was seen.
        pub menu_id: Option<Str<'a>> = "MenuId",
    }
}
