//! The door: query and body → a verified push → a response. No clock, no socket.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use memchr::{memchr, memchr2};

use crate::error::{ConfigError, ParseError, RequestError};
use crate::event::Event;
use crate::fields::Limits;
use crate::handler::Handler;
use crate::reply::{Refused, Reply};
use crate::signature;

/// What cloud hosting asks, unsigned, before it sends anything else.
const PROBES: [&[u8]; 2] = [b"<xml><action>CheckContainerPath</action></xml>", br#"{"action":"CheckContainerPath"}"#];

/// Where WeChat's requests for one account come in.
///
/// Which checks apply is decided by the constructor, never by what a request says of itself. Cloning is cheap.
///
/// ```
/// use wechat_events::event::Text;
/// use wechat_events::{Endpoint, Event, Handler, HandlerResult, Reply};
///
/// struct Echo;
///
/// impl Handler for Echo {
///     fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
///         Ok(Reply::text(&*text.content))
///     }
/// }
///
/// let endpoint = Endpoint::plain("AAAAA")?;
/// let query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";
/// let body = b"<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName>\
///              <CreateTime>1714037059</CreateTime><MsgType>text</MsgType><Content>hi</Content></xml>";
/// let response = endpoint.respond("POST", query, body, 1714037060, &Echo);
/// assert_eq!((response.status, response.content_type), (200, "text/xml"));
/// # Ok::<(), wechat_events::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Endpoint(Arc<Settings>);

#[derive(Clone)]
struct Settings {
    token: Token,
    previous_token: Option<Token>,
    /// Seconds.
    freshness: Option<u64>,
    limits: Limits,
    report: Arc<dyn Fn(&Report<'_>) + Send + Sync>,
}

impl Endpoint {
    /// An account in plaintext mode (明文模式), by the token that stands in WeChat's console.
    ///
    /// A signature in this mode covers no body. An account in compatible mode (兼容模式) is served too, by its
    /// plaintext part.
    ///
    /// # Errors
    /// [`ConfigError::EmptyToken`] for `""`: everybody could sign.
    pub fn plain(token: impl Into<String>) -> Result<Endpoint, ConfigError> {
        Ok(Endpoint(Arc::new(Settings {
            token: Token::new(token)?,
            previous_token: None,
            freshness: None,
            limits: Limits::default(),
            report: Arc::new(|report| eprintln!("wechat-events: {report}")),
        })))
    }

    /// Accepts what is signed with this token, too: while the token is being changed.
    ///
    /// # Errors
    /// [`ConfigError::EmptyToken`] for `""`.
    ///
    /// ```
    /// # use wechat_events::Endpoint;
    /// let endpoint = Endpoint::plain("new")?.previous_token("old")?;
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    pub fn previous_token(self, token: impl Into<String>) -> Result<Endpoint, ConfigError> {
        let previous_token = Some(Token::new(token)?);
        Ok(self.with(|settings| settings.previous_token = previous_token))
    }

    /// Refuses requests whose timestamp is further than so many seconds from now. Off by default.
    ///
    /// It bounds for how long a request that somebody has overheard can be sent again. WeChat's own retries carry
    /// the first delivery's timestamp for 10 seconds, and clocks differ: 300 is safe, less than 60 is not.
    ///
    /// ```
    /// # use wechat_events::Endpoint;
    /// let endpoint = Endpoint::plain("token")?.freshness(300);
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[must_use]
    pub fn freshness(self, seconds: u64) -> Endpoint {
        self.with(|settings| settings.freshness = Some(seconds))
    }

    /// Other limits on what is read.
    ///
    /// ```
    /// # use wechat_events::{Endpoint, Limits};
    /// let endpoint = Endpoint::plain("token")?.limits(Limits::default().max_bytes(64 * 1024));
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[must_use]
    pub fn limits(self, limits: Limits) -> Endpoint {
        self.with(|settings| settings.limits = limits)
    }

    /// What to do with a [`Report`]. By default it is written to standard error, on one line.
    ///
    /// ```
    /// use wechat_events::{Endpoint, Report};
    ///
    /// let endpoint = Endpoint::plain("token")?.on_report(|report| match report {
    ///     Report::Unparsable { body, error } => eprintln!("keep these {} bytes: {error}", body.len()),
    ///     other => eprintln!("{other}"),
    /// });
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[must_use]
    pub fn on_report(self, report: impl Fn(&Report<'_>) + Send + Sync + 'static) -> Endpoint {
        self.with(|settings| settings.report = Arc::new(report))
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Endpoint {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Checks a request, and answers it if it is not a push.
    ///
    /// `query` is what follows the `?`, as it came; `now` is in seconds since 1970. WeChat's check of the address
    /// (GET) is answered with its `echostr`, and the probe of cloud hosting with `success`; a POST is verified and
    /// becomes a [`Push`].
    ///
    /// # Errors
    /// Each knows its [status](RequestError::status):
    /// - a body over the limit, before anything reads it: [`TooLarge`](RequestError::TooLarge)
    /// - `PUT`: [`Method`](RequestError::Method)
    /// - no `signature`, `timestamp`, `nonce`, or on GET `echostr`: [`MissingParameter`](RequestError::MissingParameter)
    /// - a signature of another token: [`Signature`](RequestError::Signature)
    /// - with [`freshness`](Endpoint::freshness), a timestamp too far from now: [`Stale`](RequestError::Stale); one
    ///   that is no number: [`MalformedParameter`](RequestError::MalformedParameter)
    ///
    /// ```
    /// use wechat_events::{Endpoint, Received, RequestError};
    ///
    /// let endpoint = Endpoint::plain("AAAAA")?;
    /// let query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656&echostr=42";
    /// let Ok(Received::Answer(answer)) = endpoint.receive("GET", query, b"", 1714037060) else { panic!() };
    /// assert_eq!(answer.body, b"42");
    ///
    /// let forged = query.replace("nonce=4", "nonce=5");
    /// assert_eq!(endpoint.receive("GET", &forged, b"", 1714037060).unwrap_err(), RequestError::Signature);
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    pub fn receive<'b>(
        &self,
        method: &str,
        query: &str,
        body: &'b [u8],
        now: i64,
    ) -> Result<Received<'b>, RequestError> {
        if let Err(ParseError::TooLarge { bytes, limit }) = self.0.limits.admit(body) {
            return Err(RequestError::TooLarge { bytes, limit });
        }
        match method {
            "GET" => {
                self.verify(query, now)?;
                let echostr = parameter(query, "echostr")?;
                Ok(Received::Answer(Response { body: echostr.into_owned().into_bytes(), ..Response::success() }))
            }
            "POST" if PROBES.contains(&body) => Ok(Received::Answer(Response::success())),
            "POST" => {
                self.verify(query, now)?;
                Ok(Received::Push(Push { endpoint: self.clone(), body: Cow::Borrowed(body) }))
            }
            _ => Err(RequestError::Method { method: method.to_owned() }),
        }
    }

    fn verify(&self, query: &str, now: i64) -> Result<(), RequestError> {
        let signature = parameter(query, "signature")?;
        let timestamp = parameter(query, "timestamp")?;
        let nonce = parameter(query, "nonce")?;
        let tokens = [Some(&self.0.token), self.0.previous_token.as_ref()];
        let signed = |token: &Token| signature::verify_signature(&token.0, &timestamp, &nonce, &signature);
        if !tokens.into_iter().flatten().any(signed) {
            return Err(RequestError::Signature);
        }
        let Some(limit) = self.0.freshness else { return Ok(()) };
        let sent: i64 = timestamp.parse().map_err(|_| RequestError::MalformedParameter { name: "timestamp" })?;
        match now.abs_diff(sent) {
            seconds if seconds > limit => Err(RequestError::Stale { seconds, limit }),
            _ => Ok(()),
        }
    }

    /// The one call: a request in, a response out.
    ///
    /// Verifies, parses, dispatches to the handler and writes its reply. Retries are the caller's to recognise, with
    /// [`Dedup`](crate::Dedup) between [`receive`](Endpoint::receive) and [`Push::respond`].
    ///
    /// What the network is not told goes to the [report](Endpoint::on_report):
    ///
    /// | what | answer |
    /// |---|---|
    /// | a request refused by [`receive`](Endpoint::receive) | the error's status, no body |
    /// | an authentic push that cannot be parsed | 200 `success` |
    /// | the handler's `Err` | 500, no body. WeChat may push again, and may show its fault line |
    /// | a reply that WeChat would refuse | 200, with what stands in [`Written`](crate::reply::Written) |
    #[must_use]
    pub fn respond<H: Handler + ?Sized>(
        &self,
        method: &str,
        query: &str,
        body: &[u8],
        now: i64,
        handler: &H,
    ) -> Response {
        let push = match self.receive(method, query, body, now) {
            Ok(Received::Push(push)) => push,
            Ok(Received::Answer(answer)) => return answer,
            Err(error) => {
                self.report(&Report::Rejected { error: &error });
                return Response::status(error.status());
            }
        };
        let event = match push.event() {
            Ok(event) => event,
            Err(error) => {
                self.report(&Report::Unparsable { body: push.body(), error: &error });
                return Response::success();
            }
        };
        match event.dispatch(handler) {
            Ok(reply) => push.respond(&event, &reply, now),
            Err(error) => {
                self.report(&Report::Failed { event: &event, error: &*error });
                Response::status(500)
            }
        }
    }

    pub(crate) fn report(&self, report: &Report<'_>) {
        (self.0.report)(report);
    }

    /// [`Push::event`], for who has kept the push's bytes alone.
    #[cfg(any(feature = "threads", feature = "tokio"))]
    pub(crate) fn parse_event<'a>(&self, body: &'a [u8]) -> Result<Event<'a>, ParseError> {
        self.0.limits.parse_event(body)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("token", &self.0.token)
            .field("previous_token", &self.0.previous_token)
            .field("freshness", &self.0.freshness)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

/// A secret shared with WeChat: never shown.
#[derive(Clone)]
struct Token(String);

impl Token {
    fn new(token: impl Into<String>) -> Result<Token, ConfigError> {
        match token.into() {
            token if token.is_empty() => Err(ConfigError::EmptyToken),
            token => Ok(Token(token)),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What [`Endpoint::receive`] makes of a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Received<'b> {
    /// Not a push, and answered already: the check of the address, or the probe of cloud hosting.
    Answer(Response),
    /// A push, and WeChat sent it.
    Push(Push<'b>),
}

/// The bytes of a push that WeChat sent: only an [`Endpoint`] makes one.
///
/// ```
/// use wechat_events::{Dedup, Endpoint, Received, Reply};
///
/// let (endpoint, dedup) = (Endpoint::plain("AAAAA")?, Dedup::new());
/// let query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";
/// let body = b"<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName>\
///              <CreateTime>1714037059</CreateTime><MsgType>text</MsgType><Content>hi</Content></xml>";
/// let now = 1714037060;
/// let Ok(Received::Push(push)) = endpoint.receive("POST", query, body, now) else { panic!() };
/// let event = push.event().unwrap();
/// let reply = if dedup.first(&event.dedup_key(), now) { Reply::text("hello") } else { Reply::Success };
/// assert_eq!(push.respond(&event, &reply, now).status, 200);
/// # Ok::<(), wechat_events::ConfigError>(())
/// ```
pub struct Push<'b> {
    endpoint: Endpoint,
    body: Cow<'b, [u8]>,
}

impl Push<'_> {
    /// What happened.
    ///
    /// # Errors
    /// [`ParseError`] if the body is no push at all. WeChat sent it nevertheless: keep it, and answer `success`.
    pub fn event(&self) -> Result<Event<'_>, ParseError> {
        self.endpoint.0.limits.parse_event(&self.body)
    }

    /// The plaintext bytes.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Writes the answer to this push, `now` in seconds since 1970.
    ///
    /// Never fails: what WeChat would refuse is written as [`Reply::write`] says, and reported to the
    /// [endpoint's hook](Endpoint::on_report).
    #[must_use]
    pub fn respond(&self, event: &Event<'_>, reply: &Reply, now: i64) -> Response {
        let written = reply.write(event, now);
        if let Some(refused) = &written.refused {
            self.endpoint.report(&Report::Refused { event, reply, refused });
        }
        self.answer(written.body, now)
    }

    /// The response with a reply that was written before, be it for an earlier delivery of this push.
    pub(crate) fn answer(&self, written: String, now: i64) -> Response {
        let _ = now;
        Response::written(written)
    }
}

impl fmt::Debug for Push<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Push").field("body", &String::from_utf8_lossy(&self.body)).finish_non_exhaustive()
    }
}

/// What to send back. The body's length is its `Content-Length`; WeChat refuses chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// HTTP's status.
    pub status: u16,
    /// `text/xml` or `text/plain`.
    pub content_type: &'static str,
    /// The bytes.
    pub body: Vec<u8>,
}

