//! `testing::WeChat`, checked against this crate's endpoints and against itself.

use std::time::Duration;

use wechat_events::event::{KINDS, Takes};
use wechat_events::reply::{Article, Music, TransferCustomerService, Video};
use wechat_events::testing::{Answer, DELIVERIES, Delivery, Reason, Request, Verdict, WeChat};
use wechat_events::{Endpoint, Event, Handler, HandlerResult, Received, Reply, Response, parse_event};

use crate::snake;

const TOKEN: &str = "QDG6eK";
const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const APP_ID: &str = "wxb11529c136998cb6";
pub(crate) const NOW: i64 = 1_714_037_059;

/// Answers everything with the same.
struct Always(Reply);

impl Handler for Always {
    fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
        Ok(self.0.clone())
    }
}

pub(crate) fn wechats() -> [WeChat; 3] {
    [
        WeChat::plain(TOKEN).unwrap(),
        WeChat::compatible(TOKEN, APP_ID, KEY).unwrap(),
        WeChat::safe(TOKEN, APP_ID, KEY).unwrap(),
    ]
}

pub(crate) fn endpoints() -> [Endpoint; 3] {
    [
        Endpoint::plain(TOKEN).unwrap(),
        Endpoint::compatible(TOKEN, APP_ID, KEY).unwrap(),
        Endpoint::safe(TOKEN, APP_ID, KEY).unwrap(),
    ]
    .map(|endpoint| endpoint.on_report(|_| {}))
}

pub(crate) fn serve(endpoint: &Endpoint, request: &Request, reply: Reply) -> Response {
    endpoint.respond(request.method, &request.query, &request.body, request.now, &Always(reply))
}

#[test]
fn an_account_goes_from_plaintext_to_safe_mode_and_back_without_losing_a_push() {
    // A row for each mode in the console, a column for each endpoint.
    let verdicts = wechats().map(|wechat| {
        endpoints().map(|endpoint| {
            let request = wechat.push("text").set("Content", "hello").request(NOW);
            wechat.judge(&request, serve(&endpoint, &request, Reply::text("hi"))).to_string()
        })
    });
    let shown = "shows the reply";
    let refused = "shows its fault line: status 403, not 200";
    let kept = "shows nothing, as asked";
    assert_eq!(verdicts, [[shown, refused, refused], [shown, shown, shown], [kept, shown, shown]]);
}

#[test]
fn every_endpoint_reads_the_same_push_whatever_way_it_came() {
    for kind in KINDS {
        for (wechat, endpoint) in wechats().iter().zip(endpoints()) {
            let request = wechat.push(kind.name()).request(NOW);
            let Ok(Received::Push(push)) = endpoint.receive("POST", &request.query, &request.body, NOW) else {
                panic!("{request:?}")
            };
            let event = push.event().unwrap();
            assert_eq!(event, parse_event(&request.message).unwrap());
            assert_eq!(event.create_time, NOW, "{}", kind.name());
            let sealed = format!("{wechat:?}").contains("Safe");
            assert!(!sealed || push.body() == request.message);
        }
    }
}

#[test]
fn a_push_by_name_is_the_sample_but_for_its_time_and_msg_id() {
    let wechat = WeChat::plain(TOKEN).unwrap();
    for kind in KINDS {
        let sample = std::fs::read_to_string(format!("tests/pushes/{}.xml", snake(kind.variant()))).unwrap();
        let sample = parse_event(sample.as_bytes()).unwrap();
        let mut draft = wechat.push(kind.name()).set("CreateTime", &sample.create_time.to_string());
        if let Some(msg_id) = sample.msg_id() {
            draft = draft.set("MsgId", &msg_id);
        }
        let message = draft.request(NOW).message;
        assert_eq!(parse_event(&message).unwrap(), sample, "{}", String::from_utf8_lossy(&message));
    }
}

