//! Looks after one push: runs it if nobody does, waits if another does, and knows the outcome.
//!
//! Each delivery has a watch. It leaves the watch behind if the push still runs on another machine and WeChat may not
//! deliver it again: should that machine die, the watch takes over the push.

use std::future::poll_fn;
use std::mem;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::select;
use tokio::time::{sleep, timeout_at};

use super::owner::report_failure;
use super::run::{Ended, Listener, Run};
use super::settings::millis;
use super::shared::{NotNow, Shared};
use super::span::Span;
use super::task::{Account, Begun};
use crate::dedup::DedupKey;
use crate::failure::{Cause, Failure};
use crate::store::{Attempt, Carrier, Claim, Claimed, Waited};

/// Pause before looking again at a lease, when the store's clock and ours differ.
const SECOND_LOOK: Duration = Duration::from_millis(100);

/// Pause before asking a store again that refused.
const ASK_AGAIN: Duration = Duration::from_secs(1);

pub(super) struct Watch {
    pub(super) key: DedupKey,
    pub(super) body: Arc<[u8]>,
    /// When the waiting delivery came, in milliseconds on the webhook's clock; `None` after it was answered.
    pub(super) came: Option<u64>,
    /// The same in seconds since 1970.
    wall: i64,
    /// The push was acknowledged: its reply will be late.
    pub(super) acknowledged: bool,
    /// When the push was first seen, by the same clock: the first answer counts, since a store may forget.
    pub(super) first_seen: Option<u64>,
    pub(super) found: Found,
    /// The run in this process, if there is or was one.
    pub(super) listener: Option<Listener>,
    /// Another delivery started the run that this one waits for, or whose answer it takes.
    pub(super) joined: bool,
    has_waited: bool,
}

/// What is known of the push.
pub(super) enum Found {
    Nothing,
    /// It is running in this process: see the listener.
    RunsHere {
        own: bool,
    },
    /// It is running on another machine, which holds it at least until then: milliseconds on the webhook's clock.
    RunsElsewhere {
        lease_over: u64,
    },
    Done {
        answer: Vec<u8>,
        carrier: Option<Carrier>,
    },
    /// The handler failed in this watch's own run, or has failed too often.
    Failed,
    /// It is not running, and will not.
    NotRun(Cause),
    Closing,
    /// Too many wait for it already.
    Crowded,
}

impl Watch {
    pub(super) fn new(key: DedupKey, body: Arc<[u8]>, came: u64, wall: i64) -> Watch {
        let (found, listener) = (Found::Nothing, None);
        Watch {
            key,
            body,
            came: Some(came),
            wall,
            acknowledged: false,
            first_seen: None,
            found,
            listener,
            joined: false,
            has_waited: false,
        }
    }

    /// Whether the push has no outcome yet.
    pub(super) fn has_to_wait(&mut self) -> bool {
        if let (Found::RunsHere { own: true }, Some(listener)) = (&self.found, &mut self.listener) {
            match listener.ended() {
                Some(Ended::Done { answer, carrier }) => self.found = Found::Done { answer, carrier },
                Some(Ended::Failed) => self.found = Found::Failed,
                Some(Ended::Superseded) | None => {}
            }
        }
        matches!(self.found, Found::RunsHere { .. } | Found::RunsElsewhere { .. })
    }

    /// Seconds since 1970: now, or when the request came if it has not waited.
    pub(super) fn wall(&self, shared: &Shared) -> i64 {
        if self.has_waited { shared.settings.wall() } else { self.wall }
    }

    /// Asks who has the push, and runs it if nobody has.
    pub(super) async fn claim(&mut self, account: &Arc<dyn Account>, now: u64) {
        let shared = account.shared();
        if let Some(run) = shared.run_of(self.key) {
            return self.join(run, shared);
        }
        let claimed = shared.store.claim(self.key, now).await;
        if let (Claimed::Running { .. }, Some(run)) = (&claimed, shared.run_of(self.key)) {
            // It was started here meanwhile.
            return self.join(run, shared);
        }
        let (found, age) = match claimed {
            Claimed::New(claim) => return self.begin(claim, now, account).await,
            Claimed::Running { age, waiting, .. } if waiting >= shared.settings.max_joiners => (Found::Crowded, age),
            Claimed::Running { age, lease_left, .. } => {
                let least = if self.came.is_none() { millis(SECOND_LOOK) } else { 0 };
                (Found::RunsElsewhere { lease_over: now.saturating_add(lease_left.max(least)) }, age)
            }
            Claimed::Done { answer, carrier, age } => (Found::Done { answer: answer.to_vec(), carrier }, age),
            Claimed::Exhausted { age } => (Found::Failed, age),
            Claimed::Refused(refusal) => {
                self.found = Found::NotRun(Cause::Refused(refusal));
                return;
            }
        };
        self.first_seen.get_or_insert(now.saturating_sub(age));
        self.joined |= matches!(found, Found::RunsElsewhere { .. } | Found::Done { .. });
        self.found = found;
    }

