//! What no delivery carries: late replies, failures, and code that panics or hangs.

use super::*;

#[test]
fn what_a_wrapper_does_not_hand_on_is_reported() {
    quiet_panics();
    for (does, reported) in [
        (&[Answers(6_000)] as &[_], "6000 report: reply to `text` lost: it came too late"),
        (&[Fails(6_000)], "6000 report: handler failed on `text`: out of stock"),
        (&[Panics(6_000)], "6000 report: handler failed on `text`: the handler panicked: out of luck"),
    ] {
        paused(async {
            let log = Log::new();
            let webhooks = builder(&log).policy(Policy::Acknowledge).build();
            let webhook = webhooks.account(endpoint(&log), Forwards(script(&log, does)));
            assert_eq!(call(&webhook, &push("text")).await.body, b"success");
            sleep(Duration::from_secs(60)).await;
            assert_eq!(log.text(), format!("0 run, {reported}"));
        });
    }
}

/// Answers with a text that is longer than a reply may be, after as many milliseconds.
pub(super) struct Long(pub(super) u64, pub(super) Log);

pub(super) const CUT: &str = "report: reply to `text` not written as asked: Content is 3000 bytes long, WeChat takes \
                              2047: it was cut, see Reply::to_custom_messages";

impl AsyncHandler for Long {
    async fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
        sleep(Duration::from_millis(self.0)).await;
        Ok(Reply::text("x".repeat(3_000)))
    }
    async fn late(&self, _: &Event<'_>, reply: &Reply) -> Told {
        let Reply::Text(text) = reply else { panic!() };
        self.1.add(format!("late with {}", text.content.len()));
        Ok(())
    }
}

#[test]
fn a_long_text_is_reported_as_cut_where_a_delivery_carries_it_and_comes_whole_to_late() {
    for (takes, policy, expected) in [
        (1_000, Policy::Hold, vec![format!("1000 {CUT}")]),
        (7_000, Policy::Hold, vec![format!("7000 {CUT}")]),
        (20_000, Policy::Hold, vec!["20000 late with 3000".to_owned()]),
        (6_000, Policy::Acknowledge, vec!["6000 late with 3000".to_owned()]),
    ] {
        for remote in [false, true] {
            paused(async {
                let log = Log::new();
                let webhooks = on_store(builder(&log).policy(policy), remote).build();
                let webhook = webhooks.account(endpoint(&log), Long(takes, log.clone()));
                for came in [0, 5_000, 10_000] {
                    sleep_until(log.start + Duration::from_millis(came)).await;
                    let answer = timeout(Duration::from_millis(5_000), call(&webhook, &push("text"))).await;
                    if answer.is_ok_and(|response| response.status == 200) {
                        break;
                    }
                }
                sleep(Duration::from_secs(60)).await;
                assert_eq!(log.text(), expected.join(", "), "{takes} {policy:?} {remote}");
            });
        }
    }
}

/// What `late` and `failed` do.
#[derive(Clone, Copy)]
enum Tells {
    Panics,
    Fails,
    Hangs,
}

/// A script whose `late` and `failed` do not take what they are given.
struct Untaken(Script, Tells);

impl Untaken {
    async fn tell(&self) -> Told {
        self.0.log.add("told");
        match self.1 {
            Tells::Panics => panic!("out of luck"),
            Tells::Fails => Err("no network".into()),
            Tells::Hangs => std::future::pending().await,
        }
    }
}

impl AsyncHandler for Untaken {
    async fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
        event.dispatch_async(&self.0).await
    }
    async fn late(&self, _: &Event<'_>, _: &Reply) -> Told {
        self.tell().await
    }
    async fn failed(&self, _: &Failure) -> Told {
        self.tell().await
    }
}

#[test]
fn what_late_and_failed_do_not_take_is_reported_with_the_reason_and_harms_nobody() {
    quiet_panics();
    const LATE: &str = "report: reply to `text` lost: it came too late";
    const FAILED: &str = "report: handler failed on `text`: out of stock";
    for (does, what) in [(&[Answers(6_000)] as &[_], LATE), (&[Fails(6_000)], FAILED)] {
        for (tells, at, why) in [
            (Tells::Panics, 6_000, "report: handler failed on `text`: the handler panicked: out of luck"),
            (Tells::Fails, 6_000, "report: handler failed on `text`: no network"),
            (Tells::Hangs, 16_000, "report: handler failed on `text`: the handler did not end within 10 s"),
        ] {
            paused(async {
                let log = Log::new();
                let webhooks = builder(&log).policy(Policy::Acknowledge).max_run(Duration::from_secs(10)).build();
                let webhook = webhooks.account(endpoint(&log), Untaken(script(&log, does), tells));
                assert_eq!(call(&webhook, &push("text")).await.body, b"success");
                sleep(Duration::from_secs(60)).await;
                webhooks.shutdown(Duration::ZERO).await;
                let lines =
                    log.lines.lock().unwrap().iter().map(|(at, what)| format!("{at} {what}")).collect::<Vec<_>>();
                assert_eq!(lines, ["0 run", "6000 told", &format!("{at} {what}"), &format!("{at} {why}")]);
                assert_eq!(log.now(), 64_500, "nothing is left to wait for");
            });
        }
    }
}

