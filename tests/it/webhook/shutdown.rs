//! Shutdown of the webhook, and of its runtime.

use super::*;

#[test]
fn a_shutdown_waits_for_late_and_what_it_cannot_wait_for_is_reported() {
    /// Takes a while to send its late replies.
    struct Sends(Script, Duration);
    impl AsyncHandler for Sends {
        async fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
            event.dispatch_async(&self.0).await
        }
        async fn late(&self, event: &Event<'_>, reply: &Reply) -> Told {
            sleep(self.1).await;
            self.0.late(event, reply).await
        }
    }
    for (takes, grace, expected) in [
        (400, 0, "0 run, 5000 #1 gone, 6000 down, 6900 late"),
        (3_000, 3_000, "0 run, 5000 #1 gone, 6000 down, 9500 late"),
        (9_000, 0, "0 run, 5000 #1 gone, 6000 down, 7000 report: reply to `text` lost: it came too late"),
    ] {
        let log = paused(async {
            let log = Log::new();
            let webhooks = builder(&log).build();
            let sends = Sends(script(&log, &[Answers(5_200)]), Duration::from_millis(takes));
            let webhook = webhooks.account(endpoint(&log), sends);
            tokio::spawn(deliver(webhook, log.clone(), push("text"), &[(0, 5_000)]));
            sleep(Duration::from_secs(6)).await;
            log.add("down");
            webhooks.shutdown(Duration::from_millis(grace)).await;
            log
        });
        // With the runtime: its clock stands still from here on.
        let text = log.lines.lock().unwrap().iter().map(|(at, what)| format!("{at} {what}")).collect::<Vec<_>>();
        assert_eq!(text.join(", "), expected);
    }
}

#[test]
fn runs_and_timers_are_the_given_runtimes_and_outlive_the_worker_that_was_called() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    for has_time in [true, false] {
        let (log, handle) = (runtime.block_on(async { Log::new() }), runtime.handle().clone());
        let builder = builder(&log).policy(Policy::Acknowledge).acknowledge_after(Duration::from_millis(50));
        let webhook = webhook(builder.runtime(handle), &log, &[Answers(300)]);
        // A worker of a server, which ends as soon as it has answered.
        let mut worker = tokio::runtime::Builder::new_current_thread();
        let worker = if has_time { worker.enable_time() } else { &mut worker }.build().unwrap();
        let body = push("text");
        assert_eq!(worker.block_on(call(&webhook, &body)).body, b"success");
        drop(worker);
        runtime.block_on(webhook.shutdown(Duration::from_secs(30)));
        let what: Vec<_> = log.lines.lock().unwrap().iter().map(|(_, what)| what.clone()).collect();
        assert_eq!(what, ["run", "late"]);
    }
}

#[test]
fn a_shutdown_waits_for_handlers_then_cancels_them_and_hands_over_what_is_owed() {
    let cases: [(&'static [Does], u64, &str); 5] = [
        (&[Answers(2_000)], 5_000, "0 run, 2000 #1 reply, 2000 down"),
        (&[Answers(4_000)], 2_000, "0 run, 3000 #1 503, 3000 down, 3000 failed: the handler was cancelled"),
        (&[Succeeds(0)], 2_000, "0 #1 success, 0 run, 1000 down"),
        // The reply waits for the second delivery, which this machine will not see.
        (&[Answers(5_200)], 5_000, "0 run, 5000 #1 gone, 5700 down, 5700 late"),
        (&[Answers(9_000)], 5_000, "0 run, 5000 #1 gone, 6000 down, 6000 failed: the handler was cancelled"),
    ];
    for ((does, grace, expected), remote) in cases.into_iter().flat_map(|case| [(case, false), (case, true)]) {
        let found = paused(async {
            let log = Log::new();
            let webhook = webhook(on_store(builder(&log), remote), &log, does);
            let wechat = tokio::spawn(deliver(webhook.clone(), log.clone(), push("text"), &[(0, 5_000)]));
            sleep(Duration::from_millis(1_000)).await;
            webhook.shutdown(Duration::from_millis(grace)).await;
            log.add("down");
            assert_eq!(call(&webhook, &push("VIEW")).await.status, 503);
            wechat.await.unwrap();
            log.text()
        });
        assert_eq!(found, expected, "remote {remote}");
    }
}

/// Blocks its thread in its first poll until released, and then waits if asked to.
struct Keeps {
    begins: mpsc::Sender<()>,
    let_go: Mutex<mpsc::Receiver<()>>,
    then_waits: bool,
}

impl AsyncHandler for Keeps {
    async fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
        self.begins.send(())?;
        self.let_go.lock().unwrap().recv()?;
        if self.then_waits {
            sleep(Duration::from_millis(100)).await;
        }
        Ok(Reply::text("at last"))
    }
}

/// A delivery whose handler blocks a thread of the runtime until something is sent.
async fn kept(store: &Arc<Memory>, then_waits: bool) -> (Webhook, JoinHandle<Response>, mpsc::Sender<()>) {
    let (begins, begun) = mpsc::channel();
    let (lets_go, let_go) = mpsc::channel();
    let handler = Keeps { begins, let_go: Mutex::new(let_go), then_waits };
    let webhooks = Webhooks::builder().wall_clock(|| EPOCH).store(Arc::clone(store)).build();
    let webhook = webhooks.account(Endpoint::plain("token").unwrap().on_report(|_| {}), handler);
    let delivery = tokio::spawn({
        let webhook = webhook.clone();
        async move { call(&webhook, &push("text")).await }
    });
    begun.recv().unwrap();
    (webhook, delivery, lets_go)
}

