//! An arbitrary message, encrypted or not, sent to endpoints in each mode: what WeChat sends is accepted unchanged,
//! no answer makes WeChat show its error message, and what was not encrypted is never trusted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wechat_events::testing::{Reason, Verdict, WeChat};
use wechat_events::{Endpoint, Event, Handler, HandlerResult, Received, Reply, Report};

const NOW: i64 = 1_714_037_059;
const TOKEN: &str = "AAAAA";
const APP_ID: &str = "wxba5fad812f8e6fb9";
const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";

/// Echoes the text, as a careless account does.
struct Echo;

impl Handler for Echo {
    fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
        Ok(Reply::text(String::from_utf8_lossy(event.body())))
    }
}

fuzz_target!(|input: &[u8]| {
    let one_line = |report: &Report<'_>| assert!(!report.to_string().contains(char::is_control), "{report}");
    let safe = Endpoint::safe(TOKEN, APP_ID, KEY).unwrap().on_report(one_line);
    let compatible = Endpoint::compatible(TOKEN, APP_ID, KEY).unwrap().on_report(one_line);
    let plain = Endpoint::plain(TOKEN).unwrap().on_report(one_line);

    for (wechat, endpoint) in [
        (WeChat::plain(TOKEN).unwrap(), &plain),
        (WeChat::safe(TOKEN, APP_ID, KEY).unwrap(), &safe),
        (WeChat::safe(TOKEN, APP_ID, KEY).unwrap(), &compatible),
    ] {
        let request = wechat.raw(input).request(NOW);
        // The probe of cloud hosting is answered unsigned.
        if let Received::Push(push) = endpoint.receive("POST", &request.query, &request.body, NOW).unwrap() {
            assert_eq!(push.body(), input);
        }
        let response = endpoint.respond("POST", &request.query, &request.body, NOW, &Echo);
        let verdict = wechat.judge(&request, &response);
        // This handler has no opinion on refunds by Apple.
        let no_opinion = matches!(&verdict, Verdict::Ignored(Reason::TakesOpinion { .. }));
        assert!(no_opinion || matches!(verdict, Verdict::Accepted(_) | Verdict::Silent), "{verdict}");
    }

    // The input as a body under the query of an encrypted push: signed with the right token, but not encrypted.
    let wechat = WeChat::safe(TOKEN, APP_ID, KEY).unwrap();
    let sealed = wechat.push("text").request(NOW);
    match safe.receive("POST", &sealed.query, input, NOW) {
        Ok(Received::Answer(answer)) => assert_eq!(answer.body, b"success", "the probe"),
        Ok(received) => panic!("believed {received:?}"),
        Err(error) => assert!(error.status() >= 400),
    }
    // The input as a query, with an encrypted body.
    let query = String::from_utf8_lossy(input);
    assert!(safe.receive("POST", &query, &sealed.body, NOW).is_err());
});
