//! Two machines that share a store, one of which is killed.

use super::*;

/// One machine's way to a store, until it is killed.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) store: Arc<Memory>,
    pub(super) killed: Arc<AtomicBool>,
}

impl Node {
    fn alive<'a, T: Send + 'a>(&self, then: impl FnOnce() -> T, otherwise: T) -> Outcome<'a, T> {
        Outcome::Now(if self.killed.load(Ordering::Relaxed) { otherwise } else { then() })
    }
}

impl Store for Node {
    fn lease(&self) -> Duration {
        Duration::from_secs(4)
    }
    fn claim(&self, key: DedupKey, now: u64) -> Outcome<'_, Claimed> {
        self.alive(|| Memory::claim(&self.store, key, now), Claimed::Refused(Refusal::Down))
    }
    fn renew(&self, claim: &Claim, now: u64) -> Outcome<'_, Result<(), Lost>> {
        self.alive(|| Memory::renew(&self.store, claim, now), Err(Lost))
    }
    fn finish(
        &self,
        claim: &Claim,
        answer: &[u8],
        carrier: Option<Carrier>,
        now: u64,
    ) -> Outcome<'_, Result<(), Lost>> {
        self.alive(|| Memory::finish(&self.store, claim, answer, carrier, now), Err(Lost))
    }
    fn release(&self, claim: &Claim, attempt: Attempt, now: u64) -> Outcome<'_, Result<(), Lost>> {
        self.alive(|| Memory::release(&self.store, claim, attempt, now), Err(Lost))
    }
    fn wait(&self, key: DedupKey, now: u64) -> Outcome<'_, Waited> {
        Outcome::later(Memory::wait(&self.store, key, now))
    }
    fn carry(&self, key: DedupKey, by: Carrier, now: u64) -> Outcome<'_, bool> {
        self.alive(|| Memory::carry(&self.store, key, by, now), false)
    }
}

/// Two machines that share a store. The first is killed while it runs the push, which takes 40 s.
struct Two {
    log: Log,
    body: String,
    first: Node,
    second: Node,
    one: Webhook,
    two: Webhook,
}

impl Two {
    /// The settings are the second machine's, and so is what its handler does.
    fn new(does: &'static [Does], settings: impl FnOnce(WebhooksBuilder) -> WebhooksBuilder) -> Two {
        let log = Log::new();
        let store = Arc::new(Memory::builder().lease(Duration::from_secs(4)).build());
        let node = || Node { store: Arc::clone(&store), killed: Arc::default() };
        let (first, second) = (node(), node());
        let one = builder(&log).store(first.clone()).build();
        // A dead machine answers nobody.
        let dead = endpoint(&log).on_report(|_| {});
        let one = one.account(dead, Forwards(script(&log, &[Answers(40_000)])));
        let two = webhook(settings(builder(&log)).store(second.clone()), &log, does);
        Two { log, body: push("text"), first, second, one, two }
    }

    async fn until(&self, at: u64) {
        sleep_until(self.log.start + Duration::from_millis(at)).await;
    }

    async fn kill_at(&self, at: u64) {
        self.until(at).await;
        self.first.killed.store(true, Ordering::Relaxed);
        self.log.add("killed");
    }

    /// The push comes to the first machine, which has not answered when WeChat hangs up.
    async fn begin(&self, hangs_up: u64) {
        assert!(timeout(Duration::from_millis(hangs_up), call(&self.one, &self.body)).await.is_err());
    }

    /// The first machine is killed, and the second acknowledges the second delivery.
    async fn acknowledge(&self) {
        self.begin(3_500).await;
        self.kill_at(3_500).await;
        self.until(5_070).await;
        let response = call(&self.two, &self.body).await;
        self.log.add(format!("#2 {}", told(&self.log, &self.body, &response)));
    }
}

