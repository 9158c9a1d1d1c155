//! How WeChat judges an answer.

use std::borrow::Cow;
use std::time::Duration;

use super::{Mode, PATIENCE, Request, Sealed, WeChat};
use crate::cipher::{OpenError, open};
use crate::endpoint::Response;
use crate::event::{Event, Takes, parse_event};
use crate::fields::{Element, Fields, Limits, Nodes, Path, is_json, trim};
use crate::reply::has_forbidden;
use crate::shown;
use crate::signature::{same, sign};
use crate::text::Str;

/// Longest text in bytes of UTF-8, as the official page said until 2014.
const TEXT_LIMIT: usize = 2048;
/// Most articles that are shown.
const ARTICLES: usize = 8;

pub(super) const LIMITS: Limits = Limits { elements: 1 << 20, depth: 16, ..Limits::NONE };

/// The answer to a request, over any transport; `From` a [`Response`](crate::Response).
///
/// ```
/// use wechat_events::testing::{Answer, Verdict, WeChat};
///
/// let wechat = WeChat::plain("token")?;
/// let request = wechat.push("text").request(1700000000);
/// let verdict = wechat.judge(&request, Answer::new(200, r#""success""#));
/// assert_eq!(
///     verdict.to_string(),
///     "shows its fault line: the answer `\\\"success\\\"` is not `success`, not empty and not XML: \
///      unknown token at 1:1"
/// );
/// # Ok::<(), wechat_events::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// How long it took.
    pub after: Duration,
}

impl Answer {
    /// An answer without delay.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer { status, body: body.into(), after: Duration::ZERO }
    }

    /// Sets the delay, counted from the request.
    #[must_use]
    pub fn after(self, after: Duration) -> Answer {
        Answer { after, ..self }
    }
}

impl From<Response> for Answer {
    fn from(response: Response) -> Answer {
        Answer::new(response.status, response.body)
    }
}

impl From<&Response> for Answer {
    fn from(response: &Response) -> Answer {
        Answer::new(response.status, &*response.body)
    }
}

/// What WeChat does with an answer; `Display` says it in one line, with the reason.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Verdict {
    /// Shows the reply to the user.
    #[error("shows the reply")]
    Accepted(Accepted),
    /// Shows nothing, as expected: the answer was `success` or empty, or for a payment code 0.
    #[error("shows nothing, as asked")]
    Silent,
    /// The address is confirmed.
    #[error("confirms the address")]
    Confirmed,
    /// Shows nothing, and the answer is lost.
    #[error("ignores the answer: {0}")]
    Ignored(Reason),
    /// Pushes again: it expects code 0.
    #[error("pushes it again: {0}")]
    PushedAgain(Reason),
    /// Does not push again, though it has not got code 0: the [plan](super::Plan) has ended.
    #[error("gives up: {0}")]
    GivenUp(Reason),
    /// Tells the user that the account is out of order (该公众号提供的服务出现故障), and alarms its owner.
    #[error("shows its fault line: {0}")]
    FaultLine(Reason),
    /// The address is not confirmed; the console says that the token is wrong.
    #[error("does not confirm the address: {0}")]
    Refused(Reason),
}

impl Verdict {
    /// A field of the shown reply, by its path, such as `Content` or `Image/MediaId`.
    #[must_use]
    pub fn field(&self, path: &str) -> Option<String> {
        match self {
            Verdict::Accepted(reply) => reply.field(path),
            _ => None,
        }
    }
}

/// A reply as WeChat reads it, decrypted if it was encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// The bytes: XML, or JSON if the push was JSON.
    pub message: Vec<u8>,
    /// Whether it was encrypted.
    pub sealed: bool,
}

impl Accepted {
    /// The first element at a path, such as `Content` or `Articles/item/Title`.
    ///
    /// ```
    /// # use wechat_events::testing::{Answer, Verdict, WeChat};
    /// let wechat = WeChat::plain("token")?;
    /// let request = wechat.push("text").set("FromUserName", "o_1").set("ToUserName", "gh_1").request(1);
    /// let verdict = wechat.judge(&request, Answer::new(200, "<xml><ToUserName>o_1</ToUserName>\
    ///     <FromUserName>gh_1</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType>\
    ///     <Content>hi</Content></xml>"));
    /// let Verdict::Accepted(reply) = verdict else { panic!("{verdict}") };
    /// assert_eq!((reply.field("Content").as_deref(), reply.sealed), (Some("hi"), false));
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[must_use]
    pub fn field(&self, path: &str) -> Option<String> {
        let mut nodes = Nodes::new();
        let fields = Fields::read(&self.message, &LIMITS, &mut nodes).ok()?;
        fields.root().first(Path::new(path)).map(|element| element.text().into())
    }
}

