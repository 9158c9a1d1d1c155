//! What is booked and granted, once. Processes that are killed in between are in `examples/simulator/tests/stacks`.

use std::time::Instant;

use wechat_events::testing::WeChat;
use wechat_events::{Endpoint, parse_event};

use super::*;

const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const APP_ID: &str = "wx5823bf96d3bd56c7";

fn both_sides() -> (Endpoint, WeChat) {
    (Endpoint::safe("token", APP_ID, KEY).unwrap(), WeChat::safe("token", APP_ID, KEY).unwrap())
}

impl Shop {
    /// A row of each line: what every user has.
    fn goods(&self) -> String {
        self.rows("SELECT concat_ws(' ', env, open_id, product_id, quantity) FROM goods ORDER BY 1")
    }

    fn booked(&self) -> String {
        self.rows("SELECT event FROM books ORDER BY 1")
    }

    fn rows(&self, query: &str) -> String {
        let database = self.database.lock().unwrap();
        let mut statement = database.prepare(query).unwrap();
        let rows = statement.query_map((), |row| row.get::<_, String>(0)).unwrap();
        rows.map(Result::unwrap).collect::<Vec<_>>().join("\n")
    }
}

/// As mini programs get it.
fn json(order: &str, retries: u32) -> String {
    format!(
        r#"{{"ToUserName":"gh_1","FromUserName":"o_1","CreateTime":1764400000,"MsgType":"event",
            "Event":"xpay_goods_deliver_notify","OpenId":"o_1","OutTradeNo":"{order}","Env":0,
            "GoodsInfo":{{"ProductId":"vip_month","Quantity":3}},"RetryTimes":{retries}}}"#
    )
}

#[test]
fn an_order_is_granted_once_however_often_it_comes_and_in_whatever_form() {
    let ((endpoint, wechat), shop) = (both_sides(), Shop::open(":memory:").unwrap());
    for retries in 0..3 {
        wechat.raw(json("7", retries)).respond(&endpoint, &shop).expect_success();
        let order = wechat.push("xpay_goods_deliver_notify").set("OpenId", "o_1").set("OutTradeNo", "7");
        order.set("RetryTimes", &retries.to_string()).respond(&endpoint, &shop).expect_success();
    }
    assert_eq!(shop.goods(), "0 o_1 vip_month 3");
    wechat.raw(json("8", 0)).respond(&endpoint, &shop).expect_success();
    assert_eq!(shop.goods(), "0 o_1 vip_month 6");
    assert_eq!(shop.booked(), ["xpay_goods_deliver_notify"; 2].join("\n"));
}

#[test]
fn an_order_of_the_sandbox_does_not_stand_in_the_way_of_the_live_one_of_its_number() {
    let ((endpoint, wechat), shop) = (both_sides(), Shop::open(":memory:").unwrap());
    for env in ["1", "0", "1", "0"] {
        let order = wechat.push("xpay_goods_deliver_notify").set("OpenId", "o_1").set("OutTradeNo", "7");
        order.set("Env", env).set("GoodsInfo/Quantity", "3").respond(&endpoint, &shop).expect_success();
    }
    assert_eq!(shop.goods(), "0 o_1 vip_month 3\n1 o_1 vip_month 3");
}

#[test]
fn what_apple_takes_says_no_environment_and_is_granted_as_live() {
    let ((endpoint, wechat), shop) = (both_sides(), Shop::open(":memory:").unwrap());
    let order = wechat.push("xpay_goods_deliver_notify").set("OpenId", "o_1").without("Env");
    order.set("GoodsInfo/Quantity", "3").respond(&endpoint, &shop).expect_success();
    assert_eq!(shop.goods(), "0 o_1 vip_month 3");
}

#[test]
fn coins_are_granted_too_and_what_nobody_paid_for_is_kept_apart() {
    let ((endpoint, wechat), shop) = (both_sides(), Shop::open(":memory:").unwrap());
    for (order, env) in [("1", "0"), ("2", "1"), ("3", "0")] {
        let coins = wechat.push("xpay_coin_pay_notify").set("OpenId", "o_1").set("OutTradeNo", order);
        coins.set("Env", env).set("CoinInfo/Quantity", "60").respond(&endpoint, &shop).expect_success();
    }
    assert_eq!(shop.goods(), "0 o_1 coins 120\n1 o_1 coins 60");
}

#[test]
fn refunds_and_complaints_are_booked_once_and_what_is_no_payment_is_not() {
    let ((endpoint, wechat), shop) = (both_sides(), Shop::open(":memory:").unwrap());
    for retries in ["0", "1"] {
        for name in ["xpay_refund_notify", "xpay_complaint_notify"] {
            wechat.push(name).set("RetryTimes", retries).respond(&endpoint, &shop).expect_success();
        }
        wechat.push("user_enter_tempsession").respond(&endpoint, &shop).expect_success();
    }
    assert_eq!((&*shop.booked(), &*shop.goods()), ("xpay_complaint_notify\nxpay_refund_notify", ""));
}

#[test]
fn what_cannot_be_delivered_is_not_booked_so_that_it_comes_again() {
    let ((_, wechat), shop) = (both_sides(), Shop::open(":memory:").unwrap());
    let order = wechat.push("xpay_goods_deliver_notify");
    for (push, error) in [
        (order.clone().without("GoodsInfo/ProductId"), "the order does not say what was bought"),
        (order.clone().without("GoodsInfo"), "the order does not say what was bought"),
        (order.without("OutTradeNo"), "xpay_goods_deliver_notify has no business key"),
        (wechat.push_unknown("xpay_made_next_year"), "xpay_made_next_year has no business key"),
    ] {
        let message = push.request(1_764_400_000).message;
        let result = shop.otherwise(&parse_event(&message).unwrap());
        assert_eq!(result.unwrap_err().to_string(), error);
    }
    assert_eq!((&*shop.booked(), &*shop.goods()), ("", ""));
}

#[test]
fn while_another_process_keeps_the_file_an_order_is_told_to_come_again_before_wechat_hangs_up() {
    let file = std::env::temp_dir().join(format!("wechat-events-payment-{}-busy.db", std::process::id()));
    let shop = Shop::open(file.to_str().unwrap()).unwrap();
    let other = Connection::open(&file).unwrap();
    let message = json("7", 0);
    let order = parse_event(message.as_bytes()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let begun = Instant::now();
    assert_eq!(shop.otherwise(&order).unwrap_err().to_string(), "database is locked");
    assert!(begun.elapsed() < Takes::Code.deadline(), "{:?}", begun.elapsed());
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(shop.otherwise(&order).unwrap(), Reply::Success);
    assert_eq!(shop.goods(), "0 o_1 vip_month 3");
    std::fs::remove_file(&file).unwrap();
}
