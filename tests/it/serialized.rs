//! The feature `serde`: what is written, what comes back, and what is refused.

use std::fs;

use serde::Deserialize;
use serde::de::value::{BytesDeserializer, Error, MapDeserializer};
use wechat_events::event::Text;
use wechat_events::reply::{Article, Music, TransferCustomerService, Video};
use wechat_events::{DedupKey, Event, Kind, Limits, Reply, parse_event};

use crate::files;

const BODY: &str = "<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>7</CreateTime>\
                    <MsgType>text</MsgType><Content>hi</Content></xml>";

#[test]
fn every_fixture_comes_back_from_a_text_and_from_a_binary_format() {
    let mut pushes = files("pushes", "xml");
    if cfg!(feature = "json") {
        pushes.extend(files("json/pushes", "json"));
    }
    for (name, path) in pushes {
        let body = fs::read(&path).unwrap();
        let event = parse_event(&body).unwrap();
        let text = serde_json::to_string(&event).unwrap();
        let bytes = postcard::to_stdvec(&event).unwrap();
        for back in [serde_json::from_str::<Event<'_>>(&text).unwrap(), postcard::from_bytes(&bytes).unwrap()] {
            assert_eq!(back, event, "{name}");
            assert_eq!(back.body(), event.body(), "{name}");
            assert_eq!(back.dedup_key(), event.dedup_key(), "{name}");
            assert_eq!(back.field("MsgType"), event.field("MsgType"), "{name}");
        }
    }
}

#[test]
fn a_body_that_is_not_text_is_written_in_hexadecimal() {
    let body = b"<xml><MsgType>text</MsgType><Content>\xff</Content></xml>";
    let event = parse_event(body).unwrap();
    let text = serde_json::to_string(&event).unwrap();
    assert_eq!(
        text,
        "{\"name\":\"text\",\"to_user\":\"\",\"from_user\":\"\",\"create_time\":0,\"fields\":{\"content\":\"\u{FFFD}\"},\"body\":{\"hex\":\"\
         3c786d6c3e3c4d7367547970653e746578743c2f4d7367547970653e3c436f6e74656e743eff3c2f436f6e74656e743e3c2f786d6c3e\
         \"}}"
    );
    let back: Event<'static> = serde_json::from_str(&text).unwrap();
    assert_eq!((back.body(), back.field("Content").as_deref()), (&body[..], Some("\u{FFFD}")));
}

#[test]
fn readers_in_other_languages_find_the_fields_beside_the_body() {
    let fields = |body: &str| serde_json::to_value(parse_event(body.as_bytes()).unwrap()).unwrap()["fields"].take();
    let typed =
        "<xml><MsgType>event</MsgType><Event>LOCATION</Event><Latitude>23.5</Latitude><Longitude>1</Longitude></xml>";
    assert_eq!(fields(typed), serde_json::json!({"latitude": 23.5, "longitude": 1.0}));
    let nested = "<xml><MsgType>event</MsgType><Event>pic_weixin</Event><EventKey>k</EventKey><SendPicsInfo>\
                  <Count>1</Count><PicList><item><PicMd5Sum>a</PicMd5Sum></item></PicList></SendPicsInfo></xml>";
    assert_eq!(fields(nested), serde_json::json!({"event_key": "k", "count": 1, "pic_md5_sum": ["a"]}),);
    let listed = "<xml><MsgType>event</MsgType><Event>TEMPLATESENDJOBFINISH</Event><MsgID>1</MsgID><Status>success</Status></xml>";
    assert_eq!(fields(listed), serde_json::json!({"msg_id": "1", "status": "success"}));
    let unknown = "<xml><MsgType>event</MsgType><Event>new</Event><A><B>1</B><B>2</B></A><C/></xml>";
    assert_eq!(
        fields(unknown),
        serde_json::json!({"MsgType": "event", "Event": "new", "A": {"B": ["1", "2"]}, "C": ""}),
    );
}

#[test]
fn a_binary_format_gets_the_header_and_then_the_bytes_of_the_body() {
    let event = parse_event(BODY.as_bytes()).unwrap();
    let expected = postcard::to_stdvec(&("text", "gh_1", "o_1", 7_i64, BODY.as_bytes())).unwrap();
    assert_eq!(postcard::to_stdvec(&event).unwrap(), expected);
}

