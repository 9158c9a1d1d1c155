//! Requests, accounts, limits, and handlers of other kinds.

use super::*;

#[test]
fn webhooks_with_a_store_in_common_count_from_the_same_moment() {
    paused(async {
        let log = Log::new();
        let store = Arc::new(Memory::builder().shards(1).build());
        let webhook = || webhook(builder(&log).store(Arc::clone(&store)), &log, &[Answers(0)]);
        let old = webhook();
        sleep(Duration::from_secs(61)).await;
        let new = webhook();
        let first = call(&new, &push("text")).await;
        // One more push makes the store evict expired ones.
        call(&old, &push("VIEW")).await;
        assert_eq!(call(&new, &push("text")).await, first);
        assert_eq!(call(&old, &push("text")).await, first);
        assert_eq!(log.text().matches("61000 run").count(), 2, "{}", log.text());
    });
}

#[test]
fn a_clock_may_be_behind_that_of_the_first_webhook() {
    // Whichever test created it: in these runtimes it counts as now.
    for seconds in [100_000, 0] {
        paused(async {
            sleep(Duration::from_secs(seconds)).await;
            let log = Log::new();
            deliver(webhook(builder(&log), &log, &[Answers(6_000)]), log.clone(), push("text"), USUAL).await;
            assert_eq!(log.text(), "0 run, 5000 #1 gone, 6000 #2 reply");
        });
    }
}

#[cfg(feature = "testing")]
#[test]
fn each_delivery_of_a_sealed_push_gets_the_reply_sealed_for_itself() {
    paused(async {
        let log = Log::new();
        let wechat = WeChat::safe("token", "wx5823bf96d3bd56c7", KEY).unwrap();
        let log = Log { wechat: Some(Arc::new(WeChat::safe("token", "wx5823bf96d3bd56c7", KEY).unwrap())), ..log };
        let webhook = webhook(builder(&log), &log, &[Answers(1_000)]);
        let push = wechat.raw(push("text"));
        let mut answers = Vec::new();
        for _ in 0..3 {
            let request = push.request(log.wall());
            let response = webhook.call(request.method, &request.query, &request.body).await;
            let Verdict::Accepted(accepted) = wechat.judge(&request, &response) else { panic!() };
            answers.push((response.body, accepted.message));
        }
        assert!(answers.iter().all(|(_, message)| *message == answers[0].1));
        let mut sealed: Vec<_> = answers.into_iter().map(|(sealed, _)| sealed).collect();
        sealed.sort();
        sealed.dedup();
        assert_eq!((sealed.len(), log.text().matches("run").count()), (3, 1));
    });
}

#[test]
fn one_joiner_too_many_is_turned_away() {
    const SIX: Schedule = &[(0, 5_000), (1, 5_000), (2, 5_000), (3, 5_000), (4, 5_000)];
    check(
        "text",
        |builder| builder.max_joiners(3),
        &[(&[Answers(100)], SIX, "0 run, 4 #5 503, 100 #1 reply, 100 #2 reply, 100 #3 reply, 100 #4 reply")],
    );
}

#[test]
fn one_handler_too_many_is_turned_away_and_its_push_is_new_to_the_next_delivery() {
    paused(async {
        let log = Log::new();
        let webhook = webhook(builder(&log).max_running(1), &log, &[Answers(1_000)]);
        let running = tokio::spawn({
            let webhook = webhook.clone();
            async move { call(&webhook, &push("text")).await.status }
        });
        sleep(Duration::from_millis(1)).await;
        assert_eq!(call(&webhook, &push("VIEW")).await.status, 503);
        assert_eq!(running.await.unwrap(), 200);
        assert_eq!(call(&webhook, &push("VIEW")).await.status, 200);
        assert!(log.text().starts_with("0 run, 1 failed: 1 handlers are running already, 1000 run"), "{}", log.text());
    });
}

