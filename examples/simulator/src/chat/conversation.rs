//! What has happened so far: kept here, so that a page can be loaded again.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::watch;

use super::record::Push;

/// Pushes that are kept; older ones are forgotten.
const HISTORY: usize = 200;

/// The conversation of one user with the account.
#[derive(Debug)]
pub struct Conversation {
    state: Mutex<State>,
    /// Counts changes.
    revision: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    following: bool,
    pushes: VecDeque<Push>,
    /// The next push's number.
    next: u64,
    revision: u64,
}

/// What is new to a page.
#[derive(Debug, Serialize)]
pub struct Change {
    pub revision: u64,
    following: bool,
    /// Pushes with lower numbers are forgotten.
    oldest: u64,
    pushes: Vec<Push>,
}

impl Conversation {
    pub fn new() -> Conversation {
        let state = State { following: true, pushes: VecDeque::new(), next: 1, revision: 0 };
        Conversation { state: Mutex::new(state), revision: watch::Sender::new(0) }
    }

    /// Nothing that is done under the lock leaves the state half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state();
        state.revision += 1;
        let result = change(&mut state);
        self.revision.send_replace(state.revision);
        result
    }

    pub fn is_following(&self) -> bool {
        self.state().following
    }

    /// Puts a push at the end, and gives its number.
    pub fn add(&self, mut push: Push) -> u64 {
        self.change(|state| {
            let id = state.next;
            state.next += 1;
            state.following = push.follows().unwrap_or(state.following);
            (push.id, push.revision) = (id, state.revision);
            state.pushes.push_back(push);
            if state.pushes.len() > HISTORY {
                state.pushes.pop_front();
            }
            id
        })
    }

    /// Changes a push, unless it is forgotten.
    pub fn update(&self, id: u64, update: impl FnOnce(&mut Push)) {
        self.change(|state| {
            if let Some(push) = state.pushes.iter_mut().find(|push| push.id == id) {
                push.revision = state.revision;
                update(push);
            }
        });
    }

    /// Forgets all pushes, but not whether the account is followed.
    pub fn clear(&self) {
        self.change(|state| state.pushes.clear());
    }

    /// A push's bytes.
    pub fn message(&self, id: u64) -> Option<Vec<u8>> {
        self.state().pushes.iter().find(|push| push.id == id).map(|push| push.bytes.clone())
    }

    /// Tells of each change.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// What has changed after a revision; everything after 0.
    pub fn since(&self, revision: u64) -> Change {
        let state = self.state();
        Change {
            revision: state.revision,
            following: state.following,
            oldest: state.pushes.front().map_or(state.next, |push| push.id),
            pushes: state.pushes.iter().filter(|push| push.revision > revision).cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> Push {
        Push::new(b"<xml><MsgType>text</MsgType><Content>hi</Content></xml>".to_vec())
    }

    #[test]
    fn the_oldest_pushes_are_forgotten() {
        let conversation = Conversation::new();
        let last = (0..=HISTORY).map(|_| conversation.add(text())).last();
        let all = conversation.since(0);
        assert_eq!((last, all.oldest, all.pushes.len()), (Some(201), 2, 200));
        assert_eq!(conversation.message(1), None);
        conversation.update(1, |_| panic!("it is forgotten"));
        conversation.clear();
        assert_eq!(conversation.since(0).oldest, 202);
    }

    #[test]
    fn a_page_is_told_of_what_is_new_to_it_and_of_nothing_else() {
        let conversation = Conversation::new();
        let (first, _) = (conversation.add(text()), conversation.add(text()));
        let seen = conversation.since(0).revision;
        conversation.update(first, |push| push.begun = 7);
        let told: Vec<_> = conversation.since(seen).pushes.iter().map(|push| (push.id, push.begun)).collect();
        assert_eq!(told, [(first, 7)]);
    }

    #[test]
    fn following_ends_and_begins_with_the_events_that_say_so() {
        let conversation = Conversation::new();
        let event = |name: &str| format!("<xml><MsgType>event</MsgType><Event>{name}</Event></xml>").into_bytes();
        let after = |name| {
            conversation.add(Push::new(event(name)));
            conversation.is_following()
        };
        assert_eq!(["VIEW", "unsubscribe", "VIEW", "subscribe"].map(after), [true, false, false, true]);
    }
}
