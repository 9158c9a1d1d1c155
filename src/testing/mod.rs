//! WeChat's side of the wire, for tests: pushes, retries, and how it judges answers.
//!
//! For tests of a handler or of a whole service over HTTP, and for simulators: a [`WeChat`] makes requests as WeChat
//! does, and [judges](WeChat::judge) answers as WeChat does. It uses no socket and no clock; the same seed gives the
//! same bytes.
//!
//! # Example: a test of a handler
//! ```
//! use wechat_events::event::Scan;
//! use wechat_events::testing::WeChat;
//! use wechat_events::{Endpoint, Event, Handler, HandlerResult, Reply};
//!
//! struct Restaurant;
//!
//! impl Handler for Restaurant {
//!     fn scan(&self, _: &Event<'_>, scan: &Scan<'_>) -> HandlerResult {
//!         Ok(Reply::text(format!("Table {} is yours", scan.scene())))
//!     }
//! }
//!
//! let (token, app_id, key) = ("token", "wx5823bf96d3bd56c7", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C");
//! let endpoint = Endpoint::safe(token, app_id, key)?;
//! let wechat = WeChat::safe(token, app_id, key)?;
//!
//! wechat.push("SCAN").set("EventKey", "7").respond(&endpoint, &Restaurant).expect_text("Table 7 is yours");
//! # Ok::<(), wechat_events::ConfigError>(())
//! ```
//! [`Draft::send`] does the same for a `Webhook`, with its retries, on a clock that tests can pause.
//!
//! # How accurate it is
//! It does what the official pages promise, and what was seen of WeChat where they say nothing. If neither is known it
//! is strict: what it accepts WeChat accepts, but WeChat may accept more.

mod code;
mod deliver;
mod draft;
mod plan;
mod verdict;

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::cipher::{EncodingAesKey, seal_with};
use crate::error::ConfigError;
use crate::fields::{Fields, Nodes, Path, is_json};
use crate::reply::JsonString;
use crate::signature::{Hex, sign};

#[doc(hidden)]
pub use crate::fields::readers;
pub use deliver::{Attempt, Delivery};
pub use draft::Draft;
pub use plan::Plan;
pub use verdict::{Accepted, Answer, Reason, Verdict};

/// How long WeChat waits for an answer before it hangs up and pushes again; [3 s](Plan) if it expects a code.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// When WeChat delivers an unanswered push, counted from the first delivery.
///
/// The official page says "three times"; the times are from a log. Payments have their own [plans](Plan).
pub const DELIVERIES: [Duration; 3] = [Duration::ZERO, Duration::from_millis(5070), Duration::from_millis(10080)];

/// WeChat as seen by one account.
///
/// ```
/// use wechat_events::testing::WeChat;
///
/// let wechat = WeChat::plain("AAAAA")?.seed(7);
/// let request = wechat.push("text").set("Content", "hello").request(1714037059);
/// assert_eq!(request.method, "POST");
/// assert_eq!(
///     request.query,
///     "signature=69f9ed1d8a4ba05686fdd780a95d9073cb89ffb6&timestamp=1714037059&nonce=72105175\
///      &openid=oqi1rLPx-bJ18oxc49j8USAghBVe"
/// );
/// assert!(request.body.starts_with(b"<xml><ToUserName><![CDATA[gh_ebc88566ca2e]]></ToUserName>\n"));
/// # Ok::<(), wechat_events::ConfigError>(())
/// ```
pub struct WeChat {
    token: String,
    mode: Mode,
    /// The envelope names the component instead of the account.
    component: bool,
    seed: u64,
    /// Number of random numbers drawn.
    drawn: AtomicU64,
}

#[derive(Debug)]
enum Mode {
    Plain,
    Compatible(Sealed),
    Safe(Sealed),
}

#[derive(Debug)]
struct Sealed {
    app_id: String,
    key: EncodingAesKey,
}

impl Sealed {
    fn new(app_id: impl Into<String>, key: impl AsRef<str>) -> Result<Sealed, ConfigError> {
        match app_id.into() {
            app_id if app_id.is_empty() => Err(ConfigError::EmptyAppId),
            app_id => Ok(Sealed { app_id, key: EncodingAesKey::new(key.as_ref())? }),
        }
    }
}