#[test]
fn a_store_that_refuses_makes_503_and_a_failure() {
    paused(async {
        let log = Log::new();
        let webhook = webhook(builder(&log).store(Memory::builder().entries(1).build()), &log, &[Answers(1_000)]);
        let (first, second) = (push("text"), push("VIEW"));
        let (first, second) = tokio::join!(call(&webhook, &first), call(&webhook, &second));
        assert_eq!((first.status, second.status), (200, 503));
        assert_eq!(log.text(), format!("0 failed: {}, 0 run", Refusal::Full));
    });
}

#[cfg(feature = "redis")]
#[test]
fn without_its_redis_a_push_is_handled_or_refused_as_the_store_is_told() {
    use wechat_events::store::{Redis, WhenDown};

    for (when_down, status, happens) in [
        (None, 200, "run"),
        (Some(WhenDown::Handle), 200, "run"),
        (Some(WhenDown::Refuse), 503, "failed: the store cannot be reached"),
    ] {
        // Not paused: there are sockets.
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let log = Log::new();
            // Nobody listens there, and no other test's server will.
            let redis = Redis::builder("").on_status(|_| {});
            let redis = when_down.into_iter().fold(redis, |redis, when_down| redis.when_down(when_down));
            let webhooks = builder(&log).store(redis.connect("redis://127.0.0.1:1/").unwrap()).build();
            let webhook = webhooks.account(endpoint(&log), script(&log, &[Answers(0)]));
            let response = call(&webhook, &push("text")).await;
            webhooks.shutdown(Duration::from_secs(5)).await;
            assert_eq!(response.status, status, "{when_down:?}");
            assert_eq!(response.body.starts_with(b"<xml>"), status == 200, "{when_down:?}");
            let found: Vec<_> = log.lines.lock().unwrap().iter().map(|(_, what)| what.clone()).collect();
            assert_eq!(found, [happens], "{when_down:?}");
        });
    }
}

#[test]
fn an_authentic_push_that_is_none_is_answered_success_and_reported_once() {
    for body in ["", "hello", "<xml><a></xml>", "<xml><ToUserName>gh_1</ToUserName></xml>"] {
        paused(async {
            let log = Log::new();
            let webhook = webhook(builder(&log), &log, &[Answers(0)]);
            for _ in 0..2 {
                let response = call(&webhook, body).await;
                assert_eq!((response.status, &*response.body), (200, &b"success"[..]));
            }
            let error = parse_event(body.as_bytes()).unwrap_err();
            assert_eq!(log.text(), format!("0 failed: authentic, but not a valid push: {error}"));
        });
    }
}

#[test]
fn what_is_no_push_is_answered_as_the_endpoint_answers_it() {
    paused(async {
        let log = Log::new();
        let webhook = webhook(builder(&log), &log, &[Answers(0)]);
        let query = query("token", "1700000000", "486452656");
        let check = webhook.call("GET", &format!("{query}&echostr=7159843612345678901"), b"").await;
        assert_eq!((check.status, &*check.body), (200, &b"7159843612345678901"[..]));
        let probe = webhook.call("POST", "", b"<xml><action>CheckContainerPath</action></xml>").await;
        assert_eq!((probe.status, &*probe.body), (200, &b"success"[..]));
        assert_eq!(webhook.call("POST", &query.replace("nonce=4", "nonce=5"), b"<xml/>").await.status, 403);
        assert_eq!(webhook.call("PUT", &query, b"<xml/>").await.status, 405);
        let report = "0 report: request refused with status";
        assert!(log.text().starts_with(report) && !log.text().contains("run"), "{}", log.text());
    });
}

