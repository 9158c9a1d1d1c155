//! The span of a delivery, and the events of a run: feature `tracing`. Without it they have no size and do nothing.

use std::future::Future;

#[cfg(feature = "tracing")]
use tokio::time::Instant;

use crate::dedup::DedupKey;
use crate::event::Event;
use crate::failure::Cause;

/// How a delivery ended.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "tracing"), allow(dead_code, reason = "nobody is told"))]
pub(super) enum End {
    Answered,
    /// `success`, since its reply goes or went to `late`.
    Late,
    Acknowledged,
    Failed,
    Held,
    /// The reply came after WeChat had hung up.
    HungUp,
    TooManyJoiners,
    Busy,
    Refused,
    Closing,
    /// The future was dropped before an answer.
    Gone,
}

#[derive(Clone)]
pub(super) struct Span {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

#[cfg(feature = "tracing")]
impl Span {
    /// Sets the fields for the handler's own logs at once: without a token, a key, a text or an OpenID.
    pub(super) fn open<'e>(key: DedupKey, event: impl FnOnce() -> Option<Event<'e>>) -> Span {
        use tracing::field::Empty;
        let span = tracing::info_span!(
            "wechat_push",
            kind = Empty,
            push = Empty,
            account = Empty,
            delivery = Empty,
            joined = Empty,
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

    /// Whether nobody listens, or everything was recorded.
    pub(super) fn is_closed(&self) -> bool {
        self.span.is_disabled()
    }

    /// Records how the delivery ended.
    pub(super) fn close(&mut self, delivery: Option<u8>, joined: bool, end: End, left: i64) {
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
        span.record("delivery", delivery);
        if joined {
            span.record("joined", true);
        }
        span.record("outcome", outcome).record("left_ms", left);
    }

    pub(super) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.in_scope(work)
    }

    pub(super) fn instrument<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        tracing::Instrument::instrument(future, self.span)
    }

    /// The current span, of a delivery or of the server, to be carried to another task or thread.
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

    pub(super) fn close(&mut self, _: Option<u8>, _: bool, _: End, _: i64) {}

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

/// Measures how long a handler takes. Does not read a clock if nobody listens.
pub(super) struct Stopwatch {
    #[cfg(feature = "tracing")]
    begun: Option<Instant>,
}

#[cfg(feature = "tracing")]
impl Stopwatch {
    pub(super) fn start() -> Stopwatch {
        use tracing::level_filters::LevelFilter;
        Stopwatch { begun: (LevelFilter::current() >= LevelFilter::DEBUG).then(Instant::now) }
    }

    /// Emits that the handler has ended, and why if without a reply.
    pub(super) fn stop(&self, event: Option<&Event<'_>>, run: u8, cause: Option<&Cause>) {
        let Some(begun) = self.begun else { return };
        let result = match cause {
            None => "replied",
            Some(Cause::Handler(_)) => "failed",
            Some(Cause::Panicked { .. }) => "panicked",
            Some(Cause::TooLong { .. }) => "too long",
            Some(_) => "cancelled",
        };
        let seconds = begun.elapsed().as_secs_f64();
        let kind = event.map(Event::shown_name);
        tracing::debug!(name: "wechat_run", target: "wechat_events", kind, run, result, seconds, "handler ended");
    }
}

#[cfg(not(feature = "tracing"))]
impl Stopwatch {
    pub(super) fn start() -> Stopwatch {
        Stopwatch {}
    }

    pub(super) fn stop(&self, _: Option<&Event<'_>>, _: u8, _: Option<&Cause>) {}
}

/// Emits that a reply goes to the handler's method `late`.
#[cfg_attr(not(feature = "tracing"), allow(unused_variables, reason = "nobody is told"))]
pub(super) fn tell_late(event: &Event<'_>) {
    #[cfg(feature = "tracing")]
    tracing::debug!(
        name: "wechat_late", target: "wechat_events",
        kind = event.shown_name(), "reply too late for a delivery"
    );
}