    fn join(&mut self, run: Arc<Run>, shared: &Shared) {
        self.first_seen.get_or_insert(run.first_seen);
        self.listener = Listener::joining(run, shared.settings.max_joiners);
        self.joined |= self.listener.is_some();
        self.found = if self.listener.is_some() { Found::RunsHere { own: false } } else { Found::Crowded };
    }

    /// Runs the push, at first in place: most handlers are done before they have to wait.
    async fn begin(&mut self, claim: Claim, now: u64, account: &Arc<dyn Account>) {
        let shared = account.shared();
        let run = Arc::new(Run::new(claim, Arc::clone(&self.body), now));
        self.first_seen.get_or_insert(run.first_seen);
        let not_now = match shared.begin(&run) {
            Ok(()) => {
                self.listener = self.came.map(|_| Listener::of_own(Arc::clone(&run)));
                self.found = Found::RunsHere { own: true };
                if self.acknowledged {
                    run.note_answer();
                }
                let mut task = Arc::clone(account).run(run, Begun { came: self.came, wall: self.wall(shared) });
                if poll_fn(|context| Poll::Ready(task.as_mut().poll(context))).await.is_pending() {
                    shared.spawn(Span::current().instrument(task));
                }
                return;
            }
            Err(not_now) => not_now,
        };
        shared.give_back(claim, Attempt::NotMade);
        match not_now {
            NotNow::Closing => self.found = Found::Closing,
            NotNow::Busy => self.found = Found::NotRun(Cause::Busy { limit: shared.settings.max_running }),
            NotNow::Runs(run) => self.join(run, shared),
        }
    }

    /// Waits until the push has an outcome. May be dropped and called again.
    pub(super) async fn follow(&mut self, account: &Arc<dyn Account>) {
        let shared = account.shared();
        let mut lapsed = false;
        self.has_waited = true;
        loop {
            match (&self.found, &self.listener) {
                (Found::RunsHere { own }, Some(listener)) => match listener.run.end().await {
                    Ended::Done { answer, carrier } => {
                        self.found = Found::Done { answer, carrier };
                        return;
                    }
                    Ended::Failed if *own => {
                        self.found = Found::Failed;
                        return;
                    }
                    Ended::Failed | Ended::Superseded => {}
                },
                (Found::RunsElsewhere { lease_over }, _) => {
                    let wait = async { shared.store.wait(self.key, shared.now()).await };
                    match timeout_at(shared.instant(*lease_over), wait).await {
                        Ok(Waited::Done { answer, carrier }) => {
                            self.found = Found::Done { answer: answer.to_vec(), carrier };
                            return;
                        }
                        Ok(Waited::Lapsed) if mem::replace(&mut lapsed, true) => sleep(SECOND_LOOK).await,
                        Ok(Waited::Lapsed) => {}
                        // After a failure, a delivery that has to be answered runs it again.
                        Ok(Waited::Released) if self.came.is_none() => {
                            self.found = Found::Failed;
                            return;
                        }
                        Ok(Waited::Released) | Err(_) => lapsed = false,
                    }
                }
                _ => return,
            }
            self.claim(account, shared.now()).await;
        }
    }

    /// Continues in its own task, after the delivery. A store that refuses is asked again for `patience` milliseconds.
    pub(super) fn leave(mut self, account: &Arc<dyn Account>, patience: u64) {
        let owned = Arc::clone(account);
        let task = async move {
            select! {
                biased;
                () = owned.shared().stopped() => return,
                () = self.go_on(&owned, patience) => {}
            }
            match self.found {
                Found::NotRun(cause) => tell_not_run(&owned, self.body, cause),
                Found::Closing => tell_not_run(&owned, self.body, Cause::Cancelled),
                _ => {}
            }
        };
        account.shared().spawn(Span::current().instrument(task));
    }

    async fn go_on(&mut self, account: &Arc<dyn Account>, patience: u64) {
        let shared = account.shared();
        let give_up_at = shared.now().saturating_add(patience);
        loop {
            self.follow(account).await;
            // Nobody waits for it, and the run may be fine.
            if !matches!(self.found, Found::NotRun(Cause::Refused(_))) || shared.now() >= give_up_at {
                return;
            }
            sleep(ASK_AGAIN).await;
            self.claim(account, shared.now()).await;
        }
    }
}

/// Tells the handler, in a task, of a push that was not run. If there are too many such tasks, reports it instead.
pub(super) fn tell_not_run(account: &Arc<dyn Account>, body: Arc<[u8]>, cause: Cause) {
    let failure = Failure { body, run: 0, cause };
    if account.shared().begin_task() {
        account.shared().spawn(Span::current().instrument(Arc::clone(account).tell_not_run(failure)));
    } else {
        report_failure(account.endpoint(), &failure, None);
    }
}