/// Shows mode and app id; token and key are secret.
impl fmt::Debug for WeChat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeChat").field("mode", &self.mode).field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl WeChat {
    /// For an account in plaintext mode.
    ///
    /// # Errors
    /// [`ConfigError::EmptyToken`] for `""`.
    pub fn plain(token: impl Into<String>) -> Result<WeChat, ConfigError> {
        WeChat::new(token.into(), Mode::Plain)
    }

    /// For an account in compatible mode: fields in the clear, and `Encrypt` beside them.
    ///
    /// # Errors
    /// The same as [`Endpoint::safe`](crate::Endpoint::safe).
    pub fn compatible(
        token: impl Into<String>,
        app_id: impl Into<String>,
        key: impl AsRef<str>,
    ) -> Result<WeChat, ConfigError> {
        WeChat::new(token.into(), Mode::Compatible(Sealed::new(app_id, key)?))
    }

    /// For an account in safe mode.
    ///
    /// # Errors
    /// The same as [`Endpoint::safe`](crate::Endpoint::safe).
    pub fn safe(
        token: impl Into<String>,
        app_id: impl Into<String>,
        key: impl AsRef<str>,
    ) -> Result<WeChat, ConfigError> {
        WeChat::new(token.into(), Mode::Safe(Sealed::new(app_id, key)?))
    }

    fn new(token: String, mode: Mode) -> Result<WeChat, ConfigError> {
        if token.is_empty() {
            return Err(ConfigError::EmptyToken);
        }
        Ok(WeChat { token, mode, component: false, seed: 0, drawn: AtomicU64::new(0) })
    }

    /// Sets the seed of nonces, MsgIds and random bytes. Default: 0.
    ///
    /// They are not secret: do not encrypt real secrets with them.
    #[must_use]
    pub fn seed(self, seed: u64) -> WeChat {
        WeChat { seed, drawn: AtomicU64::new(0), ..self }
    }

    /// Sends pushes as to a third-party platform: app id, token and key are the component's.
    ///
    /// The envelope has `AppId` instead of `ToUserName`, and the query has no `openid`.
    ///
    /// ```
    /// # use wechat_events::testing::WeChat;
    /// let wechat = WeChat::safe("token", "wx5823bf96d3bd56c7", "A".repeat(43))?.component();
    /// let ticket = "<xml><AppId>wx5823bf96d3bd56c7</AppId><InfoType>component_verify_ticket</InfoType></xml>";
    /// let request = wechat.raw(ticket).request(1700000000);
    /// assert!(request.body.starts_with(b"<xml><AppId><![CDATA[wx5823bf96d3bd56c7]]></AppId>\n<Encrypt>"));
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[must_use]
    pub fn component(self) -> WeChat {
        WeChat { component: true, ..self }
    }

    /// A push of a kind, by its name on the wire, such as `SCAN` or `text`.
    ///
    /// It is the kind's sample with a new MsgId, and its fields can be [set](Draft::set). The case of the name only
    /// matters for `LOCATION` and `location`.
    ///
    /// # Panics
    /// If no kind has the name, such as `"SCNA"`. For a kind that WeChat may add one day, use
    /// [`push_unknown`](WeChat::push_unknown).
    ///
    /// ```
    /// # use wechat_events::testing::WeChat;
    /// # use wechat_events::parse_event;
    /// let request = WeChat::plain("token")?.push("SCAN").set("EventKey", "7").request(1700000000);
    /// let event = parse_event(&request.body).unwrap();
    /// assert_eq!((event.name(), event.create_time, event.scene()), ("SCAN", 1700000000, Some("7")));
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[track_caller]
    pub fn push(&self, name: &str) -> Draft<'_> {
        Draft::of_kind(self, name)
    }

    /// A push with any name: a kind's sample, or an event that this version does not know.
    ///
    /// All its elements can be [set](Draft::set).
    ///
    /// ```
    /// # use wechat_events::testing::WeChat;
    /// # use wechat_events::{Kind, parse_event};
    /// let wechat = WeChat::plain("token")?;
    /// let request = wechat.push_unknown("brand_new").set("Part/Color", "red").request(1700000000);
    /// let event = parse_event(&request.body).unwrap();
    /// assert_eq!((event.name(), event.create_time), ("brand_new", 1700000000));
    /// assert_eq!(event.field("Part/Color").as_deref(), Some("red"));
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    pub fn push_unknown(&self, name: &str) -> Draft<'_> {
        Draft::of_any(self, name)
    }

    /// A push with exactly these bytes. If they begin with `{`, the envelope is JSON too.
    pub fn raw(&self, message: impl Into<Vec<u8>>) -> Draft<'_> {
        Draft::of_bytes(self, message.into())
    }

    /// The check of the address, as from the console's button; `now` is in seconds since 1970.
    ///
    /// ```
    /// # use wechat_events::Endpoint;
    /// # use wechat_events::testing::{Verdict, WeChat};
    /// # struct Silent;
    /// # impl wechat_events::Handler for Silent {}
    /// let (wechat, endpoint) = (WeChat::plain("token")?, Endpoint::plain("token")?);
    /// let request = wechat.address_check(1700000000);
    /// let response = endpoint.respond(request.method, &request.query, b"", request.now, &Silent);
    /// assert_eq!(wechat.judge(&request, response), Verdict::Confirmed);
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[must_use]
    pub fn address_check(&self, now: i64) -> Request {
        // Up to 19 digits, as WeChat's.
        let echostr = (self.draw() >> 1).to_string();
        let query = format!("{}&echostr={echostr}", self.signed(now, &self.nonce()));
        Request {
            method: "GET",
            query,
            content_type: "",
            body: Vec::new(),
            now,
            due: Duration::ZERO,
            message: Vec::new(),
            echostr: Some(echostr),
        }
    }

    /// Puts a message on the wire. Each call draws a nonce, unless one is given, and random bytes.
    fn request(&self, message: &[u8], nonce: Option<&str>, now: i64) -> Request {
        let nonce = nonce.map_or_else(|| self.nonce(), str::to_owned);
        let json = is_json(message);
        let field = |name| {
            let mut nodes = Nodes::new();
            let fields = Fields::read(message, &verdict::LIMITS, &mut nodes).ok()?;
            fields.root().first(Path::new(name)).map(|element| element.text().into_owned())
        };
        let mut query = self.signed(now, &nonce);
        if let Some(open_id) = field("FromUserName").filter(|_| !self.component) {
            query.push_str("&openid=");
            query.push_str(&percent_encoded(&open_id));
        }
        let body = match &self.mode {
            Mode::Plain => message.to_vec(),
            Mode::Compatible(sealed) | Mode::Safe(sealed) => {
                let encrypt = self.encrypt(sealed, message);
                let signature = sign([&self.token, &now.to_string(), &nonce, &encrypt]);
                query.push_str("&encrypt_type=aes&msg_signature=");
                query.push_str(&hexadecimal(signature));
                let (name, value) = if self.component {
                    ("AppId", Cow::Borrowed(&*sealed.app_id))
                } else {
                    ("ToUserName", field("ToUserName").unwrap_or_default().into())
                };
                match (&self.mode, json) {
                    (Mode::Compatible(_), false) => {
                        beside(message, &format!("<Encrypt><![CDATA[{encrypt}]]></Encrypt>\n"))
                    }
                    (Mode::Compatible(_), true) => beside_in_json(message, &format!(r#""Encrypt":"{encrypt}""#)),
                    (_, false) => format!(
                        "<xml><{name}>{}</{name}>\n<Encrypt><![CDATA[{encrypt}]]></Encrypt>\n</xml>",
                        draft::cdata(&value)
                    )
                    .into_bytes(),
                    (_, true) => format!(r#"{{"{name}":"{}","Encrypt":"{encrypt}"}}"#, JsonString(&value)).into_bytes(),
                }
            }
        };
        let content_type = if json { "application/json" } else { "text/xml" };
        let (message, due) = (message.to_vec(), Duration::ZERO);
        Request { method: "POST", query, content_type, body, now, due, message, echostr: None }
    }

    fn encrypt(&self, sealed: &Sealed, message: &[u8]) -> String {
        let random = (u128::from(self.draw()) << 64) | u128::from(self.draw());
        // Only fails for 4 GiB and more: then `Encrypt` is empty and cannot be decrypted.
        seal_with(&sealed.key, &sealed.app_id, message, random.to_be_bytes()).unwrap_or_default()
    }

    fn signed(&self, now: i64, nonce: &str) -> String {
        let timestamp = now.to_string();
        let signature = hexadecimal(sign([&self.token, &timestamp, nonce]));
        format!("signature={signature}&timestamp={timestamp}&nonce={}", percent_encoded(nonce))
    }

    /// Like WeChat's: up to ten digits.
    fn nonce(&self) -> String {
        (self.draw() >> 32).to_string()
    }

    /// The next number: SplitMix64, whose state is the seed and the number of draws.
    fn draw(&self) -> u64 {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let mut z = self.seed.wrapping_add(drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// One delivery: what goes over the wire, and what WeChat remembers about it.
///
/// ```
/// use wechat_events::testing::WeChat;
///
/// let request = WeChat::plain("token")?.push("CLICK").set("EventKey", "menu").nonce("42").request(1700000000);
/// assert!(request.query.contains("&timestamp=1700000000&nonce=42&"));
/// assert_eq!((request.method, request.content_type, request.now), ("POST", "text/xml", 1700000000));
/// # Ok::<(), wechat_events::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// `GET` for the check of the address, `POST` for a push.
    pub method: &'static str,
    /// The part of the URL after the `?`.
    pub query: String,
    /// `text/xml` or `application/json`; empty for GET.
    pub content_type: &'static str,
    /// The body, encrypted as the mode requires.
    pub body: Vec<u8>,
    /// When it is sent, in seconds since 1970.
    pub now: i64,
    /// When it is sent, counted from the push's first delivery.
    pub due: Duration,
    /// The plaintext message: the same for all deliveries of a push, except for `RetryTimes` of a payment.
    pub message: Vec<u8>,
    /// The expected answer to a check of the address.
    echostr: Option<String>,
}

fn hexadecimal(signature: Hex) -> String {
    String::from_utf8_lossy(&signature).into_owned()
}

/// Adds an element at the end of a document's root.
fn beside(message: &[u8], element: &str) -> Vec<u8> {
    // Text after the root may look like its end tag. What is not XML is assumed to have none.
    let document = str::from_utf8(message).ok().and_then(|text| roxmltree::Document::parse(text).ok());
    let root = document.as_ref().map(roxmltree::Document::root_element);
    let end = root.map_or(message.len(), |root| root.range().end);
    let (whole, behind) = message.split_at_checked(end).unwrap_or((message, &[]));
    if let (Some(root), Some(begin)) = (root, whole.strip_suffix(b"/>")) {
        let end = format!("</{}>", root.tag_name().name());
        return [begin, b">", element.as_bytes(), end.as_bytes(), behind].concat();
    }
    insert(message, whole, b"</", element)
}

/// Adds a member at the end of an object.
fn beside_in_json(message: &[u8], member: &str) -> Vec<u8> {
    let before = message.trim_ascii_end().strip_suffix(b"}").unwrap_or(message);
    let comma = if before.trim_ascii_end().ends_with(b"{") { "" } else { "," };
    insert(message, message, b"}", &format!("{comma}{member}"))
}

/// Inserts into the message before the last `mark` of `whole`, with which it begins.
fn insert(message: &[u8], whole: &[u8], mark: &[u8], inserted: &str) -> Vec<u8> {
    let end = whole.windows(mark.len()).rposition(|window| window == mark).unwrap_or(whole.len());
    let (before, behind) = message.split_at_checked(end).unwrap_or((message, &[]));
    [before, inserted.as_bytes(), behind].concat()
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
