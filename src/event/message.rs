//! Ordinary messages: what a user sends.

use crate::text::Str;

use super::record::{names, record};

record! {
    /// A user sent a text.
    ///
    /// A sticker that WeChat cannot forward comes as the text `【收到不支持的消息类型，暂无法显示】`.
    #[doc(alias("文本消息"))]
    pub struct Text<'a> = "text" in messages => Reply {
        /// What the user wrote, control characters included.
        pub content: Str<'a> = "Content",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Str<'a>> = "MsgId",
        /// The chosen item, when the text answers a menu message of the customer-service API.
        pub bizmsgmenuid: Option<Str<'a>> = "bizmsgmenuid",
        /// The article it was sent from.
        pub msg_data_id: Option<Str<'a>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
        /// The sub-merchant whose conversation with the user it comes from.
        pub business_id: Option<Str<'a>> = "BusinessId",
    }
}

record! {
    /// A user sent a picture.
    #[doc(alias("图片消息"))]
    pub struct Image<'a> = "image" in messages => Reply {
        /// Where to fetch the picture, for a limited time.
        pub pic_url: Option<Str<'a>> = "PicUrl",
        /// For the media API, valid for three days.
        pub media_id: Option<Str<'a>> = "MediaId",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Str<'a>> = "MsgId",
        /// The article it was sent from.
        pub msg_data_id: Option<Str<'a>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
        /// The sub-merchant whose conversation with the user it comes from.
        pub business_id: Option<Str<'a>> = "BusinessId",
    }
}

record! {
    /// A user sent a voice message.
    #[doc(alias("语音消息", "语音识别"))]
    pub struct Voice<'a> = "voice" in messages => Reply {
        /// For the media API, valid for three days.
        pub media_id: Option<Str<'a>> = "MediaId",
        /// The encoding of the recording, such as `amr` or `speex`.
        pub format: Option<Str<'a>> = "Format",
        /// The recognised speech, if the account has enabled speech recognition.
        pub recognition: Option<Str<'a>> = "Recognition",
        /// The same recording at 16 kHz, for the media API.
        pub media_id_16k: Option<Str<'a>> = "MediaId16K",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Str<'a>> = "MsgId",
        /// The article it was sent from.
        pub msg_data_id: Option<Str<'a>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
        /// The sub-merchant whose conversation with the user it comes from.
        pub business_id: Option<Str<'a>> = "BusinessId",
    }
}

record! {
    /// A user sent a video.
    #[doc(alias("视频消息"))]
    pub struct Video<'a> = "video" in messages => Reply {
        /// For the media API, valid for three days.
        pub media_id: Option<Str<'a>> = "MediaId",
        /// Its still picture, for the media API.
        pub thumb_media_id: Option<Str<'a>> = "ThumbMediaId",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Str<'a>> = "MsgId",
        /// The article it was sent from.
        pub msg_data_id: Option<Str<'a>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
        /// The sub-merchant whose conversation with the user it comes from.
        pub business_id: Option<Str<'a>> = "BusinessId",
    }
}

record! {
    /// A user recorded a short video in the chat.
    #[doc(alias("小视频消息"))]
    pub struct ShortVideo<'a> = "short_video" in messages => Reply {
        /// For the media API, valid for three days.
        pub media_id: Option<Str<'a>> = "MediaId",
        /// Its still picture, for the media API.
        pub thumb_media_id: Option<Str<'a>> = "ThumbMediaId",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Str<'a>> = "MsgId",
        /// The article it was sent from.
        pub msg_data_id: Option<Str<'a>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
        /// The sub-merchant whose conversation with the user it comes from.
        pub business_id: Option<Str<'a>> = "BusinessId",
    }
}

record! {
    /// A user sent a location, chosen on the map.
    ///
    /// MsgType `location`; the event `LOCATION`, reported by a user's phone, is [`Location`](super::Location).
    #[doc(alias("地理位置消息"))]
    pub struct LocationMessage<'a> = "location_message" in messages => Reply {
        /// Latitude in degrees.
        pub location_x: Option<f64> = "Location_X",
        /// Longitude in degrees.
        pub location_y: Option<f64> = "Location_Y",
        /// Zoom of the map; a float was seen.
        pub scale: Option<f64> = "Scale",
        /// The place in words.
        pub label: Option<Str<'a>> = "Label",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Str<'a>> = "MsgId",
        /// The article it was sent from.
        pub msg_data_id: Option<Str<'a>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
        /// The sub-merchant whose conversation with the user it comes from.
        pub business_id: Option<Str<'a>> = "BusinessId",
    }
}

record! {
    /// A user shared a link.
    #[doc(alias("链接消息"))]
    pub struct Link<'a> = "link" in messages => Reply {
        /// The page's title.
        pub title: Option<Str<'a>> = "Title",
        /// What the page is about.
        pub description: Option<Str<'a>> = "Description",
        /// The page's address.
        pub url: Option<Str<'a>> = "Url",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Str<'a>> = "MsgId",
        /// The article it was sent from.
        pub msg_data_id: Option<Str<'a>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
        /// The sub-merchant whose conversation with the user it comes from.
        pub business_id: Option<Str<'a>> = "BusinessId",
    }
}

