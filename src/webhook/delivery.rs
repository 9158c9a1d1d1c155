//! One delivery: whether it runs the push, joins a run or repeats an answer, and for how long it waits.

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use tokio::time::{sleep, sleep_until};

use super::arrival::{Arrival, Clock, End};
use super::rules::{Cause, Held, OnError, Policy, Which};
use super::run::{Account, Ended, Heir, Owner, Raced, Running, SECOND_LOOK, Settled, Task, race};
use super::span::Span;
use super::tasks::{Shared, Webhook};
use crate::endpoint::{Push, Response};
use crate::store::{Attempt, Carrier, Claim, Claimed, Outcome, Waited};

pub(super) struct Delivery<'w> {
    account: &'w Arc<dyn Account>,
    shared: &'w Shared,
    arrival: Arrival<'w, Shared>,
    held: Option<Held<'w>>,
    /// Of the run that it waits for, if that is another delivery's, in milliseconds on the webhook's clock.
    lease_over: Option<u64>,
    /// The clocks have gone on since it came.
    has_waited: bool,
}

pub(super) enum Waiting<'w> {
    /// For its own run.
    Own { ended: oneshot::Receiver<Ended> },
    /// For another delivery's; milliseconds on the webhook's clock.
    Joined { wait: Outcome<'w, Waited>, lease_over: u64 },
}

/// What ended the waiting.
enum Woken {
    Done { written: Vec<u8>, carrier: Option<Carrier> },
    OwnFailed,
    Released,
    Lapsed,
}

/// What a delivery does next. Whatever waits is a step of its own: most pushes are answered before anything has to.
pub(super) enum Step<'w> {
    Answer(Response),
    Claim,
    /// The store has to ask elsewhere.
    Claiming(Pin<Box<dyn Future<Output = Claimed> + Send + 'w>>),
    /// Nobody may run it now.
    GiveBack(Claim),
    Wait(Waiting<'w>),
    Carry(Vec<u8>, Option<Carrier>),
    Fail,
}

impl Waiting<'_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Woken> {
        match self {
            Waiting::Own { ended } => Pin::new(ended).poll(context).map(|ended| match ended {
                Ok(Ended::Done { written, carrier }) => Woken::Done { written, carrier },
                Ok(Ended::Lost) => Woken::Lapsed,
                Ok(Ended::Failed) | Err(_) => Woken::OwnFailed,
            }),
            Waiting::Joined { wait, .. } => Pin::new(wait).poll(context).map(|waited| match waited {
                Waited::Done { answer, carrier } => Woken::Done { written: answer.to_vec(), carrier },
                Waited::Released => Woken::Released,
                Waited::Lapsed => Woken::Lapsed,
            }),
        }
    }
}