fn on_two_threads<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async { timeout(Duration::from_secs(60), test).await.expect("it waits for ever") })
}

#[test]
fn a_shutdown_waits_for_a_handler_that_keeps_its_thread_in_its_first_poll() {
    for then_waits in [false, true] {
        on_two_threads(async {
            let store = Arc::new(Memory::new());
            let (webhook, delivery, lets_go) = kept(&store, then_waits).await;
            let shutdown = tokio::spawn({
                let webhook = webhook.clone();
                async move { webhook.shutdown(Duration::from_secs(30)).await }
            });
            sleep(Duration::from_millis(300)).await;
            assert!(!shutdown.is_finished(), "the handler has not ended");
            lets_go.send(()).unwrap();
            shutdown.await.unwrap();
            let claimed = Memory::claim(&store, DedupKey::of_body(push("text").as_bytes()), 0);
            assert!(matches!(claimed, Claimed::Done { .. }), "{claimed:?}");
            assert_eq!(delivery.await.unwrap().content_type, "text/xml");
        });
    }
}

#[test]
fn a_handler_that_keeps_its_thread_for_longer_than_the_grace_is_answered_unless_it_waits_afterwards() {
    for (then_waits, status) in [(false, 200), (true, 503)] {
        on_two_threads(async {
            let (webhook, delivery, lets_go) = kept(&Arc::new(Memory::new()), then_waits).await;
            webhook.shutdown(Duration::from_millis(50)).await;
            lets_go.send(()).unwrap();
            assert_eq!(delivery.await.unwrap().status, status);
        });
    }
}

#[test]
fn the_second_after_the_grace_is_for_a_handler_that_keeps_its_thread_too() {
    on_two_threads(async {
        let store = Arc::new(Memory::new());
        let (webhook, delivery, lets_go) = kept(&store, false).await;
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(250));
            lets_go.send(()).unwrap();
        });
        webhook.shutdown(Duration::from_millis(50)).await;
        let claimed = Memory::claim(&store, DedupKey::of_body(push("text").as_bytes()), 0);
        assert!(matches!(claimed, Claimed::Done { .. }), "{claimed:?}");
        assert_eq!(delivery.await.unwrap().content_type, "text/xml");
    });
}

#[test]
fn retries_of_what_is_done_are_answered_during_a_shutdown() {
    paused(async {
        let log = Log::new();
        let webhook = webhook(builder(&log), &log, &[Answers(0)]);
        let first = call(&webhook, &push("text")).await;
        webhook.shutdown(Duration::ZERO).await;
        assert_eq!(call(&webhook, &push("text")).await, first);
    });
}

#[test]
fn a_runtime_that_ends_hands_over_what_is_owed() {
    for (remote, expected) in [
        (false, "report: reply to `text` lost: it came too late"),
        (true, "report: handler failed on `text`: the handler was cancelled"),
    ] {
        let log = paused(async { Log::new() });
        paused(async {
            let webhook = webhook(on_store(builder(&log), remote), &log, &[Answers(5_200)]);
            assert!(timeout(Duration::from_secs(5), call(&webhook, &push("text"))).await.is_err());
            sleep(Duration::from_secs(1)).await;
        });
        let text = log.text();
        assert!(text.ends_with(expected) && text.matches(',').count() == 1, "{text}");
    }
}

#[test]
fn a_runtime_that_ends_gives_its_pushes_back() {
    let log = paused(async { Log::new() });
    let store = Arc::new(Memory::new());
    let body = push("text");
    paused(async {
        let webhook = webhook(builder(&log).store(Arc::clone(&store)), &log, &[Answers(60_000)]);
        assert!(timeout(Duration::from_secs(5), call(&webhook, &body)).await.is_err());
    });
    assert!(log.text().ends_with("report: handler failed on `text`: the handler was cancelled"), "{}", log.text());
    let claimed = Memory::claim(&store, DedupKey::of_body(body.as_bytes()), 5_070);
    assert!(matches!(claimed, Claimed::New(claim) if claim.run == 2), "{claimed:?}");
}

#[test]
fn a_run_whose_runtime_is_gone_gives_its_place_and_its_push_back() {
    /// Waits forever.
    struct Waits;
    impl AsyncHandler for Waits {
        async fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
            std::future::pending().await
        }
    }
    let gone = tokio::runtime::Builder::new_current_thread().build().unwrap().handle().clone();
    let store = Arc::new(Memory::new());
    let builder = Webhooks::builder().max_running(1).on_error(OnError::Status500).store(Arc::clone(&store));
    let webhook = builder.runtime(gone).build().account(Endpoint::plain("token").unwrap().on_report(|_| {}), Waits);
    for (run, word) in [(2, "hi"), (2, "ho")] {
        let body = push("text").replace("hi", word);
        // There are no timers either.
        let called = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| paused(call(&webhook, &body)).status));
        assert_ne!(called.unwrap_or_default(), 503, "a place is free");
        let claimed = Memory::claim(&store, DedupKey::of_body(body.as_bytes()), 0);
        assert!(matches!(claimed, Claimed::New(claim) if claim.run == run), "{claimed:?}");
    }
}
