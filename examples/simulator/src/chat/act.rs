//! What the person at the page does, and what WeChat pushes for it.

use serde::Deserialize;
use wechat_events::event::{KINDS, Takes};
use wechat_events::parse_event;
use wechat_events::testing::Draft;

use super::Chat;
use crate::account::now;
use crate::shown::takes_as_word;
use crate::words::Words;

/// Something done on the phone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// Types a text; with an id, presses a link of the form `weixin://bizmsgmenu?…` in a reply.
    Text {
        content: String,
        #[serde(default)]
        bizmsgmenuid: Option<String>,
    },
    /// Presses a button of the menu, and fills in what it asks for.
    Press {
        button: Vec<usize>,
        #[serde(default)]
        set: Vec<(String, String)>,
    },
    /// Scans a QR code of the account: whoever does not follow it yet follows it by that.
    Scan { scene: String },
    /// Follows without a QR code.
    Follow {},
    /// Any kind of the catalogue, or an event with a name that is not in it.
    Push {
        kind: String,
        #[serde(default)]
        set: Vec<(String, String)>,
        #[serde(default)]
        without: Vec<String>,
    },
    /// These bytes, unchanged.
    Raw { message: String },
    /// The push with this number once more, byte for byte.
    Again { id: u64 },
    /// The console's address check.
    Check {},
}

/// What an act becomes.
pub enum Made {
    /// Pushes in plaintext, one after another.
    Pushes(Vec<Vec<u8>>),
    AddressCheck,
}

/// Why nothing is pushed; the text is for the page.
#[derive(Debug)]
pub enum Refused {
    /// What it names does not exist.
    Unknown(Words),
    /// The user does not follow the account.
    NotFollowing,
}

impl Act {
    pub fn make(self, chat: &Chat) -> Result<Made, Refused> {
        let (wechat, following) = (&chat.wechat, chat.conversation.is_following());
        let one = |draft: Draft<'_>| Ok(Made::Pushes(vec![chat.message(draft)]));
        match self {
            Act::Text { .. } | Act::Press { .. } if !following => Err(Refused::NotFollowing),
            Act::Text { content, bizmsgmenuid } => {
                let draft = wechat.push("text").set("Content", &content);
                one(match bizmsgmenuid {
                    Some(id) => draft.set("bizmsgmenuid", &id),
                    None => draft.without("bizmsgmenuid"),
                })
            }
            Act::Press { button, set } => chat.press(&button, &set).map(Made::Pushes),
            Act::Scan { scene } if following => one(wechat.push("SCAN").set("EventKey", &scene)),
            Act::Scan { scene } => one(wechat.push("subscribe").set("EventKey", &format!("qrscene_{scene}"))),
            Act::Follow {} => one(wechat.push("subscribe").set("EventKey", "").without("Ticket")),
            Act::Push { kind, set, without } => {
                let draft = chat.addressed(wechat.push_unknown(&kind));
                let draft = without.iter().fold(filled(draft, &set), |draft, path| draft.without(path));
                let draft = chat
                    .account
                    .signed(draft)
                    .map_err(|problem| Refused::Unknown(Words::made(problem.to_string(), problem.to_string())))?;
                Ok(Made::Pushes(vec![draft.request(now()).message]))
            }
            Act::Raw { message } => Ok(Made::Pushes(vec![message.into_bytes()])),
            Act::Again { id } => match chat.conversation.message(id) {
                Some(message) => Ok(Made::Pushes(vec![message])),
                None => Err(Refused::Unknown(Words::made(
                    format!("push {id} is no longer kept"),
                    format!("第 {id} 条推送已不再保留"),
                ))),
            },
            Act::Check {} => Ok(Made::AddressCheck),
        }
    }
}

/// WeChat's limit of pictures at a time.
const PICTURES: usize = 9;