impl<'w> Delivery<'w> {
    pub(super) fn new(webhook: &'w Webhook, push: &'w Push<'w>, wall: i64) -> Delivery<'w> {
        let shared = &**webhook.0.shared();
        let arrival = Arrival::new(push, shared, wall);
        Delivery { account: &webhook.0, shared, arrival, held: None, lease_over: None, has_waited: false }
    }

    pub(super) fn span(&self) -> Span {
        self.arrival.span()
    }

    /// As far as it goes without waiting.
    pub(super) fn begin(&mut self, context: &mut Context<'_>) -> Step<'w> {
        let Arrival { key, came, .. } = self.arrival;
        match self.shared.store.claim(key, came) {
            Outcome::Now(claimed) => self.claimed(claimed, came, true, context),
            Outcome::Later(claiming) => Step::Claiming(claiming),
        }
    }

    pub(super) async fn go_on(mut self, mut step: Step<'w>) -> Response {
        let (store, mut lapsed) = (&self.shared.store, false);
        let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
        loop {
            step = match step {
                Step::Answer(response) => return response,
                Step::Claim => {
                    let now = self.shared.now();
                    let (claimed, local) = match store.claim(self.arrival.key, now) {
                        Outcome::Now(claimed) => (claimed, true),
                        Outcome::Later(claiming) => (claiming.await, false),
                    };
                    self.claimed(claimed, now, local, &mut Context::from_waker(&waker))
                }
                Step::Claiming(claiming) => {
                    let claimed = claiming.await;
                    self.claimed(claimed, self.arrival.came, false, &mut Context::from_waker(&waker))
                }
                Step::GiveBack(claim) => {
                    // A store that fails here keeps the push until the lease is over.
                    let _ = store.release(&claim, Attempt::NotMade, self.shared.now()).await;
                    Step::Answer(self.given_back())
                }
                Step::Wait(waiting) => match self.wait(waiting).await {
                    Ok(response) => Step::Answer(response),
                    Err(woken) => {
                        let again = matches!(woken, Woken::Lapsed);
                        if again && lapsed {
                            sleep(SECOND_LOOK).await;
                        } else {
                            lapsed = again;
                        }
                        Step::Claim
                    }
                },
                Step::Carry(written, carrier) => Step::Answer(self.carry(written, carrier).await),
                Step::Fail => Step::Answer(self.failed().await),
            }
        }
    }

    /// `now` is when the store was asked, and `local` whether it answered at once.
    fn claimed(&mut self, claimed: Claimed, now: u64, local: bool, context: &mut Context<'_>) -> Step<'w> {
        match claimed {
            Claimed::New(claim) => {
                self.arrival.note_age(claim.age, now);
                self.run(claim, now, local, context)
            }
            Claimed::Running { age, lease_left, waiting } => {
                self.arrival.note_age(age, now);
                if waiting >= self.shared.rules.max_joiners {
                    return Step::Answer(self.end(End::TooManyJoiners, Response::status(503)));
                }
                let (wait, lease_over) =
                    (self.shared.store.wait(self.arrival.key, now), now.saturating_add(lease_left));
                Step::Wait(Waiting::Joined { wait, lease_over })
            }
            Claimed::Done { answer, carrier, age } => {
                self.arrival.note_age(age, now);
                self.done(answer.to_vec(), carrier)
            }
            Claimed::Exhausted { age } => {
                self.arrival.note_age(age, now);
                Step::Fail
            }
            Claimed::Refused(refusal) => Step::Answer(self.not_run(End::Refused, Cause::Refused(refusal))),
        }
    }

    fn run(&mut self, claim: Claim, now: u64, local: bool, context: &mut Context<'_>) -> Step<'w> {
        // Until the push has its answer, or a task.
        let Some(_in_place) = self.shared.begin().filter(|_| !self.shared.rules.running.is_full()) else {
            return Step::GiveBack(claim);
        };
        let body: Arc<[u8]> = Arc::from(self.arrival.push.body());
        let (account, hung_up_at) = (Cow::Borrowed(self.account), self.arrival.hung_up_at());
        let mut owner = Owner::new(account, claim, Arc::clone(&body), now, hung_up_at, local);
        let wall = if self.has_waited { self.shared.wall() } else { self.arrival.wall };
        let mut running = Running::new(Arc::clone(self.account).start(body, wall));
        let polled = match Pin::new(&mut running).poll(context) {
            Poll::Ready(handled) if local => match owner.settle_now(handled) {
                Settled::Now(ended, after) => {
                    owner.conclude(after);
                    return self.ended(ended);
                }
                Settled::NotYet(handled) => Poll::Ready(handled),
            },
            polled => polled,
        };
        Step::Wait(Waiting::Own { ended: Task::spawn(owner, running, polled) })
    }

    /// A run that came to its end in this delivery's hands.
    fn ended(&mut self, ended: Ended) -> Step<'w> {
        match ended {
            Ended::Done { written, carrier } => self.done(written, carrier),
            Ended::Failed => Step::Fail,
            Ended::Lost => Step::Claim,
        }
    }

    fn done(&mut self, written: Vec<u8>, carrier: Option<Carrier>) -> Step<'w> {
        match carrier {
            Some(Carrier::Delivery) => Step::Answer(self.answered(written)),
            carrier => Step::Carry(written, carrier),
        }
    }

    fn given_back(&mut self) -> Response {
        if self.shared.is_closing() {
            return self.end(End::Closing, Response::status(503));
        }
        self.not_run(End::Busy, Cause::Busy { limit: self.shared.rules.running.limit })
    }

    fn not_run(&mut self, end: End, cause: Cause) -> Response {
        self.shared.rules.failed(self.account.endpoint(), self.arrival.push.body(), 0, cause);
        self.end(end, Response::status(503))
    }

    /// Waits for an answer, or for the time to do without. `Err`: claim again, this is why.
    async fn wait(&mut self, mut waiting: Waiting<'w>) -> Result<Response, Woken> {
        self.has_waited = true;
        let (facts, rules) = (self.arrival.facts(), &self.shared.rules);
        let may_hold = rules.may_hold(facts);
        let acknowledge_at = rules.acknowledge_at(self.arrival.came, self.arrival.age());
        if may_hold && self.held.is_none() {
            self.held = Held::take(&rules.held);
        }
        self.lease_over = match waiting {
            Waiting::Joined { lease_over, .. } => Some(lease_over),
            Waiting::Own { .. } => None,
        };
        loop {
            let deadline = if self.held.is_some() { self.arrival.give_up_at() } else { acknowledge_at };
            let until = self.lease_over.map_or(deadline, |lease_over| lease_over.min(deadline));
            let woken = poll_fn(|context| waiting.poll(context));
            let raced = race(woken, sleep_until(self.shared.instant(until))).await;
            if matches!(raced, Raced::First(_)) || until < deadline {
                self.lease_over = None;
            }
            match raced {
                Raced::First(Woken::Done { written, carrier }) => {
                    return Ok(self.carry(written, carrier).await);
                }
                Raced::First(Woken::OwnFailed) => return Ok(self.failed().await),
                Raced::First(woken) => return Err(woken),
                Raced::Second(()) if until < deadline => return Err(Woken::Lapsed),
                Raced::Second(()) if self.held.is_some() => return Ok(self.end(End::Held, Response::status(503))),
                Raced::Second(()) => {
                    // A place may have become free since it began to wait.
                    self.held = if may_hold { Held::take(&rules.held) } else { None };
                    if self.held.is_some() {
                        continue;
                    }
                    // Another delivery of this moment may wait for the reply, unless none of them is held.
                    let is_own = matches!(waiting, Waiting::Own { .. });
                    if is_own || rules.policy == Policy::Acknowledge || facts.which == Which::Last {
                        self.shared.tell(self.arrival.key);
                    }
                    self.leave_heir(true);
                    let response = rules.acknowledgement(self.account.endpoint(), self.arrival.push, facts);
                    return Ok(self.end(End::Acknowledged, response));
                }
            }
        }
    }

    /// On the way out with an answer, which may be its own run's: asks whether it is this delivery's to carry.
    async fn carry(&mut self, written: Vec<u8>, carrier: Option<Carrier>) -> Response {
        let carried = match carrier {
            Some(Carrier::Delivery) => true,
            Some(Carrier::Late) => false,
            None => match self.shared.now() {
                // What is carried now arrives nowhere, and the next delivery or `on_late` has to have it.
                now if self.arrival.has_hung_up(now) => return self.end(End::HungUp, Response::status(503)),
                now => self.shared.store.carry(self.arrival.key, Carrier::Delivery, now).await,
            },
        };
        if !carried {
            return self.end(End::Late, Response::success());
        }
        if carrier.is_none() {
            self.shared.tell(self.arrival.key);
        }
        self.answered(written)
    }

    fn answered(&mut self, written: Vec<u8>) -> Response {
        let wall = if self.has_waited { self.shared.wall() } else { self.arrival.wall };
        self.end(End::Answered, self.arrival.push.answer(written, wall))
    }

    /// The handler failed in this delivery's run, or has failed too often.
    async fn failed(&mut self) -> Response {
        let rules = &self.shared.rules;
        if self.shared.is_closing() {
            return self.end(End::Closing, Response::status(503));
        }
        match rules.on_error {
            OnError::Status500 => return self.end(End::Failed, Response::status(500)),
            OnError::Hold if self.arrival.facts().which != Which::Last => {
                self.held = self.held.take().or_else(|| Held::take(&rules.held));
            }
            OnError::Hold | OnError::Acknowledge => self.held = None,
        }
        if self.held.is_none() {
            return self.end(End::Failed, Response::success());
        }
        sleep_until(self.shared.instant(self.arrival.give_up_at())).await;
        self.end(End::Failed, Response::status(503))
    }

    /// Sees to it that somebody waits on for another delivery's run.
    fn leave_heir(&mut self, acknowledged: bool) {
        if let Some(lease_over) = self.lease_over.take() {
            let (account, body) = (Arc::clone(self.account), Arc::from(self.arrival.push.body()));
            Heir { account, key: self.arrival.key, body, lease_over, acknowledged }.spawn();
        }
    }

    fn end(&mut self, end: End, response: Response) -> Response {
        self.arrival.end(end, response)
    }
}

impl Drop for Delivery<'_> {
    /// The last one may be dropped while it waits for a run: after it nobody asks for the push.
    fn drop(&mut self) {
        if self.lease_over.is_some() && self.arrival.facts().which == Which::Last {
            self.leave_heir(false);
        }
    }
}