#[test]
fn bytes_are_taken_from_a_format_that_calls_itself_human_readable() {
    let form = [("body", BytesDeserializer::<Error>::new(BODY.as_bytes()))];
    let event = Event::deserialize(MapDeserializer::new(form.into_iter())).unwrap();
    assert_eq!(event, parse_event(BODY.as_bytes()).unwrap());
}

#[test]
fn what_was_changed_in_the_public_fields_does_not_come_back() {
    let original = parse_event(BODY.as_bytes()).unwrap();
    let mut event = original.clone();
    event.to_user = "somebody else".into();
    event.kind = parse_event(b"<xml><MsgType>event</MsgType><Event>ENTER</Event></xml>").unwrap().kind;
    let text = serde_json::to_string(&event).unwrap();
    assert!(text.contains("\"to_user\":\"somebody else\""), "{text}");
    assert_eq!(serde_json::from_str::<Event<'_>>(&text).unwrap(), original);
}

#[test]
fn an_event_is_a_part_of_what_its_user_keeps() {
    #[derive(serde::Serialize, Deserialize)]
    struct Job<'a> {
        attempt: u32,
        key: DedupKey,
        event: Event<'a>,
        answer: Option<Reply>,
    }
    #[derive(serde::Serialize, Deserialize)]
    #[serde(untagged)]
    enum Entry<'a> {
        Job(Job<'a>),
    }
    let event = parse_event(BODY.as_bytes()).unwrap();
    let key = event.dedup_key();
    let job = Job { attempt: 2, key, event: event.clone(), answer: Some(Reply::text("hi")) };
    let binary: Job<'_> = postcard::from_bytes(&postcard::to_stdvec(&job).unwrap()).unwrap();
    let Entry::Job(text) = serde_json::from_str(&serde_json::to_string(&Entry::Job(job)).unwrap()).unwrap();
    for job in [binary, text] {
        assert_eq!((job.attempt, job.key, &job.event, job.answer), (2, key, &event, Some(Reply::text("hi"))));
    }
}

#[test]
fn an_event_that_needed_raised_limits_comes_back_and_nesting_costs_no_stack() {
    let limits = Limits::default().max_bytes(u32::MAX).max_depth(u32::MAX).max_elements(u32::MAX);
    let levels = 50_000;
    let deep = format!(
        "<xml><MsgType>text</MsgType><Content>hi</Content>{}{}</xml>",
        "<a>".repeat(levels),
        "</a>".repeat(levels)
    );
    let many = format!("<xml><MsgType>text</MsgType><Content>hi</Content>{}</xml>", "<a/>".repeat(levels));
    let large = format!("<xml><MsgType>text</MsgType><Content>{}</Content></xml>", "a".repeat(2 << 20));
    for body in [deep, many, large] {
        let event = limits.parse_event(body.as_bytes()).unwrap();
        let back: Event<'static> = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
        assert_eq!(back, event);
        let back: Event<'static> = postcard::from_bytes(&postcard::to_stdvec(&event).unwrap()).unwrap();
        assert_eq!((&back, back.dedup_key()), (&event, event.dedup_key()));
    }
}

#[test]
fn coordinates_come_back_to_the_last_digit() {
    for latitude in ["1.9374725804511406", "13.700000000000001", "19.615414856688606"] {
        let by_format: f64 = serde_json::from_str(latitude).unwrap();
        assert_ne!(by_format.to_string(), latitude, "serde_json reads it exactly by now: choose another");
        let body = format!(
            "<xml><MsgType>event</MsgType><Event>LOCATION</Event><Latitude>{latitude}</Latitude>\
             <Longitude>1</Longitude></xml>"
        );
        let event = parse_event(body.as_bytes()).unwrap();
        let back: Event<'static> = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
        let Kind::Location(location) = &back.kind else { panic!("{back:?}") };
        assert_eq!(location.latitude.to_bits(), latitude.parse::<f64>().unwrap().to_bits());
    }
}