#[test]
fn a_handler_that_never_ends_gives_its_place_back() {
    check(
        "text",
        |builder| builder.max_run(Duration::from_secs(12)),
        &[(
            &[Answers(60_000), Answers(0)],
            USUAL,
            "0 run, 5000 #1 gone, 10070 #2 gone, 12000 #3 reply of run 2, 12000 failed: the handler did not end within 12 s, 12000 run",
        )],
    );
    paused(async {
        let log = Log::new();
        let webhook = webhook(builder(&log).max_running(1), &log, &[Answers(1_000_000), Answers(0)]);
        assert!(timeout(Duration::from_secs(5), call(&webhook, &push("text"))).await.is_err());
        let another = push("text").replace("hi", "ho");
        sleep_until(log.start + Duration::from_millis(599_999)).await;
        assert_eq!(call(&webhook, &another).await.status, 503);
        sleep(Duration::from_millis(2)).await;
        assert_eq!(call(&webhook, &another).await.status, 200);
        assert_eq!(
            log.text(),
            "0 run, 599999 failed: 1 handlers are running already, \
             600000 failed: the handler did not end within 600 s, 600001 run"
        );
    });
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("a hook panics");
        }
    }
}

/// Panics with a bomb, or holds one while it waits.
struct Bombs(Log);

impl AsyncHandler for Bombs {
    async fn text(&self, _: &Event<'_>, _: &wechat_events::event::Text<'_>) -> HandlerResult {
        sleep(Duration::from_secs(1)).await;
        std::panic::panic_any(Bomb)
    }
    async fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
        let _bomb = Bomb;
        sleep(Duration::from_secs(30)).await;
        Ok(Reply::Success)
    }
    async fn failed(&self, failure: &Failure) -> Told {
        self.0.add(format!("failed: {}", failure.cause));
        Ok(())
    }
}

#[test]
fn what_is_left_of_a_handler_that_panicked_or_is_cancelled_may_panic_as_it_is_dropped() {
    quiet_panics();
    paused(async {
        let log = Log::new();
        let webhooks = builder(&log).max_run(Duration::from_secs(10)).on_error(OnError::Status500).build();
        let webhook = webhooks.account(endpoint(&log), Bombs(log.clone()));
        assert_eq!(call(&webhook, &push("text")).await.status, 500);
        assert_eq!(call(&webhook, &push("VIEW")).await.body, b"success");
        sleep(Duration::from_secs(60)).await;
        webhooks.shutdown(Duration::ZERO).await;
        assert_eq!(
            log.text(),
            "1000 failed: the handler panicked: the message is not a string, 11000 failed: the handler did not end within 10 s"
        );
        assert_eq!(log.now(), 65_500, "nothing is left to wait for");
    });
}

#[test]
fn a_clock_or_an_interim_reply_that_panics_harms_nobody() {
    quiet_panics();
    paused(async {
        let log = Log::new();
        let builder = Webhooks::builder().wall_clock(|| panic!("a hook panics"));
        let builder = builder.policy(Policy::Acknowledge).interim_with(|_| panic!("a hook panics"));
        let webhook = webhook(builder, &log, &[Answers(6_000)]);
        assert_eq!(call(&webhook, &push("text")).await.body, b"success");
        sleep(Duration::from_secs(60)).await;
        assert_eq!(log.text(), "0 run, 6000 late");
    });
}

#[test]
fn pushes_that_are_not_run_are_told_in_bounded_room_and_else_reported() {
    struct Slow(Log);
    impl AsyncHandler for Slow {
        async fn failed(&self, _: &Failure) -> Told {
            sleep(Duration::from_secs(1)).await;
            self.0.add("told");
            Ok(())
        }
    }
    paused(async {
        let log = Log::new();
        let webhook = builder(&log).max_running(0).build().account(endpoint(&log), Slow(log.clone()));
        for number in 0..20 {
            assert_eq!(call(&webhook, &push("text").replace("hi", &number.to_string())).await.status, 503);
        }
        sleep(Duration::from_secs(60)).await;
        let reported = "0 report: handler failed on `text`: 0 handlers are running already";
        assert_eq!((log.text().matches(reported).count(), log.text().matches("1000 told").count()), (4, 16));
    });
}
