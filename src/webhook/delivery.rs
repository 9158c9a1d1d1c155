//! One delivery: how long it waits for the run of its push, and what it is answered.

use std::mem;
use std::sync::Arc;

use memchr::memchr_iter;
use tokio::sync::SemaphorePermit;
use tokio::time::{sleep_until, timeout_at};

use super::schedule::{Meanwhile, Schedule};
use super::settings::{OnError, Policy, millis};
use super::shared::Shared;
use super::span::{End, Span};
use super::task::Account;
use super::watch::{Found, Watch, tell_not_run};
use crate::dedup::DedupKey;
use crate::endpoint::{Push, Report, Response};
use crate::event::{Event, Takes};
use crate::failure::Cause;
use crate::reply::Reply;
use crate::store::Carrier;

pub(super) struct Delivery<'w> {
    account: &'w Arc<dyn Account>,
    shared: &'w Shared,
    push: &'w Push<'w>,
    /// In milliseconds on the webhook's clock.
    came: u64,
    /// In seconds since 1970.
    wall: i64,
    watch: Watch,
    /// What the push says of itself, once needed.
    facts: Option<Facts>,
    /// Its place among the held deliveries.
    held: Option<SemaphorePermit<'w>>,
    span: Span,
}

#[derive(Clone, Copy)]
struct Facts {
    schedule: &'static Schedule,
    /// The push's CreateTime, in seconds since 1970.
    create_time: Option<i64>,
    /// How often it has come before, of a push that says so.
    retries: Option<u8>,
}

impl<'w> Delivery<'w> {
    pub(super) fn new(account: &'w Arc<dyn Account>, push: &'w Push<'w>, wall: i64) -> Delivery<'w> {
        let shared = &**account.shared();
        let (key, came) = (key_of(push), shared.now());
        let watch = Watch::new(Arc::clone(account), key, Arc::from(push.body()), came, wall);
        let span = Span::open(key, || push.event().ok());
        Delivery { account, shared, push, came, wall, watch, facts: None, held: None, span }
    }

    /// The span for all that is done for this delivery.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    pub(super) async fn respond(&mut self) -> Response {
        self.watch.claim(self.shared, self.came).await;
        // Boxed: most deliveries never wait, and their futures should not be larger for it.
        if self.watch.has_to_wait()
            && let Some(response) = Box::pin(self.wait()).await
        {
            return response;
        }
        match mem::replace(&mut self.watch.found, Found::Nothing) {
            Found::Done { answer, carrier } => self.carry(answer, carrier).await,
            Found::NotRun(cause) => {
                let end = if let Cause::Busy { .. } = cause { End::Busy } else { End::Refused };
                tell_not_run(self.account, Arc::clone(&self.watch.body), cause);
                self.end(end, Response::status(503))
            }
            Found::Crowded => self.end(End::TooManyJoiners, Response::status(503)),
            Found::Closing => self.end(End::Closing, Response::status(503)),
            _ => self.failed().await,
        }
    }

    /// Waits until the push has an outcome, or returns an answer without one.
    async fn wait(&mut self) -> Option<Response> {
        let (settings, facts) = (&self.shared.settings, self.facts());
        let schedule = facts.schedule;
        let may_hold = settings.policy == Policy::Hold && schedule.hold && !self.is_last();
        let after = schedule.acknowledge_after(settings.acknowledge_after.map(millis));
        let acknowledge_at = self.came.saturating_add(match settings.policy {
            // Each delivery of a payment has its own time limit.
            Policy::Acknowledge if schedule.owed => after.saturating_sub(self.age()),
            Policy::Hold | Policy::Acknowledge => after,
        });
        loop {
            // A place may have become free since it began to wait.
            if may_hold && self.held.is_none() {
                self.held = self.shared.held.try_acquire().ok();
            }
            let deadline = if self.held.is_some() { self.give_up_at() } else { acknowledge_at };
            if timeout_at(self.shared.instant(deadline), self.watch.follow(self.shared)).await.is_ok() {
                return None;
            }
            if self.held.is_some() {
                return Some(self.end(End::Held, Response::status(503)));
            }
            if may_hold {
                self.held = self.shared.held.try_acquire().ok();
            }
            if self.held.is_none() {
                return Some(self.acknowledge());
            }
        }
    }

