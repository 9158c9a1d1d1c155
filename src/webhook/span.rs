//! The span of a delivery: feature `tracing`. Without it a span takes no room and does nothing.

#[cfg(feature = "tokio")]
use std::future::Future;

use super::arrival::End;
use super::rules::Which;

/// Its fields are told at its end, for only then are they known.
#[derive(Clone)]
pub(super) struct Span {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

#[cfg(feature = "tracing")]
impl Span {
    pub(super) fn open() -> Span {
        use tracing::field::Empty;
        let span = tracing::info_span!("wechat_push", kind = Empty, delivery = Empty, outcome = Empty, left_ms = Empty);
        Span { span }
    }

    /// Whether nobody listens, or all was told.
    pub(super) fn is_closed(&self) -> bool {
        self.span.is_disabled()
    }

    /// Tells what became of the delivery: without a token, a key, a text or an OpenID.
    pub(super) fn close(&mut self, kind: Option<&str>, which: Which, end: End, left: i64) {
        let span = std::mem::replace(&mut self.span, tracing::Span::none());
        if let Some(kind) = kind {
            span.record("kind", kind);
        }
        span.record("delivery", which.number()).record("outcome", end.word()).record("left_ms", left);
    }

    pub(super) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.in_scope(work)
    }

    #[cfg(feature = "tokio")]
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
    pub(super) fn open() -> Span {
        Span {}
    }

    pub(super) fn is_closed(&self) -> bool {
        true
    }

    pub(super) fn close(&mut self, _: Option<&str>, _: Which, _: End, _: i64) {}

    pub(super) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }

    #[cfg(feature = "tokio")]
    pub(super) fn instrument<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        future
    }

    pub(super) fn current() -> Span {
        Span {}
    }
}
