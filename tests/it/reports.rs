//! Reports to the operator: never more than a line, never at the cost of a push.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use wechat_events::{Endpoint, Event, Handler, HandlerResult, Report, parse_event};

use crate::wire::query;

const NOW: i64 = 1_714_037_060;
/// Bytes of a report or an error.
const LONGEST: usize = 1024;

fn signed() -> String {
    query("token", "1714037059", "486452656")
}

struct Repeats;

impl Handler for Repeats {
    fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
        match event.field("Content") {
            Some(content) => Err(String::from(content).into()),
            None => Ok(wechat_events::Reply::text("hi")),
        }
    }
}

/// The reports of an endpoint for a request, as shown.
fn reported(endpoint: &Endpoint, method: &str, query: &str, body: &[u8]) -> Vec<String> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&lines);
    let endpoint = endpoint.clone().on_report(move |report| {
        let mut written = Pieces(Vec::new());
        write!(written, "{report}").unwrap();
        let [line] = &*written.0 else { panic!("in {} pieces", written.0.len()) };
        into.lock().unwrap().push(line.clone());
        let error = match report {
            Report::Rejected { error } => error.to_string(),
            Report::Unparsable { error, .. } => error.to_string(),
            Report::Refused { refused, .. } => refused.to_string(),
            _ => return,
        };
        assert!(error.len() <= LONGEST, "{} bytes: {error}", error.len());
    });
    let _ = endpoint.respond(method, query, body, NOW, &Repeats);
    lines.lock().unwrap().drain(..).collect()
}

/// Counts writes, each of which would be a system call.
struct Pieces(Vec<String>);

impl Write for Pieces {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push(text.to_owned());
        Ok(())
    }
}

fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::plain("token").unwrap(),
        #[cfg(feature = "aes")]
        Endpoint::safe("token", "wxb11529c136998cb6", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap(),
    ]
}

/// Bodies with a long piece wherever an error or a report might show it.
fn bodies(long: &str) -> Vec<String> {
    let deep = |name: &str| format!("<xml>{}<{name}/>{}</xml>", "<a>".repeat(16), "</a>".repeat(16));
    vec![
        long.to_owned(),
        format!("<{long}>"),
        format!("<xml><{long}></b></xml>"),
        format!("<xml><a></{long}></xml>"),
        format!("<xml><{long}:a></{long}:a></xml>"),
        format!("<xml {long}='1' {long}='2'/>"),
        format!("<xml a='{long}'"),
        format!("<xml>&{long};</xml>"),
        format!("<?xml {long}?><xml/>"),
        format!("<xml/>{long}"),
        format!("<!DOCTYPE {long}>"),
        deep(long),
        format!("{{\"{long}\": {long}}}"),
        format!("{{\"MsgType\": {long}"),
        format!("{{{}1{}", format!("\"{long}\": {{").repeat(17), "}".repeat(18)),
        format!("<xml><MsgType>{long}</MsgType><Content>{long}</Content></xml>"),
        format!("<xml><MsgType><![CDATA[{long}]]></MsgType><ToUserName>g</ToUserName></xml>"),
        format!("<xml><MsgType>event</MsgType><Event><![CDATA[{long}]]></Event></xml>"),
    ]
}

/// No letter, letters of one to four bytes, marks of both grammars, and characters that are escaped.
const UNITS: [&str; 12] = ["", "A", "é", "长", "😀", "\n", "\u{1}", "\u{85}", "\"", "'", "\\", "<"];

#[test]
fn no_request_makes_a_report_or_an_error_longer_than_a_line() {
    let (mut reports, mut longest) = (0, 0);
    for unit in UNITS {
        let long = format!("A{}", unit.repeat(4_000));
        for endpoint in endpoints() {
            let of_query = format!("{}&encrypt_type={long}&msg_signature={long}", signed());
            let in_query = format!("signature={long}&timestamp={long}&nonce={long}&echostr={long}");
            let mut lines = reported(&endpoint, &long, &signed(), b"");
            lines.extend(["GET", "POST"].iter().flat_map(|method| reported(&endpoint, method, &of_query, b"<xml/>")));
            lines.extend(["GET", "POST"].iter().flat_map(|method| reported(&endpoint, method, &in_query, b"<xml/>")));
            for body in bodies(&long) {
                let query = format!("{}&msg_signature=0", signed());
                lines.extend(reported(&endpoint, "POST", &query, body.as_bytes()));
                if let Err(error) = parse_event(body.as_bytes()) {
                    lines.push(error.to_string());
                }
            }
            for line in &lines {
                assert!(line.len() <= LONGEST, "{} bytes: {line}", line.len());
                longest = longest.max(line.len());
            }
            reports += lines.len();
        }
    }
    assert!(reports > 300 && longest > 300, "{reports} reports, the longest of {longest} bytes");
}

