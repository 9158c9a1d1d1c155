//! Pushes that require a code: what is written, how they are identified, and what stays in the clear.

use std::collections::BTreeMap;

use wechat_events::event::{KINDS, Takes};
use wechat_events::reply::{IosRefund, Refused};
use wechat_events::{DedupKey, Event, Reply, parse_event};

const NOW: i64 = 1_764_400_000;

fn xml(name: &str, rest: &str) -> Event<'static> {
    let body = format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>7</CreateTime>\
         <MsgType>event</MsgType><Event>{name}</Event>{rest}</xml>"
    );
    parse_event(body.as_bytes()).unwrap().into_owned()
}

fn message() -> Event<'static> {
    let body = b"<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>7</CreateTime>\
                 <MsgType>text</MsgType><Content>hi</Content></xml>";
    parse_event(body).unwrap().into_owned()
}

#[cfg(feature = "json")]
fn json(name: &str) -> Event<'static> {
    let body = format!(r#"{{"MsgType":"event","Event":"{name}","FromUserName":"o_1","ToUserName":"gh_1"}}"#);
    parse_event(body.as_bytes()).unwrap().into_owned()
}

fn written(reply: &Reply, event: &Event<'_>) -> (String, Option<String>) {
    let written = reply.write(event, NOW);
    (written.body, written.refused.map(|refused| refused.to_string()))
}

const DONE: &str = "<xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>";

#[test]
fn the_kinds_that_take_a_code_are_those_of_two_families_and_their_unknown_members() {
    let mut takes: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for kind in KINDS {
        takes.entry(format!("{:?}", kind.takes())).or_default().push(kind.name());
        assert_eq!(kind.takes_reply(), kind.takes() == Takes::Reply);
    }
    assert_eq!(takes["IosRefund"], ["xpay_subscribe_ios_refund_query_notify"]);
    assert_eq!(takes["Code"].len(), 16);
    let family = |name: &&str| name.starts_with("xpay_") || name.starts_with("minigame_");
    assert!(takes["Code"].iter().all(family), "{takes:?}");
    assert!(!takes["Success"].iter().chain(&takes["Reply"]).any(family), "{takes:?}");

    for name in ["xpay_new", "XPAY_new", "minigame_new"] {
        assert_eq!(xml(name, "").takes(), Takes::Code, "{name}");
    }
    for name in ["xpay", "xpa", "new_xpay_", "小程序_xpay_"] {
        assert_eq!(xml(name, "").takes(), Takes::Success, "{name}");
    }
    let body = b"<xml><MsgType>xpay_new</MsgType></xml>";
    assert_eq!(parse_event(body).unwrap().takes(), Takes::Reply, "a message's name says nothing of a payment");
    let broken = xml("xpay_goods_deliver_notify", "");
    assert_eq!((format!("{:?}", broken.kind).starts_with("Unknown"), broken.takes()), (true, Takes::Code));
}

