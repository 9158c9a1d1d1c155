//! What WeChat makes of the answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use serde::Serialize;
use wechat_events::testing::{Answer, Reason, Request, Verdict, WeChat};

use crate::hint::hint;

/// Answers that are handed over at once: a thread that is woken for each would cost more than it judges.
const BATCH: usize = 64;
/// Batches that wait. What finds no room is not judged, and a status that is not 200 needs none: sending must not wait.
const WAITING: usize = 256;
/// Reasons that are told apart.
const REASONS: usize = 16;

/// An answer with the push it is to.
pub struct Answered {
    pub request: Arc<Request>,
    pub name: &'static str,
    pub answer: Answer,
}

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Verdicts {
    /// Answers that were judged: the following add up to it.
    pub judged: u64,
    /// A reply is shown.
    pub replies: u64,
    /// Nothing is shown, as asked.
    pub nothing: u64,
    /// The fault line is shown, the answer is lost or a payment is not done; most frequent first.
    pub faults: Vec<Fault>,
}

/// Answers that WeChat does not take, for one and the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub count: u64,
    /// The kind of the first push that was so answered.
    pub push: &'static str,
    pub reason: String,
    pub hint: Option<String>,
}

/// What a thread that sends hands over.
enum Batch {
    Answers(Vec<Answered>),
    /// All that it got but 200, with the kind of the first push that was so answered.
    Statuses(BTreeMap<u16, (u64, &'static str)>),
}

/// A thread that judges.
pub struct Judge {
    batches: SyncSender<Batch>,
    thread: JoinHandle<Verdicts>,
}

impl Judge {
    pub fn new(wechat: Arc<WeChat>) -> Judge {
        let (batches, judged) = sync_channel(WAITING);
        Judge { batches, thread: thread::spawn(move || judge(&wechat, &judged)) }
    }

    /// Where a thread hands its answers over.
    pub fn desk(&self) -> Desk {
        Desk::new(self.batches.clone())
    }

    /// When all desks are gone.
    pub fn end(self) -> Verdicts {
        drop(self.batches);
        self.thread.join().unwrap_or_default()
    }
}

/// Gathers answers until they are a batch.
pub struct Desk {
    batches: SyncSender<Batch>,
    batch: Vec<Answered>,
    /// Counted here, so that none is lost: their bodies are not looked at.
    statuses: BTreeMap<u16, (u64, &'static str)>,
}

impl Desk {
    fn new(batches: SyncSender<Batch>) -> Desk {
        Desk { batches, batch: Vec::new(), statuses: BTreeMap::new() }
    }

    pub fn hand_over(&mut self, answered: Answered) {
        self.batch.push(answered);
        if self.batch.len() >= BATCH {
            match self.batches.try_send(Batch::Answers(std::mem::take(&mut self.batch))) {
                Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
            }
        }
    }

    /// Counts an answer whose status is not 200, of which nothing else matters.
    pub fn count(&mut self, status: u16, name: &'static str) {
        self.statuses.entry(status).or_insert((0, name)).0 += 1;
    }
}

/// What is left is judged in any case.
impl Drop for Desk {
    fn drop(&mut self) {
        drop(self.batches.send(Batch::Answers(std::mem::take(&mut self.batch))));
        drop(self.batches.send(Batch::Statuses(std::mem::take(&mut self.statuses))));
    }
}

fn judge(wechat: &WeChat, batches: &Receiver<Batch>) -> Verdicts {
    let mut verdicts = Verdicts::default();
    // Statuses come last, and must not find all places for reasons taken.
    let (mut faults, mut failed) = (BTreeMap::new(), BTreeMap::new());
    for batch in batches {
        match batch {
            Batch::Answers(answers) => {
                verdicts.judged += u64::try_from(answers.len()).unwrap_or_default();
                for Answered { request, name, answer } in answers {
                    match wechat.judge(&request, answer) {
                        Verdict::FaultLine(reason)
                        | Verdict::Ignored(reason)
                        | Verdict::PushedAgain(reason)
                        | Verdict::Refused(reason) => note(&mut faults, 1, name, &reason),
                        Verdict::Accepted(_) => verdicts.replies += 1,
                        _ => verdicts.nothing += 1,
                    }
                }
            }
            Batch::Statuses(statuses) => {
                for (status, (count, name)) in statuses {
                    verdicts.judged += count;
                    note(&mut failed, count, name, &Reason::Status { status });
                }
            }
        }
    }
    verdicts.faults = faults.into_values().chain(failed.into_values()).collect();
    verdicts.faults.sort_by_key(|fault| std::cmp::Reverse(fault.count));
    verdicts
}

fn note(faults: &mut BTreeMap<String, Fault>, count: u64, push: &'static str, reason: &Reason) {
    let text = match reason {
        // The time is another each time.
        Reason::TooLate { .. } => "it came when WeChat had hung up".to_owned(),
        _ => reason.to_string(),
    };
    let (text, hint) = if faults.len() < REASONS || faults.contains_key(&text) {
        (text, hint(reason).map(|hint| hint.to_string()))
    } else {
        ("for other reasons".to_owned(), None)
    };
    let fault = faults.entry(text.clone()).or_insert(Fault { count: 0, push, reason: text, hint });
    fault.count += count;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_add_up_and_faults_are_gathered_by_reason() {
        let wechat = Arc::new(WeChat::plain("token").unwrap());
        let judge = Judge::new(Arc::clone(&wechat));
        let mut desk = judge.desk();
        let request = Arc::new(wechat.push("VIEW").request(1_700_000_000));
        for index in 0..100_u16 {
            let answer = match index {
                0..50 => Answer::new(200, "success"),
                50..53 => {
                    desk.count(500, "VIEW");
                    continue;
                }
                // Each with a reason of its own.
                _ => Answer::new(200, format!("oops {index}")),
            };
            desk.hand_over(Answered { request: Arc::clone(&request), name: "VIEW", answer });
        }
        drop(desk);
        let found = judge.end();
        assert_eq!((found.judged, found.replies, found.nothing), (100, 0, 50));
        assert_eq!(found.faults.len(), REASONS + 2);
        assert_eq!(found.faults.iter().map(|fault| fault.count).sum::<u64>(), 50);
        let others = Fault { count: 31, push: "VIEW", reason: "for other reasons".to_owned(), hint: None };
        assert_eq!(found.faults[0], others);
        assert_eq!((found.faults[1].count, &*found.faults[1].reason), (3, "status 500, not 200"));
    }
    #[test]
    fn a_status_is_counted_also_when_nobody_has_time_to_judge() {
        let wechat = WeChat::plain("token").unwrap();
        let (batches, judged) = sync_channel(1);
        let mut desk = Desk::new(batches);
        let request = Arc::new(wechat.push("VIEW").request(1_700_000_000));
        for index in 0..10 * BATCH {
            if index % 2 == 0 {
                desk.count(500, "VIEW");
            } else {
                let answer = Answer::new(200, "success");
                desk.hand_over(Answered { request: Arc::clone(&request), name: "VIEW", answer });
            }
        }
        let judge = thread::spawn(move || judge(&wechat, &judged));
        drop(desk);
        let found = judge.join().unwrap();
        let fault = &found.faults[0];
        assert_eq!((fault.count, &*fault.reason), (5 * BATCH as u64, "status 500, not 200"));
        // The one batch that had room.
        assert_eq!((found.nothing, found.judged), (BATCH as u64, 6 * BATCH as u64));
    }
}