impl Response {
    pub(crate) fn success() -> Response {
        Response { body: b"success".to_vec(), ..Response::status(200) }
    }

    fn written(body: String) -> Response {
        let content_type = if body.starts_with('<') { "text/xml" } else { "text/plain" };
        Response { status: 200, content_type, body: body.into_bytes() }
    }

    pub(crate) fn status(status: u16) -> Response {
        Response { status, content_type: "text/plain", body: Vec::new() }
    }
}

/// Something the network is not told, for whoever runs the service.
///
/// Its `Display` is one line without secrets and without what users wrote.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Report<'r> {
    /// A request was refused.
    Rejected {
        /// Why.
        error: &'r RequestError,
    },
    /// WeChat sent something that is no push. It was answered `success`; this is the last chance to keep it.
    Unparsable {
        /// The plaintext bytes.
        body: &'r [u8],
        /// Why.
        error: &'r ParseError,
    },
    /// The handler failed.
    Failed {
        /// On what.
        event: &'r Event<'r>,
        /// Why.
        error: &'r (dyn Error + Send + Sync + 'static),
    },
    /// A reply was not written, or not all of it.
    Refused {
        /// In answer to what.
        event: &'r Event<'r>,
        /// The reply as the handler made it.
        reply: &'r Reply,
        /// Why.
        refused: &'r Refused,
    },
    /// A reply was ready when no delivery could carry it any more, and nobody else takes it.
    Late {
        /// In answer to what.
        event: &'r Event<'r>,
        /// What the follower does not get.
        reply: &'r Reply,
    },
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut OneLine(f);
        match self {
            Report::Rejected { error } => write!(f, "request refused with status {}: {error}", error.status()),
            Report::Unparsable { body, error } => {
                write!(f, "authentic, but no push, {} bytes answered `success`: {error}", body.len())
            }
            Report::Failed { event, error } => write!(f, "handler failed on `{}`: {error}", event.name()),
            Report::Refused { event, refused, .. } => {
                write!(f, "reply to `{}` not written as asked: {refused}", event.name())
            }
            Report::Late { event, .. } => write!(f, "reply to `{}` lost: it came too late", event.name()),
        }
    }
}

