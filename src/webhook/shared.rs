//! What all accounts of a service share: the store, the clock, and the runs in this process.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hashlink::DefaultHashBuilder;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, oneshot, watch};
use tokio::time::{Instant, timeout};

use super::run::Run;
use super::settings::{Settings, millis};
use crate::dedup::DedupKey;
use crate::store::{Attempt, Claim, Outcome, Store};

/// Time after a shutdown's grace to record the outcome of runs: enough for some operations of a store.
const WIND_UP: Duration = Duration::from_secs(1);

pub(super) struct Shared {
    pub(super) store: Box<dyn Store>,
    pub(super) settings: Settings,
    /// The places for held deliveries.
    pub(super) held: Semaphore,
    /// [`START`], which is [`ZERO`].
    start: Instant,
    /// The runs that somebody may still ask about. A push has at most one.
    runs: Mutex<HashMap<DedupKey, Arc<Run>, DefaultHashBuilder>>,
    /// Number of running handlers.
    handlers: AtomicUsize,
    /// Number of runs, from start to cleanup, and of pushes that were not run and whose handler is being told.
    tasks: AtomicUsize,
    /// No new pushes are accepted.
    closing: AtomicBool,
    /// Wakes a shutdown when something has ended.
    fewer: Notify,
    /// True when time is up.
    stop: watch::Sender<bool>,
    /// Keeps the thread with the timers alive, if there is one.
    _timers: Option<oneshot::Sender<()>>,
}

/// Why a run cannot start.
pub(super) enum NotNow {
    Closing,
    Busy,
    /// The push is running here already.
    Runs(Arc<Run>),
}

/// The time from which all webhooks of a process count, for they may share a store.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// That time in milliseconds. Not 0: with two paused clocks, one may be behind it.
const ZERO: u64 = 1 << 40;

impl Shared {
    pub(super) fn new(store: Box<dyn Store>, settings: Settings, timers: Option<oneshot::Sender<()>>) -> Shared {
        Shared {
            store,
            held: Semaphore::new(settings.max_held.min(Semaphore::MAX_PERMITS)),
            settings,
            start: *START,
            runs: Mutex::default(),
            handlers: AtomicUsize::new(0),
            tasks: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            fewer: Notify::new(),
            stop: watch::Sender::new(false),
            _timers: timers,
        }
    }

    /// Milliseconds on the webhook's clock, which tells deliveries apart.
    pub(super) fn now(&self) -> u64 {
        let now = Instant::now();
        match now.checked_duration_since(self.start) {
            Some(since) => ZERO.saturating_add(millis(since)),
            None => ZERO.saturating_sub(millis(self.start - now + Duration::from_nanos(999_999))),
        }
    }

    pub(super) fn instant(&self, at: u64) -> Instant {
        let before = Duration::from_millis(ZERO.saturating_sub(at));
        let moment = self.start + Duration::from_millis(at.saturating_sub(ZERO));
        moment.checked_sub(before).unwrap_or(moment)
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<DedupKey, Arc<Run>, DefaultHashBuilder>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// The run of a push, if this process has one: then the store is not asked.
    pub(super) fn run_of(&self, key: DedupKey) -> Option<Arc<Run>> {
        self.runs().get(&key).cloned()
    }

    /// Lets a run start. Its task calls [`handler_ended`](Self::handler_ended), [`forget`](Self::forget) and
    /// [`task_ended`](Self::task_ended).
    pub(super) fn begin(&self, run: &Arc<Run>) -> Result<(), NotNow> {
        match self.runs().entry(run.claim.key) {
            Entry::Occupied(entry) => return Err(NotNow::Runs(Arc::clone(entry.get()))),
            _ if self.is_closing() => return Err(NotNow::Closing),
            _ if self.handlers.load(Ordering::SeqCst) >= self.settings.max_running => return Err(NotNow::Busy),
            Entry::Vacant(entry) => {
                // Handlers start only under the lock.
                self.handlers.fetch_add(1, Ordering::SeqCst);
                self.tasks.fetch_add(1, Ordering::SeqCst);
                entry.insert(Arc::clone(run));
            }
        }
        Ok(())
    }

    pub(super) fn handler_ended(&self) {
        self.end(&self.handlers);
    }

    pub(super) fn forget(&self, run: &Run) {
        self.runs().remove(&run.claim.key);
    }

    pub(super) fn task_ended(&self) {
        self.end(&self.tasks);
    }

    /// Lets a task start that is not a run, unless there are too many already.
    pub(super) fn begin_task(&self) -> bool {
        let most = self.settings.max_running.saturating_mul(2).max(16);
        let free = self.tasks.fetch_add(1, Ordering::SeqCst) < most;
        if !free {
            self.task_ended();
        }
        free
    }

    fn end(&self, count: &AtomicUsize) {
        count.fetch_sub(1, Ordering::SeqCst);
        if self.is_closing() {
            self.fewer.notify_waiters();
        }
    }

    /// Gives a push back, even if its delivery does not last as long as the store takes for it.
    pub(super) fn give_back(self: &Arc<Self>, claim: Claim, attempt: Attempt) {
        if let Outcome::Later(_) = self.store.release(&claim, attempt, self.now()) {
            let shared = Arc::clone(self);
            self.spawn(async move {
                // If the store fails here, it keeps the push until the lease ends.
                let _ = shared.store.release(&claim, attempt, shared.now()).await;
            });
        }
    }

    /// For a task that outlives its delivery. Without a runtime, nothing can run it any more.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match self.settings.runtime.clone().map_or_else(Handle::try_current, Ok) {
            Ok(runtime) => drop(runtime.spawn(task)),
            Err(_) => drop(task),
        }
    }

    /// Ends when time is up.
    pub(super) async fn stopped(&self) {
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Accepts no new push, and waits for what is running.
    pub(super) async fn shutdown(&self, grace: Duration) {
        let mut ends = pin!(self.ends(grace));
        poll_fn(|context| within(self.settings.runtime.as_ref(), || ends.as_mut().poll(context))).await;
    }

    async fn ends(&self, grace: Duration) {
        // Under the lock: either a starting run sees it, or it sees the run.
        let runs = self.runs();
        self.closing.store(true, Ordering::SeqCst);
        drop(runs);
        let begun = Instant::now();
        // The result does not matter: the wait is over either way.
        let _ = timeout(grace, self.until(&self.handlers)).await;
        self.stop.send_replace(true);
        let left = grace.saturating_sub(begun.elapsed()).saturating_add(WIND_UP);
        let _ = timeout(left, self.until(&self.tasks)).await;
    }

    /// Waits until the count is zero.
    async fn until(&self, count: &AtomicUsize) {
        loop {
            let fewer = self.fewer.notified();
            if count.load(Ordering::SeqCst) == 0 {
                return;
            }
            fewer.await;
        }
    }
}

/// Runs code whose timers and tasks should belong to another runtime.
pub(super) fn within<T>(runtime: Option<&Handle>, work: impl FnOnce() -> T) -> T {
    let _entered = runtime.map(Handle::enter);
    work()
}
