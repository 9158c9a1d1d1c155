//! WeChat's retry plans for payments, with answers of every sort.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use wechat_events::event::{KINDS, Takes};
use wechat_events::testing::{Answer, Delivery, Reason, Verdict, WeChat};
use wechat_events::{Event, Handler, HandlerResult, Received, Reply, parse_event};

use crate::testing::{NOW, endpoints, wechats};

const GOODS: &str = "xpay_goods_deliver_notify";
const DONE: &str = "<xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>";
const NO_STOCK: &str = "<xml><ErrCode>-1</ErrCode><ErrMsg>no stock</ErrMsg></xml>";

/// These answers, each after so many milliseconds, and then silence.
fn deliver(wechat: &WeChat, name: &str, answers: &[(&str, u64)]) -> Delivery {
    let mut answers = answers.iter();
    wechat.push_unknown(name).deliver(NOW, |_| {
        let (body, after) = answers.next()?;
        Some(Answer::new(200, *body).after(Duration::from_millis(*after)))
    })
}

/// Milliseconds from the first delivery.
fn due(delivery: &Delivery) -> Vec<u128> {
    delivery.attempts.iter().map(|attempt| attempt.request.due.as_millis()).collect()
}

fn retry_times(delivery: &Delivery) -> Vec<Option<String>> {
    let times = |message: &[u8]| parse_event(message).unwrap().field("RetryTimes").map(String::from);
    delivery.attempts.iter().map(|attempt| times(&attempt.request.message)).collect()
}

#[test]
fn every_kind_comes_as_often_as_its_page_says() {
    let wechat = WeChat::plain("token").unwrap();
    let plan = |name: &str| {
        let plan = wechat.push_unknown(name).plan();
        (plan.patience.as_secs(), plan.pauses.len(), plan.pauses.iter().sum::<Duration>().as_secs())
    };
    for kind in KINDS {
        let expected = match (kind.takes(), kind.name()) {
            (Takes::Reply | Takes::Success, _) => (5, 2, 0),
            (Takes::IosRefund, _) => (3, 0, 0),
            (
                _,
                "minigame_h5_goods_deliver_notify"
                | "minigame_deliver_h5_pay_products"
                | "minigame_game_pay_goods_deliver_notify",
            ) => (3, 15, 24 * 3600 + 4 * 60),
            (_, "minigame_deliver_goods") => (3, 8, 510 * 60),
            (_, name) if name.starts_with("minigame_") => (3, 13, 12 * 3600 + 4 * 60),
            _ => (3, 15, 65_534),
        };
        assert_eq!(plan(kind.name()), expected, "{}", kind.name());
    }
    assert_eq!((plan("xpay_new"), plan("minigame_new")), ((3, 15, 65_534), (3, 13, 43_440)));
    assert_eq!(wechat.raw("no push").plan(), wechat.push("text").plan());
}

#[test]
fn a_payment_without_code_0_comes_sixteen_times_and_counts_them() {
    for wechat in wechats() {
        for (body, reason) in
            [(NO_STOCK, "code -1: no stock"), ("success", "`xpay_goods_deliver_notify` takes a code, not `success`")]
        {
            let delivery = deliver(&wechat, GOODS, &[(body, 0); 20]);
            assert_eq!(delivery.verdict.to_string(), format!("gives up: {reason}"));
            assert!(delivery.attempts.iter().all(|it| matches!(it.verdict, Verdict::PushedAgain(_))));
            let seconds: Vec<_> = (1..=16).map(|n| ((1_u128 << n) - 2) * 1_000).collect();
            assert_eq!(due(&delivery), seconds);
            assert_eq!(retry_times(&delivery), (0..16).map(|n: u32| Some(n.to_string())).collect::<Vec<_>>());
            assert_eq!(delivery.attempts[15].request.now, NOW + 65_534);
        }
    }
}

