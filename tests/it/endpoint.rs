//! The endpoint: which requests are accepted, and what the others are answered.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::prelude::*;
use wechat_events::event::{Click, Subscribe, Text};
use wechat_events::{
    AsyncHandler, ConfigError, Endpoint, Event, Handler, HandlerResult, Limits, ParseError, Received, Reply, Report,
    RequestError, Response,
};

use crate::wire::{query, sign};

const NOW: i64 = 1_714_037_060;

fn endpoint() -> Endpoint {
    Endpoint::plain("token").unwrap()
}

fn signed() -> String {
    query("token", "1714037059", "486452656")
}

fn text(content: &str) -> Vec<u8> {
    format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>1714037059</CreateTime>\
         <MsgType>text</MsgType><Content><![CDATA[{content}]]></Content></xml>"
    )
    .into_bytes()
}

struct Shop;

impl Handler for Shop {
    fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        match &*text.content {
            "fail" => Err("out of stock".into()),
            content => Ok(Reply::text(content)),
        }
    }

    fn subscribe(&self, _: &Event<'_>, _: &Subscribe<'_>) -> HandlerResult {
        Ok(Reply::Empty)
    }

    fn click(&self, _: &Event<'_>, _: &Click<'_>) -> HandlerResult {
        Ok(Reply::text(""))
    }
}

/// The endpoint's reports, as lines.
fn reported(endpoint: Endpoint) -> (Endpoint, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&lines);
    (endpoint.on_report(move |report| into.lock().unwrap().push(report.to_string())), lines)
}

fn shown(response: &Response) -> (u16, &'static str, &str) {
    (response.status, response.content_type, std::str::from_utf8(&response.body).unwrap())
}

#[test]
fn the_address_check_is_answered_with_its_echostr_and_nothing_else() {
    let longest = "7".repeat(64);
    for (sent, echoed) in [
        ("7159843612345678901", "7159843612345678901"),
        ("0", "0"),
        ("a-B.c_9", "a-B.c_9"),
        ("%37%31", "71"),
        (&longest, &longest),
    ] {
        let query = format!("{}&echostr={sent}", signed());
        let response = endpoint().respond("GET", &query, b"", NOW, &Shop);
        assert_eq!(shown(&response), (200, "text/plain", echoed), "{sent}");
    }
}

#[test]
fn an_echostr_that_is_no_number_of_wechats_does_not_come_back_though_it_is_signed() {
    for sent in ["", "<script>alert(1)</script>", "a%2Bb", "%E4%BD%A0", "1%00", "1+2", &"7".repeat(65)] {
        let query = format!("{}&echostr={sent}", signed());
        let (endpoint, lines) = reported(endpoint());
        let response = endpoint.respond("GET", &query, b"", NOW, &Shop);
        assert_eq!(shown(&response), (400, "text/plain", ""), "{sent}");
        let report = "request refused with status 400: the query's `echostr` is not 1 to 64 letters, digits, `-`, `.` and \
                      `_`: WeChat sends a number";
        assert_eq!(*lines.lock().unwrap(), [report]);
    }
}

#[test]
fn a_timestamp_or_nonce_without_the_form_is_refused_before_its_signature_is_looked_at() {
    let longest = "7".repeat(32);
    let form = |name| Err(RequestError::ParameterForm { name, limit: 32 });
    for (timestamp, nonce, expected) in [
        (&*longest, &*longest, Ok(())),
        ("1714037059", "", form("nonce")),
        ("", "486452656", form("timestamp")),
        ("1714037059", &format!("{longest}7"), form("nonce")),
        (&format!("{longest}7"), "486452656", form("timestamp")),
        ("1714037059", "%2b", form("nonce")),
        ("1714037059", "4/", form("nonce")),
        ("1714037059", "%3d", form("nonce")),
        ("1714037059", "4+5", form("nonce")),
    ] {
        for signature in [sign(&["token", timestamp, nonce]), "0".repeat(40)] {
            let query = format!("signature={signature}&timestamp={timestamp}&nonce={nonce}&echostr=7");
            for method in ["GET", "POST"] {
                let found = endpoint().receive(method, &query, b"<xml/>", NOW).map(drop);
                let wrong = signature.starts_with("0000").then_some(Err(RequestError::Signature));
                assert_eq!(found, expected.clone().and(wrong.unwrap_or(Ok(()))), "{method} {query}");
            }
        }
    }
}