#[test]
fn what_cannot_be_an_event_says_why() {
    for (kept, expected) in [
        ("{}", "missing field `body` at line 1 column 2"),
        ("7", "invalid type: integer `7`, expected an event at line 1 column 1"),
        (
            r#"{"body": 7}"#,
            "invalid type: integer `7`, expected a body as text, bytes or {\"hex\": …} at line 1 column 10",
        ),
        (r#"{"body": {}}"#, "missing field `hex` at line 1 column 11"),
        (r#"{"body": {"hex": "3"}}"#, "the event's body: Odd number of digits at line 1 column 21"),
        (r#"{"body": {"hex": "3x"}}"#, "the event's body: Invalid character 'x' at position 1 at line 1 column 22"),
        (r#"{"body": ""}"#, "the event's body: the body is empty"),
        (r#"{"body": "hello"}"#, "the event's body: not XML: unknown token at line 1, column 1"),
        (
            r#"{"body": "<xml><a></b></xml>"}"#,
            "the event's body: not XML: expected 'a' tag, not 'b' at line 1, column 9",
        ),
        (r#"{"body": "<xml/>", "create_time": "7"}"#, "invalid type: string \"7\", expected i64 at line 1 column 37"),
    ] {
        assert_eq!(serde_json::from_str::<Event<'_>>(kept).unwrap_err().to_string(), expected, "{kept}");
    }
}

#[cfg(not(feature = "json"))]
#[test]
fn an_event_in_json_cannot_come_back_without_the_feature() {
    let error = serde_json::from_str::<Event<'_>>(r#"{"body": "{\"MsgType\": \"text\"}"}"#).unwrap_err();
    let expected = "the event's body: the body is JSON: switch on the feature `json` of wechat-events";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_key_is_its_digits_in_every_format() {
    let key = DedupKey::of_body(b"<xml/>");
    let digits = "d715ddea725819418a335b54829c1beb";
    assert_eq!(serde_json::to_string(&key).unwrap(), format!("\"{digits}\""));
    assert_eq!(postcard::to_stdvec(&key).unwrap(), format!("\x20{digits}").as_bytes());
    assert_eq!(serde_json::from_str::<DedupKey>(&format!("\"{}\"", digits.to_uppercase())).unwrap(), key);
    assert_eq!(postcard::from_bytes::<DedupKey>(format!("\x20{digits}").as_bytes()).unwrap(), key);
    for (kept, expected) in [
        ("\"d7\"", "a key is 32 hexadecimal digits: Invalid string length"),
        (
            "\"d715ddea725819418a335b54829c1bex\"",
            "a key is 32 hexadecimal digits: Invalid character 'x' at position 31",
        ),
        ("7", "invalid type: integer `7`, expected a string at line 1 column 1"),
    ] {
        assert_eq!(serde_json::from_str::<DedupKey>(kept).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_reply_is_named_as_on_the_wire() {
    let article = Article::new("t", "d", "p", "u");
    for (reply, expected) in [
        (Reply::Success, r#""success""#),
        (Reply::Empty, r#""empty""#),
        (Reply::text("hi"), r#"{"text":{"content":"hi"}}"#),
        (Reply::image("m"), r#"{"image":{"media_id":"m"}}"#),
        (Reply::voice("m"), r#"{"voice":{"media_id":"m"}}"#),
        (Video::new("m").title("t").into(), r#"{"video":{"media_id":"m","title":"t","description":null}}"#),
        (
            Music::new("m").hq_music_url("h").into(),
            r#"{"music":{"title":null,"description":null,"music_url":null,"hq_music_url":"h","thumb_media_id":"m"}}"#,
        ),
        (Reply::news([article]), r#"{"news":{"articles":[{"title":"t","description":"d","pic_url":"p","url":"u"}]}}"#),
        (TransferCustomerService::to("k").into(), r#"{"transfer_customer_service":{"kf_account":"k"}}"#),
    ] {
        assert_eq!(serde_json::to_string(&reply).unwrap(), expected);
        assert_eq!(serde_json::from_str::<Reply>(expected).unwrap(), reply);
        assert_eq!(postcard::from_bytes::<Reply>(&postcard::to_stdvec(&reply).unwrap()).unwrap(), reply);
    }
    let short = r#"{"video":{"media_id":"m"}}"#;
    assert_eq!(serde_json::from_str::<Reply>(short).unwrap(), Video::new("m").into());
}

#[test]
fn the_body_decides_whatever_stands_beside_it() {
    let kept = serde_json::json!({ "name": "TEXT", "to_user": "old", "new_field": [1], "body": BODY }).to_string();
    let event: Event<'static> = serde_json::from_str(&kept).unwrap();
    assert!(matches!(&event.kind, Kind::Text(Text { content, .. }) if content == "hi"), "{event:?}");
    assert_eq!((event.name(), &*event.to_user), ("text", "gh_1"));
}