#[test]
fn upper_and_lower_case_tell_the_event_from_the_message_only() {
    let wechat = WeChat::plain(TOKEN).unwrap();
    let kind = |name: &str| {
        let message = wechat.push_unknown(name).request(NOW).message;
        let event = parse_event(&message).unwrap();
        (event.name().to_owned(), event.field("MsgType").unwrap().into_owned())
    };
    assert_eq!(kind("LOCATION"), ("LOCATION".into(), "event".into()));
    assert_eq!(kind("location"), ("location".into(), "location".into()));
    assert_eq!(kind("scan"), ("SCAN".into(), "event".into()));
    assert_eq!(kind("wxa_new"), ("wxa_new".into(), "event".into()));
}

#[test]
fn fields_are_set_where_they_are_and_added_where_they_belong() {
    let wechat = WeChat::plain(TOKEN).unwrap();
    let raw = "<xml><A><B>1</B><C>x</C></A><D>2.5</D><A><B>3</B></A></xml>";
    let set = |fields: &[(&str, &str)]| {
        let draft = fields.iter().fold(wechat.raw(raw), |draft, (path, value)| draft.set(path, value));
        String::from_utf8(draft.request(NOW).message).unwrap()
    };
    assert_eq!(set(&[]), raw, "raw bytes stay as they are");
    assert_eq!(
        set(&[("A/B", "9"), ("D", "-1")]),
        "<xml><A><B>9</B><C><![CDATA[x]]></C></A>\n<D>-1</D>\n<A><B>3</B></A>\n</xml>"
    );
    assert_eq!(
        set(&[("A/B", "a]]>b\u{8}"), ("A/E/F", "7"), ("G", "")]),
        "<xml><A><B><![CDATA[a]]]]><![CDATA[>b\u{8}]]></B><C><![CDATA[x]]></C><E><F><![CDATA[7]]></F></E></A>\n\
         <D>2.5</D>\n<A><B>3</B></A>\n<G><![CDATA[]]></G>\n</xml>"
    );
    let json = r#"{"MsgType":"text"}"#;
    assert_eq!(wechat.raw(json).set("MsgType", "image").request(NOW).message, json.as_bytes());
}

#[test]
fn one_seed_gives_the_same_bytes_and_another_others() {
    for make in [|| WeChat::plain(TOKEN), || WeChat::safe(TOKEN, APP_ID, KEY)] {
        let requests = |seed| {
            let wechat = make().unwrap().seed(seed);
            [(); 2].map(|()| wechat.push("text").request(NOW))
        };
        let [first, second] = requests(1);
        assert_eq!([first.clone(), second.clone()], requests(1));
        assert_ne!([first.clone(), second.clone()], requests(2));
        assert_ne!(first.message, second.message, "each text has a MsgId of its own");
    }
}

#[test]
fn a_chosen_nonce_and_openid_stand_in_the_query_encoded() {
    for wechat in wechats() {
        let request = wechat.push("text").set("FromUserName", "o&1").nonce("a b+c").request(NOW);
        assert!(request.query.contains("&timestamp=1714037059&nonce=a%20b%2Bc&openid=o%261"), "{}", request.query);
        let [.., safe] = endpoints();
        if format!("{wechat:?}").contains("Safe") {
            for (nonce, verdict) in [
                ("a-b_c.9", "shows the reply"),
                ("a b+c", "shows its fault line: status 400, not 200"),
                (&"7".repeat(33), "shows its fault line: status 400, not 200"),
            ] {
                let request = wechat.push("text").nonce(nonce).request(NOW);
                let answer = serve(&safe, &request, Reply::text("hi"));
                assert_eq!(wechat.judge(&request, answer).to_string(), verdict, "{nonce}");
            }
        }
    }
}

/// Delivers to an endpoint that takes these seconds for its answers, in turn.
fn deliver(wechat: &WeChat, endpoint: &Endpoint, seconds: &[Option<u64>]) -> Delivery {
    let mut seconds = seconds.iter();
    wechat.push("text").set("Content", "hello").deliver(NOW, |request| {
        let after = Duration::from_secs((*seconds.next()?)?);
        Some(Answer::from(serve(endpoint, request, Reply::text("hi"))).after(after))
    })
}