#[test]
fn accounts_share_the_store_the_bounds_and_the_shutdown_but_not_the_handler() {
    paused(async {
        let log = Log::new();
        let webhooks = builder(&log).max_running(1).build();
        let shop = webhooks.account(endpoint(&log), script(&log, &[Answers(1_000)]));
        let other = Endpoint::plain("other").unwrap().on_report(|_| {});
        let support = webhooks.account(other, script(&log, &[Succeeds(0)]));
        let query = query("other", "1700000000", "486452656");
        let busy = tokio::spawn({
            let shop = shop.clone();
            async move { call(&shop, &push("text")).await }
        });
        sleep(Duration::from_millis(1)).await;
        assert_eq!(support.call("POST", &query, push("VIEW").as_bytes()).await.status, 503);
        assert_eq!(busy.await.unwrap().status, 200);
        assert_eq!(support.call("POST", &query, push("VIEW").as_bytes()).await.body, b"success");
        assert_eq!(call(&support, &push("VIEW")).await.status, 403);
        webhooks.shutdown(Duration::ZERO).await;
        let another = push("text").replace("hi", "ho");
        assert_eq!(call(&shop, &another).await.status, 503);
    });
}

/// Replies with the name of its thread, and keeps late replies and failures.
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn thread() -> String {
        std::thread::current().name().unwrap_or_default().to_owned()
    }
}

impl Handler for Notes {
    fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
        match event.field("Content").as_deref() {
            Some("hi") => Ok(Reply::text(Notes::thread())),
            Some("fail") => Err("out of\nstock".into()),
            Some("slow") => {
                std::thread::sleep(Duration::from_millis(100));
                Ok(Reply::text("at last"))
            }
            _ => panic!("out of luck"),
        }
    }
    fn late(&self, event: &Event<'_>, reply: &Reply) -> Told {
        self.0.lock().unwrap().push(format!("{}: late for {}: {reply:?}", Notes::thread(), event.from_user));
        Ok(())
    }
    fn failed(&self, failure: &Failure) -> Told {
        self.0.lock().unwrap().push(format!("{}: {failure}", Notes::thread()));
        Ok(())
    }
}

#[test]
fn a_blocking_handler_runs_on_another_thread_and_its_errors_and_panics_are_its_own() {
    quiet_panics();
    // Not paused: blocking threads have a clock of their own.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().thread_name("blocks").build().unwrap().block_on(async {
        let (log, told) = (Log::new(), Arc::default());
        let builder = builder(&log).on_error(OnError::Status500).policy(Policy::Acknowledge);
        let webhooks = builder.acknowledge_after(Duration::from_millis(50)).wall_clock(|| EPOCH).build();
        let webhook = webhooks.account(endpoint(&log), Blocking(Notes(Arc::clone(&told))));
        let response = call(&webhook, &push("text")).await;
        let event = push("text");
        let expected = Reply::text("blocks").write(&parse_event(event.as_bytes()).unwrap(), EPOCH).body;
        assert_eq!(String::from_utf8(response.body).unwrap(), expected);
        for word in ["fail", "panic"] {
            assert_eq!(call(&webhook, &push("text").replace("hi", word)).await.status, 500);
        }
        assert_eq!(call(&webhook, "hello").await.status, 200);
        assert_eq!(call(&webhook, &push("text").replace("hi", "slow")).await.body, b"success");
        webhooks.shutdown(Duration::from_secs(30)).await;
        let length = push("text").len() - "hi".len();
        let mut expected = [
            format!(r"blocks: push of {} bytes failed in run 1: out of\nstock", length + 4),
            format!("blocks: push of {} bytes failed in run 1: the handler panicked: out of luck", length + 5),
            format!(
                "blocks: push of 5 bytes not run: authentic, but not a valid push: {}",
                parse_event(b"hello").unwrap_err()
            ),
            format!("blocks: late for o_1: {:?}", Reply::text("at last")),
        ];
        // Each is told on a thread of its own.
        let mut told = told.lock().unwrap().clone();
        told.sort();
        expected.sort();
        assert_eq!(told, expected);
        assert_eq!(log.text(), "");
    });
}

