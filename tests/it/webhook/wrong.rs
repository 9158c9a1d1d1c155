//! Stores that misbehave, and what still holds.

use super::left::{CUT, Long};
use super::*;

/// A store that misbehaves in one way.
struct Wrong {
    memory: Memory,
    way: Way,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Says of each push that it is new, however often it is asked.
    Forgets,
    /// Says at the end of a run that another run took over the push, and has that run's answer.
    HasAnother,
    /// Takes a second to finish.
    Hangs,
    /// Takes a second to say who carries.
    HangsLater,
}

impl Store for Wrong {
    fn lease(&self) -> Duration {
        Store::lease(&self.memory)
    }
    fn claim(&self, key: DedupKey, now: u64) -> Outcome<'_, Claimed> {
        match self.memory.claim(key, now) {
            Claimed::Running { .. } if self.way == Way::Forgets => {
                Outcome::Now(Claimed::New(Claim::new(key, 7, 1, now, now)))
            }
            claimed => Outcome::Now(claimed),
        }
    }
    fn renew(&self, claim: &Claim, now: u64) -> Outcome<'_, Result<(), Lost>> {
        Outcome::Now(self.memory.renew(claim, now))
    }
    fn finish(
        &self,
        claim: &Claim,
        answer: &[u8],
        carrier: Option<Carrier>,
        now: u64,
    ) -> Outcome<'_, Result<(), Lost>> {
        match self.way {
            Way::Forgets | Way::HangsLater => Outcome::Now(self.memory.finish(claim, answer, carrier, now)),
            Way::HasAnother => {
                self.memory.finish(claim, b"of another", Some(Carrier::Delivery), now).unwrap();
                Outcome::Now(Err(Lost))
            }
            Way::Hangs => {
                let (claim, answer) = (*claim, answer.to_vec());
                Outcome::later(async move {
                    sleep(Duration::from_secs(1)).await;
                    self.memory.finish(&claim, &answer, carrier, now)
                })
            }
        }
    }
    fn release(&self, claim: &Claim, attempt: Attempt, now: u64) -> Outcome<'_, Result<(), Lost>> {
        Outcome::Now(self.memory.release(claim, attempt, now))
    }
    fn wait(&self, key: DedupKey, now: u64) -> Outcome<'_, Waited> {
        Store::wait(&self.memory, key, now)
    }
    fn carry(&self, key: DedupKey, by: Carrier, now: u64) -> Outcome<'_, bool> {
        let carried = self.memory.carry(key, by, now);
        if self.way != Way::HangsLater {
            return Outcome::Now(carried);
        }
        Outcome::later(async move {
            sleep(Duration::from_secs(1)).await;
            carried
        })
    }
}

fn wrong(log: &Log, way: Way, does: &'static [Does]) -> Webhook {
    webhook(builder(log).store(Wrong { memory: Memory::new(), way }), log, does)
}

#[test]
fn a_run_of_this_process_is_known_here_whatever_the_store_says() {
    for (does, expected) in [
        (&[Answers(6_000)] as &[_], "0 run, 5000 #1 gone, 6000 #2 reply"),
        (&[Answers(12_000)], "0 run, 5000 #1 gone, 10070 #2 gone, 12000 #3 reply"),
        (&[Fails(6_000), Answers(0)], "0 run, 5000 #1 gone, 6000 #2 reply of run 2, 6000 failed, 6000 run"),
    ] {
        paused(async {
            let log = Log::new();
            deliver(wrong(&log, Way::Forgets, does), log.clone(), push("text"), USUAL).await;
            assert_eq!(log.text(), expected);
        });
    }
}

