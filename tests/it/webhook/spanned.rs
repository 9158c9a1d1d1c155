//! The fields of a delivery's span.

use super::machines::Node;
use super::*;
use crate::spans::Spans;

#[test]
fn a_span_for_each_delivery_says_what_became_of_it_and_no_secret() {
    let spans = Spans::default();
    spans.of(|| {
        paused(async {
            let log = Log::new();
            let webhook = webhook(builder(&log).on_error(OnError::Status500), &log, &[Fails(0), Answers(6_000)]);
            deliver(webhook, log, push("text"), USUAL).await;
        });
    });
    assert_eq!(
        spans.lines(),
        [
            r#"wechat_push kind="text" push="afb7de6b" account="gh_1" delivery=1 outcome="failed" left_ms=5000"#,
            r#"wechat_push kind="text" push="afb7de6b" account="gh_1" delivery=2 outcome="gone" left_ms=0"#,
            r#"wechat_push kind="text" push="afb7de6b" account="gh_1" delivery=3 joined=true outcome="answered" left_ms=4010"#,
        ]
    );
}

#[test]
fn every_way_out_of_a_delivery_has_its_word() {
    const HELD_BY_A_PROXY: Schedule = &[(0, 60_000)];
    const TWO: Schedule = &[(0, 5_000), (100, 5_000)];
    let cases: [(Settings, &'static [Does], Schedule, &[&str]); 7] = [
        (|builder| builder.policy(Policy::Acknowledge), &[Answers(6_000)], HELD_BY_A_PROXY, &["acknowledged 500"]),
        (|builder| builder, &[Answers(60_000)], HELD_BY_A_PROXY, &["held -1000"]),
        (|builder| builder, &[Answers(5_500)], HELD_BY_A_PROXY, &["hung up -500"]),
        (|builder| builder.max_running(0), &[Answers(0)], HELD_BY_A_PROXY, &["busy 5000"]),
        (
            |builder| builder.store(Node { store: Arc::default(), killed: Arc::new(AtomicBool::new(true)) }),
            &[Answers(0)],
            HELD_BY_A_PROXY,
            &["refused 5000"],
        ),
        (|builder| builder.max_joiners(0), &[Answers(1_000)], TWO, &["answered 4000", "too many joiners 5000"]),
        (|builder| builder.on_error(OnError::Status500), &[Fails(0)], HELD_BY_A_PROXY, &["failed 5000"]),
    ];
    for (settings, does, schedule, expected) in cases {
        let spans = Spans::default();
        spans.of(|| {
            paused(async {
                let log = Log::new();
                deliver(webhook(settings(builder(&log)), &log, does), log, push("text"), schedule).await;
            });
        });
        let line = |told: &str| {
            let (outcome, left) = told.rsplit_once(' ').unwrap();
            let known = r#"wechat_push kind="text" push="afb7de6b" account="gh_1" delivery=1"#;
            format!("{known} outcome={outcome:?} left_ms={left}")
        };
        assert_eq!(spans.lines(), expected.iter().map(|told| line(told)).collect::<Vec<_>>());
    }
    let spans = Spans::default();
    spans.of(|| {
        paused(async {
            let log = Log::new();
            let webhook = webhook(builder(&log).policy(Policy::Acknowledge), &log, &[Answers(5_000)]);
            call(&webhook, &push("text")).await;
            sleep(Duration::from_secs(1)).await;
            call(&webhook, &push("text")).await;
            webhook.shutdown(Duration::ZERO).await;
            call(&webhook, "hello").await;
        });
    });
    let lines = spans.lines();
    assert!(lines[1].ends_with(r#"delivery=2 joined=true outcome="late" left_ms=5000"#), "{lines:?}");
    let no_push = DedupKey::of_body(b"hello").to_string();
    let closing = format!(r#"wechat_push push="{}" delivery=1 outcome="closing" left_ms=5000"#, &no_push[..8]);
    assert_eq!(lines[2], closing);
}

#[test]
fn what_is_seen_for_2_5_s_is_at_its_second_delivery() {
    const EARLY: Schedule = &[(0, 100), (2_499, 7_000)];
    const LATE: Schedule = &[(0, 100), (2_500, 7_000)];
    for (schedule, second) in [
        (EARLY, r#"delivery=1 joined=true outcome="answered" left_ms=4499"#),
        (LATE, r#"delivery=2 joined=true outcome="answered" left_ms=4500"#),
    ] {
        let spans = Spans::default();
        spans.of(|| {
            paused(async {
                let log = Log::new();
                deliver(webhook(builder(&log), &log, &[Answers(3_000)]), log, push("text"), schedule).await;
            });
        });
        assert_eq!(
            spans.lines(),
            [
                r#"wechat_push kind="text" push="afb7de6b" account="gh_1" delivery=1 outcome="gone" left_ms=4900"#,
                &format!(r#"wechat_push kind="text" push="afb7de6b" account="gh_1" {second}"#),
            ]
        );
    }
}

/// Its deliveries come at ever larger distances over hours, so that its age tells nothing.
#[test]
fn a_payment_says_itself_which_delivery_it_is() {
    let spans = Spans::default();
    spans.of(|| {
        paused(async {
            let log = Log::new();
            let webhook = webhook(builder(&log), &log, &[Fails(0)]);
            for counted in
                ["<RetryTimes>0</RetryTimes>", "<RetryTimes>3</RetryTimes>", "<RetryTimes>15</RetryTimes>", ""]
            {
                let body = "<xml><MsgType>event</MsgType><Event>xpay_goods_deliver_notify</Event></xml>";
                call(&webhook, &body.replace("</xml>", &format!("{counted}</xml>"))).await;
            }
        });
    });
    let told = spans.lines().into_iter().map(|line| {
        let fields = line.split(' ').filter(|field| !field.starts_with("push="));
        fields.collect::<Vec<_>>().join(" ")
    });
    let line =
        |delivery| format!(r#"wechat_push kind="xpay_goods_deliver_notify"{delivery} outcome="failed" left_ms=3000"#);
    let deliveries = [" delivery=1", " delivery=4", " delivery=16", ""];
    assert_eq!(told.collect::<Vec<_>>(), deliveries.map(line));
}

/// Records the spans that it is within, before it waits and afterwards.
struct Looks(Spans, Arc<Mutex<Vec<Vec<u64>>>>);

impl AsyncHandler for Looks {
    async fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
        let Looks(spans, seen) = self;
        seen.lock().unwrap().push(spans.within());
        sleep(Duration::from_millis(5_500)).await;
        seen.lock().unwrap().push(spans.within());
        Ok(Reply::text("of run 1"))
    }
}

#[test]
fn a_handler_runs_within_the_span_of_its_delivery_and_goes_on_there_when_another_has_joined() {
    let (spans, seen) = (Spans::default(), Arc::default());
    spans.of(|| {
        paused(async {
            let log = Log::new();
            let webhook = builder(&log).build().account(endpoint(&log), Looks(spans.clone(), Arc::clone(&seen)));
            let body = push("text");
            let second = async {
                sleep(Duration::from_millis(5_070)).await;
                call(&webhook, &body).await
            };
            tokio::join!(call(&webhook, &body), second);
        });
    });
    assert_eq!(*seen.lock().unwrap(), [[1], [1]]);
    assert_eq!(
        spans.lines(),
        [
            r#"wechat_push kind="text" push="afb7de6b" account="gh_1" delivery=1 outcome="hung up" left_ms=-500"#,
            r#"wechat_push kind="text" push="afb7de6b" account="gh_1" delivery=2 joined=true outcome="answered" left_ms=4570"#,
        ]
    );
}

/// The events of the runs of one push, on WeChat's schedule.
fn runs(settings: Settings, does: &'static [Does]) -> Vec<String> {
    let spans = Spans::default();
    spans.of(|| {
        paused(async {
            let log = Log::new();
            deliver(webhook(settings(builder(&log)), &log, does), log, push("text"), USUAL).await;
        });
    });
    spans.events()
}

#[test]
fn each_run_and_each_late_reply_is_an_event() {
    quiet_panics();
    assert_eq!(
        runs(|builder| builder, &[Fails(1_000), Panics(500), Answers(20_000)]),
        [
            r#"wechat_run message=handler ended kind="text" run=1 result="failed" seconds=1.0"#,
            r#"wechat_run message=handler ended kind="text" run=2 result="panicked" seconds=0.5"#,
            r#"wechat_run message=handler ended kind="text" run=3 result="replied" seconds=20.0"#,
            r#"wechat_late message=reply too late for a delivery kind="text""#,
        ]
    );
    let limited: Settings = |builder| builder.max_run(Duration::from_secs(2)).on_error(OnError::Acknowledge);
    let too_long = r#"wechat_run message=handler ended kind="text" run=1 result="too long" seconds=2.0"#;
    assert_eq!(runs(limited, &[Answers(60_000)]), [too_long]);
}

#[test]
fn a_run_that_is_cancelled_is_told_once_also_where_its_runtime_ends() {
    let begin = |shutdown: bool| {
        let spans = Spans::default();
        spans.of(|| {
            paused(async {
                let log = Log::new();
                let webhook = webhook(builder(&log), &log, &[Answers(60_000)]);
                let _ = timeout(Duration::from_secs(1), call(&webhook, &push("text"))).await;
                if shutdown {
                    webhook.shutdown(Duration::ZERO).await;
                }
            });
        });
        spans.events()
    };
    assert_eq!(begin(true), [r#"wechat_run message=handler ended kind="text" run=1 result="cancelled" seconds=1.0"#]);
    let [dropped] = &*begin(false) else { panic!("{:?}", begin(false)) };
    // Its clock has ended too.
    let cancelled = r#"wechat_run message=handler ended kind="text" run=1 result="cancelled" seconds="#;
    assert!(dropped.starts_with(cancelled), "{dropped}");
}
