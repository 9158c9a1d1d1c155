//! Who carries the answer? A delivery, or nobody any more: it is late.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::ask::Carrying;
use super::link::Away;
use super::missed::Step;
use super::{EPOCH, PAUSE, Shared};
use crate::dedup::DedupKey;
use crate::dedup::store::{Carrier, Waited};

/// For how long to ask who carries an answer before it is given out as late: nobody waits for that, and a delivery to
/// another machine may have carried it.
const PATIENCE: Duration = Duration::from_secs(5);

impl Shared {
    pub(super) async fn carry(self: &Arc<Self>, key: DedupKey, by: Carrier, now: u64) -> bool {
        let here = now.saturating_add(EPOCH);
        let (wire, number) = (Arc::clone(&self.wire), self.number());
        let question = Carrying { wire, key: self.key(key), by, number };
        let told = match by {
            Carrier::Delivery => self.link.ask(&question, false).await,
            Carrier::Late => timeout(PATIENCE, self.insist(&question, key, here)).await.unwrap_or(Err(Away)),
        };
        match told {
            Ok((Some(carrier), carries)) => {
                self.memory.carry(key, carrier, here);
                carries
            }
            Ok((None, _)) | Err(Away) => {
                let carries = self.memory.carry(key, by, here);
                // Redis may not know yet even that it is done.
                if carries && (told.is_err() || self.missed.has(key)) {
                    self.mend(key, Step::Carried(Arc::new(question)));
                }
                carries
            }
        }
    }

    /// Asks until there is an answer, or none is needed any more because it is known here.
    async fn insist(&self, question: &Carrying, key: DedupKey, here: u64) -> Result<(Option<Carrier>, bool), Away> {
        let mut again = false;
        loop {
            if let Ok(told) = self.link.ask(question, again).await {
                return Ok(told);
            }
            again = true;
            sleep(PAUSE).await;
            self.link.up().await;
            if let Some(Waited::Done { carrier: Some(_), .. }) = self.peek(key, here) {
                return Err(Away);
            }
        }
    }
}
