//! The task of a run: the handler, its outcome, and what is left to do afterwards.

use std::error::Error;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::select;
use tokio::time::{sleep, sleep_until};

use super::guard::guarded_until;
use super::owner::{Duty, Owner, report_failure};
use super::run::{Ended, Run};
use super::schedule::Schedule;
use super::shared::Shared;
use super::span::{Stopwatch, tell_late};
use crate::endpoint::{Endpoint, Report};
use crate::error::ParseError;
use crate::event::Event;
use crate::failure::{Cause, Failure};
use crate::handler::{AsyncHandler, NoMethod};
use crate::reply::{Reply, Written};
use crate::store::{Carrier, Claim, Lost, Outcome};

/// How long a waiting delivery has, in a shutdown, to take the reply: it has been woken, but asks only when it is
/// scheduled.
const MOMENT: Duration = Duration::from_millis(500);

/// For a store with a lease too short to renew.
const SHORTEST_RENEWAL: Duration = Duration::from_millis(10);

/// An endpoint and its handler, with the handler's type erased.
pub(super) trait Account: Send + Sync {
    fn endpoint(&self) -> &Endpoint;
    fn shared(&self) -> &Arc<Shared>;
    /// Runs a push, after the shared part has let it start.
    fn run(self: Arc<Self>, run: Arc<Run>, begun: Begun) -> Task;
    /// Tells the handler of a push that was not run.
    fn tell_not_run(self: Arc<Self>, failure: Failure) -> Task;
}

/// Owns all that it needs, so that it can start within its delivery and then be spawned.
pub(super) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The moment when a run starts.
pub(super) struct Begun {
    /// When the delivery that starts it came, in milliseconds on the webhook's clock; `None` if no delivery waits.
    pub(super) came: Option<u64>,
    /// Seconds since 1970.
    pub(super) wall: i64,
}

pub(super) struct Typed<H> {
    pub(super) endpoint: Endpoint,
    pub(super) shared: Arc<Shared>,
    pub(super) handler: H,
}

impl<H: AsyncHandler + 'static> Account for Typed<H> {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn run(self: Arc<Self>, run: Arc<Run>, begun: Begun) -> Task {
        Box::pin(self.drive(run, begun))
    }

    fn tell_not_run(self: Arc<Self>, failure: Failure) -> Task {
        // Made before the task, which is never polled if its runtime has ended.
        let mut untold = Untold { account: self, failure: Some(failure) };
        Box::pin(async move {
            if let Untold { account, failure: Some(failure) } = &untold {
                let event = account.endpoint.parse_event(&failure.body).ok();
                account.tell_failed(failure, event.as_ref()).await;
            }
            drop(untold.failure.take());
        })
    }
}

impl<H: AsyncHandler> Typed<H> {
    async fn drive(self: Arc<Self>, run: Arc<Run>, begun: Begun) {
        let (endpoint, shared, run, stopwatch) = (&self.endpoint, &self.shared, &run, Stopwatch::start());
        let mut owner = Owner { endpoint, shared, run, stopwatch, handles: true, listed: true, duty: Duty::Run };
        // To keep the task small, a `match` takes nothing apart, and what only few runs need is boxed.
        let parsed = endpoint.parse_event(&run.body);
        let event = match &parsed {
            Ok(event) => event,
            Err(error) => return Box::pin(self.unparsable(&mut owner, error.clone())).await,
        };
        let has_waited = AtomicBool::new(false);
        let handled = {
            let end = pin!(async {
                has_waited.store(true, Ordering::Relaxed);
                Box::pin(self.interrupted(run.claim)).await
            });
            guarded_until(pin!(Some(event.dispatch_async(&self.handler))), end).await
        };
        owner.handled();
        let handled = handled.and_then(|result| result.map_err(|error| Cause::Handler(error.into())));
        owner.stopwatch.stop(Some(event), run.claim.run, handled.as_ref().err());
        match &handled {
            Ok(reply) => {
                let begun = (!has_waited.into_inner()).then_some(&begun);
                self.replied(&mut owner, event, reply, begun).await;
            }
            Err(cause) => Box::pin(self.not_handled(&mut owner, event, cause)).await,
        }
    }