/// Escapes what would end a line or steer a terminal: names and methods are the network's words.
struct OneLine<'f, 'w>(&'f mut fmt::Formatter<'w>);

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| {
            if c.is_control() { write!(self.0, "{}", c.escape_default()) } else { self.0.write_char(c) }
        })
    }
}

/// A parameter of the query, decoded as a form is; the first of that name counts.
///
/// A broken `%` stands for itself, as the URL standard has it.
fn parameter<'q>(query: &'q str, name: &'static str) -> Result<Cow<'q, str>, RequestError> {
    let mut rest = query;
    let value = loop {
        // std's search for a character costs more than the rest of the verification, SHA-1 included.
        let end = memchr(b'&', rest.as_bytes());
        let (pair, behind) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or_default();
        let value = match pair.strip_prefix(name) {
            Some("") => Some(""),
            Some(value) => value.strip_prefix('='),
            None => None,
        };
        match value {
            Some(value) => break value,
            None if end.is_none() => return Err(RequestError::MissingParameter { name }),
            None => rest = behind.get(1..).unwrap_or_default(),
        }
    };
    if memchr2(b'%', b'+', value.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(value));
    }
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [byte, behind @ ..] = rest {
        let mut escaped = [0];
        rest = behind;
        decoded.push(match (byte, behind) {
            (b'+', _) => b' ',
            (b'%', [high, low, behind @ ..]) if hex::decode_to_slice([*high, *low], &mut escaped).is_ok() => {
                rest = behind;
                let [byte] = escaped;
                byte
            }
            _ => *byte,
        });
    }
    Ok(Cow::Owned(String::from_utf8_lossy(&decoded).into_owned()))
}