#[test]
fn no_task_outlives_a_run_whose_reply_its_delivery_has_carried() {
    for remote in [false, true] {
        paused(async {
            let log = Log::new();
            let webhook = webhook(on_store(builder(&log), remote), &log, &[Answers(1_000)]);
            assert!(call(&webhook, &push("text")).await.body.starts_with(b"<xml>"));
            drop(webhook);
            sleep(Duration::from_millis(1)).await;
            // The handler has one, and so have its hooks.
            assert_eq!((log.now(), Arc::strong_count(&log.lines)), (1_001, 1));
        });
    }
}

#[test]
fn no_task_outlives_a_run_whose_reply_another_delivery_of_its_process_has_carried() {
    for remote in [false, true] {
        paused(async {
            let log = Log::new();
            let webhook = webhook(on_store(builder(&log), remote), &log, &[Answers(6_000)]);
            assert!(timeout(Duration::from_secs(5), call(&webhook, &push("text"))).await.is_err());
            assert!(call(&webhook, &push("text")).await.body.starts_with(b"<xml>"));
            drop(webhook);
            sleep(Duration::from_millis(1)).await;
            assert_eq!((log.now(), Arc::strong_count(&log.lines)), (6_001, 1));
        });
    }
}

#[test]
fn many_deliveries_of_one_push_on_many_threads_are_one_run() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    runtime.block_on(async {
        for takes in [0, 20] {
            let log = Log::new();
            let does: &'static [Does] = if takes == 0 { &[Answers(0)] } else { &[Answers(20)] };
            let webhook = webhook(builder(&log).max_joiners(1_000), &log, does);
            let calls = (0..200).map(|_| {
                let webhook = webhook.clone();
                tokio::spawn(async move { call(&webhook, &push("text")).await.body })
            });
            let mut bodies = Vec::new();
            for call in calls.collect::<Vec<_>>() {
                bodies.push(call.await.unwrap());
            }
            bodies.dedup();
            assert_eq!((bodies.len(), log.text().matches("run").count()), (1, 1));
            assert!(bodies[0].starts_with(b"<xml>"));
        }
    });
}

#[test]
fn a_store_keeps_the_bytes_of_the_answer_and_a_retry_gets_every_one_of_them() {
    const XML: &str = "<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1&lt;]]&gt;</FromUserName>\
                       <CreateTime>1</CreateTime><MsgType>text</MsgType><Content>NAME</Content></xml>";
    #[cfg(feature = "json")]
    const JSON: &str =
        r#"{"ToUserName":"gh_1","FromUserName":"o\"1","CreateTime":1,"MsgType":"text","Content":"NAME"}"#;

    /// Answers with the reply that the text names.
    struct Names;
    impl Handler for Names {
        fn text(&self, _: &Event<'_>, text: &wechat_events::event::Text<'_>) -> HandlerResult {
            Ok(match &*text.content {
                "text" => Reply::text("<b> ]]> 你好"),
                "image" => Reply::image("7"),
                "transfer" => Reply::transfer_customer_service(),
                "success" => Reply::Success,
                _ => Reply::Empty,
            })
        }
    }

    paused(async {
        for name in ["text", "image", "transfer", "success", "empty"] {
            #[cfg(feature = "json")]
            let pushes = [XML, JSON];
            #[cfg(not(feature = "json"))]
            let pushes = [XML];
            for push in pushes {
                let (memory, wall) = (Arc::new(Memory::new()), AtomicI64::new(EPOCH));
                let webhooks = Webhooks::builder().store(Arc::clone(&memory));
                let webhooks = webhooks.wall_clock(move || wall.fetch_add(1, Ordering::Relaxed)).build();
                let webhook = webhooks.account(Endpoint::plain("token").unwrap(), Blocking(Names));
                let body = push.replace("NAME", name);
                let first = call(&webhook, &body).await;
                assert_eq!(call(&webhook, &body).await, first);
                assert_eq!(memory.bytes(), first.body.len());
            }
        }
    });
}