#[test]
fn an_unanswered_push_comes_three_times_and_then_the_fault_line() {
    assert_eq!(DELIVERIES.map(|delay| delay.as_millis()), [0, 5_070, 10_080]);
    for (wechat, endpoint) in wechats().iter().zip(endpoints()) {
        let delivery = deliver(wechat, &endpoint, &[None, Some(5), Some(60)]);
        assert_eq!(delivery.verdict, Verdict::FaultLine(Reason::Silence));
        let late = |seconds| Verdict::Ignored(Reason::TooLate { after: Duration::from_secs(seconds) });
        let (requests, verdicts): (Vec<_>, Vec<_>) =
            delivery.attempts.into_iter().map(|attempt| (attempt.request, attempt.verdict)).unzip();
        assert_eq!(verdicts, [Verdict::Ignored(Reason::Silence), late(5), late(60)]);
        assert_eq!(requests.iter().map(|request| request.now - NOW).collect::<Vec<_>>(), [0, 5, 10]);
        assert!(requests.iter().all(|request| request.message == requests[0].message));
        let (queries, bodies): (Vec<_>, Vec<_>) =
            requests.iter().map(|request| (&*request.query, &request.body)).unzip();
        if format!("{wechat:?}").contains("Plain") {
            assert!(queries.iter().all(|query| *query == queries[0]), "one signature, timestamp and nonce");
            continue;
        }
        for [one, two] in [[0, 1], [0, 2], [1, 2]] {
            for (index, parameter) in queries[one].split('&').enumerate() {
                let same = queries[two].split('&').nth(index) == Some(parameter);
                assert_eq!(same, parameter.starts_with("openid") || parameter == "encrypt_type=aes", "{parameter}");
            }
            assert_ne!(bodies[one], bodies[two]);
        }
        assert!(queries[2].contains("timestamp=1714037069"));
    }
}

#[test]
fn the_first_answer_in_time_ends_it() {
    for (wechat, endpoint) in wechats().iter().zip(endpoints()) {
        for (seconds, attempts) in [(&[Some(4)][..], 1), (&[Some(7), Some(0)], 2), (&[None, None, Some(4)], 3)] {
            let delivery = deliver(wechat, &endpoint, seconds);
            assert_eq!(delivery.attempts.len(), attempts);
            assert_eq!(delivery.verdict.field("Content").as_deref(), Some("hi"));
        }
    }
}

#[test]
fn a_refusal_is_not_pushed_again() {
    let [plain, _, safe] = wechats();
    let [_, _, endpoint] = endpoints();
    let delivery = deliver(&plain, &endpoint, &[Some(0); 3]);
    assert_eq!(delivery.attempts.len(), 1);
    assert_eq!(delivery.verdict, Verdict::FaultLine(Reason::Status { status: 403 }));
    assert_eq!(deliver(&safe, &endpoint, &[Some(0); 3]).verdict.to_string(), "shows the reply");
}

/// What a panic says.
fn panics(test: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let payload = std::panic::catch_unwind(test).unwrap_err();
    payload.downcast_ref::<String>().cloned().unwrap_or_else(|| payload.downcast_ref::<&str>().unwrap().to_string())
}

#[test]
fn a_misspelt_kind_or_field_fails_where_it_stands() {
    let [wechat, ..] = wechats();
    assert_eq!(
        panics(|| drop(wechat.push("SCNA"))),
        "no kind is named `SCNA`: event::KINDS lists them, and push_unknown takes any name"
    );
    let expected = "`SCAN` has no `EvenKey`, but EventKey, Ticket; set_unknown takes any path";
    assert_eq!(panics(|| drop(wechat.push("scan").set("EvenKey", "7"))), expected);
    assert_eq!(panics(|| drop(wechat.push("scan").without("EvenKey"))), expected);
    for path in ["EventKey", "Ticket", "FromUserName", "CreateTime"] {
        let draft = wechat.push("SCAN").set(path, "7").without(path).set(path, "8");
        let event = parse_event(&draft.request(NOW).message).unwrap().into_owned();
        assert_eq!(event.field(path).as_deref(), Some("8"));
    }
    // A push without a kind has no known fields.
    let _ = wechat.push_unknown("SCNA").set("EvenKey", "7").without("EvenKey").request(NOW);
    let _ = wechat.push("SCAN").set_unknown("EvenKey", "7").request(NOW);
    let _ = wechat.raw("<xml><a>1</a></xml>").set("b", "2").request(NOW);
}