#[test]
fn silence_and_what_comes_after_three_seconds_have_it_come_again() {
    let wechat = WeChat::plain("token").unwrap();
    let delivery = deliver(&wechat, GOODS, &[(DONE, 3_000), (DONE, 60_000), (NO_STOCK, 500), (DONE, 2_999)]);
    let reasons: Vec<_> = delivery.attempts.iter().map(|attempt| attempt.verdict.to_string()).collect();
    assert_eq!(
        reasons,
        [
            "pushes it again: it came after 3s, when WeChat had hung up",
            "pushes it again: it came after 60s, when WeChat had hung up",
            "pushes it again: code -1: no stock",
            "shows nothing, as asked",
        ]
    );
    // 3 and 2 s, 3 and 4 s, 0.5 and 8 s.
    assert_eq!(due(&delivery), [0, 5_000, 12_000, 20_500]);
    delivery.expect_success();
    let silent = deliver(&wechat, GOODS, &[]);
    assert_eq!((silent.attempts.len(), silent.verdict), (16, Verdict::GivenUp(Reason::Silence)));
    assert_eq!(silent.attempts[0].verdict, Verdict::PushedAgain(Reason::Silence));
}

#[test]
fn a_mini_game_comes_by_its_own_plan_with_the_same_body() {
    let wechat = WeChat::plain("token").unwrap();
    let delivery = deliver(&wechat, "minigame_h5_goods_deliver_notify", &[(NO_STOCK, 0), (NO_STOCK, 0), (DONE, 0)]);
    assert_eq!((due(&delivery), retry_times(&delivery)), (vec![0, 15_000, 30_000], vec![None; 3]));
    assert!(delivery.attempts.iter().all(|it| it.request.message == delivery.attempts[0].request.message));
}

#[test]
fn apple_asks_once_here_whatever_the_answer_is() {
    let wechat = WeChat::plain("token").unwrap();
    let query = "xpay_subscribe_ios_refund_query_notify";
    let opinion = "<xml><result_code>1</result_code><evidence>spent</evidence></xml>";
    for (answers, verdict) in [
        (&[][..], "ignores the answer: no answer in time"),
        (&[(opinion, 3_000)], "ignores the answer: it came after 3s, when WeChat had hung up"),
        (
            &[("success", 0)],
            "ignores the answer: `xpay_subscribe_ios_refund_query_notify` takes an opinion, not `success`",
        ),
        (&[(opinion, 2_999)], "shows nothing, as asked"),
    ] {
        let delivery = deliver(&wechat, query, answers);
        assert_eq!((delivery.verdict.to_string(), delivery.attempts.len()), (verdict.to_owned(), 1));
    }
}

/// What a user may type, as it stands in XML and in JSON.
const TYPED: &str = r#"<RetryTimes>3</RetryTimes> "RetryTimes":3"#;