#[test]
fn a_push_whose_machine_is_killed_is_taken_over_by_another() {
    use Policy::{Acknowledge, Hold};
    // How, when the first machine is killed, what the second one's handler does, and all that happens then.
    let cases: [(Policy, u64, &'static [Does], &str); 11] = [
        // The lease, renewed at 0 s, was over at 4 s.
        (Hold, 500, &[Answers(1_000)], "0 run, 500 killed, 5070 run, 6070 #2 reply"),
        // Renewed at 3 s: the second delivery, which waits, takes it over at 7 s.
        (Hold, 3_500, &[Answers(1_000)], "0 run, 3500 killed, 7000 run, 8000 #2 reply"),
        (Hold, 3_500, &[Answers(6_000)], "0 run, 3500 killed, 7000 run, 10070 #2 gone, 13000 #3 reply"),
        (Hold, 8_500, &[Answers(1_000)], "0 run, 5000 #1 gone, 8500 killed, 10070 #2 gone, 12000 run, 13000 #3 reply"),
        (
            Hold,
            8_500,
            &[Answers(9_000)],
            "0 run, 5000 #1 gone, 8500 killed, 10070 #2 gone, 12000 run, 14580 #3 success, 21000 late",
        ),
        // Renewed at 11 s: when it is over, at 15 s, the last delivery has been acknowledged.
        (
            Hold,
            11_500,
            &[Answers(1_000)],
            "0 run, 5000 #1 gone, 10070 #2 gone, 11500 killed, 14580 #3 success, 15000 run, 16000 late",
        ),
        (
            Hold,
            11_500,
            &[Fails(1_000)],
            "0 run, 5000 #1 gone, 10070 #2 gone, 11500 killed, 14580 #3 success, 15000 run, 16000 failed",
        ),
        (Acknowledge, 500, &[Answers(1_000)], "0 run, 500 killed, 5070 #2 success, 5070 run, 6070 late"),
        (Acknowledge, 500, &[Answers(0)], "0 run, 500 killed, 5070 #2 reply, 5070 run"),
        (Acknowledge, 3_500, &[Answers(1_000)], "0 run, 3500 killed, 5070 #2 success, 7000 run, 8000 late"),
        (Acknowledge, 3_500, &[Answers(0)], "0 run, 3500 killed, 5070 #2 success, 7000 late, 7000 run"),
    ];
    for (policy, killed_at, does, expected) in cases {
        let found = paused(async {
            let nodes = Two::new(does, |builder| builder.policy(policy));
            nodes.begin(killed_at.min(5_000)).await;
            if killed_at >= 5_000 {
                nodes.log.add("#1 gone");
            }
            let settled = AtomicBool::new(false);
            let retry = |number: usize, comes: u64| {
                let (nodes, settled) = (&nodes, &settled);
                let Two { two, log, body, .. } = nodes;
                async move {
                    nodes.until(comes).await;
                    if settled.load(Ordering::Relaxed) {
                        return;
                    }
                    match timeout(Duration::from_millis(5_000), call(two, body)).await {
                        Ok(response) => {
                            settled.store(true, Ordering::Relaxed);
                            log.add(format!("#{number} {}", told(log, body, &response)));
                        }
                        Err(_) => log.add(format!("#{number} gone")),
                    }
                }
            };
            tokio::join!(nodes.kill_at(killed_at), retry(2, 5_070), retry(3, 10_080));
            sleep(Duration::from_secs(15)).await;
            nodes.log.text()
        });
        assert_eq!(found, expected, "{policy:?}");
    }
}

#[test]
fn the_last_delivery_leaves_a_watch_also_when_it_is_dropped_and_no_other_does() {
    // When the only delivery to the second machine comes, when WeChat hangs up on it, and what happens.
    let cases = [
        ((10_080, 13_340), "0 run, 11500 killed, 13340 gone, 15000 run, 16000 late"),
        ((5_070, 8_000), "0 run, 8000 gone, 11500 killed"),
    ];
    for ((comes, hangs_up), expected) in cases {
        let found = paused(async {
            let nodes = Two::new(&[Answers(1_000)], |builder| builder);
            nodes.begin(5_000).await;
            let other = async {
                nodes.until(comes).await;
                let delivered = timeout(Duration::from_millis(hangs_up - comes), call(&nodes.two, &nodes.body)).await;
                assert!(delivered.is_err());
                nodes.log.add("gone");
            };
            tokio::join!(nodes.kill_at(11_500), other);
            sleep(Duration::from_secs(30)).await;
            nodes.log.text()
        });
        assert_eq!(found, expected);
    }
}

#[test]
fn a_watch_without_a_place_reports_the_push_and_one_that_is_stopped_leaves_it() {
    for (settings, ends, expected) in [
        (
            (|builder| builder.max_running(0)) as Settings,
            30_000,
            "0 run, 3500 killed, 5070 #2 success, 7000 failed: 0 handlers are running already",
        ),
        (|builder| builder, 6_000, "0 run, 3500 killed, 5070 #2 success, 6000 down"),
    ] {
        let found = paused(async {
            let nodes = Two::new(&[Answers(0)], |builder| settings(builder.policy(Policy::Acknowledge)));
            nodes.acknowledge().await;
            nodes.until(ends).await;
            nodes.two.shutdown(Duration::ZERO).await;
            if ends < 30_000 {
                nodes.log.add("down");
                sleep(Duration::from_secs(30)).await;
            }
            nodes.log.text()
        });
        assert_eq!(found, expected);
    }
}

#[test]
fn a_watch_asks_again_while_the_store_refuses_and_reports_the_push_in_the_end() {
    for (back_at, expected) in [
        (7_500, "0 run, 3500 killed, 5070 #2 success, 8000 late, 8000 run"),
        (60_000, "0 run, 3500 killed, 5070 #2 success, 21000 failed: the store cannot be reached"),
    ] {
        let found = paused(async {
            let nodes = Two::new(&[Answers(0)], |builder| builder.policy(Policy::Acknowledge));
            nodes.acknowledge().await;
            nodes.second.killed.store(true, Ordering::Relaxed);
            nodes.until(back_at).await;
            nodes.second.killed.store(false, Ordering::Relaxed);
            sleep(Duration::from_secs(30)).await;
            nodes.log.text()
        });
        assert_eq!(found, expected);
    }
}
