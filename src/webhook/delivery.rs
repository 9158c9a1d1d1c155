//! One delivery: whether it runs the push, joins a run or repeats an answer, and for how long it waits.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{sleep, sleep_until};

use super::rules::{self, Cause, Facts, Held, OnError, Which};
use super::run::{Account, Acknowledged, Ended, Owner, Raced, Running, Task, once, race};
use super::tasks::{Shared, Webhook};
use crate::dedup::DedupKey;
use crate::endpoint::{Push, Response};
use crate::store::{Attempt, Awaited, Carrier, Claim, Claimed, Outcome, Waited};

/// Between two looks at a lease of which store and clock think differently.
const SECOND_LOOK: Duration = Duration::from_millis(100);

pub(super) struct Delivery<'w> {
    account: &'w Arc<dyn Account>,
    shared: &'w Shared,
    push: &'w Push<'w>,
    key: DedupKey,
    /// Milliseconds on the webhook's clock.
    came: u64,
    /// Seconds since 1970.
    wall: i64,
    /// Milliseconds since the push was first seen, when this delivery came.
    age: Option<u64>,
    /// What the push says of itself, once somebody asked.
    facts: Option<Facts>,
    held: Option<Held<'w>>,
    /// The clocks have gone on since it came.
    has_waited: bool,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

enum Waiting<'w> {
    /// For its own run.
    Own { ended: oneshot::Receiver<Ended>, acknowledged: Arc<Acknowledged> },
    /// For another delivery's; milliseconds on the webhook's clock.
    Joined { wait: Awaited<'w, Waited>, lease_over: u64 },
}

/// What ended the waiting.
enum Woken {
    Done { answer: Arc<[u8]>, carrier: Option<Carrier> },
    OwnFailed,
    OtherFailed,
    Lapsed,
}

enum Next<'w> {
    Answer(Response),
    Wait(Waiting<'w>),
    Claim,
}

impl Waiting<'_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Woken> {
        match self {
            Waiting::Own { ended, .. } => Pin::new(ended).poll(context).map(|ended| match ended {
                Ok(Ended::Done { answer, carrier }) => Woken::Done { answer, carrier },
                Ok(Ended::Lost) => Woken::Lapsed,
                Ok(Ended::Failed) | Err(_) => Woken::OwnFailed,
            }),
            Waiting::Joined { wait, .. } => Pin::new(wait).poll(context).map(|waited| match waited {
                Waited::Done { answer, carrier } => Woken::Done { answer, carrier },
                Waited::Released => Woken::OtherFailed,
                Waited::Lapsed => Woken::Lapsed,
            }),
        }
    }
}