#[test]
fn requests_that_are_not_wechats_are_refused_each_with_its_status() {
    let signed = signed();
    let missing = |name| RequestError::MissingParameter { name };
    let check = format!("{signed}&echostr=7");
    let cases: Vec<(&str, String, RequestError, u16)> = vec![
        ("GET", String::new(), missing("signature"), 400),
        ("GET", "echostr=1".into(), missing("signature"), 400),
        ("GET", signed.clone(), missing("echostr"), 400),
        ("GET", check.replace("nonce=4", "nonce=5"), RequestError::Signature, 403),
        ("POST", signed.replace("timestamp=1", "timestamp=2"), RequestError::Signature, 403),
        ("POST", signed.replace("signature=", "signature=0"), RequestError::Signature, 403),
        ("POST", signed.replace("signature", "Signature"), missing("signature"), 400),
        ("POST", signed.replace("timestamp", "time"), missing("timestamp"), 400),
        ("POST", signed.replace("nonce", "once"), missing("nonce"), 400),
        ("POST", query("other", "1714037059", "486452656"), RequestError::Signature, 403),
        ("POST", format!("signature=0&{signed}"), RequestError::Signature, 403),
        ("PUT", signed.clone(), RequestError::Method { method: "PUT".into() }, 405),
        ("get", check.clone(), RequestError::Method { method: "get".into() }, 405),
    ];
    for (method, query, error, status) in cases {
        let (endpoint, lines) = reported(endpoint());
        let body = text("hi");
        assert_eq!(endpoint.receive(method, &query, &body, NOW).unwrap_err(), error, "{method} {query}");
        assert_eq!(error.status(), status);
        let response = endpoint.respond(method, &query, &body, NOW, &Shop);
        assert_eq!(shown(&response), (status, "text/plain", ""), "{method} {query}");
        assert_eq!(*lines.lock().unwrap(), [format!("request refused with status {status}: {error}")]);
    }
}

#[test]
fn every_single_changed_character_of_what_is_signed_is_refused() {
    let signed = signed();
    for at in 0..signed.find("&openid").unwrap() {
        let mut changed = signed.clone().into_bytes();
        changed[at] ^= 1;
        let changed = String::from_utf8(changed).unwrap();
        assert!(endpoint().receive("POST", &changed, b"<xml/>", NOW).is_err(), "{changed}");
    }
}

#[test]
fn a_push_is_answered_as_its_handler_says() {
    let post = |body: &[u8]| {
        let (endpoint, lines) = reported(endpoint());
        let response = endpoint.respond("POST", &signed(), body, NOW, &Shop);
        (response, lines.lock().unwrap().clone())
    };
    let (response, reports) = post(&text("hi"));
    assert_eq!(
        shown(&response),
        (
            200,
            "text/xml",
            "<xml><ToUserName><![CDATA[o_1]]></ToUserName><FromUserName><![CDATA[gh_1]]></FromUserName>\
             <CreateTime>1714037060</CreateTime><MsgType><![CDATA[text]]></MsgType>\
             <Content><![CDATA[hi]]></Content></xml>"
        )
    );
    assert_eq!(reports, [""; 0]);

    let (response, reports) = post(&text("fail"));
    assert_eq!(shown(&response), (500, "text/plain", ""));
    assert_eq!(reports, ["handler failed on `text`: out of stock"]);

    let event = |rest: &str| {
        format!("<xml><ToUserName>g</ToUserName><FromUserName>o</FromUserName><MsgType>event</MsgType>{rest}</xml>")
    };
    let (response, reports) = post(event("<Event>subscribe</Event>").as_bytes());
    assert_eq!(shown(&response), (200, "text/plain", ""));
    assert_eq!(reports, [""; 0]);
    let (response, reports) = post(event("<Event>CLICK</Event><EventKey>k</EventKey>").as_bytes());
    assert_eq!(shown(&response), (200, "text/plain", "success"));
    assert_eq!(reports, ["reply to `CLICK` not written as asked: Content is empty: `success` was written"]);
    let (response, _) = post(event("<Event>brand_new</Event>").as_bytes());
    assert_eq!(shown(&response), (200, "text/plain", "success"));
}

#[test]
fn what_is_authentic_and_no_push_is_answered_success_and_handed_over_whole() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&kept);
    let endpoint = endpoint().on_report(move |report| {
        let Report::Unparsable { body, error } = report else { panic!("{report}") };
        into.lock().unwrap().push((body.to_vec(), (*error).clone(), report.to_string()));
    });
    let response = endpoint.respond("POST", &signed(), b"<xml><a></xml>", NOW, &Shop);
    assert_eq!(shown(&response), (200, "text/plain", "success"));
    let error = ParseError::NotXml { reason: "expected 'a' tag, not 'xml'".into(), line: 1, column: 9 };
    assert_eq!(
        *kept.lock().unwrap(),
        [(
            b"<xml><a></xml>".to_vec(),
            error.clone(),
            "authentic, but not a valid push, 14 bytes answered `success`: not XML: expected 'a' tag, not 'xml' at line 1, \
             column 9"
                .to_owned()
        )]
    );
    let Ok(Received::Push(push)) = endpoint.receive("POST", &signed(), b"<xml><a></xml>", NOW) else { panic!() };
    assert_eq!(push.event(), Err(error), "`receive` swallows nothing");
}

