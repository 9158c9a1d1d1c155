//! What the follower sees.

use std::fmt;

use serde::Serialize;
use wechat_events::event::Takes;
use wechat_events::testing::{Accepted, Reason, Verdict};
use wechat_events::{Event, parse_event};

use crate::wire::Lost;

/// WeChat's words where a receiver's answer is none.
pub const FAULT_LINE: &str = "该公众号提供的服务出现故障，请稍后再试";

/// What stands in the chat after a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "shown", rename_all = "snake_case")]
pub enum Shown {
    Text {
        content: String,
    },
    Image {
        media_id: String,
    },
    Voice {
        media_id: String,
    },
    Video {
        media_id: String,
        title: String,
        description: String,
    },
    Music {
        title: String,
        description: String,
        url: String,
    },
    News {
        cards: Vec<Card>,
    },
    /// The follower goes on with a human.
    CustomerService,
    /// The follower goes on with WeChat's AI (智能回复).
    BizAi,
    Nothing,
    /// What WeChat itself asked for: it is done with the push.
    Done,
    /// Nothing, and the payment comes again.
    PushedAgain {
        reason: String,
    },
    /// Nothing, and the payment comes no more.
    GivenUp {
        reason: String,
    },
    /// The account is out of order.
    FaultLine {
        reason: String,
    },
    /// Nothing, though something was sent.
    Lost {
        reason: String,
    },
    /// The console takes the address.
    Confirmed,
    /// The console does not.
    Refused {
        reason: String,
    },
}

/// An article of a news reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Card {
    pub title: String,
    pub description: String,
    pub pic_url: String,
    pub url: String,
}

impl Shown {
    /// Upon an answer to what takes that; `lost` says why there is no answer, if it is not only late.
    pub fn of(takes: Takes, verdict: &Verdict, lost: Option<&Lost>) -> Shown {
        let told = |reason: &Reason| lost.map_or_else(|| reason.to_string(), |lost| lost.reason.to_string());
        match verdict {
            Verdict::Accepted(reply) => Shown::reply(reply),
            Verdict::Silent if is_asked_by_wechat(takes) => Shown::Done,
            Verdict::PushedAgain(reason) => Shown::PushedAgain { reason: told(reason) },
            Verdict::GivenUp(reason) => Shown::GivenUp { reason: told(reason) },
            Verdict::Confirmed => Shown::Confirmed,
            Verdict::Ignored(reason) => Shown::Lost { reason: told(reason) },
            Verdict::FaultLine(reason) => Shown::FaultLine { reason: told(reason) },
            Verdict::Refused(reason) => Shown::Refused { reason: told(reason) },
            // `Silent`, and whatever a later version adds.
            _ => Shown::Nothing,
        }
    }

    /// Why it is not what the receiver wanted.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Shown::FaultLine { reason }
            | Shown::Lost { reason }
            | Shown::PushedAgain { reason }
            | Shown::GivenUp { reason }
            | Shown::Refused { reason } => Some(reason),
            _ => None,
        }
    }

    fn reply(reply: &Accepted) -> Shown {
        let field = |path| reply.field(path).unwrap_or_default();
        match &*field("MsgType") {
            "image" => Shown::Image { media_id: field("Image/MediaId") },
            "voice" => Shown::Voice { media_id: field("Voice/MediaId") },
            "video" => Shown::Video {
                media_id: field("Video/MediaId"),
                title: field("Video/Title"),
                description: field("Video/Description"),
            },
            "music" => Shown::Music {
                title: field("Music/Title"),
                description: field("Music/Description"),
                url: field("Music/MusicUrl"),
            },
            "news" => Shown::News { cards: parse_event(&reply.message).map(|reply| cards(&reply)).unwrap_or_default() },
            "transfer_customer_service" => Shown::CustomerService,
            "transfer_biz_ai_ivr" => Shown::BizAi,
            _ => Shown::Text { content: field("Content") },
        }
    }
}

/// What a push takes, in a word, for the page of `chat`.
pub fn takes_as_word<S: serde::Serializer>(takes: &Takes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match takes {
        Takes::Reply => "reply",
        Takes::Code => "code",
        Takes::IosRefund => "opinion",
        _ => "success",
    })
}

/// Whether the answer is for WeChat itself, and not for a follower.
pub fn is_asked_by_wechat(takes: Takes) -> bool {
    matches!(takes, Takes::Code | Takes::IosRefund)
}

/// The articles: in JSON they are the items of a list, in XML each is an `item`.
fn cards(reply: &Event<'_>) -> Vec<Card> {
    let all = |name: &str| -> Vec<String> {
        let in_xml = reply.fields(&format!("Articles/item/{name}")).map(String::from).collect::<Vec<_>>();
        if in_xml.is_empty() { reply.fields(&format!("Articles/{name}")).map(String::from).collect() } else { in_xml }
    };
    let columns = ["Title", "Description", "PicUrl", "Url"].map(all).map(Vec::into_iter);
    let [titles, descriptions, pictures, addresses] = columns;
    titles
        .zip(descriptions)
        .zip(pictures.zip(addresses))
        .map(|((title, description), (pic_url, url))| Card { title, description, pic_url, url })
        .collect()
}

/// For a terminal: what stands in the chat, and in brackets what does not.
impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shown::Text { content } => f.write_str(content),
            Shown::Image { media_id } => write!(f, "[picture {media_id}]"),
            Shown::Voice { media_id } => write!(f, "[voice {media_id}]"),
            Shown::Video { media_id, title, .. } => write!(f, "[video {media_id}] {title}"),
            Shown::Music { title, url, .. } => write!(f, "[music] {title} {url}"),
            Shown::News { cards } => {
                for (index, card) in cards.iter().enumerate() {
                    let end = if index + 1 == cards.len() { "" } else { "\n" };
                    write!(f, "[card] {} {}{end}", card.title, card.url)?;
                }
                Ok(())
            }
            Shown::CustomerService => f.write_str("[goes on with a human]"),
            Shown::BizAi => f.write_str("[goes on with WeChat's AI]"),
            Shown::Nothing => f.write_str("[nothing]"),
            Shown::Done => f.write_str("[it is done]"),
            Shown::PushedAgain { .. } => f.write_str("[it comes again]"),
            Shown::GivenUp { .. } => f.write_str("[it comes no more, and is not done]"),
            Shown::FaultLine { .. } => f.write_str(FAULT_LINE),
            Shown::Lost { .. } => f.write_str("[nothing: the answer is lost]"),
            Shown::Confirmed => f.write_str("[the address is confirmed]"),
            Shown::Refused { .. } => f.write_str("[the address is not confirmed]"),
        }
    }
}
