//! The door: query and body → a verified push → a response. No clock, no socket.

#[cfg(feature = "aes")]
mod clear;
#[cfg(feature = "aes")]
mod envelope;
#[cfg(feature = "http")]
mod http;
mod push;
mod query;
mod report;
mod response;
mod self_check;
mod settings;
#[cfg(not(feature = "aes"))]
mod without_aes;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{ConfigError, ParseError, RequestError};
use crate::failure::guarded;
use crate::fields::Limits;
use crate::handler::{AsyncHandler, Handler};
use crate::{shown, signature};
#[cfg(feature = "aes")]
use envelope::Cipher;
pub use push::Push;
use query::{formed, parameters, present};
pub use report::Report;
pub use response::Response;
pub use self_check::Doubt;
use settings::{Settings, Token};

/// What cloud hosting asks, unsigned, before it sends anything else.
const PROBES: [&[u8]; 2] = [b"<xml><action>CheckContainerPath</action></xml>", br#"{"action":"CheckContainerPath"}"#];

/// Bytes of an `echostr` at the most. WeChat's has up to 19 digits.
const ECHOSTR: usize = 64;

/// Where WeChat's requests for one account come in.
///
/// Which checks apply is decided by the constructor, never by what a request says of itself. Cloning is cheap.
///
/// # From plaintext to safe mode without losing a push
/// Sealed pushes need the feature `aes`. Which endpoint understands an account in which mode:
///
/// | in WeChat's console | what is pushed | `plain` | `compatible`, `safe` |
/// |---|---|---|---|
/// | plaintext mode (明文模式) | fields | yes | no: refused with 403 |
/// | compatible mode (兼容模式) | fields, and beside them `Encrypt` | yes, by the fields | yes, by `Encrypt` |
/// | safe mode (安全模式) | `Encrypt` | no: kept for the report, which says so, and answered `success` | yes |
///
/// In plaintext mode the signature does not cover the body: anyone who captures a request can send any body with its
/// query, at any time, whatever [`freshness`](Endpoint::freshness) says. In the others they can only replay what WeChat
/// sent, and only within `freshness`.
///
/// So go by way of compatible mode, in which each endpoint works: set the console from plaintext to compatible mode,
/// replace [`Endpoint::plain`] by `Endpoint::safe`, and when no old process runs any more, set the console to safe
/// mode. And back the same way.
///
/// A token or a key is changed without losing a push by [`previous_token`](Endpoint::previous_token) and
/// `previous_key`: deploy the endpoint with both, then change the console, then deploy without the previous ones.
///
/// # What the network is told
/// The status alone. Every request that is refused by a secret is answered 403 without a body: a wrong signature, a
/// body without `Encrypt`, padding, length and app id that are wrong. The reason goes to the
/// [report](Endpoint::on_report).
///
/// # Why captured traffic forges no push
/// In safe and compatible mode. The parts of a signature are joined with nothing between them, so `timestamp` and `nonce`
/// must be 1 to 32 letters, digits, `-`, `.` and `_` before anything is verified: the front of `Encrypt` moved into one of
/// them would leave the signature right, and another message behind it. A sealed answer has the form of a push, so answers
/// are marked when they are sealed, and refused when they come back.
///
/// # Why nobody can ask it about the key
/// CBC with padding falls to whoever can send altered ciphertexts and see whether their padding was right. Here
/// `msg_signature`, which binds token, timestamp, nonce and `Encrypt`, is checked first, in constant time: a ciphertext
/// that was not sealed by somebody with the token is not decrypted, so that its padding has nothing to tell, neither by
/// the answer nor by its time. What is decrypted has its padding checked in constant time nevertheless.
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
#[doc(alias("服务器配置", "消息推送"))]
#[derive(Clone)]
pub struct Endpoint(Arc<Settings>);

impl Endpoint {
    /// An account in plaintext mode (明文模式), by the token that stands in WeChat's console.
    ///
    /// An account in compatible mode (兼容模式) is served too, by its plaintext part.
    ///
    /// # Errors
    /// [`ConfigError::EmptyToken`] for `""`: everybody could sign.
    #[doc(alias("明文模式"))]
    pub fn plain(token: impl Into<String>) -> Result<Endpoint, ConfigError> {
        Ok(Endpoint(Arc::new(Settings {
            token: Token::new(token)?,
            previous_token: None,
            #[cfg(feature = "aes")]
            cipher: None,
            #[cfg(feature = "aes")]
            clear_payment_answers: false,
            freshness: None,
            limits: Limits::default(),
            report: None,
        })))
    }

    /// An account in safe mode (安全模式): token, app id and `EncodingAESKey` stand in WeChat's console.
    ///
    /// Only the encrypted payload is trusted: a push needs `msg_signature` and `Encrypt`, and fields beside `Encrypt` are
    /// not looked at. Replies are sealed, always; `success` and the empty answer stay in the clear, as WeChat wants
    /// them. Serves an account in compatible mode as well.
    ///
    /// `app_id` begins with `wx`; it is not the account's `gh_…`. A third-party platform gives its component's app id,
    /// token and key.
    ///
    /// # Which signature
    /// `msg_signature`. A request carries `signature` too, but that covers nothing that `msg_signature` does not, so
    /// it is not asked for. WeChat's check of the address (GET) has nothing else, in all modes.
    ///
    /// # Errors
    /// - `""` as token or app id: [`ConfigError::EmptyToken`], [`ConfigError::EmptyAppId`]
    /// - a key of 42 characters, or with `=` or a space at its end: [`ConfigError::Key`], which says what is wrong
    ///
    /// ```
    /// use wechat_events::{Endpoint, RequestError};
    ///
    /// let key = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
    /// let endpoint = Endpoint::safe("QDG6eK", "wx5823bf96d3bd56c7", key)?;
    /// let error = endpoint.receive("POST", "signature=0&timestamp=1&nonce=2", b"<xml></xml>", 1).unwrap_err();
    /// assert_eq!(error, RequestError::MissingMsgSignature);
    /// assert_eq!(error.to_string(), "msg_signature is missing: is the account in plaintext mode?");
    ///
    /// let error = Endpoint::safe("QDG6eK", "wx5823bf96d3bd56c7", &key[1..]).unwrap_err();
    /// assert_eq!(error.to_string(), "EncodingAESKey is 42 characters long, WeChat's have 43");
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[doc(alias("安全模式", "EncodingAESKey", "消息加解密"))]
    #[cfg(feature = "aes")]
    pub fn safe(
        token: impl Into<String>,
        app_id: impl Into<String>,
        key: impl AsRef<str>,
    ) -> Result<Endpoint, ConfigError> {
        let cipher = Cipher::new(app_id, key, false)?;
        Ok(Endpoint::plain(token)?.with(|settings| settings.cipher = Some(cipher)))
    }

    /// An account in compatible mode (兼容模式), in which fields stand in the clear beside `Encrypt`.
    ///
    /// The same as [`safe`](Endpoint::safe) in what it refuses and in what it trusts: the fields in the clear are
    /// not looked at. Replies are sealed too, so that the console can be set to safe mode at any time; but where one
    /// cannot be sealed it is sent in the clear, which this mode allows, while `safe` sends `success` instead.
    ///
    /// # Errors
    /// Those of [`safe`](Endpoint::safe).
    ///
    /// ```
    /// # use wechat_events::Endpoint;
    /// let key = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
    /// let endpoint = Endpoint::compatible("QDG6eK", "wx5823bf96d3bd56c7", key)?;
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[doc(alias("兼容模式"))]
    #[cfg(feature = "aes")]
    pub fn compatible(
        token: impl Into<String>,
        app_id: impl Into<String>,
        key: impl AsRef<str>,
    ) -> Result<Endpoint, ConfigError> {
        let cipher = Cipher::new(app_id, key, true)?;
        Ok(Endpoint::plain(token)?.with(|settings| settings.cipher = Some(cipher)))
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

    /// Opens what is sealed with this key, too: while `EncodingAESKey` is being changed.
    ///
    /// A reply is sealed with the token and the key that the push came with.
    ///
    /// # Errors
    /// - a key that is none: [`ConfigError::Key`]
    /// - on a plain endpoint: [`ConfigError::NoKey`]
    ///
    /// ```
    /// # use wechat_events::{ConfigError, Endpoint};
    /// # let new = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
    /// # let old = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
    /// let endpoint = Endpoint::safe("token", "wx5823bf96d3bd56c7", new)?.previous_key(old)?;
    /// assert_eq!(Endpoint::plain("token")?.previous_key(old).unwrap_err(), ConfigError::NoKey);
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[cfg(feature = "aes")]
    pub fn previous_key(self, key: impl AsRef<str>) -> Result<Endpoint, ConfigError> {
        let cipher = self.0.cipher.as_ref().ok_or(ConfigError::NoKey)?.with_previous_key(key)?;
        Ok(self.with(|settings| settings.cipher = Some(cipher)))
    }

    /// Refuses requests whose time is further from now than this, in whole seconds. Off by default.
    ///
    /// In safe and compatible mode it bounds for how long a captured push can be replayed. Compared
    /// are the query's `timestamp`, and the `CreateTime` that was sealed; a push without one, and one that WeChat says
    /// to be a retry by a `RetryTimes` over 0, is judged by `timestamp` alone. WeChat's own retries come for 10 seconds,
    /// and clocks differ: 300 seconds are safe, less than 60 are not. A push that a tool makes with an old `CreateTime`
    /// is refused too.
    ///
    /// **In plaintext mode it bounds nothing.** A signature is as good with `timestamp` and `nonce` exchanged, so some
    /// captured requests become fresh again when their nonce is read as the time, and the body is anybody's. The same
    /// goes for the check of the address.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use wechat_events::Endpoint;
    /// let endpoint = Endpoint::plain("token")?.freshness(Duration::from_secs(300));
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[must_use]
    pub fn freshness(self, window: Duration) -> Endpoint {
        self.with(|settings| settings.freshness = Some(window))
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

    /// What to do with a [`Report`]. A panic in it is caught.
    ///
    /// By default it becomes an event of the crate `tracing`, with the target `wechat_events`: `INFO` for a request that
    /// is refused, which anybody can cause, `WARN` for a reply that is not written as asked, `ERROR` for what is lost.
    /// Nothing is printed, so without a subscriber, or without the feature `tracing`, nobody learns of it.
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
        self.with(|settings| settings.report = Some(Arc::new(report)))
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
    /// - a `timestamp` or `nonce` that is empty, over 32 bytes, or has other characters than ASCII letters, digits, `-`, `.`
    ///   and `_`, and on GET an `echostr` that is, with a limit of 64: [`ParameterForm`](RequestError::ParameterForm)
    /// - a signature of another token: [`Signature`](RequestError::Signature)
    /// - with [`freshness`](Endpoint::freshness), a timestamp too far from now: [`Stale`](RequestError::Stale); one
    ///   that is no number: [`MalformedParameter`](RequestError::MalformedParameter)
    ///
    /// A safe or compatible endpoint refuses these as well:
    /// - no `msg_signature`: [`MissingMsgSignature`](RequestError::MissingMsgSignature)
    /// - an `encrypt_type` that is there and is not `aes`: [`EncryptType`](RequestError::EncryptType)
    /// - a body that is not XML: [`Envelope`](RequestError::Envelope); one that has no `Encrypt` directly below its
    ///   root: [`NoEncrypt`](RequestError::NoEncrypt)
    /// - a `msg_signature` that is not of this token, timestamp, nonce and `Encrypt`:
    ///   [`MsgSignature`](RequestError::MsgSignature), or [`Altered`](RequestError::Altered) where `signature` is right
    /// - an `Encrypt` that this key or app id does not open: `Open`; one that this crate sealed, an answer:
    ///   [`Reflected`](RequestError::Reflected)
    /// - with [`freshness`](Endpoint::freshness), a sealed `CreateTime` too far from now: [`Stale`](RequestError::Stale)
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
    #[doc(alias("signature", "验签"))]
    pub fn receive<'b>(
        &self,
        method: &str,
        query: &str,
        body: &'b [u8],
        now: i64,
    ) -> Result<Received<'b>, RequestError> {
        if let Err(ParseError::TooLarge { bytes, limit }) = self.0.body_limits().admit(body) {
            return Err(RequestError::TooLarge { bytes, limit });
        }
        match method {
            "GET" => {
                self.verify(query, now)?;
                let [echostr] = parameters(query, ["echostr"]);
                // It goes back to whoever has captured a signature, and to whatever browser he sends with it.
                let echostr = formed(echostr, "echostr", ECHOSTR)?;
                Ok(Received::Answer(Response { body: echostr.into_owned().into_bytes(), ..Response::success() }))
            }
            "POST" if PROBES.contains(&body) => Ok(Received::Answer(Response::success())),
            "POST" => {
                #[cfg(feature = "aes")]
                if let Some(cipher) = &self.0.cipher {
                    let (body, sealing) = self.open(cipher, query, body, now)?;
                    return Ok(Received::Push(Push {
                        endpoint: self.clone(),
                        body: Cow::Owned(body),
                        sealing: Some(sealing),
                    }));
                }
                self.verify(query, now)?;
                Ok(Received::Push(Push {
                    endpoint: self.clone(),
                    body: Cow::Borrowed(body),
                    #[cfg(feature = "aes")]
                    sealing: None,
                }))
            }
            _ => Err(RequestError::Method { method: shown::word(method) }),
        }
    }

    fn verify(&self, query: &str, now: i64) -> Result<(), RequestError> {
        let [signature, timestamp, nonce] = parameters(query, ["signature", "timestamp", "nonce"]);
        let signature = present(signature, "signature")?;
        let timestamp = formed(timestamp, "timestamp", signature::PART)?;
        let nonce = formed(nonce, "nonce", signature::PART)?;
        if !self.0.tokens().any(|(_, token)| signature::verify_signature(&token.0, &timestamp, &nonce, &signature)) {
            return Err(RequestError::Signature);
        }
        self.fresh(&timestamp, now)
    }

    fn fresh(&self, timestamp: &str, now: i64) -> Result<(), RequestError> {
        if self.0.freshness.is_none() {
            return Ok(());
        }
        let sent = timestamp.parse().map_err(|_| RequestError::MalformedParameter { name: "timestamp" })?;
        self.0.within_window("timestamp", sent, now)
    }

    /// The one call: a request in, a response out.
    ///
    /// Verifies, parses, dispatches to the handler and writes its reply; `now` is in seconds since 1970. Retries are the
    /// caller's to recognise, with [`Dedup`](crate::Dedup) between [`receive`](Endpoint::receive) and [`Push::respond`].
    ///
    /// What the network is not told goes to the [report](Endpoint::on_report):
    ///
    /// | what | answer |
    /// |---|---|
    /// | a request refused by [`receive`](Endpoint::receive) | the error's status, no body |
    /// | an authentic push that cannot be parsed | 200 `success` |
    /// | the handler's `Err` | 500, no body. WeChat may push again, and may show its fault line |
    /// | the handler's `Err` to a push that demands a code | code -1: WeChat pushes again |
    /// | a reply that WeChat would refuse | 200, with what stands in [`Written`](crate::reply::Written) |
    /// | a reply that cannot be sealed, for want of random bytes | 200 `success`; in compatible mode, in the clear |
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
            Err(error) => return self.refuse(&error),
        };
        match push.event() {
            Ok(event) => push.conclude(&event, event.dispatch(handler), now),
            Err(error) => push.unparsable(&error),
        }
    }

    /// [`respond`](Endpoint::respond) for a handler that waits: on serverless platforms, and in any runtime.
    ///
    /// `now` is in seconds since 1970. The handler's time is the caller's to bound: WeChat hangs up after 5 s. Where the
    /// process goes on after its answer, `Webhook` carries what takes longer.
    ///
    /// ```
    /// use wechat_events::event::Text;
    /// use wechat_events::{AsyncHandler, Endpoint, Event, HandlerResult, Reply, Response};
    ///
    /// struct Echo;
    ///
    /// impl AsyncHandler for Echo {
    ///     async fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
    ///         Ok(Reply::text(&*text.content))
    ///     }
    /// }
    ///
    /// async fn function(endpoint: &Endpoint, method: &str, query: &str, body: &[u8], now: i64) -> Response {
    ///     endpoint.respond_async(method, query, body, now, &Echo).await
    /// }
    /// ```
    pub async fn respond_async<H: AsyncHandler>(
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
            Err(error) => return self.refuse(&error),
        };
        match push.event() {
            Ok(event) => push.conclude(&event, event.dispatch_async(handler).await, now),
            Err(error) => push.unparsable(&error),
        }
    }

    /// What a request that is none of WeChat's is answered with.
    pub(crate) fn refuse(&self, error: &RequestError) -> Response {
        self.report(&Report::Rejected { error });
        Response::status(error.status())
    }

    /// The one way to report: no push fails because somebody is told of it.
    pub(crate) fn report(&self, report: &Report<'_>) {
        // A hook that panics has told of it by the panic hook.
        let _ = guarded(|| match &self.0.report {
            Some(hook) => hook(report),
            None => report.trace(),
        });
    }

    /// The longest body that is read, in bytes.
    #[cfg(all(feature = "http", feature = "tokio"))]
    pub(crate) fn max_bytes(&self) -> u32 {
        self.0.body_limits().bytes
    }
}

/// What [`Endpoint::receive`] makes of a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Received<'b> {
    /// Not a push, and answered already: the check of the address, or the probe of cloud hosting.
    #[doc(alias("echostr", "验证服务器地址"))]
    Answer(Response),
    /// A push, and WeChat sent it.
    Push(Push<'b>),
}
