//! A delivery as it came, and what became of it, whoever waits for its answer: a task or a thread.

use super::rules::{Facts, GIVE_UP, HUNG_UP};
use super::span::Span;
use crate::dedup::DedupKey;
use crate::endpoint::{Push, Response};

/// By which deliveries are told apart.
pub(super) trait Clock {
    /// Milliseconds.
    fn now(&self) -> u64;
}

/// What became of a delivery.
#[derive(Clone, Copy)]
pub(super) enum End {
    Answered,
    /// `success`, since its reply goes to `on_late`, or went there.
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

impl End {
    #[cfg(feature = "tracing")]
    pub(super) fn word(self) -> &'static str {
        match self {
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
        }
    }
}

pub(super) struct Arrival<'w, C: Clock> {
    pub(super) push: &'w Push<'w>,
    pub(super) key: DedupKey,
    /// Milliseconds on the webhook's clock.
    pub(super) came: u64,
    /// Seconds since 1970.
    pub(super) wall: i64,
    /// Milliseconds since the push was first seen, when this delivery came.
    age: Option<u64>,
    /// What the push says of itself, once somebody asked.
    facts: Option<Facts>,
    clock: &'w C,
    span: Span,
}

impl<'w, C: Clock> Arrival<'w, C> {
    pub(super) fn new(push: &'w Push<'w>, clock: &'w C, wall: i64) -> Arrival<'w, C> {
        let (key, came, span) = (DedupKey::of_body(push.body()), clock.now(), Span::open());
        Arrival { push, key, came, wall, age: None, facts: None, clock, span }
    }

    /// Within which all that is done for this delivery should happen.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Only what is seen first counts: a store may forget, and then the push seems younger.
    pub(super) fn note_age(&mut self, age: u64, now: u64) {
        self.age.get_or_insert(age.saturating_sub(now.saturating_sub(self.came)));
    }

    pub(super) fn age(&self) -> u64 {
        self.age.unwrap_or_default()
    }

    pub(super) fn facts(&mut self) -> Facts {
        let (push, wall, age) = (self.push, self.wall, self.age());
        *self.facts.get_or_insert_with(|| Facts::of(push, wall, age))
    }

    pub(super) fn give_up_at(&self) -> u64 {
        self.came.saturating_add(GIVE_UP)
    }

    /// When WeChat hangs up: what is answered from then on reaches nobody.
    pub(super) fn hung_up_at(&self) -> u64 {
        self.came.saturating_add(HUNG_UP)
    }

    /// Whether WeChat no longer waits for the answer.
    pub(super) fn has_hung_up(&self, now: u64) -> bool {
        now >= self.hung_up_at()
    }

    /// Every way out, but for [`End::Gone`].
    pub(super) fn end(&mut self, end: End, response: Response) -> Response {
        self.close(end);
        response
    }

    fn close(&mut self, end: End) {
        if self.span.is_closed() {
            return;
        }
        let taken = self.clock.now().saturating_sub(self.came);
        let left = i64::try_from(HUNG_UP).unwrap_or_default() - i64::try_from(taken).unwrap_or_default();
        let (event, which) = (self.push.event().ok(), self.facts().which);
        self.span.close(event.as_ref().map(|event| event.name()), which, end, left);
    }
}

impl<C: Clock> Drop for Arrival<'_, C> {
    /// Of a future that is dropped, or in a panic.
    fn drop(&mut self) {
        self.close(End::Gone);
    }
}