    /// `begun` is `None` if the handler has waited: its own delivery may be gone.
    async fn replied(&self, owner: &mut Owner<'_>, event: &Event<'_>, reply: &Reply, begun: Option<&Begun>) {
        let (shared, run, schedule) = (&self.shared, owner.run, Schedule::of(Some(event)));
        let wall = begun.map_or_else(|| shared.settings.wall(), |begun| begun.wall);
        let Written { body, refused } = reply.write(event, wall);
        let answer = body.into_bytes();
        // The user sees neither `success` nor what payments are answered.
        let is_reply = schedule.owed && !matches!(&*answer, b"" | b"success");
        // What is written in part comes whole to `late`.
        let report_refused = || {
            if let Some(refused) = &refused {
                self.endpoint.report(&Report::Refused { event, reply, refused });
            }
        };
        if !is_reply {
            report_refused();
        }
        if !schedule.owed && reply.asks_again() {
            // The next delivery must find a run, not this answer.
            let _ = shared.store.release(&run.claim, schedule.failed, shared.now()).await;
            return owner.end(Ended::Done { answer, carrier: Some(Carrier::Delivery) });
        }
        let now = shared.now();
        let late_at = run.first_seen.saturating_add(schedule.late_after());
        // A handler may have blocked its thread, and so the delivery, until WeChat had hung up.
        let came = begun.and_then(|begun| begun.came);
        let carrier = if !is_reply || came.is_some_and(|came| now < came.saturating_add(schedule.deadline())) {
            Some(Carrier::Delivery)
        } else if run.was_answered() || now >= late_at {
            Some(Carrier::Late)
        } else {
            None
        };
        let finishing = shared.store.finish(&run.claim, &answer, carrier, now);
        let still_listens = matches!(finishing, Outcome::Now(_));
        match (finishing.await, carrier) {
            (Err(Lost), _) => {
                owner.end(Ended::Superseded);
                if is_reply {
                    self.fail(owner, Some(event), Cause::Superseded { reply: reply.clone() }).await;
                }
            }
            (Ok(()), Some(Carrier::Delivery)) => {
                owner.end(Ended::Done { answer, carrier });
                if is_reply && !still_listens {
                    let cause = || Cause::HungUp { reply: reply.clone() };
                    owner.duty = Duty::TellFailed(Box::new(owner.failure(cause())));
                    if !Box::pin(run.answered_or_alone()).await {
                        return self.fail(owner, Some(event), cause()).await;
                    }
                }
                if is_reply {
                    report_refused();
                }
            }
            (Ok(()), Some(Carrier::Late)) => {
                owner.end(Ended::Done { answer, carrier });
                Box::pin(self.tell_late(owner, event, reply)).await;
            }
            (Ok(()), None) => {
                owner.duty = Duty::Carry(Box::new(reply.clone()));
                run.note_end(Ended::Done { answer, carrier });
                Box::pin(self.answered(run, late_at)).await;
                let is_late = shared.store.carry(run.claim.key, Carrier::Late, shared.now()).await;
                owner.forget();
                if is_late {
                    Box::pin(self.tell_late(owner, event, reply)).await;
                } else if run.was_dropped() {
                    self.fail(owner, Some(event), Cause::HungUp { reply: reply.clone() }).await;
                } else {
                    report_refused();
                }
            }
        }
        owner.duty = Duty::Nothing;
    }

    async fn unparsable(&self, owner: &mut Owner<'_>, error: ParseError) {
        owner.handled();
        let (claim, carrier) = (&owner.run.claim, Some(Carrier::Delivery));
        let finished = self.shared.store.finish(claim, b"success", carrier, self.shared.now()).await;
        let done = Ended::Done { answer: b"success".to_vec(), carrier };
        owner.end(finished.map_or(Ended::Superseded, |()| done));
        self.fail(owner, None, Cause::Unparsable(error)).await;
    }

