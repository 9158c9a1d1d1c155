//! A run of a push: the handler, what came of it, and what is owed afterwards.

use std::future::{Future, poll_fn};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{sleep, sleep_until};

use super::arrival::Clock;
use super::rules::{self, Cause, quietly};
use super::span::Span;
use super::tasks::{Shared, Typed};
use crate::endpoint::{Endpoint, Report};
use crate::handler::AsyncHandler;
use crate::reply::Reply;
use crate::store::{Attempt, Carrier, Claim, Lost, Outcome};

/// An endpoint and its handler, whose type is forgotten.
pub(super) trait Account: Send + Sync {
    fn endpoint(&self) -> &Endpoint;
    fn shared(&self) -> &Arc<Shared>;
    /// Begins a run at `wall`, in seconds since 1970; the future owns all it needs, so that it can go on in a task of
    /// its own.
    fn start(self: Arc<Self>, body: Arc<[u8]>, wall: i64) -> Handling;
}

type Handling = Pin<Box<dyn Future<Output = Result<Handled, Cause>> + Send>>;

/// What the handler said, and how it is written.
pub(super) struct Handled {
    reply: Reply,
    written: String,
    /// How much of it is its head.
    head: usize,
}

impl Handled {
    /// Whether there is something to carry: the follower does not see `success`.
    fn is_reply(&self) -> bool {
        !matches!(&*self.written, "" | "success")
    }
}

impl<H: AsyncHandler + 'static> Account for Typed<H> {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn start(self: Arc<Self>, body: Arc<[u8]>, wall: i64) -> Handling {
        Box::pin(async move {
            let event = self.endpoint.parse_event(&body).map_err(Cause::Unparsable)?;
            let mut has_waited = false;
            let mut handling = pin!(event.dispatch_async(&self.handler));
            let handled = poll_fn(|context| {
                let polled = handling.as_mut().poll(context);
                has_waited |= polled.is_pending();
                polled
            });
            let reply = handled.await.map_err(Cause::Handler)?;
            let (written, head) = reply.write_in_parts(&event, if has_waited { self.shared.wall() } else { wall });
            if let Some(refused) = &written.refused {
                quietly(|| self.endpoint.report(&Report::Refused { event: &event, reply: &reply, refused }));
            }
            Ok(Handled { reply, written: written.body, head })
        })
    }
}

/// A handler at work: its panics come out as what they are, a failure of this push.
pub(super) struct Running(Option<Handling>);

impl Running {
    pub(super) fn new(handling: Handling) -> Running {
        Running(Some(handling))
    }
}

impl Future for Running {
    type Output = Result<Handled, Cause>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(handling) = &mut self.0 else { return Poll::Pending };
        let polled = catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(context)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => {
                self.0 = None;
                Poll::Ready(result)
            }
            Err(payload) => {
                let cause = Cause::panicked(&*payload);
                // What is left of it may panic again as it is dropped, and so may what it panicked with.
                quietly(|| drop(self.0.take()));
                quietly(|| drop(payload));
                Poll::Ready(Err(cause))
            }
        }
    }
}

/// How a run ended, as its own delivery learns it.
pub(super) enum Ended {
    Done {
        written: String,
        carrier: Option<Carrier>,
    },
    Failed,
    /// Another delivery has taken the push over.
    Lost,
}

/// What is left to do once the deliveries know.
pub(super) enum After {
    Nothing,
    /// Somebody has to carry it: late, if no delivery does.
    Owed(Reply),
    Late(Reply),
    Failed(Cause),
}

/// Whether a run was written down at once.
pub(super) enum Settled {
    Now(Ended, After),
    /// Nothing has happened yet.
    NotYet(Result<Handled, Cause>),
}

/// Who owns a push while it runs.
///
/// Dropped before it is settled, when its task dies, it gives the push back.
pub(super) struct Owner {
    pub(super) account: Arc<dyn Account>,
    pub(super) claim: Claim,
    pub(super) body: Arc<[u8]>,
    /// Milliseconds on the webhook's clock.
    pub(super) late_at: u64,
    /// The store answers at once: nothing is lost by asking it in the delivery.
    pub(super) local: bool,
    /// It has a place among the running.
    pub(super) placed: bool,
    pub(super) settled: bool,
}