    fn acknowledge(&mut self) -> Response {
        // Another delivery of this moment may be waiting for the reply, unless none is held.
        let none_is_held = self.shared.settings.policy == Policy::Acknowledge || self.is_last();
        match (&self.watch.found, &self.watch.listener) {
            (Found::RunsHere { own }, Some(listener)) if *own || none_is_held => listener.0.note_answer(),
            (Found::RunsElsewhere { .. }, _) => self.leave_watch(true),
            _ => {}
        }
        let response = match self.facts().schedule.meanwhile {
            Meanwhile::Success => None,
            Meanwhile::Interim => self.interim(),
            Meanwhile::Code => Some(self.push_again("not yet")),
        };
        self.end(End::Acknowledged, response.unwrap_or_else(Response::success))
    }

    fn interim(&self) -> Option<Response> {
        let settings = &self.shared.settings;
        settings.interim.as_ref()?;
        self.written(|event| settings.interim(event))
    }

    /// What makes WeChat push a payment again. Does not exist for Apple's opinions, where every valid answer is final.
    fn push_again(&self, why: &str) -> Response {
        let code = |event: &Event<'_>| (event.takes() == Takes::Code).then(|| Reply::code(-1, why));
        self.written(code).unwrap_or_else(|| Response::status(500))
    }