struct Says(Reply);

impl wechat_events::Handler for Says {
    fn otherwise(&self, _: &Event<'_>) -> wechat_events::HandlerResult {
        Ok(self.0.clone())
    }
}

#[test]
fn expectations_hold_in_all_modes_and_a_failed_one_shows_request_answer_and_reason() {
    for (wechat, endpoint) in wechats().iter().zip(endpoints()) {
        let scan = || wechat.push("SCAN").set("EventKey", "7").at(NOW);
        scan().respond(&endpoint, &Says(Reply::text("hi"))).expect_text("hi").expect("FromUserName", "gh_ebc88566ca2e");
        scan().respond(&endpoint, &Says(Reply::Success)).expect_success();

        let said = scan().respond(&endpoint, &Says(Reply::text("hi")));
        let of = |test: &dyn Fn()| panics(std::panic::AssertUnwindSafe(test));
        let other = of(&|| {
            said.expect_text("ho");
        });
        assert!(
            other.starts_with("expected the text \"ho\", but WeChat shows the reply\ndelivery 1: POST ?"),
            "{other}"
        );
        for shown in
            ["<EventKey><![CDATA[7]]></EventKey>", "answer after 0ns: 200", "<Content><![CDATA[hi]]></Content>"]
        {
            assert!(other.contains(shown), "{other}");
        }
        assert!(
            of(&|| {
                said.expect_success();
            })
            .starts_with("expected `success`, but WeChat shows the reply")
        );
        assert!(
            of(&|| {
                said.expect("MediaId", "1");
            })
            .starts_with("expected a reply with MediaId \"1\"")
        );
        let silent = scan().respond(&endpoint, &Says(Reply::Success));
        let silent = of(&|| {
            silent.expect_text("hi");
        });
        assert!(silent.starts_with("expected the text \"hi\", but WeChat shows nothing, as asked"), "{silent}");
        let foreign = scan().respond(&Endpoint::plain("another").unwrap(), &Says(Reply::Success));
        let foreign = of(&|| {
            foreign.expect_success();
        });
        assert!(foreign.contains("but WeChat shows its fault line: status 403, not 200"), "{foreign}");
    }
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn a_webhook_gets_each_delivery_at_its_time_and_five_seconds_for_it() {
    struct Slow(u64);
    impl wechat_events::AsyncHandler for Slow {
        async fn otherwise(&self, _: &Event<'_>) -> wechat_events::HandlerResult {
            tokio::time::sleep(Duration::from_secs(self.0)).await;
            Ok(Reply::text("at last"))
        }
    }
    for (seconds, attempts) in [(0, 1), (4, 1), (6, 2), (11, 3)] {
        for (wechat, endpoint) in wechats().iter().zip(endpoints()) {
            let webhooks = wechat_events::Webhooks::builder().wall_clock(|| NOW).build();
            let webhook = webhooks.account(endpoint, Slow(seconds));
            let delivery = wechat.push("text").at(NOW).send(&webhook).await;
            delivery.expect_text("at last");
            assert_eq!(delivery.attempts.len(), attempts, "{seconds} s");
            let times: Vec<_> = delivery.attempts.iter().map(|attempt| attempt.request.now - NOW).collect();
            assert_eq!(times, [0, 5, 10][..attempts]);
            assert!(delivery.attempts.iter().rev().skip(1).all(|attempt| attempt.answer.is_none()));
        }
    }
}

fn every_reply() -> Vec<Reply> {
    let article = || Article::new("Title", "", "https://e.com/a.jpg", "https://e.com/a");
    vec![
        Reply::text("]]></Content>\u{8}你好"),
        Reply::text("长".repeat(1000)),
        Reply::image("m"),
        Reply::voice("m"),
        Video::new("m").title("t").into(),
        Music::new("m").into(),
        Reply::news([article()]),
        Reply::news([article(), article()]),
        Reply::transfer_customer_service(),
        TransferCustomerService::to("kf2001@gh_1").into(),
        Reply::TransferBizAiIvr,
    ]
}

#[test]
fn whatever_a_handler_answers_to_whatever_kind_wechat_takes() {
    for (wechat, endpoint) in wechats().iter().zip(endpoints()) {
        for kind in KINDS {
            for reply in every_reply().into_iter().chain([Reply::Success, Reply::Empty, Reply::text("")]) {
                let request = wechat.push(kind.name()).request(NOW);
                let verdict = wechat.judge(&request, serve(&endpoint, &request, reply.clone()));
                let taken = match kind.takes() {
                    // Nobody but the handler has an opinion.
                    Takes::IosRefund => matches!(verdict, Verdict::Ignored(Reason::TakesOpinion { .. })),
                    _ => matches!(verdict, Verdict::Accepted(_) | Verdict::Silent),
                };
                assert!(taken, "{}: {verdict}", kind.name());
            }
        }
        let request = wechat.push("text").request(NOW);
        for reply in every_reply() {
            let verdict = wechat.judge(&request, serve(&endpoint, &request, reply));
            let Verdict::Accepted(accepted) = verdict else { panic!("{verdict}") };
            assert_eq!(accepted.sealed, !format!("{wechat:?}").contains("Plain"));
        }
    }
}

/// A text reply to a push from `o_1` to `gh_1`, with changes.
fn reply(changes: &[(&str, &str)]) -> String {
    let reply = "<xml><ToUserName>o_1</ToUserName><FromUserName>gh_1</FromUserName><CreateTime>7</CreateTime>\
                 <MsgType>text</MsgType><Content>hi</Content></xml>";
    changes.iter().fold(reply.to_owned(), |reply, (from, to)| {
        assert!(reply.contains(from), "{from}");
        reply.replace(from, to)
    })
}

fn news(articles: usize) -> String {
    let item = "<item><Title>t</Title><Description/><PicUrl/><Url/></item>";
    let body =
        format!("news</MsgType><ArticleCount>{articles}</ArticleCount><Articles>{}</Articles>", item.repeat(articles));
    reply(&[("text</MsgType><Content>hi</Content>", &body)])
}

#[test]
fn each_wrong_answer_has_its_verdict_and_reason() {
    let wechat = WeChat::plain(TOKEN).unwrap();
    let fault = |reason: &str| format!("shows its fault line: {reason}");
    let to = |kind: &str, status, body: &str| {
        let draft = wechat.push_unknown(kind).set("FromUserName", "o_1").set("ToUserName", "gh_1");
        wechat.judge(&draft.request(NOW), Answer::new(status, body)).to_string()
    };
    for (kind, status, body, expected) in [
        ("text", 200, reply(&[]), "shows the reply".to_owned()),
        ("text", 200, format!("\n{}\n", reply(&[])), "shows the reply".into()),
        ("text", 200, "success".into(), "shows nothing, as asked".into()),
        ("text", 200, String::new(), "shows nothing, as asked".into()),
        ("text", 500, "success".into(), fault("status 500, not 200")),
        (
            "text",
            200,
            "\"success\"".into(),
            fault(r#"the answer `\"success\"` is not `success`, not empty and not XML: unknown token at 1:1"#),
        ),
        (
            "text",
            200,
            "success\n".into(),
            fault(r"the answer `success\n` is not `success`, not empty and not XML: unknown token at 1:1"),
        ),
        ("text", 200, r#"{"errcode":0}"#.into(), fault("the push and the answer are not both XML or both JSON")),
        ("text", 200, format!("\u{FEFF}{}", reply(&[])), fault("a byte order mark stands in front of it")),
        (
            "text",
            200,
            "<html><br></html>".into(),
            fault(
                "the answer `<html><br></html>` is not `success`, not empty and not XML: \
                 expected 'br' tag, not 'html' at 1:11",
            ),
        ),
        ("text", 200, "<html></html>".into(), fault("its root is `html`, not `xml`")),
        ("text", 200, reply(&[("<xml>", "\n<Xml>"), ("</xml>", "</Xml>")]), fault("its root is `Xml`, not `xml`")),
        (
            "text",
            200,
            reply(&[("<xml>", "<!--xml--><Xml>"), ("</xml>", "</Xml>")]),
            fault("its root is `Xml`, not `xml`"),
        ),
        ("text", 200, reply(&[("<xml>", "<?xml version='1.0'?><xml >")]), "shows the reply".into()),
        ("text", 200, "<xml/>".into(), fault("ToUserName is missing or empty")),
        (
            "text",
            200,
            "<xml><Encrypt>A</Encrypt></xml>".into(),
            fault("it is encrypted, but the account is in plaintext mode"),
        ),
        ("VIEW", 200, reply(&[]), fault("`VIEW` takes no reply")),
        ("wxa_new", 200, reply(&[]), fault("`wxa_new` takes no reply")),
        ("text", 200, reply(&[("o_1", "o_2")]), fault("ToUserName is `o_2`, not `o_1`")),
        ("text", 200, reply(&[("gh_1", "o_1")]), fault("FromUserName is `o_1`, not `gh_1`")),
        ("text", 200, reply(&[("ToUserName", "toUserName")]), fault("ToUserName is missing or empty")),
        ("text", 200, reply(&[(">7<", ">now<")]), fault("CreateTime is `now`, not a number")),
        ("text", 200, reply(&[(">7<", ">1714037059000<")]), "shows the reply".into()),
        ("text", 200, reply(&[(">text<", ">Text<")]), fault("MsgType is `Text`, not a type of reply")),
        ("text", 200, reply(&[("hi", "")]), fault("Content is missing or empty")),
        ("text", 200, reply(&[("hi", &"a".repeat(2048))]), "shows the reply".into()),
        ("text", 200, reply(&[("hi", &"a".repeat(2049))]), fault("Content has 2049 bytes, 2048 are allowed")),
        ("text", 200, reply(&[("text", "image")]), fault("Image/MediaId is missing or empty")),
        ("text", 200, reply(&[("text", "music")]), fault("Music/ThumbMediaId is missing or empty")),
        ("text", 200, news(1), "shows the reply".into()),
        ("text", 200, news(0), fault("Articles/item is missing or empty")),
        ("text", 200, news(2), "ignores the answer: 2 articles, 1 are allowed".into()),
        ("SCAN", 200, news(8), "shows the reply".into()),
        ("SCAN", 200, news(9), "ignores the answer: 9 articles, 8 are allowed".into()),
        ("SCAN", 200, news(2).replace(">2<", ">1<"), fault("ArticleCount is `1`, not 2")),
        ("SCAN", 200, news(1).replace("<Url/>", ""), fault("Url is missing or empty")),
        (
            "SCAN",
            200,
            reply(&[("text", "transfer_customer_service")]),
            fault("MsgType is `transfer_customer_service`, not a reply to an event"),
        ),
        ("text", 200, reply(&[("text", "transfer_customer_service")]), "shows the reply".into()),
        (
            "text",
            200,
            reply(&[
                ("text", "transfer_customer_service"),
                ("<Content>hi</Content>", "<TransInfo><KfAccount></KfAccount></TransInfo>"),
            ]),
            fault("TransInfo/KfAccount is missing or empty"),
        ),
    ] {
        assert_eq!(to(kind, status, &body), expected, "{kind}: {body}");
    }
}

#[test]
fn a_sealed_answer_is_opened_and_each_part_of_it_is_checked() {
    let [plain, compatible, safe] = wechats();
    let [_, _, endpoint] = endpoints();
    let draft = |wechat: &WeChat| wechat.push("text").set("FromUserName", "o_1").set("ToUserName", "gh_1").request(NOW);
    let request = draft(&safe);
    let sealed = String::from_utf8(serve(&endpoint, &request, Reply::text("hi")).body).unwrap();
    let judged = |wechat: &WeChat, body: &str| wechat.judge(&request, Answer::new(200, body)).to_string();
    assert_eq!(judged(&safe, &sealed), "shows the reply");
    assert_eq!(judged(&compatible, &sealed), "shows the reply");
    assert_eq!(judged(&compatible, &reply(&[])), "shows the reply");
    let fault = |reason: &str| format!("shows its fault line: {reason}");
    assert_eq!(judged(&plain, &sealed), fault("it is encrypted, but the account is in plaintext mode"));
    assert_eq!(judged(&safe, &reply(&[])), fault("it is not encrypted, but the account is in safe mode"));
    for (from, to, reason) in [
        ("<TimeStamp>1", "<TimeStamp>2", "MsgSignature is wrong"),
        ("<TimeStamp>", "<TimeStamp>x", "TimeStamp is `x1714037059`, not a number"),
        ("<Nonce><![CDATA[", "<Nonce><![CDATA[1", "MsgSignature is wrong"),
        ("<Encrypt><![CDATA[", "<Encrypt><![CDATA[A", "MsgSignature is wrong"),
        ("MsgSignature", "Signature", "MsgSignature is missing or empty"),
        ("TimeStamp", "Timestamp", "TimeStamp is missing or empty"),
        ("Nonce", "nonce", "Nonce is missing or empty"),
        ("Encrypt", "encrypt", "it is not encrypted, but the account is in safe mode"),
    ] {
        assert_eq!(judged(&safe, &sealed.replace(from, to)), fault(reason));
    }
    let other = Endpoint::safe(TOKEN, APP_ID, "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C").unwrap();
    let theirs = WeChat::safe(TOKEN, APP_ID, "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C").unwrap();
    let of_other = serve(&other, &draft(&theirs), Reply::text("hi"));
    let verdict = safe.judge(&request, of_other);
    let Verdict::FaultLine(Reason::Open(_)) = verdict else { panic!("{verdict}") };
}

#[test]
fn the_address_is_confirmed_by_the_echostr_alone() {
    for (wechat, endpoint) in wechats().iter().zip(endpoints()) {
        let request = wechat.address_check(NOW);
        let echostr = request.query.rsplit_once('=').unwrap().1;
        assert_eq!(wechat.judge(&request, serve(&endpoint, &request, Reply::text("hi"))), Verdict::Confirmed);
        for (status, body, reason) in [
            (
                200,
                format!("\"{echostr}\""),
                format!("the body is `\\\"{echostr}\\\"`, not the echostr {echostr} alone"),
            ),
            (200, format!("{echostr}\n"), format!("the body is `{echostr}\\n`, not the echostr {echostr} alone")),
            (200, "success".to_owned(), format!("the body is `success`, not the echostr {echostr} alone")),
            (403, echostr.to_owned(), "status 403, not 200".to_owned()),
        ] {
            let verdict = wechat.judge(&request, Answer::new(status, body)).to_string();
            assert_eq!(verdict, format!("does not confirm the address: {reason}"));
        }
    }
}

#[test]
fn a_component_s_push_names_the_component() {
    let wechat = WeChat::safe(TOKEN, APP_ID, KEY).unwrap().component();
    let [.., endpoint] = endpoints();
    let ticket = "<xml><AppId>wxb11529c136998cb6</AppId><InfoType>component_verify_ticket</InfoType></xml>";
    let request = wechat.raw(ticket).request(NOW);
    let body = String::from_utf8(request.body.clone()).unwrap();
    assert!(body.starts_with("<xml><AppId><![CDATA[wxb11529c136998cb6]]></AppId>\n<Encrypt>"), "{body}");
    assert!(!request.query.contains("openid"));
    let verdict = wechat.judge(&request, serve(&endpoint, &request, Reply::text("hi")));
    assert_eq!(verdict, Verdict::Silent);
}

#[test]
fn whatever_is_pushed_has_its_envelope_beside_it_in_compatible_mode() {
    let [_, compatible, _] = wechats();
    let [_, endpoint, _] = endpoints();
    for message in [
        "<xml/>",
        "<xml a='1' />\n",
        "<?xml version='1.0'?><xml></xml>",
        "<xml><MsgType>text</MsgType></xml>\n<!-- </xml> -->",
        "<xml><Content>\u{8}</Content></xml>",
        #[cfg(feature = "json")]
        "{}",
        #[cfg(feature = "json")]
        " { } ",
        #[cfg(feature = "json")]
        r#"{"MsgType":"text","Part":{}}"#,
    ] {
        let request = compatible.raw(message).request(NOW);
        let received = endpoint.receive("POST", &request.query, &request.body, NOW);
        let Ok(Received::Push(push)) = received else { panic!("{message}: {received:?}") };
        assert_eq!(push.body(), message.as_bytes());
    }
}

#[test]
fn settings_that_no_account_has_are_refused() {
    assert_eq!(WeChat::plain("").unwrap_err().to_string(), "the token is empty");
    let error = WeChat::safe(TOKEN, APP_ID, "short").unwrap_err();
    assert_eq!(error.to_string(), "EncodingAESKey is 5 characters long, WeChat's have 43");
    assert!(WeChat::compatible(TOKEN, "", KEY).unwrap_err().to_string().starts_with("the app id is empty"));
    let debug = format!("{:?}", WeChat::safe(TOKEN, APP_ID, KEY).unwrap());
    let expected =
        "WeChat { mode: Safe(Sealed { app_id: \"wxb11529c136998cb6\", key: EncodingAesKey(..) }), seed: 0, .. }";
    assert_eq!(debug, expected);
}

#[cfg(feature = "json")]
#[test]
fn a_draft_in_json_is_the_same_event() {
    let wechat = WeChat::plain(TOKEN).unwrap();
    for kind in KINDS {
        let draft = wechat.push(kind.name());
        let (xml, json) = (draft.request(NOW), draft.json().request(NOW));
        assert_eq!((xml.content_type, json.content_type), ("text/xml", "application/json"));
        assert_eq!(
            parse_event(&json.message).unwrap(),
            parse_event(&xml.message).unwrap(),
            "{}",
            String::from_utf8_lossy(&json.message)
        );
    }
    let json = |draft: wechat_events::testing::Draft<'_>| String::from_utf8(draft.json().request(NOW).message).unwrap();
    assert_eq!(
        json(wechat.raw("<xml><A>1</A><B><C>007</C><C><![CDATA[\"]]></C></B><A>2</A><D>1.5</D><E></E></xml>")),
        r#"{"A":[1,2],"B":{"C":["007","\""]},"D":"1.5","E":""}"#
    );
    assert_eq!(json(wechat.raw(r#"{"A": 1}"#)), r#"{"A": 1}"#);
    assert_eq!(json(wechat.raw("<xml></xml>")), "{}");
}

#[cfg(feature = "json")]
#[test]
fn a_push_in_json_is_answered_in_json_in_every_mode() {
    let text = r#"{"ToUserName":"gh_1","FromUserName":"o_1","CreateTime":7,"MsgType":"text","Content":"hi"}"#;
    let scan =
        r#"{"ToUserName":"gh_1","FromUserName":"o_1","CreateTime":7,"MsgType":"event","Event":"SCAN","EventKey":"7"}"#;
    for (wechat, endpoint) in wechats().iter().zip(endpoints()) {
        for message in [text, scan] {
            let request = wechat.raw(message).request(NOW);
            assert_eq!(request.content_type, "application/json");
            for reply in every_reply() {
                let response = serve(&endpoint, &request, reply);
                let expected = if response.body == b"success" { "text/plain" } else { "application/json" };
                assert_eq!(response.content_type, expected);
                let verdict = wechat.judge(&request, response);
                assert!(matches!(verdict, Verdict::Accepted(_) | Verdict::Silent), "{verdict}");
            }
            let verdict = wechat.judge(&request, serve(&endpoint, &request, Reply::text("\"]]>\n你好")));
            assert_eq!(verdict.field("Content").as_deref(), Some("\"]]>\n你好"));
        }
        let request = wechat.raw(text).request(NOW);
        let verdict = wechat.judge(&request, Answer::new(200, reply(&[])));
        assert_eq!(verdict, Verdict::FaultLine(Reason::Format));
    }
}