impl Owner {
    fn shared(&self) -> &Arc<Shared> {
        self.account.shared()
    }

    /// Writes down what came of the run. `at_once`: its own delivery answers with it this moment.
    pub(super) async fn settle(
        &mut self,
        handled: Result<Handled, Cause>,
        at_once: bool,
        was_answered: bool,
    ) -> (Ended, After) {
        self.leave();
        let now = self.shared().now();
        let outcome = self.outcome(&handled, at_once, was_answered, now);
        let told = self.tell(&handled, outcome, now).await;
        self.ended(handled, outcome, told)
    }

    /// The same for its own delivery, if the store needs no time for it.
    pub(super) fn settle_now(&mut self, handled: Result<Handled, Cause>) -> Settled {
        let now = self.shared().now();
        let outcome = self.outcome(&handled, true, false, now);
        let Outcome::Now(told) = self.tell(&handled, outcome, now) else { return Settled::NotYet(handled) };
        let (ended, after) = self.ended(handled, outcome, told);
        Settled::Now(ended, after)
    }

    /// Who carries what the handler said; `Err` gives the push back.
    fn outcome(
        &self,
        handled: &Result<Handled, Cause>,
        at_once: bool,
        was_answered: bool,
        now: u64,
    ) -> Result<Option<Carrier>, ()> {
        match handled {
            Ok(handled) if !handled.is_reply() || at_once => Ok(Some(Carrier::Delivery)),
            Ok(_) if was_answered || now >= self.late_at => Ok(Some(Carrier::Late)),
            Ok(_) => Ok(None),
            Err(Cause::Unparsable(_)) => Ok(Some(Carrier::Delivery)),
            Err(_) => Err(()),
        }
    }

    fn tell(
        &self,
        handled: &Result<Handled, Cause>,
        outcome: Result<Option<Carrier>, ()>,
        now: u64,
    ) -> Outcome<'_, Result<(), Lost>> {
        let store = &self.shared().store;
        match (handled, outcome) {
            (_, Err(())) => store.release(&self.claim, Attempt::Failed, now),
            (Ok(Handled { written, head, .. }), Ok(carrier)) => {
                store.finish(&self.claim, rules::kept(written, *head), carrier, now)
            }
            (Err(_), Ok(carrier)) => store.finish(&self.claim, b"success", carrier, now),
        }
    }

    fn ended(
        &mut self,
        handled: Result<Handled, Cause>,
        outcome: Result<Option<Carrier>, ()>,
        told: Result<(), Lost>,
    ) -> (Ended, After) {
        self.settled = true;
        match (handled, outcome, told) {
            (Ok(Handled { reply, written, .. }), Ok(carrier), Ok(())) => {
                let after = match carrier {
                    Some(Carrier::Delivery) => After::Nothing,
                    Some(Carrier::Late) => After::Late(reply),
                    None => After::Owed(reply),
                };
                (Ended::Done { written, carrier }, after)
            }
            // Another owner's answer counts.
            (Ok(_), _, _) => (Ended::Lost, After::Nothing),
            (Err(cause), Ok(carrier), Ok(())) => {
                (Ended::Done { written: "success".to_owned(), carrier }, After::Failed(cause))
            }
            // That it failed, or was no push, is as true as before.
            (Err(cause), _, Err(Lost)) => (Ended::Lost, After::Failed(cause)),
            (Err(cause), Err(()), Ok(())) => (Ended::Failed, After::Failed(cause)),
        }
    }

    /// What is left to do, but for what is owed.
    pub(super) fn conclude(&self, after: After) {
        match after {
            After::Nothing | After::Owed(_) => {}
            After::Late(reply) => self.late(reply),
            After::Failed(cause) => self.failed(cause),
        }
    }

    fn failed(&self, cause: Cause) {
        self.shared().rules.failed(self.account.endpoint(), &self.body, self.claim.run, cause);
    }

    fn late(&self, reply: Reply) {
        self.shared().rules.late(self.account.endpoint(), &self.body, reply);
    }

    /// Takes a place among the running.
    pub(super) fn enter(&mut self) {
        self.shared().rules.running.enter();
        self.placed = true;
    }

    /// Gives back the place among the running.
    fn leave(&mut self) {
        if mem::take(&mut self.placed) {
            self.shared().rules.running.give_back();
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.leave();
        if self.settled {
            return;
        }
        let (account, claim) = (Arc::clone(&self.account), self.claim);
        if self.local {
            let shared = account.shared();
            drop(shared.store.release(&claim, Attempt::Failed, shared.now()));
        } else if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let shared = account.shared();
                shared.store.release(&claim, Attempt::Failed, shared.now()).await
            });
        }
        self.failed(Cause::Cancelled);
    }
}

