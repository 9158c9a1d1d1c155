//! A payment wants a code within three seconds, and comes again for hours until it has it.

use super::*;

/// The same order, as often as it has come before.
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
