//! Ordinary messages: what a user sends.
//!
//! Source: <https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Receiving_standard_messages.html>

use std::borrow::Cow;

use super::record::record;

record! {
    /// A user wrote a text.
    ///
    /// A sticker that WeChat cannot forward comes as the text `【收到不支持的消息类型，暂无法显示】`.
    pub struct Text<'a> = "text" {
        /// What the user wrote, control characters included.
        pub content: Cow<'a, str> = "Content",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Cow<'a, str>> = "MsgId",
        /// The chosen item, when the text answers a menu message of the customer-service API.
        pub bizmsgmenuid: Option<Cow<'a, str>> = "bizmsgmenuid",
        /// The article it was sent from.
        pub msg_data_id: Option<Cow<'a, str>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
    }
}

record! {
    /// A user sent a picture.
    pub struct Image<'a> = "image" {
        /// Where to fetch the picture, for a limited time.
        pub pic_url: Option<Cow<'a, str>> = "PicUrl",
        /// For the media API, valid for three days.
        pub media_id: Option<Cow<'a, str>> = "MediaId",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Cow<'a, str>> = "MsgId",
        /// The article it was sent from.
        pub msg_data_id: Option<Cow<'a, str>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
    }
}

record! {
    /// A user spoke.
    pub struct Voice<'a> = "voice" {
        /// For the media API, valid for three days.
        pub media_id: Option<Cow<'a, str>> = "MediaId",
        /// The encoding of the sound, such as `amr` or `speex`.
        pub format: Option<Cow<'a, str>> = "Format",
        /// What WeChat understood, where the account has switched speech recognition on.
        pub recognition: Option<Cow<'a, str>> = "Recognition",
        /// The same sound at 16 kHz, for the media API.
        pub media_id_16k: Option<Cow<'a, str>> = "MediaId16K",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Cow<'a, str>> = "MsgId",
        /// The article it was sent from.
        pub msg_data_id: Option<Cow<'a, str>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
    }
}

record! {
    /// A user sent a video.
    pub struct Video<'a> = "video" {
        /// For the media API, valid for three days.
        pub media_id: Option<Cow<'a, str>> = "MediaId",
        /// Its still picture, for the media API.
        pub thumb_media_id: Option<Cow<'a, str>> = "ThumbMediaId",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Cow<'a, str>> = "MsgId",
        /// The article it was sent from.
        pub msg_data_id: Option<Cow<'a, str>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
    }
}

record! {
    /// A user recorded a short video in the chat.
    pub struct ShortVideo<'a> = "short_video" {
        /// For the media API, valid for three days.
        pub media_id: Option<Cow<'a, str>> = "MediaId",
        /// Its still picture, for the media API.
        pub thumb_media_id: Option<Cow<'a, str>> = "ThumbMediaId",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Cow<'a, str>> = "MsgId",
        /// The article it was sent from.
        pub msg_data_id: Option<Cow<'a, str>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
    }
}

record! {
    /// A user sent a place, chosen on the map.
    ///
    /// MsgType `location`; the event `LOCATION`, which a follower's phone reports, is [`Location`](super::Location).
    pub struct LocationMessage<'a> = "location_message" {
        /// Latitude in degrees.
        pub location_x: Option<f64> = "Location_X",
        /// Longitude in degrees.
        pub location_y: Option<f64> = "Location_Y",
        /// Zoom of the map; a float was seen.
        pub scale: Option<f64> = "Scale",
        /// The place in words.
        pub label: Option<Cow<'a, str>> = "Label",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Cow<'a, str>> = "MsgId",
        /// The article it was sent from.
        pub msg_data_id: Option<Cow<'a, str>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
    }
}

record! {
    /// A user shared a page.
    pub struct Link<'a> = "link" {
        /// The page's title.
        pub title: Option<Cow<'a, str>> = "Title",
        /// What the page is about.
        pub description: Option<Cow<'a, str>> = "Description",
        /// The page's address.
        pub url: Option<Cow<'a, str>> = "Url",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Cow<'a, str>> = "MsgId",
        /// The article it was sent from.
        pub msg_data_id: Option<Cow<'a, str>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
    }
}

record! {
    /// A user sent a file.
    pub struct File<'a> = "file" {
        /// The file's name.
        pub title: Option<Cow<'a, str>> = "Title",
        /// What is said of it.
        pub description: Option<Cow<'a, str>> = "Description",
        /// Identifies the file; no API for fetching it is documented.
        pub file_key: Option<Cow<'a, str>> = "FileKey",
        /// MD5 of the file, in hexadecimal.
        pub file_md5: Option<Cow<'a, str>> = "FileMd5",
        /// Bytes of the file.
        pub file_total_len: Option<i64> = "FileTotalLen",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Cow<'a, str>> = "MsgId",
        /// The article it was sent from.
        pub msg_data_id: Option<Cow<'a, str>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
    }
}

record! {
    /// A user shared a page of a mini program.
    pub struct MiniprogramPage<'a> = "miniprogram_page" {
        /// The card's title.
        pub title: Option<Cow<'a, str>> = "Title",
        /// The mini program's AppID.
        pub app_id: Option<Cow<'a, str>> = "AppId",
        /// The page within it.
        pub page_path: Option<Cow<'a, str>> = "PagePath",
        /// Where to fetch the card's picture, for a limited time.
        pub thumb_url: Option<Cow<'a, str>> = "ThumbUrl",
        /// The card's picture, for the media API.
        pub thumb_media_id: Option<Cow<'a, str>> = "ThumbMediaId",
        /// Identifies the message for its user; 64 bits, and not always a number.
        pub msg_id: Option<Cow<'a, str>> = "MsgId",
        /// The article it was sent from.
        pub msg_data_id: Option<Cow<'a, str>> = "MsgDataId",
        /// Which article of that message, from 1.
        pub idx: Option<u32> = "Idx",
    }
}