impl Chat {
    /// The event of a button; pictures that were taken and places that were chosen follow it as messages.
    fn press(&self, place: &[usize], set: &[(String, String)]) -> Result<Vec<Vec<u8>>, Refused> {
        let button = self.menu.button(place).ok_or_else(|| {
            Refused::Unknown(Words::made(format!("no button at {place:?}"), format!("{place:?} 处没有按钮")))
        })?;
        let draft = button.press(&self.wechat).ok_or_else(|| {
            let kind = &button.kind;
            Refused::Unknown(Words::made(
                format!("`{kind}` pushes nothing: WeChat handles it by itself"),
                format!("`{kind}` 类型的按钮由微信自己处理，没有推送"),
            ))
        })?;
        let event = self.message(filled(draft, set));
        let field = |path: &str| parse_event(&event).ok()?.field(path).map(String::from);
        let follow: Vec<_> = match &*button.kind {
            "pic_sysphoto" | "pic_photo_or_album" | "pic_weixin" => {
                let count = field("SendPicsInfo/Count").and_then(|count| count.parse().ok()).unwrap_or(0);
                (0..count.min(PICTURES)).map(|_| self.message(self.wechat.push("image"))).collect()
            }
            "location_select" => {
                let names = ["Location_X", "Location_Y", "Scale", "Label"];
                let draft = names.iter().fold(self.wechat.push("location"), |draft, name| {
                    match field(&format!("SendLocationInfo/{name}")) {
                        Some(value) => draft.set(name, &value),
                        None => draft,
                    }
                });
                vec![self.message(draft)]
            }
            _ => Vec::new(),
        };
        Ok([vec![event], follow].concat())
    }

    /// The plaintext of a push, sent now by this chat's user.
    fn message(&self, draft: Draft<'_>) -> Vec<u8> {
        self.addressed(draft).request(now()).message
    }

    /// The same from this chat's user to its account; what WeChat itself sends, and pushes to third-party platforms, stay
    /// as they are.
    pub fn addressed<'w>(&self, draft: Draft<'w>) -> Draft<'w> {
        let message = draft.request(0).message;
        let Ok(event) = parse_event(&message) else { return draft };
        let mut draft = draft;
        // OpenIDs begin with an `o`.
        if event.from_user.starts_with('o') {
            draft = draft.set("FromUserName", &self.user);
        }
        if !event.to_user.is_empty() {
            draft = draft.set("ToUserName", &self.account_id);
        }
        draft
    }

    /// The catalogue, as the page offers it.
    pub fn kinds(&self) -> Vec<Offered> {
        KINDS.iter().map(|kind| Offered::of(self, kind)).collect()
    }
}

fn filled<'w>(draft: Draft<'w>, set: &[(String, String)]) -> Draft<'w> {
    set.iter().fold(draft, |draft, (path, value)| draft.set_unknown(path, value))
}

/// A kind of push.
#[derive(Debug, serde::Serialize)]
pub struct Offered {
    name: &'static str,
    variant: &'static str,
    group: String,
    takes_reply: bool,
    #[serde(serialize_with = "takes_as_word")]
    takes: Takes,
    fields: Vec<Field>,
}

/// A place of a kind's sample, and what stands there; nothing for what the sample lacks.
#[derive(Debug, serde::Serialize)]
struct Field {
    path: String,
    value: Option<String>,
}

impl Offered {
    fn of(chat: &Chat, kind: &wechat_events::event::KindInfo) -> Offered {
        let message = chat.addressed(chat.wechat.push(kind.name())).request(0).message;
        let event = parse_event(&message).ok();
        let value = |path: &str| event.as_ref()?.field(path).map(String::from);
        let mut fields = Vec::new();
        let header = ["ToUserName", "FromUserName"].map(str::to_owned).into_iter();
        for path in header.filter(|path| value(path).is_some()).chain(kind.fields()) {
            // `OpenID|openid`: the sample's own, else the first.
            let usual = path.split('|').find(|path| value(path).is_some()).or(path.split('|').next());
            // A MsgId is new each time.
            if let Some(path) = usual.filter(|path| *path != "MsgId") {
                fields.push(Field { value: value(path), path: path.to_owned() });
            }
        }
        Offered {
            name: kind.name(),
            variant: kind.variant(),
            group: format!("{:?}", kind.group()),
            takes_reply: kind.takes_reply(),
            takes: kind.takes(),
            fields,
        }
    }
}
