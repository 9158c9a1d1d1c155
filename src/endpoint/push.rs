//! [`Received`], and [`Push`]: the bytes of a verified push, and how they are answered.

use std::borrow::Cow;
use std::fmt;

#[cfg(feature = "aes")]
use super::envelope::Sealing;
use super::{Endpoint, Report, Response};
use crate::error::ParseError;
use crate::event::{Event, Takes};
use crate::handler::HandlerResult;
use crate::reply::Reply;

/// The result of [`Endpoint::receive`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Received<'b> {
    /// Not a push and already answered: the check of the address, or the probe of cloud hosting.
    #[doc(alias("echostr", "验证服务器地址"))]
    Answer(Response),
    /// A push, verified to come from WeChat.
    Push(Push<'b>),
}

/// The bytes of a verified push. Only an [`Endpoint`] makes one.
///
/// A function that takes a `Push` needs no check of its own. From a safe or compatible endpoint it holds what was
/// decrypted, and nothing beside it.
///
/// There is no way to make one from other bytes:
/// ```compile_fail,E0451
/// # use wechat_events::Push;
/// fn tamper(push: Push<'_>) -> Push<'_> {
///     Push { body: b"<xml/>".into(), ..push }
/// }
/// ```
/// ```compile_fail,E0423
/// let push = wechat_events::Push(b"<xml/>");
/// ```
/// ```compile_fail,E0599
/// let push = wechat_events::Push::new(b"<xml/>");
/// ```
/// ```compile_fail,E0277
/// let push: wechat_events::Push<'_> = b"<xml/>".as_slice().into();
/// ```
/// ```compile_fail,E0616
/// # use wechat_events::Push;
/// fn tamper(push: &mut Push<'_>) {
///     push.body = b"<xml/>".into();
/// }
/// ```
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
/// // Not for payments: see `Dedup`.
/// let reply = if dedup.first(&event.dedup_key(), now) { Reply::text("hello") } else { Reply::Success };
/// assert_eq!(push.respond(&event, &reply, now).status, 200);
/// # Ok::<(), wechat_events::ConfigError>(())
/// ```
pub struct Push<'b> {
    pub(super) endpoint: Endpoint,
    pub(super) body: Cow<'b, [u8]>,
    /// `None` if it came in the clear.
    #[cfg(feature = "aes")]
    pub(super) sealing: Option<Sealing>,
}

impl Push<'_> {
    /// Parses the push.
    ///
    /// # Errors
    /// [`ParseError`] if the body is not a valid push. WeChat sent it nevertheless: keep it, and answer `success`.
    pub fn event(&self) -> Result<Event<'_>, ParseError> {
        self.endpoint.0.limits.parse_event(&self.body)
    }

    /// The plaintext bytes: decrypted, or the body as it came.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Writes the answer to this push; `now` is in seconds since 1970.
    ///
    /// The answer to an encrypted push is encrypted with the token and the key it came with, the nonce of its URL,
    /// `now` as the timestamp, and new random bytes on every call. `success`, the empty answer and answers to mini
    /// games are sent in the clear.
    ///
    /// Never fails: what WeChat would refuse is written as [`Reply::write`] describes, and reported to the
    /// [endpoint's hook](Endpoint::on_report).
    #[must_use]
    pub fn respond(&self, event: &Event<'_>, reply: &Reply, now: i64) -> Response {
        let written = reply.write(event, now);
        if let Some(refused) = &written.refused {
            self.endpoint.report(&Report::Refused { event, reply, refused });
        }
        self.answer(written.body.into_bytes(), now)
    }

    /// The response after the handler has finished.
    pub(super) fn conclude(&self, event: &Event<'_>, result: HandlerResult, now: i64) -> Response {
        let error = match result {
            Ok(reply) => return self.respond(event, &reply, now),
            Err(error) => error,
        };
        self.endpoint.report(&Report::Failed { event, error: &*error });
        match event.takes() {
            // The reason is not sent to WeChat.
            Takes::Code => self.respond(event, &Reply::code(-1, "not handled"), now),
            _ => Response::status(500),
        }
    }

    pub(super) fn unparsable(&self, error: &ParseError) -> Response {
        self.endpoint.report(&Report::Unparsable { body: &self.body, error });
        Response::success()
    }

    /// The response with a reply that is already written, perhaps for an earlier delivery of this push.
    pub(crate) fn answer(&self, written: Vec<u8>, now: i64) -> Response {
        #[cfg(feature = "aes")]
        if let Some((cipher, sealing)) = self.sealed_with()
            && !matches!(&*written, b"" | b"success")
            && !self.is_answered_in_the_clear(&written)
        {
            return self.sealed(cipher, sealing, written, now, crate::cipher::seal);
        }
        #[cfg(not(feature = "aes"))]
        let _ = now;
        Response::written(written)
    }
}

impl fmt::Debug for Push<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Push").field("body", &String::from_utf8_lossy(&self.body)).finish_non_exhaustive()
    }
}

#[cfg(feature = "tokio")]
impl Endpoint {
    /// [`Push::event`] for a caller that has kept only the push's bytes.
    pub(crate) fn parse_event<'a>(&self, body: &'a [u8]) -> Result<Event<'a>, ParseError> {
        self.0.limits.parse_event(body)
    }
}