/// Why WeChat does not show an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// No answer.
    #[error("no answer in time")]
    Silence,
    /// The answer came after WeChat had hung up.
    #[error("it came after {after:?}, when WeChat had hung up")]
    TooLate {
        /// Time since the request.
        after: Duration,
    },
    /// A status other than 200.
    #[error("status {status}, not 200")]
    Status {
        /// HTTP status.
        status: u16,
    },
    /// The body is not the echostr.
    #[error("the body is `{}`, not the echostr {echostr} alone", found.escape_debug())]
    Echostr {
        /// The expected echostr.
        echostr: String,
        /// The first 64 characters of the body.
        found: String,
    },
    /// Neither `success` nor empty nor XML.
    #[error("the answer `{}` is not `success`, not empty and not XML: {reason}", found.escape_debug())]
    NotXml {
        /// The first 64 characters of the answer.
        found: String,
        /// The XML reader's error.
        reason: String,
    },
    /// The root element is not `xml`.
    #[error("its root is `{}`, not `xml`", found.escape_debug())]
    Root {
        /// The first 64 characters of its name.
        found: String,
    },
    /// `U+FEFF` at the start, as some editors write it.
    #[error("a byte order mark stands in front of it")]
    ByteOrderMark,
    /// XML in answer to JSON, or JSON in answer to XML.
    #[error("the push and the answer are not both XML or both JSON")]
    Format,
    /// In plaintext mode a reply must not be encrypted.
    #[error("it is encrypted, but the account is in plaintext mode")]
    Sealed,
    /// In safe mode a reply must be encrypted.
    #[error("it is not encrypted, but the account is in safe mode")]
    NotSealed,
    /// `success` and an empty answer must be sent in the clear.
    #[error("`success` is encrypted, but only replies may be")]
    SealedSuccess,
    /// The envelope's MsgSignature does not match its parts and the token.
    #[error("MsgSignature is wrong")]
    MsgSignature,
    /// The envelope's Encrypt cannot be decrypted.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// This kind of push takes no reply.
    #[error("`{name}` takes no reply")]
    TakesNone {
        /// The kind's name on the wire.
        name: String,
    },
    /// A code other than 0.
    #[error("code {err_code}: {}", err_msg.escape_debug())]
    Code {
        /// `ErrCode`.
        err_code: i64,
        /// The first 64 characters of `ErrMsg`.
        err_msg: String,
    },
    /// This kind of push takes only a code.
    #[error("`{name}` takes a code, not `{}`", found.escape_debug())]
    TakesCode {
        /// The kind's name on the wire.
        name: String,
        /// The first 64 characters of the answer.
        found: String,
    },
    /// This kind of push asks whether Apple should refund.
    #[error("`{name}` takes an opinion, not `{}`", found.escape_debug())]
    TakesOpinion {
        /// The kind's name on the wire.
        name: String,
        /// The first 64 characters of the answer.
        found: String,
    },
    /// A mini game's answer must be in the clear.
    #[error("it is encrypted, but mini games answer in the clear")]
    SealedCode,
    /// An element is missing, or empty though it is required.
    #[error("{field} is missing or empty")]
    Missing {
        /// Its path.
        field: &'static str,
    },
    /// An element has an unexpected value.
    #[error("{field} is `{}`, not {expected}", found.escape_debug())]
    Unexpected {
        /// Its path.
        field: &'static str,
        /// The first 64 characters of its text.
        found: String,
        /// The expected value.
        expected: String,
    },
    /// The text is too long.
    #[error("Content has {bytes} bytes, {TEXT_LIMIT} are allowed")]
    TooLong {
        /// Length in UTF-8.
        bytes: usize,
    },
    /// More articles than WeChat shows in answer to this kind of push.
    ///
    /// The official page says today that the first ones are sent, and used to say that nothing is.
    #[error("{articles} articles, {limit} are allowed")]
    Articles {
        /// Number of articles in the reply.
        articles: usize,
        /// Number of articles allowed.
        limit: usize,
    },
}