    async fn not_handled(&self, owner: &mut Owner<'_>, event: &Event<'_>, cause: &Cause) {
        let failed = Schedule::of(Some(event)).failed;
        let released = self.shared.store.release(&owner.run.claim, failed, self.shared.now()).await;
        owner.end(if released.is_ok() { Ended::Failed } else { Ended::Superseded });
        // Reported even if another run took over the push: this run did fail.
        self.fail(owner, Some(event), cause.clone()).await;
    }

    /// Renews the claim while the handler works, until the handler must be stopped.
    async fn interrupted(&self, claim: Claim) -> Cause {
        select! {
            biased;
            () = self.shared.stopped() => Cause::Cancelled,
            cause = self.too_long() => cause,
            cause = renew(&self.shared, claim) => cause,
        }
    }

    /// Waits until a delivery was answered, or there is no time left for that.
    async fn answered(&self, run: &Run, late_at: u64) {
        let hurried = async {
            self.shared.stopped().await;
            sleep(MOMENT).await;
        };
        select! {
            () = run.answered() => {}
            () = sleep_until(self.shared.instant(late_at)) => {}
            () = hurried => {}
        }
    }

    /// Boxed, so that a successful run needs no room for it.
    fn fail<'f>(
        &'f self,
        owner: &'f mut Owner<'_>,
        event: Option<&'f Event<'_>>,
        cause: Cause,
    ) -> Pin<Box<impl Future<Output = ()>>> {
        let failure = owner.failure(cause);
        owner.duty = Duty::TellFailed(Box::new(failure.clone()));
        Box::pin(async move {
            self.tell_failed(&failure, event).await;
            owner.duty = Duty::Nothing;
        })
    }

    async fn tell_failed(&self, failure: &Failure, event: Option<&Event<'_>>) {
        let told = guarded_until(pin!(Some(async { self.handler.failed(failure).await })), pin!(self.too_long())).await;
        if let Err(error) = flattened(told) {
            report_failure(&self.endpoint, failure, event);
            self.report_error(event, error);
        }
    }

    async fn tell_late(&self, owner: &mut Owner<'_>, event: &Event<'_>, reply: &Reply) {
        tell_late(event);
        owner.duty = Duty::TellLate(Box::new(reply.clone()));
        let telling = pin!(Some(async { self.handler.late(event, reply).await }));
        let told = guarded_until(telling, pin!(self.too_long())).await;
        owner.duty = Duty::Nothing;
        if let Err(error) = flattened(told) {
            self.endpoint.report(&Report::Late { event, reply });
            self.report_error(Some(event), error);
        }
    }

    /// Reports the error of a method, unless the handler has no such method.
    fn report_error(&self, event: Option<&Event<'_>>, error: Box<dyn Error + Send + Sync>) {
        if let Some(event) = event.filter(|_| !error.is::<NoMethod>()) {
            self.endpoint.report(&Report::Failed { event, error: &*error });
        }
    }

    async fn too_long(&self) -> Cause {
        let limit = self.shared.settings.max_run;
        sleep(limit).await;
        Cause::TooLong { limit }
    }
}

/// What a method of the handler returned, or how it failed.
fn flattened(
    told: Result<Result<(), Box<dyn Error + Send + Sync>>, Cause>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    told.unwrap_or_else(|cause| Err(cause.into()))
}

/// A push that was not run and whose handler has not yet been told. Reports it if dropped.
struct Untold<H> {
    account: Arc<Typed<H>>,
    failure: Option<Failure>,
}

impl<H> Drop for Untold<H> {
    fn drop(&mut self) {
        if let Some(failure) = &self.failure {
            report_failure(&self.account.endpoint, failure, None);
        }
        self.account.shared.task_ended();
    }
}

/// Renews a claim, and never ends: a lost claim may come back if the one who took over has died.
async fn renew(shared: &Shared, claim: Claim) -> Cause {
    let pause = (shared.store.lease() / 4).max(SHORTEST_RENEWAL);
    loop {
        sleep(pause).await;
        let _ = shared.store.renew(&claim, shared.now()).await;
    }
}