record! {
    /// A user sent a file.
    #[doc(alias("文件消息"))]
    pub struct File<'a> = "file" in none => Reply {
        /// The file's name.
        pub title: Option<Str<'a>> = "Title",
        /// The file's description.
        pub description: Option<Str<'a>> = "Description",
        /// Identifies the file; no API for fetching it is documented.
        pub file_key: Option<Str<'a>> = "FileKey",
        /// MD5 of the file, in hexadecimal.
        pub file_md5: Option<Str<'a>> = "FileMd5",
        /// Size of the file in bytes.
        pub file_total_len: Option<i64> = "FileTotalLen",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Str<'a>> = "MsgId",
        /// The article it was sent from.
        pub msg_data_id: Option<Str<'a>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
    }
}

record! {
    /// A user shared a mini program page.
    #[doc(alias("小程序卡片"))]
    pub struct MiniprogramPage<'a> = "miniprogram_page" in mini_program_chat => Reply {
        /// The card's title.
        pub title: Option<Str<'a>> = "Title",
        /// The mini program's AppID.
        pub app_id: Option<Str<'a>> = "AppId",
        /// The page within it.
        pub page_path: Option<Str<'a>> = "PagePath",
        /// Where to fetch the card's picture, for a limited time.
        pub thumb_url: Option<Str<'a>> = "ThumbUrl",
        /// The card's picture, for the media API.
        pub thumb_media_id: Option<Str<'a>> = "ThumbMediaId",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Str<'a>> = "MsgId",
        /// The article it was sent from.
        pub msg_data_id: Option<Str<'a>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
    }
}

record! {
    /// A device that is bound to a user sent data, through WeChat's hardware platform.
    ///
    /// The platform's own answer, of the same MsgType, has no type here.
    #[doc(alias("硬件设备"))]
    pub struct DeviceText<'a> = "device_text" in none => Reply {
        /// The original id (`gh_…`) of the account that owns the device.
        pub device_type: Option<Str<'a>> = "DeviceType",
        /// The device's id, given by its maker.
        pub device_id: Option<Str<'a>> = "DeviceID",
        /// The session between WeChat and the device.
        pub session_id: Option<Str<'a>> = "SessionID",
        /// The OpenID of the user that it is bound to.
        pub open_id: Option<Str<'a>> = "OpenID",
        /// The data, in base64.
        pub content: Option<Str<'a>> = "Content",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Str<'a>> = "MsgId",
        /// The article it was sent from.
        pub msg_data_id: Option<Str<'a>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
    }
}

record! {
    /// A user bound, unbound or watches a device.
    ///
    /// Watching means having the page open that shows a Wi-Fi device's state. The device asks for nothing, so unlike
    /// other messages it takes no reply.
    #[doc(alias("硬件设备"))]
    pub struct DeviceEvent<'a> = "device_event" in none => Success {
        /// What the user did.
        pub event: Option<DeviceChange<'a>> = "Event",
        /// The original id (`gh_…`) of the account that owns the device.
        pub device_type: Option<Str<'a>> = "DeviceType",
        /// The device's id, given by its maker.
        pub device_id: Option<Str<'a>> = "DeviceID",
        /// The session between WeChat and the device; with bind and unbind.
        pub session_id: Option<Str<'a>> = "SessionID",
        /// The user's OpenID.
        pub open_id: Option<Str<'a>> = "OpenID",
        /// The device's data in base64, with bind and unbind; may be empty.
        pub content: Option<Str<'a>> = "Content",
        /// What the two status events ask for.
        ///
        /// `0` unsubscribe; `1` heartbeat, to be treated as `2`; `2` subscribe.
        pub op_type: Option<i64> = "OpType",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Str<'a>> = "MsgId",
        /// The article it was sent from.
        pub msg_data_id: Option<Str<'a>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
    }
}

names! {
    /// What a user did with a device.
    pub enum DeviceChange {
        /// Bound it.
        Bind = "bind",
        /// Unbound it.
        Unbind = "unbind",
        /// Started watching its state.
        SubscribeStatus = "subscribe_status",
        /// Stopped watching its state.
        UnsubscribeStatus = "unsubscribe_status",
    }
}

record! {
    /// A device went online or offline.
    ///
    /// The hardware platform noticed that a bound device connected or disconnected. Nobody asks for anything, so unlike
    /// other messages it takes no reply.
    #[doc(alias("硬件设备"))]
    pub struct DeviceStatus<'a> = "device_status" in none => Success {
        /// The original id (`gh_…`) of the account that owns the device.
        pub device_type: Option<Str<'a>> = "DeviceType",
        /// The device's id, given by its maker.
        pub device_id: Option<Str<'a>> = "DeviceID",
        /// The device's state: `0` not connected; `1` connected.
        pub device_status: Option<i64> = "DeviceStatus",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Str<'a>> = "MsgId",
        /// The article it was sent from.
        pub msg_data_id: Option<Str<'a>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
    }
}
