//! A run of a push: the handler, what came of it, and what is owed afterwards.

use std::borrow::Cow;
use std::future::{Future, IntoFuture, poll_fn};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, sleep_until};

use super::arrival::Clock;
use super::rules::{self, Cause, quietly};
use super::span::Span;
use super::tasks::{Listed, Shared, Typed};
use crate::dedup::DedupKey;
use crate::endpoint::{Endpoint, Report};
use crate::handler::AsyncHandler;
use crate::reply::Reply;
use crate::store::{Attempt, Carrier, Claim, Claimed, Lost, Outcome, Waited};

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
    written: Vec<u8>,
}

impl Handled {
    /// Whether there is something to carry: the follower does not see `success`.
    fn is_reply(&self) -> bool {
        !matches!(&*self.written, b"" | b"success")
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
            // `map_err` would move an event, which is large, once more.
            let event = match self.endpoint.parse_event(&body) {
                Ok(event) => event,
                Err(error) => return Err(Cause::Unparsable(error)),
            };
            let mut has_waited = false;
            let mut handling = pin!(event.dispatch_async(&self.handler));
            let handled = poll_fn(|context| {
                let polled = handling.as_mut().poll(context);
                has_waited |= polled.is_pending();
                polled
            });
            let reply = handled.await.map_err(Cause::Handler)?;
            let written = reply.write(&event, if has_waited { self.shared.wall() } else { wall });
            if let Some(refused) = &written.refused {
                self.endpoint.report(&Report::Refused { event: &event, reply: &reply, refused });
            }
            Ok(Handled { reply, written: written.body.into_bytes() })
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
        written: Vec<u8>,
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

/// Who owns a push while it runs: as long as it does so in its delivery, with what is the delivery's.
///
/// Dropped before it is settled, when its task dies, it gives the push back; with a reply that is owed, it hands that
/// over.
pub(super) struct Owner<'d> {
    pub(super) account: Cow<'d, Arc<dyn Account>>,
    pub(super) claim: Claim,
    pub(super) body: Arc<[u8]>,
    /// When WeChat hangs up on the delivery that runs it, in milliseconds on the webhook's clock.
    pub(super) hung_up_at: u64,
    /// The same clock.
    late_at: u64,
    /// The store answers at once: nothing is lost by asking it in the delivery.
    local: bool,
    /// It has a place among the running.
    placed: bool,
    settled: bool,
    /// What nobody has carried yet.
    owed: Option<Reply>,
}

impl<'d> Owner<'d> {
    /// `now` is when the push was claimed.
    pub(super) fn new(
        account: Cow<'d, Arc<dyn Account>>,
        claim: Claim,
        body: Arc<[u8]>,
        now: u64,
        hung_up_at: u64,
        local: bool,
    ) -> Owner<'d> {
        let late_at = now.saturating_add(rules::LATE.saturating_sub(claim.age));
        Owner { account, claim, body, hung_up_at, late_at, local, placed: false, settled: false, owed: None }
    }

    /// The same push, for a task of its own: with a place among the running.
    fn enter(mut self) -> Owner<'static> {
        self.shared().rules.running.enter();
        self.settled = true;
        let (account, body) = (Cow::Owned(Arc::clone(&self.account)), Arc::clone(&self.body));
        let Owner { claim, hung_up_at, late_at, local, .. } = self;
        Owner { account, claim, body, hung_up_at, late_at, local, placed: true, settled: false, owed: None }
    }

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

    /// The same for its own delivery, if the store needs no time for it, and WeChat still listens.
    pub(super) fn settle_now(&mut self, handled: Result<Handled, Cause>) -> Settled {
        let now = self.shared().now();
        if now >= self.hung_up_at {
            return Settled::NotYet(handled);
        }
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
            (Ok(Handled { written, .. }), Ok(carrier)) => store.finish(&self.claim, written, carrier, now),
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
            (Ok(Handled { reply, written }), Ok(carrier), Ok(())) => {
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
                (Ended::Done { written: b"success".to_vec(), carrier }, After::Failed(cause))
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

    /// Gives back the place among the running.
    fn leave(&mut self) {
        if mem::take(&mut self.placed) {
            self.shared().rules.running.give_back();
        }
    }
}

impl Drop for Owner<'_> {
    fn drop(&mut self) {
        self.leave();
        let owed = self.owed.take();
        let shared = self.shared();
        match owed {
            None if self.settled => return,
            None if self.local => drop(shared.store.release(&self.claim, Attempt::Failed, shared.now())),
            None => {
                if let Ok(runtime) = Handle::try_current() {
                    let (account, claim) = (Arc::clone(&self.account), self.claim);
                    runtime.spawn(async move {
                        let shared = account.shared();
                        shared.store.release(&claim, Attempt::Failed, shared.now()).await
                    });
                }
            }
            // Where the store cannot be asked any more who has carried it, it is for whoever sees to failures.
            Some(reply) => match shared.store.carry(self.claim.key, Carrier::Late, shared.now()) {
                Outcome::Now(true) => return self.late(reply),
                Outcome::Now(false) => return,
                Outcome::Later(_) => {}
            },
        }
        self.failed(Cause::Cancelled);
    }
}