#[test]
fn the_probe_of_cloud_hosting_is_answered_unsigned_and_only_that_body() {
    for probe in ["<xml><action>CheckContainerPath</action></xml>", r#"{"action":"CheckContainerPath"}"#] {
        let response = endpoint().respond("POST", "", probe.as_bytes(), NOW, &Shop);
        assert_eq!(shown(&response), (200, "text/plain", "success"), "{probe}");
        for other in [format!("{probe} "), probe.replace("Path", "Paths"), probe.to_uppercase()] {
            let error = endpoint().receive("POST", "", other.as_bytes(), NOW).unwrap_err();
            assert_eq!(error, RequestError::MissingParameter { name: "signature" }, "{other}");
        }
        assert_eq!(endpoint().respond("GET", "", probe.as_bytes(), NOW, &Shop).status, 400);
    }
}

#[test]
fn a_body_over_the_limit_is_refused_before_its_signature_is_looked_at() {
    let endpoint = endpoint().limits(Limits::default().max_bytes(100));
    for (query, bytes) in [(signed(), 101), (String::new(), 101)] {
        let error = endpoint.receive("POST", &query, &vec![b' '; bytes], NOW).unwrap_err();
        assert_eq!(error, RequestError::TooLarge { bytes, limit: 100 });
        assert_eq!((error.status(), error.to_string().as_str()), (413, "the body is 101 bytes long, the limit is 100"));
    }
    assert!(endpoint.receive("POST", &signed(), &[b' '; 100], NOW).is_ok());
}

#[test]
fn both_tokens_are_accepted_while_one_replaces_the_other() {
    let rotating = Endpoint::plain("new").unwrap().previous_token("old").unwrap();
    for (token, accepted) in [("new", true), ("old", true), ("older", false)] {
        let query = query(token, "1714037059", "486452656");
        assert_eq!(rotating.receive("POST", &query, b"<xml/>", NOW).is_ok(), accepted, "{token}");
    }
    assert!(Endpoint::plain("new").unwrap().receive("POST", &query("old", "1", "2"), b"<xml/>", NOW).is_err());
}

#[test]
fn an_empty_token_cannot_be_configured() {
    assert_eq!(Endpoint::plain("").unwrap_err(), ConfigError::EmptyToken);
    assert_eq!(endpoint().previous_token("").unwrap_err(), ConfigError::EmptyToken);
    assert_eq!(ConfigError::EmptyToken.to_string(), "the token is empty");
}

#[test]
fn the_freshness_window_lets_retries_in_and_replays_out() {
    let fresh = endpoint().freshness(Duration::from_secs(300));
    for (now, seconds) in
        [(1_714_037_059 + 301, 301), (1_714_037_059 - 301, 301), (i64::MIN, 9_223_372_038_568_812_867)]
    {
        let error = fresh.receive("POST", &signed(), b"<xml/>", now).unwrap_err();
        assert_eq!(error, RequestError::Stale { name: "timestamp", seconds, limit: 300 });
        assert_eq!(error.status(), 403);
    }
    for now in [1_714_037_059 - 300, 1_714_037_059, 1_714_037_059 + 10, 1_714_037_059 + 300] {
        assert!(fresh.receive("POST", &signed(), b"<xml/>", now).is_ok(), "{now}");
    }
    let odd = query("token", "soon", "1");
    let error = fresh.receive("POST", &odd, b"<xml/>", NOW).unwrap_err();
    assert_eq!(
        (error.status(), error.to_string().as_str()),
        (400, "the query's `timestamp` is not a number, so its freshness cannot be checked")
    );
    assert!(endpoint().receive("POST", &odd, b"<xml/>", NOW).is_ok(), "off by default");
    assert!(
        fresh.receive("POST", &query("wrong", "1", "1"), b"<xml/>", NOW).is_err_and(|e| e == RequestError::Signature)
    );
}

#[test]
fn the_same_request_is_accepted_again_as_wechat_repeats_it() {
    for _ in 0..3 {
        assert!(endpoint().receive("POST", &signed(), b"<xml/>", NOW).is_ok());
    }
}

#[test]
fn parameters_are_found_in_any_order_and_decoded() {
    let signature = sign(&["token", "171403", "4-8"]);
    // Names that only begin like a wanted one do not count; of each name the first counts.
    let query = format!(
        "openid=o&nonces=1&nonce=%34%2d8&encrypt_type=raw&&x&timestamp=%3171403&signature_=2&signature={signature}&nonce=3"
    );
    assert!(endpoint().receive("POST", &query, b"<xml/>", NOW).is_ok());
    let error = endpoint().receive("POST", &format!("nonce&timestamp==&signature={signature}"), b"<xml/>", NOW);
    assert_eq!(error.unwrap_err(), RequestError::ParameterForm { name: "timestamp", limit: 32 });
}

