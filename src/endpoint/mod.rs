//! The endpoint: query and body → a verified push → a response. No clock, no socket.

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
pub use push::{Push, Received};
use query::{formed, parameters, present};
pub use report::Report;
pub use response::Response;
pub use self_check::Doubt;
use settings::{Settings, Token};

/// The unsigned probe that cloud hosting sends before anything else.
const PROBES: [&[u8]; 2] = [b"<xml><action>CheckContainerPath</action></xml>", br#"{"action":"CheckContainerPath"}"#];

/// Longest `echostr` in bytes. WeChat's has up to 19 digits.
const ECHOSTR: usize = 64;

/// Verifies WeChat's requests for one account, and writes the responses.
///
/// The constructor decides which checks apply, never the request. Cloning is cheap.
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
///
/// # From plaintext to safe mode without losing a push
/// Encrypted pushes need the feature `aes`. Which endpoint works with which mode of an account:
///
/// | in WeChat's console | what is pushed | `plain` | `compatible`, `safe` |
/// |---|---|---|---|
/// | plaintext mode (明文模式) | fields | yes | no: refused with 403 |
/// | compatible mode (兼容模式) | fields and `Encrypt` | yes, reads the fields | yes, reads `Encrypt` |
/// | safe mode (安全模式) | `Encrypt` | no: reported with the reason and answered `success` | yes |
///
/// In plaintext mode the signature does not cover the body: anyone who captures a request can send any body with its
/// query, at any time, regardless of [`freshness`](Endpoint::freshness). In the other modes they can only replay what
/// WeChat sent, and only within `freshness`.
///
/// So switch by way of compatible mode, which works with every endpoint: set the console from plaintext to compatible
/// mode, replace [`Endpoint::plain`] with `Endpoint::safe`, and when no old process is left, set the console to safe
/// mode. The way back is the same.
///
/// To change a token or a key without losing a push, use [`previous_token`](Endpoint::previous_token) and
/// `previous_key`: deploy the endpoint with both, change the console, then deploy without the previous one.
///
/// # What the sender learns
/// Only the status. Every request that fails a check with a secret is answered 403 without a body: a wrong signature, a
/// body without `Encrypt`, wrong padding, length or app id. The reason goes to the
/// [report](Endpoint::on_report).
///
/// # Why captured traffic cannot forge a push
/// This holds in safe and compatible mode. The parts of a signature are joined without a separator, so `timestamp` and
/// `nonce` must be 1 to 32 letters, digits, `-`, `.` and `_` before anything is verified. Otherwise the front of
/// `Encrypt` could be moved into one of them: the signature would still be right, and the message another one. An
/// encrypted reply has the form of a push, so replies are marked when they are encrypted, and refused when they come
/// back.
///
/// # Why there is no padding oracle
/// CBC with padding is broken by anyone who can send altered ciphertexts and see whether their padding was right. Here
/// `msg_signature`, which covers token, timestamp, nonce and `Encrypt`, is checked first, in constant time. A
/// ciphertext from somebody without the token is never decrypted, so neither the answer nor its timing says anything
/// about the padding. The padding is checked in constant time nevertheless.
#[doc(alias("服务器配置", "消息推送"))]
#[derive(Clone)]
pub struct Endpoint(Arc<Settings>);

impl Endpoint {
    /// An account in plaintext mode (明文模式), with the token from WeChat's console.
    ///
    /// Also works for an account in compatible mode (兼容模式), and reads the fields in the clear.
    ///
    /// # Errors
    /// [`ConfigError::EmptyToken`] for `""`: anybody could sign.
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

    /// An account in safe mode (安全模式), with the token, app id and `EncodingAESKey` from WeChat's console.
    ///
    /// Only the encrypted payload is trusted: a push needs `msg_signature` and `Encrypt`, and fields beside `Encrypt`
    /// are ignored. Replies are always encrypted; `success` and the empty answer are sent in the clear, as WeChat
    /// requires. Also works for an account in compatible mode.
    ///
    /// `app_id` begins with `wx`; it is not the account's `gh_…`. For a third-party platform, pass the component's app
    /// id, token and key.
    ///
    /// # Which signature
    /// Pushes are checked by `msg_signature`. A request has a `signature` too, but that covers nothing beyond
    /// `msg_signature`, so it is not required. WeChat's check of the address (GET) has only `signature`, in all modes.
    ///
    /// # Errors
    /// - `""` as token or app id: [`ConfigError::EmptyToken`], [`ConfigError::EmptyAppId`]
    /// - a key of 42 characters, or with a trailing `=` or space: [`ConfigError::Key`], which says what is wrong
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

    /// An account in compatible mode (兼容模式), whose pushes have fields in the clear beside `Encrypt`.
    ///
    /// Trusts and refuses the same as [`safe`](Endpoint::safe): the fields in the clear are ignored. Replies are
    /// encrypted too, so the console can be set to safe mode at any time. The one difference: a reply that cannot be
    /// encrypted is sent in the clear, which this mode allows, while `safe` sends `success` instead.
    ///
    /// # Errors
    /// The same as [`safe`](Endpoint::safe).
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

    /// Also accepts requests signed with this token, while the token is being changed.
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

    /// Also decrypts pushes that were encrypted with this key, while `EncodingAESKey` is being changed.
    ///
    /// A reply is encrypted with the token and the key that the push came with.
    ///
    /// # Errors
    /// - an invalid key: [`ConfigError::Key`]
    /// - a plaintext endpoint: [`ConfigError::NoKey`]
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

    /// Refuses requests whose time differs from now by more than this, in whole seconds. Off by default.
    ///
    /// In safe and compatible mode it limits how long a captured push can be replayed. Both the query's `timestamp` and
    /// the encrypted `CreateTime` are compared; only `timestamp` if a push has no `CreateTime`, or is a retry with a
    /// `RetryTimes` over 0. WeChat's retries come within 10 seconds, and clocks differ: 300 seconds are safe, less than
    /// 60 are not. A push made by a tool with an old `CreateTime` is refused too.
    ///
    /// **In plaintext mode it protects nothing.** A signature stays valid when `timestamp` and `nonce` are exchanged,
    /// so some captured requests become fresh again when their nonce is read as the time, and the body can be anything.
    /// The same holds for the check of the address.
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

    /// Changes the limits on what is read.
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

    /// Sets a function that receives every [`Report`]. A panic in it is caught.
    ///
    /// By default a report becomes an event of the crate `tracing` with the target `wechat_events`: `INFO` for a
    /// refused request, which anybody can cause, `WARN` for a reply that was not written as asked, `ERROR` for what is
    /// lost. Nothing is printed: without a subscriber or without the feature `tracing`, reports are dropped.
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

    /// Verifies a request, and answers it if it is not a push.
    ///
    /// `query` is the part after the `?`, unchanged; `now` is in seconds since 1970. WeChat's check of the address
    /// (GET) is answered with its `echostr`, and the probe of cloud hosting with `success`; a POST is verified and
    /// becomes a [`Push`].
    ///
    /// # Errors
    /// Each error has a [status](RequestError::status):
    /// - a body over the limit, checked before anything is read: [`TooLarge`](RequestError::TooLarge)
    /// - `PUT`: [`Method`](RequestError::Method)
    /// - no `signature`, `timestamp`, `nonce`, or on GET `echostr`:
    ///   [`MissingParameter`](RequestError::MissingParameter)
    /// - a `timestamp` or `nonce` that is empty, longer than 32 bytes, or has characters other than ASCII letters,
    ///   digits, `-`, `.` and `_`; on GET also such an `echostr`, with a limit of 64:
    ///   [`ParameterForm`](RequestError::ParameterForm)
    /// - a signature made with another token: [`Signature`](RequestError::Signature)
    /// - with [`freshness`](Endpoint::freshness), a timestamp too far from now: [`Stale`](RequestError::Stale); one
    ///   that is not a number: [`MalformedParameter`](RequestError::MalformedParameter)
    ///
    /// A safe or compatible endpoint also refuses:
    /// - no `msg_signature`: [`MissingMsgSignature`](RequestError::MissingMsgSignature)
    /// - an `encrypt_type` other than `aes`: [`EncryptType`](RequestError::EncryptType)
    /// - a body that is not XML: [`Envelope`](RequestError::Envelope); one without `Encrypt` directly below its root:
    ///   [`NoEncrypt`](RequestError::NoEncrypt)
    /// - a `msg_signature` that does not match token, timestamp, nonce and `Encrypt`:
    ///   [`MsgSignature`](RequestError::MsgSignature), or [`Altered`](RequestError::Altered) if `signature` is right
    /// - an `Encrypt` that cannot be decrypted with this key and app id: `Open`; one that is a reply of this crate:
    ///   [`Reflected`](RequestError::Reflected)
    /// - with [`freshness`](Endpoint::freshness), an encrypted `CreateTime` too far from now:
    ///   [`Stale`](RequestError::Stale)
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
                // It is returned to anyone who captured a signature, and to any browser that they send here with it.
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

    /// Handles a request in one call: a request in, a response out.
    ///
    /// Verifies, parses, dispatches to the handler and writes its reply; `now` is in seconds since 1970. It does not
    /// recognise retries: for that, put [`Dedup`](crate::Dedup) between [`receive`](Endpoint::receive) and
    /// [`Push::respond`].
    ///
    /// The reason for an answer goes to the [report](Endpoint::on_report), not to the sender:
    ///
    /// | what | answer |
    /// |---|---|
    /// | a request refused by [`receive`](Endpoint::receive) | the error's status, no body |
    /// | an authentic push that cannot be parsed | 200 `success` |
    /// | the handler's `Err` | 500, no body. WeChat may push again, and may show its error message |
    /// | the handler's `Err` on a push that requires a code | code -1: WeChat pushes again |
    /// | a reply that WeChat would refuse | 200 with [`Written`](crate::reply::Written) |
    /// | a reply that cannot be encrypted for lack of random bytes | 200 `success`; in compatible mode, in the clear |
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

    /// [`respond`](Endpoint::respond) for an async handler: on serverless platforms, and in any runtime.
    ///
    /// `now` is in seconds since 1970. The caller must limit the handler's time: WeChat hangs up after 5 s. If your
    /// process lives on after its answer, use `Webhook`, which delivers what takes longer.
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

    /// The answer to a request that is not from WeChat.
    pub(crate) fn refuse(&self, error: &RequestError) -> Response {
        self.report(&Report::Rejected { error });
        Response::status(error.status())
    }

    /// The only way to report: no push fails because the hook does.
    pub(crate) fn report(&self, report: &Report<'_>) {
        // The panic hook has already printed a panic of this one.
        let _ = guarded(|| match &self.0.report {
            Some(hook) => hook(report),
            None => report.trace(),
        });
    }

    /// Size in bytes of the longest body that is read.
    #[cfg(all(feature = "http", feature = "tokio"))]
    pub(crate) fn max_bytes(&self) -> u32 {
        self.0.body_limits().bytes
    }
}