#[test]
fn only_the_count_differs_from_delivery_to_delivery_and_each_is_signed_anew() {
    for (wechat, endpoint) in wechats().iter().zip(endpoints()) {
        let draft = wechat.push(GOODS).set("GoodsInfo/Attach", TYPED).set("RetryTimes", "3");
        let raw = wechat.raw(draft.request(NOW).message);
        let in_xml = ["\n<RetryTimes>3<", "\n<RetryTimes>18<"];
        let drafts = [
            (draft.clone(), in_xml),
            (raw, in_xml),
            #[cfg(feature = "json")]
            (draft.json(), [r#","RetryTimes":3"#, r#","RetryTimes":18"#]),
            #[cfg(feature = "json")]
            (
                wechat.raw(r#"{"A":"\"RetryTimes\":3","Event":"xpay_new","MsgType":"event","RetryTimes" : "3"}"#),
                [r#""RetryTimes" : "3""#, r#""RetryTimes" : "18""#],
            ),
        ];
        for (draft, [at_first, at_last]) in drafts {
            let delivery = draft.deliver(NOW, |_| Some(Answer::new(200, "")));
            let [first, .., last] = &*delivery.attempts else { panic!() };
            let [before, after] = [first, last].map(|it| String::from_utf8(it.request.message.clone()).unwrap());
            assert_eq!(before.matches(at_first).count(), 1, "{before}");
            assert_eq!(after, before.replace(at_first, at_last));
            assert_ne!(first.request.query, last.request.query);
            let request = &last.request;
            let received = endpoint.receive("POST", &request.query, &request.body, request.now);
            let Ok(Received::Push(push)) = received else { panic!("{received:?}") };
            assert_eq!(push.event().unwrap().field("RetryTimes").as_deref(), Some("18"));
        }
    }
}

/// Fails so many times.
struct Fails(AtomicUsize);

impl Handler for Fails {
    fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() { Err("the database is busy".into()) } else { Ok(Reply::Success) }
    }
}

#[test]
fn an_endpoint_whose_handler_fails_gets_the_payment_again() {
    for (wechat, endpoint) in wechats().iter().zip(endpoints()) {
        for name in [GOODS, "minigame_deliver_goods", "xpay_new"] {
            let delivery = wechat.push_unknown(name).at(NOW).respond(&endpoint, &Fails(AtomicUsize::new(4)));
            delivery.expect_success();
            assert_eq!(delivery.attempts.len(), 5, "{name}");
        }
    }
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn a_webhook_gets_the_payment_by_the_plan_on_the_paused_clock() {
    use wechat_events::{AsyncHandler, Webhooks};

    /// Takes 6 s, and may not run twice.
    #[derive(Default)]
    struct Slow(AtomicUsize);
    impl AsyncHandler for Slow {
        async fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
            tokio::time::sleep(Duration::from_secs(6)).await;
            Ok(Reply::code(i64::try_from(self.0.fetch_add(1, Ordering::SeqCst)).unwrap(), "runs"))
        }
    }
    struct Down;
    impl AsyncHandler for Down {
        async fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
            Err("down".into())
        }
    }
    for (wechat, endpoint) in wechats().iter().zip(endpoints()) {
        let webhooks = Webhooks::builder().wall_clock(|| NOW).build();
        let slow = webhooks.account(endpoint.clone(), Slow::default());
        let delivery = wechat.push(GOODS).at(NOW).send(&slow).await;
        let verdicts: Vec<_> = delivery.attempts.iter().map(|attempt| attempt.verdict.to_string()).collect();
        assert_eq!(verdicts, ["pushes it again: code -1: not yet", "shows nothing, as asked"]);
        // "Not yet" after 2.5 s, and 2 s more; then a delivery joins the run, which has 1.5 s to go.
        assert_eq!(due(&delivery), [0, 4_500]);

        let begun = tokio::time::Instant::now();
        let down = webhooks.account(endpoint, Down);
        let delivery = wechat.push(GOODS).set("OutTradeNo", "8").at(NOW).send(&down).await;
        assert_eq!(delivery.verdict.to_string(), "gives up: code -1: not handled");
        assert_eq!((delivery.attempts.len(), begun.elapsed().as_secs()), (16, 65_534));
    }
}

#[cfg(feature = "minigame")]
#[test]
fn a_mini_games_payload_is_signed_with_the_key_of_its_env() {
    use wechat_events::AppKeys;

    let wechat = WeChat::plain("token").unwrap();
    let keys = AppKeys::live("live").unwrap().sandbox("sandbox").unwrap();
    let other = AppKeys::live("other").unwrap();
    for env in [0, 1] {
        let payload = format!(r#"{{"OpenId":"o_1","OutTradeNo":"7","Env":{env}}}"#);
        let draft = wechat.push("minigame_coin_deliver_completed").app_keys(&keys).set("MiniGame/Payload", &payload);
        for draft in [draft.clone(), draft.clone().json(), wechat.raw(draft.request(NOW).message).app_keys(&keys)] {
            let message = draft.request(NOW).message;
            let event = parse_event(&message).unwrap();
            assert_eq!(event.mini_game_payload(&keys).unwrap().unwrap().env, env);
            assert!(event.mini_game_payload(&other).is_err());
        }
    }
    // Nothing to sign.
    let gift = wechat.push("minigame_deliver_goods");
    assert_eq!(gift.clone().app_keys(&keys).request(NOW).message, gift.request(NOW).message);
}
