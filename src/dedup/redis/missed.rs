//! What Redis has missed while it was away, to be told in the order in which it happened.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::ask::{Carrying, Settling};
use super::link::{Away, Link};
use crate::dedup::DedupKey;

/// How many steps are kept: each may hold an answer.
const MOST: usize = 1024;

/// A step that was taken in this process.
#[derive(Clone)]
pub(super) enum Step {
    Settled(Arc<Settling>),
    Carried(Arc<Carrying>),
}

impl Step {
    pub(super) async fn tell(&self, link: &Link) -> Result<(), Away> {
        match self {
            Step::Settled(question) => link.ask(&**question, true).await.map(drop),
            Step::Carried(question) => link.ask(&**question, true).await.map(drop),
        }
    }
}

#[derive(Default)]
pub(super) struct Missed(Mutex<Steps>);

#[derive(Default)]
struct Steps {
    /// None of them is empty. The first is being told.
    of: HashMap<DedupKey, VecDeque<(Step, Instant)>>,
    count: usize,
}

impl Missed {
    /// Notes a step, worth telling until `until`. Whether somebody has to begin telling those of its push.
    pub(super) fn add(&self, key: DedupKey, step: Step, until: Instant) -> bool {
        let mut steps = self.lock();
        if steps.count >= MOST {
            return false;
        }
        steps.count = steps.count.saturating_add(1);
        let queue = steps.of.entry(key).or_default();
        queue.push_back((step, until));
        queue.len() == 1
    }

    pub(super) fn has(&self, key: DedupKey) -> bool {
        self.lock().of.contains_key(&key)
    }

    pub(super) fn first(&self, key: DedupKey) -> Option<(Step, Instant)> {
        self.lock().of.get(&key)?.front().cloned()
    }

    /// The first has been told, or it is too late for it. Whether there are more.
    pub(super) fn next(&self, key: DedupKey) -> bool {
        let mut steps = self.lock();
        let Some(queue) = steps.of.get_mut(&key) else { return false };
        let (told, more) = (queue.pop_front(), !queue.is_empty());
        if !more {
            steps.of.remove(&key);
        }
        steps.count = steps.count.saturating_sub(usize::from(told.is_some()));
        more
    }

    fn lock(&self) -> MutexGuard<'_, Steps> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
