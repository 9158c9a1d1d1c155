//! Signatures and payloads of mini-game payments.

use wechat_events::event::Reason;
use wechat_events::{AppKeys, ConfigError, ParseError, PayEventError, parse_event};

use crate::errors::whole;

/// By the Python of WeChat's page: `hmac.new(b"live-app-key", name + b"&" + payload, sha256).hexdigest()`.
const SIGNED: &str = include_str!("../pushes/minigame_coin_deliver_completed.xml");
const MOCK: &str = include_str!("../pushes/minigame_h5_goods_deliver_notify.mock.xml");

fn live() -> AppKeys {
    AppKeys::live("live-app-key").unwrap()
}

/// The result for a push, with its order's number if there is one.
fn read(body: &str, keys: &AppKeys) -> Result<Option<String>, PayEventError> {
    let payload = parse_event(body.as_bytes()).unwrap().mini_game_payload(keys)?;
    Ok(payload.map(|payload| payload.out_trade_no.into()))
}

/// Signed with the key, to test what follows the signature check.
fn signed(key: &str, payload: &str) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(format!("minigame_new&{payload}").as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    format!(
        "<xml><MsgType>event</MsgType><Event>minigame_new</Event><MiniGame><Payload><![CDATA[{payload}]]></Payload>\
         <PayEventSig>{signature}</PayEventSig></MiniGame></xml>"
    )
}

#[test]
fn what_wechat_signed_is_read_and_what_anybody_changed_is_not() {
    assert_eq!(read(SIGNED, &live()), Ok(Some("G20261129000001".into())));
    let signature = |body: &str| body.split("<PayEventSig><![CDATA[").nth(1).unwrap()[..64].to_owned();
    let digits = signature(SIGNED);
    for (from, to) in [
        ("\"BuyQuantity\":60", "\"BuyQuantity\":600"),
        ("{\"OpenId\"", "{ \"OpenId\""),
        ("minigame_coin_deliver_completed", "minigame_recharge_center_coin_deliver_completed"),
        ("minigame_coin_deliver_completed", "MINIGAME_coin_deliver_completed"),
        (&*digits, &*signature(MOCK)),
        (&digits, &digits[..62]),
        (&digits, &digits[..63]),
        (&digits, ""),
        (&digits, &format!("{digits}00")),
        (&digits, &digits.replace(|c: char| c.is_ascii_digit(), "g")),
    ] {
        let changed = SIGNED.replace(from, to);
        assert_ne!(changed, SIGNED);
        assert_eq!(read(&changed, &live()), Err(PayEventError::Signature), "{from} became {to}");
    }
    assert_eq!(read(SIGNED, &AppKeys::live("live-app-kez").unwrap()), Err(PayEventError::Signature));
    let without = SIGNED.replace("PayEventSig", "Sig");
    assert_eq!(read(&without, &live()), Err(PayEventError::Missing { field: "MiniGame/PayEventSig" }));
    let without = SIGNED.replace("Payload", "Load");
    assert_eq!(read(&without, &live()), Err(PayEventError::Missing { field: "MiniGame/Payload" }));
}

#[test]
fn a_mock_is_checked_and_grants_nothing() {
    assert_eq!(read(MOCK, &live()), Ok(None));
    assert_eq!(read(&MOCK.replace("mock_1", "mock_2"), &live()), Err(PayEventError::Signature));
    for mock in ["1", "True", " true ", "yes"] {
        let body = MOCK.replace("<IsMock>true</IsMock>", &format!("<IsMock>{mock}</IsMock>"));
        assert_eq!(read(&body, &live()), Ok(None), "{mock}");
    }
    for mock in ["<IsMock>false</IsMock>", "<IsMock>0</IsMock>", "<IsMock/>", ""] {
        let body = MOCK.replace("<IsMock>true</IsMock>", mock);
        assert_eq!(read(&body, &live()), Ok(Some("mock_1".into())), "{mock}");
    }
}

#[test]
fn the_key_is_that_of_the_payloads_env() {
    let payload = |env: &str| format!(r#"{{"OpenId":"o_1","OutTradeNo":"7","Env":{env}}}"#);
    let both = live().sandbox("sandbox-app-key").unwrap();
    let of = |key: &str, env: &str, keys: &AppKeys| read(&signed(key, &payload(env)), keys);
    assert_eq!(of("live-app-key", "0", &both), Ok(Some("7".into())));
    assert_eq!(of("live-app-key", "\"0\"", &both), Ok(Some("7".into())));
    assert_eq!(of("sandbox-app-key", "1", &both), Ok(Some("7".into())));
    assert_eq!(of("sandbox-app-key", "0", &both), Err(PayEventError::Env { env: 0 }));
    assert_eq!(of("live-app-key", "1", &both), Err(PayEventError::Env { env: 1 }));
    assert_eq!(of("sandbox-app-key", "1", &live()), Err(PayEventError::Signature));
}

#[test]
fn what_is_signed_and_no_payload_is_told() {
    let told = |payload: &str| whole(&read(&signed("live-app-key", payload), &live()).unwrap_err());
    assert_eq!(told(r#"{"OpenId":"o_1","Env":0}"#), "the payload is not valid: missing field OutTradeNo");
    assert_eq!(
        told(r#"{"OpenId":"o_1","OutTradeNo":"7","Env":"live"}"#),
        "the payload is not valid: malformed field Env"
    );
    assert!(matches!(read(&signed("live-app-key", "hello"), &live()), Err(PayEventError::Json(_))));
    let missing = PayEventError::Field(Reason::Missing { field: "OpenId" });
    assert_eq!(read(&signed("live-app-key", "{}"), &live()), Err(missing));
    let bomb = format!("{}1{}", "{\"a\":".repeat(20), "}".repeat(20));
    let deep = PayEventError::Json(ParseError::TooDeep { element: "a".into(), limit: 16 });
    assert_eq!(read(&signed("live-app-key", &bomb), &live()), Err(deep));
}

#[test]
fn every_sample_is_signed_and_says_what_was_paid() {
    for (file, expected) in [
        ("minigame_h5_goods_deliver_notify", "sword 1"),
        ("minigame_deliver_h5_pay_products", "sword 1"),
        ("minigame_game_pay_goods_deliver_notify", "sword 1"),
        ("minigame_coin_deliver_completed", "60 coins"),
        ("minigame_recharge_center_coin_deliver_completed", "60 coins"),
        ("minigame_pay_refund_succ_notify", "600 back"),
    ] {
        for (folder, extension) in [("pushes", "xml"), ("json/pushes", "json")] {
            let path = format!("{}/tests/{folder}/{file}.{extension}", env!("CARGO_MANIFEST_DIR"));
            let body = std::fs::read(path).unwrap();
            let payload = parse_event(&body).unwrap().mini_game_payload(&live()).unwrap().unwrap();
            let goods = payload.goods_info.map(|it| format!("{} {}", it.product_id.unwrap(), it.quantity.unwrap()));
            let coins = payload.coin_info.map(|it| format!("{} coins", it.buy_quantity.unwrap()));
            let refund = payload.refund_amount.map(|fen| format!("{fen} back"));
            assert_eq!(goods.or(coins).or(refund).as_deref(), Some(expected), "{file}");
        }
    }
}

#[test]
fn an_empty_app_key_is_impossible() {
    assert_eq!(AppKeys::live("").unwrap_err(), ConfigError::EmptyAppKey);
    assert_eq!(live().sandbox("").unwrap_err(), ConfigError::EmptyAppKey);
}
