//! The span of a delivery: feature `tracing`. Without it a span takes no room and does nothing.

use std::future::Future;

use crate::dedup::DedupKey;
use crate::event::Event;

/// What became of a delivery.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "tracing"), allow(dead_code, reason = "nobody is told"))]
pub(super) enum End {
    Answered,
    /// `success`, since its reply goes to `late`, or went there.
    Late,
    Acknowledged,
    Failed,
    Held,
    /// The reply came when WeChat had hung up already.
    HungUp,
    TooManyJoiners,
    Busy,
    Refused,
    Closing,
    /// Nobody was there any more to be answered.
    Gone,
}

#[derive(Clone)]
pub(super) struct Span {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

#[cfg(feature = "tracing")]
impl Span {
    /// Tells at once what the handler's own logs should carry: without a token, a key, a text or an OpenID.
    pub(super) fn open<'e>(key: DedupKey, event: impl FnOnce() -> Option<Event<'e>>) -> Span {
        use tracing::field::Empty;
        let span = tracing::info_span!(
            "wechat_push",
            kind = Empty,
            push = Empty,
            account = Empty,
            delivery = Empty,
            outcome = Empty,
            left_ms = Empty
        );
        if !span.is_disabled() {
            let event = event();
            if let Some(event) = &event {
                span.record("kind", event.name());
            }
            span.record("push", key.to_string().get(..8));
            if let Some(account) = event.as_ref().map(|event| &*event.to_user).filter(|account| !account.is_empty()) {
                span.record("account", account);
            }
        }
        Span { span }
    }

    /// Whether nobody listens, or all was told.
    pub(super) fn is_closed(&self) -> bool {
        self.span.is_disabled()
    }

    /// Tells what became of the delivery.
    pub(super) fn close(&mut self, delivery: u8, end: End, left: i64) {
        let outcome = match end {
            End::Answered => "answered",
            End::Late => "late",
            End::Acknowledged => "acknowledged",
            End::Failed => "failed",
            End::Held => "held",
            End::HungUp => "hung up",
            End::TooManyJoiners => "too many joiners",
            End::Busy => "busy",
            End::Refused => "refused",
            End::Closing => "closing",
            End::Gone => "gone",
        };
        let span = std::mem::replace(&mut self.span, tracing::Span::none());
        span.record("delivery", delivery).record("outcome", outcome).record("left_ms", left);
    }

    pub(super) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.in_scope(work)
    }

    pub(super) fn instrument<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        tracing::Instrument::instrument(future, self.span)
    }

    /// What another task or thread is to do within the span of this one, be it a delivery's or the server's.
    pub(super) fn current() -> Span {
        Span { span: tracing::Span::current() }
    }
}

#[cfg(not(feature = "tracing"))]
impl Span {
    pub(super) fn open<'e>(_: DedupKey, _: impl FnOnce() -> Option<Event<'e>>) -> Span {
        Span {}
    }

    pub(super) fn is_closed(&self) -> bool {
        true
    }

    pub(super) fn close(&mut self, _: u8, _: End, _: i64) {}

    pub(super) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }

    pub(super) fn instrument<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        future
    }

    pub(super) fn current() -> Span {
        Span {}
    }
}