#[test]
fn a_reply_whose_push_another_run_has_taken_over_is_told_and_the_others_goes_out() {
    const LOST: &str = "failed: another run took over the push: this reply is not sent";
    for (does, expected, first) in [
        (&[Answers(0)] as &[_], format!("0 {LOST}, 0 run"), (0, "of another")),
        (&[Answers(1_000)], format!("0 run, 1000 {LOST}"), (1_000, "of another")),
        (&[Answers(20_000)], format!("0 run, 20000 {LOST}"), (14_580, "success")),
        // The user would not have seen it.
        (&[Succeeds(0)], "0 run".to_owned(), (0, "of another")),
        (&[Succeeds(1_000)], "0 run".to_owned(), (1_000, "of another")),
    ] {
        paused(async {
            let log = Log::new();
            let webhook = wrong(&log, Way::HasAnother, does);
            let answers = [(0, 5_000), (5_070, 10_070), (10_080, 15_080)].map(|(comes, hangs_up)| {
                let (webhook, log) = (webhook.clone(), log.clone());
                async move {
                    sleep_until(log.start + Duration::from_millis(comes)).await;
                    let answer = timeout(Duration::from_millis(hangs_up - comes), call(&webhook, &push("text"))).await;
                    answer.ok().map(|response| (log.now(), String::from_utf8(response.body).unwrap()))
                }
            });
            let mut answered = Vec::new();
            for answer in answers {
                answered.extend(answer.await);
            }
            sleep(Duration::from_secs(60)).await;
            assert_eq!(log.text(), expected);
            assert_eq!((answered[0].0, &*answered[0].1), first);
            assert!(answered[1..].iter().all(|(_, body)| body == "of another"));
        });
    }
}

#[test]
fn a_delivery_that_has_hung_up_has_not_carried_the_reply() {
    const UNHEARD: &str = "failed: WeChat hung up before the reply was sent: it is sent if WeChat retries";
    let cases: [(Way, &'static [Does], Schedule, String); 7] = [
        (Way::Hangs, &[Answers(0)], &[(0, 5_000)], "0 run, 1000 #1 reply".to_owned()),
        (Way::Hangs, &[Answers(0)], &[(0, 500)], format!("0 run, 500 #1 gone, 1000 {UNHEARD}")),
        (
            Way::Hangs,
            &[Answers(0)],
            &[(0, 500), (5_070, 10_070)],
            format!("0 run, 500 #1 gone, 1000 {UNHEARD}, 5070 #2 reply"),
        ),
        // Another delivery of this moment carries it.
        (Way::Hangs, &[Answers(0)], &[(0, 500), (100, 5_000)], "0 run, 500 #1 gone, 1000 #2 reply".to_owned()),
        (Way::HangsLater, &[Answers(100)], &[(0, 5_000)], "0 run, 1100 #1 reply".to_owned()),
        (Way::HangsLater, &[Answers(100)], &[(0, 500)], format!("0 run, 500 #1 gone, 16600 {UNHEARD}")),
        (
            Way::HangsLater,
            &[Answers(100)],
            &[(0, 500), (5_070, 10_070)],
            "0 run, 500 #1 gone, 6070 #2 reply".to_owned(),
        ),
    ];
    for (way, does, schedule, expected) in cases {
        paused(async {
            let log = Log::new();
            deliver(wrong(&log, way, does), log.clone(), push("text"), schedule).await;
            assert_eq!(log.text(), expected);
        });
    }
}

/// A failure has the whole text.
#[test]
fn a_long_text_that_no_delivery_carries_is_not_reported_as_cut() {
    const UNHEARD: &str = "report: handler failed on `text`: WeChat hung up before the reply was sent: it is sent if \
                           WeChat retries";
    for (hangs_up, expected) in [(5_000, CUT), (500, UNHEARD)] {
        paused(async {
            let log = Log::new();
            let store = Wrong { memory: Memory::new(), way: Way::Hangs };
            let webhook = builder(&log).store(store).build().account(endpoint(&log), Long(0, log.clone()));
            let _ = timeout(Duration::from_millis(hangs_up), call(&webhook, &push("text"))).await;
            sleep(Duration::from_secs(60)).await;
            assert_eq!(log.text(), format!("1000 {expected}"));
        });
    }
}