    /// The answer with a reply that is not the handler's.
    fn written(&self, reply: impl FnOnce(&Event<'_>) -> Option<Reply>) -> Option<Response> {
        let event = self.push.event().ok()?;
        let reply = reply(&event)?;
        let now = self.shared.settings.wall();
        let written = reply.write(&event, now);
        if let Some(refused) = &written.refused {
            self.account.endpoint().report(&Report::Refused { event: &event, reply: &reply, refused });
        }
        Some(self.push.answer(written.body.into_bytes(), now))
    }

    /// About to answer: asks the store whether this delivery may carry the reply.
    async fn carry(&mut self, answer: Vec<u8>, carrier: Option<Carrier>) -> Response {
        let carried = match carrier {
            Some(Carrier::Delivery) => true,
            Some(Carrier::Late) => false,
            None => match self.shared.now() {
                // WeChat has hung up: the reply is left for the next delivery or for `late`.
                now if now >= self.hung_up_at() => return self.end(End::HungUp, Response::status(503)),
                now => {
                    if let Some(listener) = &self.watch.listener {
                        listener.0.note_carrying();
                    }
                    self.shared.store.carry(self.watch.key, Carrier::Delivery, now).await
                }
            },
        };
        if !carried {
            return self.end(End::Late, Response::success());
        }
        if let Some(listener) = &self.watch.listener {
            listener.0.note_answer();
        }
        let response = self.push.answer(answer, self.watch.wall());
        self.end(End::Answered, response)
    }

    /// The handler failed in this delivery's run, or has failed too often.
    async fn failed(&mut self) -> Response {
        if self.shared.is_closing() {
            return self.end(End::Closing, Response::status(503));
        }
        // WeChat is told whatever the settings: silence would cost the buyer three seconds.
        if self.facts().schedule.meanwhile == Meanwhile::Code {
            let response = self.push_again("not handled");
            return self.end(End::Failed, response);
        }
        let on_error = self.shared.settings.on_error;
        match on_error {
            OnError::Status500 => return self.end(End::Failed, Response::status(500)),
            OnError::Acknowledge => self.held = None,
            OnError::Hold if self.is_last() => self.held = None,
            OnError::Hold | OnError::HoldAlways => {
                self.held = self.held.take().or_else(|| self.shared.held.try_acquire().ok());
            }
        }
        if self.held.is_none() {
            let response = if on_error == OnError::HoldAlways { Response::status(503) } else { Response::success() };
            return self.end(End::Failed, response);
        }
        let give_up_at = self.shared.instant(self.give_up_at());
        Box::pin(sleep_until(give_up_at)).await;
        self.end(End::Failed, Response::status(503))
    }

    /// Milliseconds from when the push was first seen to when this delivery came.
    fn age(&self) -> u64 {
        self.came.saturating_sub(self.watch.first_seen.unwrap_or(self.came))
    }

    fn facts(&mut self) -> Facts {
        *self.facts.get_or_insert_with(|| {
            let event = self.push.event().ok();
            let create_time = event.as_ref().map(|event| event.create_time).filter(|seconds| *seconds > 0);
            let schedule = Schedule::of(event.as_ref());
            let retries =
                event.filter(|_| schedule.is_counted()).and_then(|event| event.field("RetryTimes")?.parse().ok());
            Facts { schedule, create_time, retries }
        })
    }

    /// Which delivery of its push this is, from 1.
    fn number(&mut self) -> Option<u8> {
        let Facts { schedule, create_time, retries } = self.facts();
        schedule.delivery(self.age(), create_time.map(|seconds| self.wall.saturating_sub(seconds)), retries)
    }

    fn is_last(&mut self) -> bool {
        let number = self.number();
        self.facts().schedule.is_last(number)
    }

    fn give_up_at(&mut self) -> u64 {
        self.came.saturating_add(self.facts().schedule.give_up_after())
    }

    /// When WeChat hangs up. Later answers reach nobody.
    fn hung_up_at(&mut self) -> u64 {
        self.came.saturating_add(self.facts().schedule.deadline())
    }

    /// Leaves a watch behind that waits for another machine's run.
    fn leave_watch(&mut self, acknowledged: bool) {
        let (account, body) = (Arc::clone(self.account), Arc::clone(&self.watch.body));
        let mut watch = Watch::new(account, self.watch.key, body, self.came, self.wall);
        watch.came = None;
        watch.acknowledged = acknowledged;
        watch.first_seen = self.watch.first_seen;
        watch.found = mem::replace(&mut self.watch.found, Found::Nothing);
        watch.leave(self.facts().schedule.late_after());
    }

    /// Every way out except [`End::Gone`].
    fn end(&mut self, end: End, response: Response) -> Response {
        self.close(end);
        response
    }

    fn close(&mut self, end: End) {
        if self.span.is_closed() {
            return;
        }
        let taken = self.shared.now().saturating_sub(self.came);
        let deadline = self.facts().schedule.deadline();
        let left = i64::try_from(deadline).unwrap_or_default() - i64::try_from(taken).unwrap_or_default();
        let number = self.number();
        self.span.close(number, self.watch.joined, end, left);
    }
}

/// The key that all deliveries of the push share.
///
/// It is the digest of the bytes, except for payments, whose bytes count the deliveries. Only possible payments are
/// parsed.
fn key_of(push: &Push<'_>) -> DedupKey {
    let body = push.body();
    let ends_in = |before: &[u8], name: &str| {
        let end = before.len().checked_sub(name.len()).and_then(|start| before.get(start..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(name.as_bytes()))
    };
    let mut names = memchr_iter(b'_', body).filter_map(|at| body.get(..at));
    let may_be_payment = names.any(|before| ["xpay", "minigame"].iter().any(|name| ends_in(before, name)));
    let event = if may_be_payment { push.event().ok() } else { None };
    event.map_or_else(|| DedupKey::of_body(body), |event| event.dedup_key())
}

impl Drop for Delivery<'_> {
    /// The last delivery may be dropped while the push runs elsewhere: after it WeChat does not ask again.
    fn drop(&mut self) {
        if let Found::RunsElsewhere { .. } = self.watch.found
            && self.is_last()
        {
            self.leave_watch(false);
        }
        self.close(End::Gone);
    }
}
