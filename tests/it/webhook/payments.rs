//! A payment requires a code within three seconds, and is retried for hours until it gets one.

use super::*;

/// The same order, with its number of earlier deliveries.
fn goods(retries: u32) -> String {
    format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>{EPOCH}</CreateTime>\
         <MsgType>event</MsgType><Event>xpay_goods_deliver_notify</Event><OpenId>o_1</OpenId>\
         <OutTradeNo>7</OutTradeNo><RetryTimes>{retries}</RetryTimes></xml>"
    )
}

const DONE: &str = "<xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>";

/// Milliseconds, and the answer, of deliveries that come at those.
async fn answers(does: &'static [Does], at: &[u64]) -> (Vec<(u64, String)>, String) {
    let log = Log::new();
    let clock = log.clone();
    let webhooks = Webhooks::builder().wall_clock(move || clock.wall()).build();
    let script = Script { does, runs: AtomicUsize::new(0), log: log.clone() };
    let webhook = webhooks.account(Endpoint::plain("token").unwrap(), script);
    let mut calls = Vec::new();
    for (retries, &at) in (0..).zip(at) {
        let (webhook, log) = (webhook.clone(), log.clone());
        calls.push(tokio::spawn(async move {
            sleep(Duration::from_millis(at)).await;
            let query = query("token", &EPOCH.to_string(), "1");
            let response = webhook.call("POST", &query, goods(retries).as_bytes()).await;
            (log.now(), String::from_utf8(response.body).unwrap())
        }));
    }
    let mut answers = Vec::new();
    for call in calls {
        answers.push(timeout(Duration::from_secs(60), call).await.unwrap().unwrap());
    }
    sleep(Duration::from_secs(60)).await;
    (answers, log.text())
}

fn not(yet: &str) -> String {
    format!("<xml><ErrCode>-1</ErrCode><ErrMsg><![CDATA[{yet}]]></ErrMsg></xml>")
}

#[tokio::test(start_paused = true)]
async fn what_is_not_ready_in_time_comes_again_and_joins_although_its_bytes_are_others() {
    let (answers, log) = answers(&[Succeeds(6_000)], &[0, 4_500, 9_000]).await;
    assert_eq!(answers, [(2_500, not("not yet")), (6_000, DONE.to_owned()), (9_000, DONE.to_owned())]);
    assert_eq!(log.matches("run").count(), 1, "{log}");
    assert!(!log.contains("late"), "the answer is WeChat's, and waits for the next delivery: {log}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_said_at_once_and_the_next_delivery_is_a_second_chance() {
    let (answers, log) = answers(&[Fails(100), Panics(100), Succeeds(100)], &[0, 2_000, 6_000]).await;
    let failed = not("not handled");
    assert_eq!(answers, [(100, failed.clone()), (2_100, failed), (6_100, DONE.to_owned())]);
    assert_eq!(log.matches("run").count(), 3, "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_payment_is_tried_at_every_delivery_however_often_it_has_failed() {
    let (answers, log) =
        answers(&[Fails(0), Fails(0), Fails(0), Fails(0), Succeeds(0)], &[0, 2_000, 6_000, 14_000, 30_000]).await;
    assert_eq!(answers.last(), Some(&(30_000, DONE.to_owned())));
    assert!(answers[..4].iter().all(|(_, answer)| *answer == not("not handled")), "{answers:?}");
    assert_eq!(log.matches("run").count(), 5, "{log}");
}

#[tokio::test(start_paused = true)]
async fn under_acknowledgement_each_delivery_of_a_payment_has_its_own_time() {
    let webhooks = Webhooks::builder().wall_clock(|| EPOCH).policy(Policy::Acknowledge).build();
    let script = Script { does: &[Fails(0), Succeeds(2_000)], runs: AtomicUsize::new(0), log: Log::new() };
    let webhook = webhooks.account(Endpoint::plain("token").unwrap(), script);
    let query = query("token", &EPOCH.to_string(), "1");
    for (retries, expected) in [(0, not("not handled")), (1, DONE.to_owned())] {
        let response = webhook.call("POST", &query, goods(retries).as_bytes()).await;
        assert_eq!(String::from_utf8(response.body).unwrap(), expected);
        sleep(Duration::from_secs(2)).await;
    }
}

/// Answers once with a code that makes WeChat push again.
struct NoStock(AtomicUsize);

impl AsyncHandler for NoStock {
    async fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
        Ok(match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::code(-1, "no stock"),
            _ => Reply::Success,
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_code_of_the_handlers_that_asks_again_is_not_what_the_next_delivery_gets() {
    let webhook = Webhook::new(Endpoint::plain("token").unwrap(), NoStock(AtomicUsize::new(0)));
    let query = query("token", &EPOCH.to_string(), "1");
    for (retries, expected) in [(0, not("no stock")), (1, DONE.to_owned()), (2, DONE.to_owned())] {
        let response = webhook.call("POST", &query, goods(retries).as_bytes()).await;
        assert_eq!(String::from_utf8(response.body).unwrap(), expected, "{retries}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_opinion_is_no_opinion_for_apple() {
    let script = Script { does: &[Fails(0)], runs: AtomicUsize::new(0), log: Log::new() };
    let webhook = Webhook::new(Endpoint::plain("token").unwrap(), script);
    let body = goods(0).replace("xpay_goods_deliver_notify", "xpay_subscribe_ios_refund_query_notify");
    let response = webhook.call("POST", &query("token", &EPOCH.to_string(), "1"), body.as_bytes()).await;
    assert_eq!((response.status, &*response.body), (500, &b""[..]), "Apple may ask again");
}
