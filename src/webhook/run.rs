//! A run of a push, as seen by those who wait for it in this process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::store::{Carrier, Claim};

/// The state shared by a run's task and the deliveries that wait for it.
pub(super) struct Run {
    pub(super) claim: Claim,
    pub(super) body: Arc<[u8]>,
    /// When the push was first seen, in milliseconds on the webhook's clock.
    pub(super) first_seen: u64,
    state: Mutex<State>,
    /// Wakes the deliveries when the run has ended.
    has_ended: Notify,
    /// Wakes the task when a delivery is answered or gone.
    has_heard: Notify,
}

#[derive(Default)]
struct State {
    ended: Option<Ended>,
    /// A delivery has asked the store whether it may carry the reply.
    asked_to_carry: bool,
    /// A delivery was answered, with or without the reply.
    answered: bool,
    listeners: usize,
}

/// How a run ended.
#[derive(Clone)]
pub(super) enum Ended {
    Done {
        answer: Vec<u8>,
        carrier: Option<Carrier>,
    },
    Failed,
    /// Another run took over the push.
    Superseded,
}

impl Run {
    /// `now` is when it was claimed.
    pub(super) fn new(claim: Claim, body: Arc<[u8]>, now: u64) -> Run {
        let first_seen = now.saturating_sub(claim.age);
        let (has_ended, has_heard) = (Notify::new(), Notify::new());
        Run { claim, body, first_seen, state: Mutex::default(), has_ended, has_heard }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note_end(&self, ended: Ended) {
        self.state().ended = Some(ended);
        self.has_ended.notify_waiters();
    }

    pub(super) async fn end(&self) -> Ended {
        self.until(&self.has_ended, |state| state.ended.clone()).await
    }

    /// A delivery is about to carry the reply.
    pub(super) fn note_carrying(&self) {
        self.state().asked_to_carry = true;
    }

    /// Whether a delivery was about to carry the reply but was not answered: WeChat has hung up meanwhile.
    pub(super) fn was_dropped(&self) -> bool {
        let state = self.state();
        state.asked_to_carry && !state.answered
    }

    /// A delivery was answered: no reply has to wait for another one.
    pub(super) fn note_answer(&self) {
        self.state().answered = true;
        self.has_heard.notify_one();
    }

    pub(super) fn was_answered(&self) -> bool {
        self.state().answered
    }

    /// Waits until a delivery was answered.
    pub(super) async fn answered(&self) {
        self.until(&self.has_heard, |state| state.answered.then_some(())).await;
    }

    /// Waits until a delivery was answered (true), or none is left that could be (false).
    pub(super) async fn answered_or_alone(&self) -> bool {
        let look = |state: &State| (state.answered || state.listeners == 0).then_some(state.answered);
        self.until(&self.has_heard, look).await
    }

    async fn until<T>(&self, changed: &Notify, look: impl Fn(&State) -> Option<T>) -> T {
        loop {
            // Registered before looking, so that no change is missed.
            let changed = changed.notified();
            if let Some(found) = look(&self.state()) {
                return found;
            }
            changed.await;
        }
    }
}

/// A delivery that waits for a run.
pub(super) struct Listener {
    pub(super) run: Arc<Run>,
    is_answered: bool,
}

impl Listener {
    /// The delivery that started the run.
    pub(super) fn of_own(run: Arc<Run>) -> Listener {
        run.state().listeners += 1;
        Listener { run, is_answered: false }
    }

    /// Another delivery, if at most `most` wait already.
    pub(super) fn joining(run: Arc<Run>, most: usize) -> Option<Listener> {
        let mut state = run.state();
        let free = state.listeners <= most;
        state.listeners += usize::from(free);
        drop(state);
        free.then(|| Listener { run, is_answered: false })
    }

    /// How the run ended, if it has.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        match Arc::get_mut(&mut self.run) {
            // Nobody else has it any more who might ask.
            Some(run) => {
                let state = run.state.get_mut().unwrap_or_else(PoisonError::into_inner);
                // The end of a superseded run is still awaited, by whoever then asks the store.
                state.ended.take_if(|ended| !matches!(ended, Ended::Superseded))
            }
            None => self.run.state().ended.clone(),
        }
    }

    /// The delivery was answered.
    pub(super) fn leave_answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut state = self.run.state();
        state.listeners -= 1;
        state.answered |= self.is_answered;
        drop(state);
        self.run.has_heard.notify_one();
    }
}