#[cfg(feature = "aes")]
#[test]
fn an_app_id_as_long_as_the_body_is_cut_like_everything_else() {
    use wechat_events::cipher::{EncodingAesKey, open, seal};

    let key = EncodingAesKey::new("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap();
    for unit in UNITS {
        let error = open(&key, "wx0", &seal(&key, &format!("A{}", unit.repeat(20_000)), b"m").unwrap()).unwrap_err();
        assert!(error.to_string().len() <= LONGEST, "{error}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_reported_on_one_line(
        method in "GET|POST|\\PC{0,100}", query in "(\\PC|[%&=+]|signature=|nonce=|encrypt_type=){0,60}",
        body in prop_oneof![any::<Vec<u8>>(), "(<|>|/|\\PC|[\u{0}-\u{9f}]|<xml>|</|MsgType|\\{\"){0,100}".prop_map(String::into_bytes)],
    ) {
        for endpoint in endpoints() {
            for query in [query.clone(), format!("{}&msg_signature=0", signed())] {
                for line in reported(&endpoint, &method, &query, &body) {
                    prop_assert!(line.len() <= LONGEST && !line.contains(char::is_control), "{}", line);
                }
            }
        }
    }
}

/// Panics again when its panic payload is dropped.
struct Twice;

impl Drop for Twice {
    fn drop(&mut self) {
        panic!("twice");
    }
}

fn panicking(report: &Report<'_>) {
    match report {
        Report::Failed { .. } => std::panic::panic_any(Twice),
        _ => panic!("stderr is gone"),
    }
}

#[test]
fn a_hook_that_panics_fails_no_request() {
    let endpoint = Endpoint::plain("token").unwrap().on_report(panicking);
    let respond = |query: &str, body: &str| {
        let response = endpoint.respond("POST", query, body.as_bytes(), NOW, &Repeats);
        (response.status, String::from_utf8(response.body).unwrap())
    };
    let success = (200, "success".to_owned());
    assert_eq!(respond(&signed(), "<xml>"), success, "Unparsable");
    assert_eq!(respond(&signed(), "<xml><MsgType>event</MsgType><Event>VIEW</Event></xml>"), success, "Refused");
    let failing = "<xml><MsgType>text</MsgType><Content>no stock</Content></xml>";
    assert_eq!(respond(&signed(), failing), (500, String::new()), "Failed");
    assert_eq!(respond("", failing), (400, String::new()), "Rejected");
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn a_hook_that_panics_fails_no_delivery() {
    use wechat_events::{Blocking, OnError, Webhooks};

    let endpoint = Endpoint::plain("token").unwrap().on_report(panicking);
    let webhook = Webhooks::builder().on_error(OnError::Acknowledge).build().account(endpoint, Blocking(Repeats));
    for (query, body, status) in [
        (signed(), "<xml>", 200),
        (signed(), "<xml><MsgType>event</MsgType><Event>VIEW</Event></xml>", 200),
        (signed(), "<xml><MsgType>text</MsgType><Content>no stock</Content></xml>", 200),
        (String::new(), "", 400),
    ] {
        assert_eq!(webhook.call("POST", &query, body.as_bytes()).await.status, status, "{body}");
    }
}

#[cfg(feature = "tracing")]
mod traced {
    use std::fmt::Debug;

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Metadata, Subscriber};
    use wechat_events::RequestError;

    use super::*;

    /// A collector of events.
    #[derive(Clone, Default)]
    struct Events(Arc<Mutex<Vec<String>>>);

    struct Fields(String);

    impl Visit for Fields {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            match field.name() {
                "message" => self.0 += &format!(" {value:?}:"),
                name => self.0 += &format!(" {name}={value:?}"),
            }
        }
    }

    impl Subscriber for Events {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.is_event()
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &tracing::Event<'_>) {
            let metadata = event.metadata();
            let mut fields = Fields(format!("{} {} {}", metadata.level(), metadata.target(), metadata.name()));
            event.record(&mut fields);
            self.0.lock().unwrap().push(fields.0);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    fn events(what: impl FnOnce()) -> Vec<String> {
        let events = Events::default();
        tracing::subscriber::with_default(events.clone(), what);
        events.0.lock().unwrap().drain(..).collect()
    }

    #[test]
    fn reports_without_a_hook_are_events_at_levels_that_tell_loss_from_noise() {
        let endpoint = Endpoint::plain("token").unwrap();
        let respond = |query: &str, body: &str| {
            let _ = endpoint.respond("POST", query, body.as_bytes(), NOW, &Repeats);
        };
        let found = events(|| {
            respond("", "");
            respond(&signed(), "hello\n");
            respond(&signed(), "<xml><MsgType>text</MsgType><Content>no\nstock</Content></xml>");
            respond(&signed(), "<xml><MsgType>event</MsgType><Event>VIEW</Event></xml>");
            respond(&signed(), "<xml><Encrypt>abc=</Encrypt></xml>");
        });
        let expected = [
            r#"INFO wechat_events wechat_refused request refused: error="MissingParameter" status=400 reason="the query has no `signature`""#,
            r#"ERROR wechat_events wechat_unparsable authentic, but not a valid push: bytes=6 reason="not XML: unknown token at line 1, column 1""#,
            r#"ERROR wechat_events wechat_failed handler failed: kind="text" reason="no\\nstock""#,
            r#"WARN wechat_events wechat_unwritten reply not written as asked: kind="VIEW" reason="WeChat takes no reply to `VIEW`""#,
            r#"ERROR wechat_events wechat_unparsable authentic, but not a valid push: bytes=34 reason="the push is encrypted (Encrypt without MsgType): use Endpoint::safe with the app id and EncodingAESKey""#,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_a_hook_takes_is_no_event() {
        let endpoint = Endpoint::plain("token").unwrap().on_report(|report| {
            assert!(matches!(report, Report::Rejected { error: RequestError::MissingParameter { .. } }));
        });
        assert_eq!(events(|| drop(endpoint.respond("POST", "", b"", NOW, &Repeats))), [""; 0]);
    }
}