/// A run that goes on in a task of its own.
pub(super) struct Task {
    owner: Owner<'static>,
    ended: oneshot::Sender<Ended>,
    listed: Listed,
    /// Turns true when there is no more time.
    stop: watch::Receiver<bool>,
    /// There while the handler is.
    working: watch::Receiver<()>,
}

impl Task {
    /// Spawns it, and says where its delivery learns of the end.
    ///
    /// `polled` is what the first poll, in the delivery, has come to.
    // Kept apart: the room that it takes on the stack would be touched for every push.
    #[inline(never)]
    pub(super) fn spawn(
        owner: Owner<'_>,
        running: Running,
        polled: Poll<Result<Handled, Cause>>,
    ) -> oneshot::Receiver<Ended> {
        let (sender, ended) = oneshot::channel();
        let task = Task::new(owner, sender);
        tokio::spawn(Span::current().instrument(task.drive(running, polled)));
        ended
    }

    fn new(owner: Owner<'_>, ended: oneshot::Sender<Ended>) -> Task {
        let owner = owner.enter();
        let shared = owner.shared();
        let listed = Listed::new(shared, owner.claim.key);
        let (stop, working) = (shared.stop.subscribe(), shared.working.subscribe());
        Task { owner, ended, listed, stop, working }
    }

    async fn drive(self, running: Running, polled: Poll<Result<Handled, Cause>>) {
        let Task { mut owner, ended, listed, mut stop, working } = self;
        let shared = Arc::clone(owner.shared());
        // A handler may have kept its thread, and so the delivery, until WeChat had hung up.
        let at_once = polled.is_ready() && shared.now() < owner.hung_up_at;
        let handled = match polled {
            Poll::Ready(handled) => handled,
            Poll::Pending => match race(running, race(stopped(&mut stop), renew(&shared, owner.claim))).await {
                Raced::First(handled) => handled,
                Raced::Second(_) => Err(Cause::Cancelled),
            },
        };
        drop(working);
        let (end, after) = owner.settle(handled, at_once, listed.was_answered()).await;
        // Nobody listens if WeChat has hung up.
        let _ = ended.send(end);
        match after {
            After::Owed(reply) => {
                owner.owed = Some(reply);
                let moment = sleep(rules::MOMENT);
                let hurried = async {
                    stopped(&mut stop).await;
                    moment.await;
                };
                let hurry = race(listed.told(), hurried);
                race(sleep_until(shared.instant(owner.late_at)), hurry).await;
                let is_late = shared.store.carry(owner.claim.key, Carrier::Late, shared.now()).await;
                if let Some(reply) = owner.owed.take().filter(|_| is_late) {
                    owner.late(reply);
                }
            }
            after => owner.conclude(after),
        }
    }
}

/// Who sees to a push that nobody may ask for again while another delivery's run is at it: should that die with its
/// machine, this one takes its lease over.
pub(super) struct Heir {
    pub(super) account: Arc<dyn Account>,
    pub(super) key: DedupKey,
    pub(super) body: Arc<[u8]>,
    /// Milliseconds on the webhook's clock.
    pub(super) lease_over: u64,
    /// The push was acknowledged: its reply is late.
    pub(super) acknowledged: bool,
}

