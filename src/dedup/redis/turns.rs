//! Who claims a push just now: in each process one at a time, and the others learn from it.
//!
//! While Redis is asked the memory in front says that the push runs here, since now, and waited for by nobody. That is
//! what keeps a second claim from being made, and nothing that a delivery should be told.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::dedup::DedupKey;
use crate::dedup::store::Claimed;

/// By push; with a way to tell those who follow, if anybody does.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<DedupKey, Option<watch::Sender<Option<Claimed>>>>>);

/// The right to claim. The next may when this is dropped.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    key: DedupKey,
    /// For those who follow. If there is none they claim themselves.
    pub(super) found: Option<Claimed>,
}

/// Somebody else claims.
pub(super) struct Following(watch::Receiver<Option<Claimed>>);

impl Turns {
    pub(super) fn take(&self, key: DedupKey) -> Result<Turn<'_>, Following> {
        match self.lock().entry(key) {
            Entry::Vacant(place) => {
                place.insert(None);
                Ok(Turn { turns: self, key, found: None })
            }
            Entry::Occupied(mut place) => {
                let tells = place.get_mut().get_or_insert_with(|| watch::Sender::new(None));
                Err(Following(tells.subscribe()))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DedupKey, Option<watch::Sender<Option<Claimed>>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Following {
    /// What was found; none if the push has to be claimed again.
    pub(super) async fn found(mut self) -> Option<Claimed> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let followed = self.turns.lock().remove(&self.key).flatten();
        if let (Some(tells), Some(found)) = (followed, self.found.take()) {
            tells.send_replace(Some(found));
        }
    }
}