impl<'w> Delivery<'w> {
    pub(super) fn new(
        webhook: &'w Webhook,
        push: &'w Push<'w>,
        wall: i64,
        #[cfg(feature = "tracing")] span: tracing::Span,
    ) -> Delivery<'w> {
        let shared = webhook.0.shared();
        Delivery {
            account: &webhook.0,
            shared,
            push,
            key: DedupKey::of_body(push.body()),
            came: shared.now(),
            wall,
            age: None,
            facts: None,
            held: None,
            has_waited: false,
            #[cfg(feature = "tracing")]
            span,
        }
    }

    pub(super) async fn answer(mut self) -> Response {
        let mut lapsed = false;
        loop {
            let waiting = match self.claim().await {
                Next::Answer(response) => return response,
                Next::Wait(waiting) => waiting,
                Next::Claim => continue,
            };
            match self.wait(waiting).await {
                Ok(response) => return response,
                Err(Woken::Lapsed) if lapsed => sleep(SECOND_LOOK).await,
                Err(woken) => lapsed = matches!(woken, Woken::Lapsed),
            }
        }
    }

    async fn claim(&mut self) -> Next<'w> {
        let store = &self.shared.store;
        let now = if self.has_waited { self.shared.now() } else { self.came };
        let (claimed, local) = match store.claim(self.key, now) {
            Outcome::Now(claimed) => (claimed, true),
            Outcome::Later(claimed) => (claimed.await, false),
        };
        match claimed {
            Claimed::New(claim) => {
                self.note_age(claim.age, now);
                self.run(claim, now, local).await
            }
            Claimed::Running { age, lease_left, waiting } => {
                self.note_age(age, now);
                if waiting >= self.shared.rules.max_joiners {
                    return Next::Answer(self.end("too many joiners", Response::status(503)));
                }
                let lease_over = now.saturating_add(lease_left);
                Next::Wait(Waiting::Joined { wait: store.wait(self.key, now).into_future(), lease_over })
            }
            Claimed::Done { answer, carrier, age } => {
                self.note_age(age, now);
                Next::Answer(self.carry(&answer, carrier).await)
            }
            Claimed::Exhausted { age } => {
                self.note_age(age, now);
                Next::Answer(self.failed().await)
            }
            Claimed::Refused(refusal) => {
                self.report(Cause::Refused(refusal));
                Next::Answer(self.end("refused", Response::status(503)))
            }
        }
    }

    async fn run(&mut self, claim: Claim, now: u64, local: bool) -> Next<'w> {
        let rules = &self.shared.rules;
        let closing = self.shared.is_closing();
        if closing || !rules.running.take() {
            // A store that fails here keeps the push until the lease is over.
            let _ = self.shared.store.release(&claim, Attempt::NotMade, now).await;
            if closing {
                return Next::Answer(self.end("closing", Response::status(503)));
            }
            self.report(Cause::Busy { limit: rules.running.limit });
            return Next::Answer(self.end("busy", Response::status(503)));
        }
        let body: Arc<[u8]> = Arc::from(self.push.body());
        let mut owner = Owner {
            account: Arc::clone(self.account),
            claim,
            body: Arc::clone(&body),
            late_at: now.saturating_add(rules::LATE.saturating_sub(claim.age)),
            local,
            placed: true,
            settled: false,
        };
        let mut running = Running::new(Arc::clone(self.account).start(body));
        match once(&mut running).await {
            Poll::Ready(handled) if local => {
                let (ended, after) = owner.settle(handled, true, false).await;
                owner.conclude(after);
                match ended {
                    Ended::Done { answer, carrier } => Next::Answer(self.carry(&answer, carrier).await),
                    Ended::Failed => Next::Answer(self.failed().await),
                    Ended::Lost => Next::Claim,
                }
            }
            polled => {
                let (ended, acknowledged) = Task::spawn(owner, running, polled);
                Next::Wait(Waiting::Own { ended, acknowledged })
            }
        }
    }

    /// Waits for an answer, or for the time to do without. `Err`: claim again, this is why.
    async fn wait(&mut self, mut waiting: Waiting<'w>) -> Result<Response, Woken> {
        self.has_waited = true;
        let (facts, rules) = (self.facts(), &self.shared.rules);
        let may_hold = rules.may_hold(facts);
        let acknowledge_at = rules.acknowledge_at(self.came, self.age.unwrap_or_default());
        if may_hold && self.held.is_none() {
            self.held = Held::take(&rules.held);
        }
        loop {
            let deadline = if self.held.is_some() { self.give_up_at() } else { acknowledge_at };
            let until = match waiting {
                Waiting::Joined { lease_over, .. } => lease_over.min(deadline),
                Waiting::Own { .. } => deadline,
            };
            let woken = poll_fn(|context| waiting.poll(context));
            match race(woken, sleep_until(self.shared.instant(until))).await {
                Raced::First(Woken::Done { answer, carrier }) => return Ok(self.carry(&answer, carrier).await),
                Raced::First(Woken::OwnFailed) => return Ok(self.failed().await),
                Raced::First(woken) => return Err(woken),
                Raced::Second(()) if until < deadline => return Err(Woken::Lapsed),
                Raced::Second(()) if self.held.is_some() => return Ok(self.end("held", Response::status(503))),
                Raced::Second(()) => {
                    // A place may have become free since it began to wait.
                    self.held = if may_hold { Held::take(&rules.held) } else { None };
                    if self.held.is_some() {
                        continue;
                    }
                    if let Waiting::Own { acknowledged, .. } = &waiting {
                        acknowledged.tell();
                    }
                    let response = rules.acknowledgement(self.account.endpoint(), self.push, facts);
                    return Ok(self.end("acknowledged", response));
                }
            }
        }
    }

    /// On the way out with an answer: asks whether it is this delivery's to carry.
    async fn carry(&mut self, answer: &[u8], carrier: Option<Carrier>) -> Response {
        let carried = match carrier {
            Some(Carrier::Delivery) => true,
            Some(Carrier::Late) => false,
            None => match self.shared.now() {
                // What is carried now arrives nowhere, and the next delivery or `on_late` has to have it.
                now if now >= self.came.saturating_add(rules::HUNG_UP) => {
                    return self.end("hung up", Response::status(503));
                }
                now => self.shared.store.carry(self.key, Carrier::Delivery, now).await,
            },
        };
        if !carried {
            return self.end("late", Response::success());
        }
        let wall = if self.has_waited { self.shared.wall() } else { self.wall };
        self.end("answered", self.push.answer(rules::written(answer), wall))
    }

    /// The handler failed in this delivery's run, or has failed too often.
    async fn failed(&mut self) -> Response {
        let rules = &self.shared.rules;
        if self.shared.is_closing() {
            return self.end("closing", Response::status(503));
        }
        match rules.on_error {
            OnError::Status500 => return self.end("failed", Response::status(500)),
            OnError::Hold if self.facts().which != Which::Last => {
                self.held = self.held.take().or_else(|| Held::take(&rules.held));
            }
            OnError::Hold | OnError::Acknowledge => self.held = None,
        }
        if self.held.is_none() {
            return self.end("failed", Response::success());
        }
        sleep_until(self.shared.instant(self.give_up_at())).await;
        self.end("failed", Response::status(503))
    }

    fn give_up_at(&self) -> u64 {
        self.came.saturating_add(rules::GIVE_UP)
    }

    /// Only what is seen first counts: a store may forget, and then the push seems younger.
    fn note_age(&mut self, age: u64, now: u64) {
        self.age.get_or_insert(age.saturating_sub(now.saturating_sub(self.came)));
    }

    fn facts(&mut self) -> Facts {
        let (push, wall, age) = (self.push, self.wall, self.age.unwrap_or_default());
        *self.facts.get_or_insert_with(|| Facts::of(push, wall, age))
    }

    /// Every way out, for the span: without a token, a key, a text or an OpenID.
    fn end(&mut self, outcome: &'static str, response: Response) -> Response {
        #[cfg(feature = "tracing")]
        if !self.span.is_disabled() {
            let taken = self.shared.now().saturating_sub(self.came);
            let left = i64::try_from(rules::HUNG_UP).unwrap_or_default() - i64::try_from(taken).unwrap_or_default();
            let Facts { which, .. } = self.facts();
            self.span.record("outcome", outcome).record("left_ms", left).record("delivery", which.number());
            if let Ok(event) = self.push.event() {
                self.span.record("kind", event.name());
            }
        }
        #[cfg(not(feature = "tracing"))]
        let _ = outcome;
        response
    }

    fn report(&self, cause: Cause) {
        self.shared.rules.failed(self.account.endpoint(), self.push.body(), 0, cause);
    }
}
