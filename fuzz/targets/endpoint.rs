//! An arbitrary message, sealed or not, at the door of an account in each mode: what WeChat sends is let in as it is,
//! what comes back is never its fault line, and what was not sealed is never believed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wechat_events::testing::{Reason, Verdict, WeChat};
use wechat_events::{Endpoint, Event, Handler, HandlerResult, Received, Reply, Report};

const NOW: i64 = 1_714_037_059;
const TOKEN: &str = "AAAAA";
const APP_ID: &str = "wxba5fad812f8e6fb9";
const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";

/// Repeats what came, which is what a careless account does.
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
        // Whether Apple should pay back is not this handler's to say.
        let no_opinion = matches!(&verdict, Verdict::Ignored(Reason::TakesOpinion { .. }));
        assert!(no_opinion || matches!(verdict, Verdict::Accepted(_) | Verdict::Silent), "{verdict}");
    }

    // The input as a body, under the query of a sealed push: signed with the right token, and yet not sealed.
    let wechat = WeChat::safe(TOKEN, APP_ID, KEY).unwrap();
    let sealed = wechat.push("text").request(NOW);
    match safe.receive("POST", &sealed.query, input, NOW) {
        Ok(Received::Answer(answer)) => assert_eq!(answer.body, b"success", "the probe"),
        Ok(received) => panic!("believed {received:?}"),
        Err(error) => assert!(error.status() >= 400),
    }
    // The input as a query, over a body that is sealed.
    let query = String::from_utf8_lossy(input);
    assert!(safe.receive("POST", &query, &sealed.body, NOW).is_err());
});