#[test]
fn no_token_shows_in_debug() {
    let endpoint = Endpoint::plain("s3cret-a").unwrap().previous_token("s3cret-b").unwrap();
    let debug = format!("{endpoint:?}");
    assert!(!debug.contains("s3cret"), "{debug}");
    assert!(debug.contains("token: ***, previous_token: Some(***)"), "{debug}");
    let error = endpoint.receive("POST", &query("x", "1", "2"), b"<xml/>", NOW).unwrap_err();
    let right = sign(&["s3cret-a", "1", "2"]);
    for shown in [format!("{error:?}"), error.to_string()] {
        assert!(!shown.contains("s3cret") && !shown.contains(&right), "{shown}");
    }
}

proptest! {
    #[test]
    fn any_signed_values_of_the_form_are_accepted_however_they_are_escaped(
        token in "\\PC{1,20}", timestamp in "[0-9A-Za-z._-]{1,32}", nonce in "[0-9A-Za-z._-]{1,32}",
        echo in "[0-9A-Za-z._-]{1,64}", all in any::<bool>()
    ) {
        let escape = |text: &str| -> String {
            text.bytes()
                .map(|byte| match byte {
                    b'a'..=b'z' | b'0'..=b'9' if !all => char::from(byte).to_string(),
                    byte => format!("%{byte:02X}"),
                })
                .collect()
        };
        let signature = sign(&[&token, &timestamp, &nonce]);
        let query = format!(
            "timestamp={}&signature={signature}&echostr={}&nonce={}",
            escape(&timestamp), escape(&echo), escape(&nonce)
        );
        let endpoint = Endpoint::plain(token).unwrap();
        let Ok(Received::Answer(answer)) = endpoint.receive("GET", &query, b"", NOW) else { panic!("{query}") };
        prop_assert_eq!(answer.body, echo.into_bytes());
    }

    #[test]
    fn no_request_makes_it_panic(method in "GET|POST|.{0,5}", query in "(\\PC|[%&=+]|signature=|nonce=|timestamp=){0,30}", body: Vec<u8>) {
        let _ = endpoint().respond(&method, &query, &body, NOW, &Shop);
    }
}

#[test]
fn a_report_is_one_line_whatever_the_network_calls_itself() {
    struct Failing;
    impl Handler for Failing {
        fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
            Err("two\nlines".into())
        }
    }

    let (endpoint, lines) = reported(endpoint());
    let body = b"<xml><MsgType><![CDATA[a\r\nb\x1b[2J]]></MsgType></xml>";
    assert_eq!(endpoint.respond("PU\nT", "", b"", NOW, &Shop).status, 405);
    assert_eq!(endpoint.respond("POST", &signed(), body, NOW, &Failing).status, 500);
    let expected = [
        r"request refused with status 405: method PU\nT: WeChat sends GET and POST",
        r"handler failed on `a\r\nb\u{1b}[2J`: two\nlines",
    ];
    assert_eq!(*lines.lock().unwrap(), expected);
}

/// A [`Shop`] that has to be polled twice.
struct Patient;

impl AsyncHandler for Patient {
    async fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
        let mut asked_before = false;
        poll_fn(|context| {
            context.waker().wake_by_ref();
            if std::mem::replace(&mut asked_before, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        event.dispatch(&Shop)
    }
}

/// No runtime: polls the future by hand.
fn polled<T>(future: impl Future<Output = T>) -> T {
    let (mut future, mut context) = (pin!(future), Context::from_waker(Waker::noop()));
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

#[test]
fn respond_async_answers_and_reports_as_respond_does_without_a_runtime() {
    let subscribe =
        b"<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>1714037059</CreateTime>\
                      <MsgType>event</MsgType><Event>subscribe</Event></xml>";
    let (signed, confirm) = (signed(), format!("{}&echostr=42", signed()));
    let cases: [(&str, &str, &[u8]); 8] = [
        ("POST", &signed, &text("hello")),
        ("POST", &signed, &text("fail")),
        ("POST", &signed, &text("")),
        ("POST", &signed, subscribe),
        ("POST", &signed, b"<xml>"),
        ("POST", "", &text("hello")),
        ("GET", &confirm, b""),
        ("PUT", &signed, b""),
    ];
    for (method, query, body) in cases {
        let ((blocks, told_there), (waits, told_here)) = (reported(endpoint()), reported(endpoint()));
        let expected = blocks.respond(method, query, body, NOW, &Shop);
        let response = polled(waits.respond_async(method, query, body, NOW, &Patient));
        assert_eq!(shown(&response), shown(&expected));
        assert_eq!(*told_here.lock().unwrap(), *told_there.lock().unwrap());
    }
}