/// What a delivery tells the task of its run: that it was answered. Without the reply, if there is none yet.
#[derive(Default)]
pub(super) struct Answered {
    is_so: AtomicBool,
    told: Notify,
}

impl Answered {
    pub(super) fn tell(&self) {
        self.is_so.store(true, Ordering::Release);
        self.told.notify_one();
    }
}

/// A run that goes on in a task of its own.
pub(super) struct Task {
    owner: Owner,
    ended: oneshot::Sender<Ended>,
    answered: Arc<Answered>,
    /// Turns true when there is no more time.
    stop: watch::Receiver<bool>,
    /// There while the handler is.
    working: watch::Receiver<()>,
}

impl Task {
    /// Spawns it, and says where its delivery learns of the end and tells that it was answered.
    ///
    /// `polled` is what the first poll, in the delivery, has come to.
    // Kept apart: the room that it takes on the stack would be touched for every push.
    #[inline(never)]
    pub(super) fn spawn(
        owner: Owner,
        running: Running,
        polled: Poll<Result<Handled, Cause>>,
    ) -> (oneshot::Receiver<Ended>, Arc<Answered>) {
        let (sender, ended) = oneshot::channel();
        let answered = Arc::new(Answered::default());
        let shared = owner.shared();
        let task = Task {
            stop: shared.stop.subscribe(),
            working: shared.working.subscribe(),
            owner,
            ended: sender,
            answered: Arc::clone(&answered),
        };
        tokio::spawn(Span::current().instrument(task.drive(running, polled)));
        (ended, answered)
    }

    async fn drive(self, running: Running, polled: Poll<Result<Handled, Cause>>) {
        let Task { mut owner, ended, answered, mut stop, working } = self;
        let shared = Arc::clone(owner.shared());
        let at_once = polled.is_ready();
        let handled = match polled {
            Poll::Ready(handled) => handled,
            Poll::Pending => {
                let ends = async {
                    let _ = stop.wait_for(|stop| *stop).await;
                };
                match race(running, race(ends, renew(&shared, owner.claim))).await {
                    Raced::First(handled) => handled,
                    Raced::Second(_) => Err(Cause::Cancelled),
                }
            }
        };
        drop(working);
        let was_answered = answered.is_so.load(Ordering::Acquire);
        let (end, after) = owner.settle(handled, at_once, was_answered).await;
        // Nobody listens if WeChat has hung up.
        let _ = ended.send(end);
        match after {
            After::Owed(reply) => {
                let hurry = async {
                    let _ = stop.wait_for(|stop| *stop).await;
                };
                race(sleep_until(shared.instant(owner.late_at)), race(answered.told.notified(), hurry)).await;
                if shared.store.carry(owner.claim.key, Carrier::Late, shared.now()).await {
                    owner.late(reply);
                }
            }
            after => owner.conclude(after),
        }
    }
}

/// For a store with a lease that nobody could keep.
const SHORTEST_RENEWAL: Duration = Duration::from_millis(10);

/// Renews a claim until it is lost, and never ends.
async fn renew(shared: &Shared, claim: Claim) {
    let store = &shared.store;
    let pause = (store.lease() / 4).max(SHORTEST_RENEWAL);
    loop {
        sleep(pause).await;
        if store.renew(&claim, shared.now()).await == Err(Lost) {
            std::future::pending::<()>().await;
        }
    }
}

/// Of two futures.
pub(super) enum Raced<A, B> {
    First(A),
    Second(B),
}

/// Waits for one of two futures; if both have ended it is the first.
pub(super) async fn race<A: Future, B: Future>(first: A, second: B) -> Raced<A::Output, B::Output> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|context| match first.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Raced::First(value)),
        Poll::Pending => second.as_mut().poll(context).map(Raced::Second),
    })
    .await
}