#[test]
fn a_code_is_written_in_the_form_of_the_push() {
    let paid = xml("xpay_goods_deliver_notify", "");
    let no = Reply::code(-1, "]]> \u{8}& 库存不足");
    let refused = "<xml><ErrCode>-1</ErrCode><ErrMsg><![CDATA[]]]]><![CDATA[> & 库存不足]]></ErrMsg></xml>";
    assert_eq!(written(&no, &paid), (refused.into(), None));
    for reply in [Reply::Success, Reply::Empty] {
        assert_eq!(written(&reply, &paid), (DONE.into(), None), "{reply:?}");
        assert_eq!(written(&reply, &xml("minigame_new", "")), (DONE.into(), None), "{reply:?}");
    }
    #[cfg(feature = "json")]
    {
        let paid = json("minigame_h5_goods_deliver_notify");
        assert_eq!(written(&Reply::Success, &paid), (r#"{"ErrCode":0,"ErrMsg":"success"}"#.into(), None));
        let no = Reply::code(99999, "\"no\"");
        assert_eq!(written(&no, &paid), (r#"{"ErrCode":99999,"ErrMsg":"\"no\""}"#.into(), None));
    }
}

#[test]
fn a_reply_to_a_payment_is_code_0_and_a_code_to_anything_else_is_success_and_both_are_told() {
    let paid = xml("xpay_coin_pay_notify", "");
    let told = "WeChat takes a code in answer to `xpay_coin_pay_notify`, not a reply";
    for reply in [Reply::text("thanks"), Reply::TransferBizAiIvr, IosRefund::agree("", "e").into()] {
        assert_eq!(written(&reply, &paid), (DONE.into(), Some(told.into())), "{reply:?}");
    }
    for event in [message(), xml("VIEW", ""), xml("brand_new", "")] {
        let told = format!("WeChat takes no code in answer to `{}`", event.name());
        for reply in [Reply::code(0, "success"), IosRefund::agree("", "e").into()] {
            assert_eq!(written(&reply, &event), ("success".into(), Some(told.clone())), "{reply:?}");
        }
    }
}

#[test]
fn apple_is_told_an_opinion_only_where_the_handler_has_one() {
    let query = xml("xpay_subscribe_ios_refund_query_notify", "");
    let refuse = Reply::from(IosRefund::refuse("建议拒绝", "已发货 <2 天>"));
    let body = "<xml><result_code>1</result_code><result_info><![CDATA[建议拒绝]]></result_info>\
                <evidence><![CDATA[已发货 <2 天>]]></evidence></xml>";
    assert_eq!(written(&refuse, &query), (body.into(), None));
    #[cfg(feature = "json")]
    {
        let query = json("xpay_subscribe_ios_refund_query_notify");
        let body = r#"{"result_code":0,"result_info":"ok","evidence":"not delivered"}"#;
        assert_eq!(written(&IosRefund::agree("ok", "not delivered").into(), &query), (body.into(), None));
    }
    assert_eq!(
        Reply::from(IosRefund::agree("", "")).write(&query, NOW).refused,
        Some(Refused::Empty { field: "evidence" })
    );
    for reply in [Reply::Success, Reply::Empty, Reply::code(0, ""), Reply::text("hi")] {
        let told = "`xpay_subscribe_ios_refund_query_notify` asks whether to refund: answer with reply::IosRefund";
        assert_eq!(written(&reply, &query), ("success".into(), Some(told.into())), "{reply:?}");
    }
}

#[test]
fn what_is_raw_is_written_as_it_is_to_any_push() {
    for body in ["", "success", "<xml>]]></wrong>", "{\"a\":", "\u{8}"] {
        for event in [message(), xml("VIEW", ""), xml("xpay_new", ""), xml("minigame_new", ""), xml("debug_demo", "")] {
            assert_eq!(written(&Reply::raw(body), &event), (body.into(), None), "{}", event.name());
        }
    }
}

#[test]
fn a_user_goes_over_to_wechats_ai_in_answer_to_messages_only() {
    let body = "<xml><ToUserName><![CDATA[o_1]]></ToUserName><FromUserName><![CDATA[gh_1]]></FromUserName>\
                <CreateTime>1764400000</CreateTime><MsgType><![CDATA[transfer_biz_ai_ivr]]></MsgType></xml>";
    assert_eq!(written(&Reply::TransferBizAiIvr, &message()), (body.into(), None));
    let told = "a user can be handed over in answer to a message only, not to `CLICK`";
    let click = xml("CLICK", "<EventKey>k</EventKey>");
    assert_eq!(written(&Reply::TransferBizAiIvr, &click), ("success".into(), Some(told.into())));
    #[cfg(feature = "json")]
    {
        let body = br#"{"ToUserName":"gh_1","FromUserName":"o_1","MsgType":"text","Content":"hi"}"#;
        let expected =
            r#"{"ToUserName":"o_1","FromUserName":"gh_1","CreateTime":1764400000,"MsgType":"transfer_biz_ai_ivr"}"#;
        assert_eq!(written(&Reply::TransferBizAiIvr, &parse_event(body).unwrap()), (expected.into(), None));
    }
}

/// Of `xpay_goods_deliver_notify`, in its order.
fn paid(open_id: &str, order: &str, rest: &str) -> Event<'static> {
    let order = format!("<OpenId>{open_id}</OpenId><OutTradeNo>{order}</OutTradeNo>{rest}");
    xml("xpay_goods_deliver_notify", &order)
}

#[test]
fn a_payment_has_one_key_in_all_its_deliveries() {
    let first = paid("o_1", "7", "<RetryTimes>0</RetryTimes>");
    for rest in ["<RetryTimes>1</RetryTimes>", "", "<RetryTimes>15</RetryTimes><Env>0</Env>"] {
        assert_eq!(paid("o_1", "7", rest).dedup_key(), first.dedup_key(), "{rest}");
    }
    assert_ne!(paid("o_1", "8", "").dedup_key(), first.dedup_key());
    assert_ne!(paid("o_2", "7", "").dedup_key(), first.dedup_key());
    let other = "<OpenId>o_1</OpenId><OutTradeNo>7</OutTradeNo>";
    assert_ne!(xml("xpay_coin_pay_notify", other).dedup_key(), first.dedup_key(), "another kind of the same order");
    let body = String::from_utf8(first.body().to_vec()).unwrap().replace("gh_1", "gh_2");
    assert_ne!(parse_event(body.as_bytes()).unwrap().dedup_key(), first.dedup_key(), "another account");
    // Computed by Python's xxhash package: xxh3_128_hexdigest of
    // b"4:gh_139:25:xpay_goods_deliver_notify3:o_11:71:0".
    assert_eq!(first.business_key().as_deref(), Some("25:xpay_goods_deliver_notify3:o_11:71:0"));
    assert_eq!(first.dedup_key().to_string(), "6c5bbd867f938bbf0ec300bd543ed274");
}

#[test]
fn an_order_of_the_sandbox_is_another_than_the_live_one_of_its_number() {
    let env = |env: &str| paid("o_1", "7", env);
    let (live, sandbox) = (env("<Env>0</Env>"), env("<Env>1</Env>"));
    assert_ne!(sandbox.business_key(), live.business_key());
    assert_ne!(sandbox.dedup_key(), live.dedup_key());
    // WeChat's page of Apple's subscriptions has no Env, and Apple has no sandbox there.
    for absent in ["", "<Env></Env>", "<Env> </Env>"] {
        assert_eq!(env(absent).business_key(), live.business_key(), "{absent}");
        assert_eq!(env(absent).dedup_key(), live.dedup_key(), "{absent}");
    }
    #[cfg(feature = "json")]
    {
        let game = |env: &str| {
            let payload = format!(r#"{{"OpenId":"o_1","OutTradeNo":"7"{env}}}"#);
            let payload = format!("<MiniGame><Payload><![CDATA[{payload}]]></Payload></MiniGame>");
            xml("minigame_coin_deliver_completed", &payload).business_key().unwrap()
        };
        assert_ne!(game(r#","Env":1"#), game(r#","Env":0"#));
        assert_eq!(game(""), game(r#","Env":"0""#));
    }
}

#[test]
fn the_end_of_a_contract_is_another_push_than_its_beginning() {
    let result = |time: i64| {
        let body = format!(
            "<xml><CreateTime>{time}</CreateTime><MsgType>event</MsgType>\
             <Event>xpay_subscribe_signing_result_notify</Event><OpenId>o_1</OpenId><OutTradeNo>7</OutTradeNo>\
             <ContractResult>0</ContractResult></xml>"
        );
        parse_event(body.as_bytes()).unwrap().business_key()
    };
    let key = format!("36:xpay_subscribe_signing_result_notify3:o_11:71:010:{NOW}");
    assert_eq!(result(NOW), Some(key));
    assert_ne!(result(NOW + 86_400), result(NOW));
}

#[test]
fn no_character_of_a_key_goes_over_to_its_neighbour() {
    let keys = [("o_1", "17"), ("o_11", "7"), ("o_1", "1:7"), ("o_11:", "7"), ("o_", "117"), ("o_12:1", "7")];
    let distinct: std::collections::BTreeSet<_> =
        keys.iter().map(|(open_id, order)| paid(open_id, order, "").business_key().unwrap()).collect();
    assert_eq!(distinct.len(), keys.len());
    let distinct: std::collections::BTreeSet<_> =
        keys.iter().map(|(open_id, order)| paid(open_id, order, "").dedup_key()).collect();
    assert_eq!(distinct.len(), keys.len());
}

#[test]
fn what_lacks_a_part_of_its_key_is_known_by_its_bytes() {
    for rest in ["<OpenId>o_1</OpenId>", "<OpenId>o_1</OpenId><OutTradeNo> </OutTradeNo>", "<OutTradeNo>7</OutTradeNo>"]
    {
        let event = xml("xpay_goods_deliver_notify", rest);
        assert_eq!(event.business_key(), None, "{rest}");
        assert_eq!(event.dedup_key(), DedupKey::of_body(event.body()), "{rest}");
    }
    for event in [message(), xml("VIEW", ""), xml("xpay_new", "<OpenId>o_1</OpenId><OutTradeNo>7</OutTradeNo>")] {
        assert_eq!((event.business_key(), event.dedup_key()), (None, DedupKey::of_body(event.body())));
    }
}

/// Every kind that takes a code has a key; these are the samples' keys.
#[test]
fn each_kind_of_payment_has_its_key() {
    const O: &str = "28:oWx7u5Qk2LrTz9NcVbE1sYpHdG0A";
    let of_kind: BTreeMap<_, _> = KINDS
        .iter()
        .filter(|kind| !matches!(kind.takes(), Takes::Reply | Takes::Success))
        .map(|kind| {
            let event = parse_event(kind.sample().as_bytes()).unwrap();
            let name = format!("{}:{}", kind.name().len(), kind.name());
            (kind.name(), event.business_key().map(|key| key.strip_prefix(&name).unwrap().to_owned()))
        })
        .collect();
    let in_payload = |key: String| cfg!(feature = "json").then_some(key);
    let game = || in_payload(format!("{O}15:G202611290000011:0"));
    let expected = BTreeMap::from([
        ("xpay_goods_deliver_notify", Some(format!("{O}14:202611290000011:0"))),
        ("xpay_coin_pay_notify", Some(format!("{O}14:202611290000041:0"))),
        ("xpay_refund_notify", Some("14:wxr_20261129_11:0".into())),
        ("xpay_complaint_notify", Some("21:200000020261129000001".into())),
        (
            "xpay_wxpay_callback_notify",
            Some(
                "18:wx5f4e3d2c1b0a987610:123000010913:due_diligence11:dd_2026112910:PROCESSING\
                 25:2026-11-29T15:00:00+08:00"
                    .into(),
            ),
        ),
        ("xpay_subscribe_signing_result_notify", Some(format!("{O}14:202611290000051:010:1764400000"))),
        ("xpay_subscribe_pay_fail_notify", Some(format!("{O}14:202611290000061:0"))),
        ("xpay_apple_subscribe_signing_result_notify", Some("16:200000114742651013:1764399999000".into())),
        ("xpay_apple_subscribe_unsigning_result_notify", Some("16:200000114742651013:1764399999000".into())),
        ("xpay_subscribe_ios_refund_query_notify", Some("14:wxo_20261128_9".into())),
        ("minigame_h5_goods_deliver_notify", game()),
        ("minigame_deliver_h5_pay_products", game()),
        ("minigame_game_pay_goods_deliver_notify", game()),
        ("minigame_coin_deliver_completed", game()),
        ("minigame_recharge_center_coin_deliver_completed", game()),
        ("minigame_pay_refund_succ_notify", in_payload("16:GR20261129000001".into())),
        ("minigame_deliver_goods", Some("15:gift_20261129_1".into())),
    ]);
    assert_eq!(of_kind, expected);
}

#[test]
fn a_payment_that_is_not_typed_is_answered_by_a_code_known_by_its_bytes_and_read_all_the_same() {
    let event = xml("xpay_new", "<OpenId>o_1</OpenId><Info><Day>3</Day><Day>4</Day></Info>");
    assert_eq!(written(&Reply::Success, &event), (DONE.into(), None));
    let again = "<xml><ErrCode>-1</ErrCode><ErrMsg><![CDATA[no]]></ErrMsg></xml>";
    assert_eq!(written(&Reply::code(-1, "no"), &event), (again.into(), None));
    assert_eq!((event.business_key(), event.dedup_key()), (None, DedupKey::of_body(event.body())));
    assert_eq!((event.field("OpenId").as_deref(), event.field("Info/Day").as_deref()), (Some("o_1"), Some("3")));
    #[cfg(feature = "serde")]
    {
        #[derive(serde::Deserialize, Debug, PartialEq)]
        #[serde(rename_all = "PascalCase")]
        struct New {
            open_id: String,
            info: Info,
        }
        #[derive(serde::Deserialize, Debug, PartialEq)]
        #[serde(rename_all = "PascalCase")]
        struct Info {
            day: Vec<u8>,
        }
        let expected = New { open_id: "o_1".into(), info: Info { day: vec![3, 4] } };
        assert_eq!(event.to::<New>().unwrap(), expected);
    }
}

#[test]
fn a_mini_games_delivery_is_known_by_its_bytes_whatever_the_features() {
    let kind = KINDS.iter().find(|kind| kind.variant() == "MinigameH5GoodsDeliverNotify").unwrap();
    let event = parse_event(kind.sample().as_bytes()).unwrap();
    assert_eq!(event.dedup_key(), DedupKey::of_body(event.body()));
}

#[cfg(feature = "testing")]
mod sealed {
    use wechat_events::testing::{Answer, Reason, Verdict, WeChat};
    use wechat_events::{Endpoint, Received};

    use super::*;

    const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
    const APP_ID: &str = "wx5823bf96d3bd56c7";

    fn answer(endpoint: &Endpoint, wechat: &WeChat, name: &str, reply: &Reply) -> (String, Verdict) {
        let request = wechat.push(name).request(NOW);
        let Ok(Received::Push(push)) = endpoint.receive("POST", &request.query, &request.body, NOW) else { panic!() };
        let response = push.respond(&push.event().unwrap(), reply, NOW);
        let verdict = wechat.judge(&request, &response);
        (String::from_utf8(response.body).unwrap(), verdict)
    }

    #[test]
    fn mini_games_are_answered_in_the_clear_and_payments_sealed_unless_switched() {
        let endpoint = Endpoint::safe("token", APP_ID, KEY).unwrap();
        let wechat = WeChat::safe("token", APP_ID, KEY).unwrap();
        let open = endpoint.clone().clear_payment_answers();
        let (goods, game) = ("xpay_goods_deliver_notify", "minigame_h5_goods_deliver_notify");
        for endpoint in [&endpoint, &open] {
            assert_eq!(answer(endpoint, &wechat, game, &Reply::Success), (DONE.into(), Verdict::Silent));
            let raw = Reply::raw("<xml><ErrCode>0</ErrCode></xml>");
            assert_eq!(answer(endpoint, &wechat, game, &raw).0, "<xml><ErrCode>0</ErrCode></xml>");
            let (body, verdict) = answer(endpoint, &wechat, "text", &Reply::text("hi"));
            assert!(body.contains("<Encrypt>"), "{body}");
            assert!(matches!(verdict, Verdict::Accepted(_)), "{verdict}");
        }
        let (body, verdict) = answer(&endpoint, &wechat, goods, &Reply::Success);
        assert!(body.contains("<Encrypt>") && !body.contains("ErrCode"), "{body}");
        assert_eq!(verdict, Verdict::Silent);
        assert_eq!(answer(&open, &wechat, goods, &Reply::Success), (DONE.into(), Verdict::Silent));
    }

    #[test]
    fn what_is_raw_is_sealed_where_the_mode_seals_but_for_success_and_nothing() {
        let answered = |mode: Endpoint, wechat: WeChat, name: &str, body: &str| {
            let request = wechat.push_unknown(name).request(NOW);
            let received = mode.receive("POST", &request.query, &request.body, NOW);
            let Ok(Received::Push(push)) = received else { panic!() };
            let answer = push.respond(&push.event().unwrap(), &Reply::raw(body), NOW).body;
            String::from_utf8(answer).unwrap()
        };
        let safe = |name: &str, body: &str| {
            let sides = (Endpoint::safe("token", APP_ID, KEY).unwrap(), WeChat::safe("token", APP_ID, KEY).unwrap());
            answered(sides.0, sides.1, name, body)
        };
        let demo = "<xml><demo_resp><![CDATA[good luck]]></demo_resp></xml>";
        for name in ["debug_demo", "xpay_new", "transport_new"] {
            let sealed = safe(name, demo);
            let encrypt = sealed.split("<Encrypt><![CDATA[").nth(1).unwrap().split("]]>").next().unwrap();
            let key = wechat_events::cipher::EncodingAesKey::new(KEY).unwrap();
            let opened = wechat_events::cipher::open(&key, APP_ID, encrypt).unwrap();
            assert_eq!(opened.into_message(), demo.as_bytes(), "{name}");
        }
        for body in ["success", ""] {
            assert_eq!(safe("debug_demo", body), body);
        }
        assert_eq!(safe("minigame_new", demo), demo);
        let plain = (Endpoint::plain("token").unwrap(), WeChat::plain("token").unwrap());
        assert_eq!(answered(plain.0, plain.1, "debug_demo", demo), demo);
    }

    #[test]
    fn wechat_pushes_again_whatever_is_not_code_0_in_time() {
        let wechat = WeChat::plain("token").unwrap();
        let judge =
            |name: &str, answer: Answer| wechat.judge(&wechat.push_unknown(name).request(NOW), answer).to_string();
        let to = |body: &str| judge("xpay_goods_deliver_notify", Answer::new(200, body));
        assert_eq!(to(DONE), "shows nothing, as asked");
        assert_eq!(to("success"), "pushes it again: `xpay_goods_deliver_notify` takes a code, not `success`");
        assert_eq!(to(""), "pushes it again: `xpay_goods_deliver_notify` takes a code, not ``");
        assert_eq!(
            to("<xml><ErrCode>-1</ErrCode><ErrMsg><![CDATA[no\n]]></ErrMsg></xml>"),
            r"pushes it again: code -1: no\n"
        );
        assert_eq!(to("<xml><ErrMsg>ok</ErrMsg></xml>"), "pushes it again: ErrCode is missing or empty");
        assert_eq!(
            to(r#"{"ErrCode":0,"ErrMsg":"success"}"#),
            "pushes it again: the push and the answer are not both XML or both JSON"
        );
        let late = Answer::new(200, DONE).after(std::time::Duration::from_secs(3));
        assert_eq!(
            judge("xpay_goods_deliver_notify", late),
            "pushes it again: it came after 3s, when WeChat had hung up"
        );
        assert_eq!(judge("minigame_new", Answer::new(500, DONE)), "pushes it again: status 500, not 200");
        let query = "xpay_subscribe_ios_refund_query_notify";
        assert_eq!(
            judge(query, Answer::new(200, "success")),
            format!("ignores the answer: `{query}` takes an opinion, not `success`")
        );
        assert_eq!(
            judge(query, Answer::new(200, DONE)),
            "ignores the answer: result_code|IosRefundQueryResponse/result_code is missing or empty"
        );
        let opinion = |code: u8, evidence: &str| {
            format!("<xml><result_code>{code}</result_code><evidence>{evidence}</evidence></xml>")
        };
        assert_eq!(judge(query, Answer::new(200, opinion(1, "e"))), "shows nothing, as asked");
        assert_eq!(
            judge(query, Answer::new(200, opinion(2, "e"))),
            "ignores the answer: result_code is `2`, not 0 or 1"
        );
        let late = Answer::new(200, opinion(1, "e")).after(std::time::Duration::from_secs(3));
        assert_eq!(judge(query, late), "ignores the answer: it came after 3s, when WeChat had hung up");
        let missing = Reason::Missing { field: "evidence|IosRefundQueryResponse/evidence" };
        assert_eq!(
            wechat.judge(&wechat.push(query).request(NOW), Answer::new(200, opinion(1, ""))),
            Verdict::Ignored(missing)
        );
    }

    #[test]
    fn a_sealed_answer_of_a_mini_game_is_not_read() {
        let wechat = WeChat::safe("token", APP_ID, KEY).unwrap();
        let sealed = {
            let endpoint = Endpoint::safe("token", APP_ID, KEY).unwrap();
            answer(&endpoint, &wechat, "xpay_goods_deliver_notify", &Reply::Success).0
        };
        let request = wechat.push_unknown("minigame_new").request(NOW);
        assert_eq!(wechat.judge(&request, Answer::new(200, sealed)), Verdict::PushedAgain(Reason::SealedCode));
    }
}

#[test]
fn a_handler_that_fails_has_a_payment_pushed_again_and_says_nothing_of_why() {
    struct Broken;
    impl wechat_events::Handler for Broken {
        fn otherwise(&self, _: &Event<'_>) -> wechat_events::HandlerResult {
            Err("the database at 10.0.0.7 is down".into())
        }
    }
    let endpoint = wechat_events::Endpoint::plain("AAAAA").unwrap().on_report(|_| {});
    let query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";
    let answer = |event: Event<'_>| {
        let response = endpoint.respond("POST", query, event.body(), NOW, &Broken);
        (response.status, String::from_utf8(response.body).unwrap())
    };
    let again = "<xml><ErrCode>-1</ErrCode><ErrMsg><![CDATA[not handled]]></ErrMsg></xml>";
    assert_eq!(answer(paid("o_1", "7", "")), (200, again.into()));
    assert_eq!(answer(xml("minigame_new", "")), (200, again.into()));
    assert_eq!(answer(message()), (500, String::new()));
}

#[cfg(feature = "serde")]
#[test]
fn what_is_answered_to_wechat_goes_through_a_queue_too() {
    for (reply, form) in [
        (Reply::TransferBizAiIvr, r#""transfer_biz_ai_ivr""#),
        (Reply::code(-1, "no"), r#"{"code":{"err_code":-1,"err_msg":"no"}}"#),
        (IosRefund::agree("i", "e").into(), r#"{"ios_refund":{"result_code":0,"result_info":"i","evidence":"e"}}"#),
        (Reply::raw("<a/>"), r#"{"raw":{"body":"<a/>"}}"#),
    ] {
        assert_eq!(serde_json::to_string(&reply).unwrap(), form);
        assert_eq!(serde_json::from_str::<Reply>(form).unwrap(), reply);
    }
}