impl WeChat {
    /// What WeChat does with this answer to this request.
    ///
    /// ```
    /// use wechat_events::testing::{Answer, Reason, Verdict, WeChat};
    ///
    /// let wechat = WeChat::plain("token")?;
    /// let request = wechat.push("VIEW").request(1700000000);
    /// assert_eq!(wechat.judge(&request, Answer::new(200, "success")), Verdict::Silent);
    /// let reply = "<xml><MsgType>text</MsgType></xml>";
    /// let fault = Verdict::FaultLine(Reason::TakesNone { name: "VIEW".into() });
    /// assert_eq!(wechat.judge(&request, Answer::new(200, reply)), fault);
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[must_use]
    pub fn judge(&self, request: &Request, answer: impl Into<Answer>) -> Verdict {
        let Answer { status, body, after } = answer.into();
        let event = parse_event(&request.message).ok();
        if let Some(event) = event.as_ref().filter(|event| matches!(event.takes(), Takes::Code | Takes::IosRefund)) {
            let found = match status {
                _ if after >= event.takes().deadline() => Err(Reason::TooLate { after }),
                200 => self.code(request, event, &body),
                _ => Err(Reason::Status { status }),
            };
            return found.map_or_else(|reason| not_taken(event.takes(), reason), |()| Verdict::Silent);
        }
        let reason = if after >= PATIENCE {
            return Verdict::Ignored(Reason::TooLate { after });
        } else if status != 200 {
            Reason::Status { status }
        } else if let Some(echostr) = &request.echostr {
            if body == echostr.as_bytes() {
                return Verdict::Confirmed;
            }
            Reason::Echostr { echostr: echostr.clone(), found: begin(&body) }
        } else if matches!(&*body, b"" | b"success") {
            return Verdict::Silent;
        } else {
            return self.reply(request, event.as_ref(), &body).unwrap_or_else(Verdict::FaultLine);
        };
        match request.echostr {
            Some(_) => Verdict::Refused(reason),
            None => Verdict::FaultLine(reason),
        }
    }

    /// What WeChat does if this request is not answered.
    ///
    /// ```
    /// use wechat_events::testing::{Reason, Verdict, WeChat};
    ///
    /// let wechat = WeChat::plain("token")?;
    /// let silence = |name| wechat.judge_silence(&wechat.push(name).request(1700000000));
    /// assert_eq!(silence("text"), Verdict::Ignored(Reason::Silence));
    /// assert_eq!(silence("xpay_goods_deliver_notify"), Verdict::PushedAgain(Reason::Silence));
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[must_use]
    pub fn judge_silence(&self, request: &Request) -> Verdict {
        match parse_event(&request.message) {
            _ if request.echostr.is_some() => Verdict::Refused(Reason::Silence),
            Ok(event) => not_taken(event.takes(), Reason::Silence),
            Err(_) => Verdict::Ignored(Reason::Silence),
        }
    }

    fn reply(&self, request: &Request, event: Option<&Event<'_>>, body: &[u8]) -> Result<Verdict, Reason> {
        let json = request.content_type == "application/json";
        let (message, sealed) = self.opened(body, json)?;
        if !event.is_some_and(Event::takes_reply) {
            return Err(Reason::TakesNone { name: event.map(|event| event.name().to_owned()).unwrap_or_default() });
        }
        let mut nodes = Nodes::new();
        let fields = read(&message, json, &mut nodes)?;
        let verdict = event.map_or(Ok(None), |event| check(event, fields.root(), json))?;
        Ok(verdict.unwrap_or(Verdict::Accepted(Accepted { message: message.to_vec(), sealed })))
    }

    /// The reply's message, and whether it was encrypted.
    pub(super) fn opened<'b>(&self, body: &'b [u8], json: bool) -> Result<(Cow<'b, [u8]>, bool), Reason> {
        let mut nodes = Nodes::new();
        let fields = read(body, json, &mut nodes)?;
        let encrypt = fields.root().first(Path::new("Encrypt"));
        match (&self.mode, encrypt) {
            (Mode::Plain, Some(_)) => Err(Reason::Sealed),
            (Mode::Safe(_), None) => Err(Reason::NotSealed),
            (Mode::Plain | Mode::Compatible(_), None) => Ok((Cow::Borrowed(body), false)),
            (Mode::Compatible(sealed) | Mode::Safe(sealed), Some(encrypt)) => {
                let message = self.unseal(sealed, &encrypt.text(), fields.root())?;
                if matches!(&*message, b"" | b"success") {
                    return Err(Reason::SealedSuccess);
                }
                Ok((Cow::Owned(message), true))
            }
        }
    }

    fn unseal(&self, sealed: &Sealed, encrypt: &str, root: Element<'_, '_>) -> Result<Vec<u8>, Reason> {
        let signature = filled(root, "MsgSignature")?;
        let timestamp = filled(root, "TimeStamp")?;
        let nonce = filled(root, "Nonce")?;
        number("TimeStamp", &timestamp)?;
        if !same(&sign([&self.token, &timestamp, &nonce, encrypt]), &signature) {
            return Err(Reason::MsgSignature);
        }
        Ok(open(&sealed.key, &sealed.app_id, encrypt)?.into_message())
    }
}

/// The result of an invalid answer: a payment is pushed again. Apple asks as often as it does, and then decides by
/// itself.
fn not_taken(takes: Takes, reason: Reason) -> Verdict {
    if takes == Takes::Code { Verdict::PushedAgain(reason) } else { Verdict::Ignored(reason) }
}