impl Heir {
    #[inline(never)]
    pub(super) fn spawn(self) {
        // Without a runtime, which has ended then, there is nobody to run it.
        if let Ok(runtime) = Handle::try_current() {
            let stop = self.account.shared().stop.subscribe();
            runtime.spawn(Span::current().instrument(self.watch(stop)));
        }
    }

    async fn watch(mut self, mut stop: watch::Receiver<bool>) {
        let (account, mut lapsed) = (Arc::clone(&self.account), false);
        let shared = account.shared();
        let give_up_at = shared.now().saturating_add(rules::LATE);
        loop {
            let wait = shared.store.wait(self.key, shared.now()).into_future();
            let lease_over = sleep_until(shared.instant(self.lease_over));
            match race(wait, race(lease_over, stopped(&mut stop))).await {
                Raced::Second(Raced::First(())) => {}
                Raced::First(Waited::Lapsed) if !mem::replace(&mut lapsed, true) => {}
                Raced::First(Waited::Lapsed) => sleep(SECOND_LOOK).await,
                Raced::First(Waited::Done { .. } | Waited::Released) | Raced::Second(Raced::Second(_)) => return,
            }
            let now = shared.now();
            let (claimed, local) = match shared.store.claim(self.key, now) {
                Outcome::Now(claimed) => (claimed, true),
                Outcome::Later(claiming) => (claiming.await, false),
            };
            match claimed {
                Claimed::New(claim) => return self.take_over(claim, now, local).await,
                Claimed::Running { lease_left, .. } => {
                    self.lease_over = now.saturating_add(lease_left.max(rules::millis(SECOND_LOOK)));
                }
                Claimed::Done { .. } | Claimed::Exhausted { .. } => return,
                // Nobody waits for it, and the run may be well.
                Claimed::Refused(_) if now < give_up_at => {
                    if let Raced::Second(()) = race(sleep(ASK_AGAIN), stopped(&mut stop)).await {
                        return;
                    }
                }
                Claimed::Refused(refusal) => {
                    return shared.rules.failed(account.endpoint(), &self.body, 0, Cause::Refused(refusal));
                }
            }
        }
    }

    async fn take_over(self, claim: Claim, now: u64, local: bool) {
        let Heir { account, body, acknowledged, .. } = self;
        let shared = Arc::clone(account.shared());
        let busy = shared.rules.running.is_full().then_some(Cause::Busy { limit: shared.rules.running.limit });
        let in_place = shared.begin();
        if let Some(cause) = if in_place.is_none() { Some(Cause::Cancelled) } else { busy } {
            // A store that fails here keeps the push until the lease is over.
            let _ = shared.store.release(&claim, Attempt::NotMade, shared.now()).await;
            return shared.rules.failed(account.endpoint(), &body, 0, cause);
        }
        let running = Running::new(Arc::clone(&account).start(Arc::clone(&body), shared.wall()));
        let owner = Owner::new(Cow::Owned(account), claim, body, now, now, local);
        let (ended, _) = oneshot::channel();
        let task = Task::new(owner, ended);
        if acknowledged {
            task.listed.tell();
        }
        drop(in_place);
        task.drive(running, Poll::Pending).await;
    }
}

/// Ends when there is no more time.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Between two looks at a lease of which store and clock think differently.
pub(super) const SECOND_LOOK: Duration = Duration::from_millis(100);

/// Until a store is asked again that refused.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// For a store with a lease that nobody could keep.
const SHORTEST_RENEWAL: Duration = Duration::from_millis(10);

/// Renews a claim, and never ends: one that is lost may come back, when who took the push over has died.
async fn renew(shared: &Shared, claim: Claim) {
    let store = &shared.store;
    let pause = (store.lease() / 4).max(SHORTEST_RENEWAL);
    loop {
        sleep(pause).await;
        let _ = store.renew(&claim, shared.now()).await;
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