/// Reads an answer, strictly as XML.
pub(super) fn read<'b, 'n>(body: &'b [u8], json: bool, nodes: &'n mut Nodes) -> Result<Fields<'b, 'n>, Reason> {
    let not_xml = |reason: &dyn std::fmt::Display| Reason::NotXml {
        found: begin(body),
        reason: shown::reason(&reason.to_string()),
    };
    if body.starts_with("\u{FEFF}".as_bytes()) {
        return Err(Reason::ByteOrderMark);
    }
    let begins_xml = body.trim_ascii_start().starts_with(b"<");
    if (json && begins_xml) || (!json && is_json(body)) {
        return Err(Reason::Format);
    }
    if is_json(body) {
        return Fields::read(body, &LIMITS, nodes).map_err(|error| not_xml(&error));
    }
    let text = str::from_utf8(body).map_err(|error| not_xml(&error))?;
    let fields = Fields::read(body, &LIMITS, nodes);
    let root = if fields.as_ref().is_ok_and(Fields::is_of_dialect) && !has_forbidden(text) {
        text.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
    } else {
        let document = roxmltree::Document::parse(text).map_err(|error| not_xml(&error))?;
        document.root_element().tag_name().name().to_owned()
    };
    if root != "xml" {
        return Err(Reason::Root { found: shown::word(&root) });
    }
    fields.map_err(|error| not_xml(&error))
}

/// Checks that the reply has what its type requires. `Some` if WeChat accepts it and shows nothing.
fn check(event: &Event<'_>, root: Element<'_, '_>, json: bool) -> Result<Option<Verdict>, Reason> {
    for (field, expected) in [("ToUserName", &event.from_user), ("FromUserName", &event.to_user)] {
        let found = filled(root, field)?;
        if trim(&found) != trim(expected) {
            return Err(unexpected(field, &found, &format!("`{}`", trim(expected))));
        }
    }
    // Milliseconds are accepted too: two SDKs have written them for years.
    number("CreateTime", &filled(root, "CreateTime")?)?;
    let msg_type = filled(root, "MsgType")?;
    match &*msg_type {
        "text" => match filled(root, "Content")?.len() {
            bytes if bytes > TEXT_LIMIT => Err(Reason::TooLong { bytes }),
            _ => Ok(None),
        },
        "image" => filled(root, "Image/MediaId").map(|_| None),
        "voice" => filled(root, "Voice/MediaId").map(|_| None),
        "video" => filled(root, "Video/MediaId").map(|_| None),
        "music" => filled(root, "Music/ThumbMediaId").map(|_| None),
        "news" => {
            let articles = if json { "Articles" } else { "Articles/item" };
            let items: Vec<_> = root.all(Path::new(articles)).collect();
            let stated = number("ArticleCount", &filled(root, "ArticleCount")?)?;
            if usize::try_from(stated) != Ok(items.len()) {
                return Err(unexpected("ArticleCount", &stated.to_string(), &items.len().to_string()));
            }
            for item in &items {
                for field in ["Title", "Description", "PicUrl", "Url"] {
                    item.first(Path::new(field)).ok_or(Reason::Missing { field })?;
                }
            }
            let limit = articles_for(event);
            match items.len() {
                0 => Err(Reason::Missing { field: "Articles/item" }),
                articles if articles > limit => Ok(Some(Verdict::Ignored(Reason::Articles { articles, limit }))),
                _ => Ok(None),
            }
        }
        "transfer_customer_service" if event.is_message() => match root.first(Path::new("TransInfo/KfAccount")) {
            Some(_) => filled(root, "TransInfo/KfAccount").map(|_| None),
            None => Ok(None),
        },
        "transfer_biz_ai_ivr" if event.is_message() => Ok(None),
        "transfer_customer_service" | "transfer_biz_ai_ivr" => {
            Err(unexpected("MsgType", &msg_type, "a reply to an event"))
        }
        _ => Err(unexpected("MsgType", &msg_type, "a type of reply")),
    }
}

/// One in answer to what a user sends, as the official page says.
fn articles_for(event: &Event<'_>) -> usize {
    let one = ["text", "image", "voice", "video", "news", "location"];
    if event.is_message() && one.iter().any(|name| name.eq_ignore_ascii_case(event.name())) { 1 } else { ARTICLES }
}

pub(super) fn filled<'a>(root: Element<'_, 'a>, field: &'static str) -> Result<Str<'a>, Reason> {
    let text = root.first(Path::new(field)).map(Element::text);
    text.filter(|text| !text.is_empty()).ok_or(Reason::Missing { field })
}

pub(super) fn number(field: &'static str, text: &str) -> Result<i64, Reason> {
    trim(text).parse().map_err(|_| unexpected(field, text, "a number"))
}

pub(super) fn unexpected(field: &'static str, found: &str, expected: &str) -> Reason {
    Reason::Unexpected { field, found: shown::word(found), expected: expected.to_owned() }
}

pub(super) fn begin(body: &[u8]) -> String {
    shown::word(&String::from_utf8_lossy(body))
}
