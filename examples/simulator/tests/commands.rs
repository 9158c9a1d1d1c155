//! The commands `send`, `list` and `load`, as they are run: what stands on the screen, and how they end.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio_rustls::rustls::{ServerConfig, ServerConnection};
use wechat_events::event::{KINDS, KindInfo, Takes};
use wechat_events::{AppKeys, Endpoint, Event, Handler, HandlerResult, Reply, parse_event};

const TOKEN: &str = "AAAAA";
const APP_ID: &str = "wx5823bf96d3bd56c7";
const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const FAULT_LINE: &str = "该公众号提供的服务出现故障，请稍后再试";

/// A request as it arrived.
#[derive(Debug, Clone)]
struct Arrived {
    /// Counted from 0.
    number: usize,
    method: String,
    query: String,
    body: Vec<u8>,
    /// Since the receiver began.
    at: Duration,
}

/// A receiver on a port of its own, until the test ends.
struct Receiver {
    port: u16,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

/// What a receiver does: an answer on the wire, or nothing, ever.
type Answer = Option<Vec<u8>>;

impl Receiver {
    fn new(answer: impl Fn(&Arrived) -> Answer + Send + Sync + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let (log, answer, count) = (Arc::clone(&arrived), Arc::new(answer), Arc::new(AtomicUsize::new(0)));
        let begun = Instant::now();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (log, answer, count) = (Arc::clone(&log), Arc::clone(&answer), Arc::clone(&count));
                std::thread::spawn(move || {
                    let mut stream = BufReader::new(stream.unwrap());
                    while let Some((method, query, body)) = read(&mut stream) {
                        let number = count.fetch_add(1, Ordering::SeqCst);
                        let arrived = Arrived { number, method, query, body, at: begun.elapsed() };
                        log.lock().unwrap().push(arrived.clone());
                        match answer(&arrived) {
                            // An empty one hangs up.
                            Some(answer) if answer.is_empty() => return,
                            Some(answer) => drop(stream.get_mut().write_all(&answer)),
                            None => drop(stream.read_to_end(&mut Vec::new())),
                        }
                    }
                });
            }
        });
        Receiver { port, arrived }
    }

    /// One that answers by the book.
    fn endpoint(endpoint: Endpoint, reply: fn(&Event<'_>) -> Reply) -> Receiver {
        struct Says(fn(&Event<'_>) -> Reply);
        impl Handler for Says {
            fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
                Ok((self.0)(event))
            }
        }
        Receiver::new(move |arrived| {
            let now = 1_700_000_000;
            let Arrived { method, query, body, .. } = arrived;
            let response = endpoint.respond(method, query, body, now, &Says(reply));
            Some(http(response.status, response.body))
        })
    }

    fn plain() -> Receiver {
        Receiver::endpoint(Endpoint::plain(TOKEN).unwrap(), echo)
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/wechat", self.port)
    }

    fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }

    /// Runs the simulator against it; `URL` stands for its address.
    fn run(&self, line: &str) -> Run {
        run(&line.replace("URL", &self.url()), "").hide(&format!("127.0.0.1:{}", self.port), "HOST")
    }
}

/// «You said» to a text, `success` to everything else.
fn echo(event: &Event<'_>) -> Reply {
    event.field("Content").map_or(Reply::Success, |text| Reply::text(format!("You said {text}")))
}

fn http(status: u16, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    [format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<(String, String, Vec<u8>)> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let query = path.split_once('?').map_or(String::new(), |(_, query)| query.to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok().filter(|read| *read > 0)?;
        match header.trim_end().to_lowercase().split_once(": ") {
            Some(("content-length", text)) => length = text.parse().ok()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((method, query, body))
}

/// What a run of the simulator left.
struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    fn of(output: Output) -> Run {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    fn hide(self, what: &str, by: &str) -> Run {
        Run { out: self.out.replace(what, by), err: self.err.replace(what, by), ..self }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }

    /// The screen, with `T` for each time.
    fn timeless(&self) -> String {
        let lines = self.out.lines().map(|line| {
            let words = line.split(' ').map(|word| match word.split_once('.') {
                Some((whole, part)) if part.len() == 3 && format!("{whole}{part}").parse::<u64>().is_ok() => "T",
                _ => word,
            });
            words.collect::<Vec<_>>().join(" ")
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn simulator() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wechat-simulator"));
    for name in ["WECHAT_MODE", "WECHAT_APP_ID", "WECHAT_AES_KEY", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.env("WECHAT_TOKEN", TOKEN);
    command
}

/// Runs the simulator with words as arguments, `_` for a space in one.
fn run(line: &str, input: &str) -> Run {
    let arguments =
        line.split(' ').map(|word| if word.starts_with("--set") { word.replace('_', " ") } else { word.into() });
    let mut child = simulator()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Run::of(child.wait_with_output().unwrap())
}

// send

#[test]
fn a_reply_is_shown_with_its_time_line() {
    let receiver = Receiver::plain();
    let run = receiver.run("send text --to URL --set=Content=hi");
    let expected = "\
text to http://HOST/wechat, mode plain

  T s  delivery 1
  T s  status 200 after T s, 244 bytes: WeChat shows the reply

The user sees
  You said hi";
    assert_eq!(squeezed(&run.timeless()), expected);
    assert_eq!((run.code, &*run.err), (0, ""));
}

/// The times are right-aligned, and their width is gone with them.
fn squeezed(text: &str) -> String {
    let lines = text.lines().map(|line| match line.trim_start().strip_prefix("T s") {
        Some(rest) => format!("  T s{rest}"),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What `send` says where a reply would be shown, and none came.
const NO_REPLY: &str = "hint\n  The receiver returned `success` or an empty body, so the user sees nothing. To answer, \
                        return a reply, such as <xml>…<MsgType>text</MsgType><Content>hello</Content></xml>.";

#[test]
fn each_outcome_has_its_words_and_its_exit_code() {
    let fault = |reason: &str, hint: &str| format!("{FAULT_LINE}\nbecause\n  {reason}\nhint\n  {hint}");
    let quoted = "the answer `\\\"success\\\"` is not `success`, not empty and not XML: unknown token at 1:1";
    let cases = [
        ("VIEW", http(200, "success"), 0, "[nothing]".to_owned()),
        ("text", http(200, ""), 0, format!("[nothing]\n{NO_REPLY}")),
        ("VIEW", http(200, "<xml></xml>"), 1, fault("`VIEW` takes no reply", "Return `success`.")),
        ("text", http(500, ""), 1, fault("status 500, not 200", "The receiver failed: see its log.")),
        (
            "text",
            http(200, "\"success\""),
            1,
            fault(quoted, "A framework wrote it as a JSON string: return plain text, without the quotes."),
        ),
        (
            "text",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nsuccess\r\n0\r\n\r\n".to_vec(),
            0,
            format!(
                "[nothing]\n{NO_REPLY}\nnote\n  The answer has no Content-Length. WeChat has been seen to reject such \
                 answers to the address check."
            ),
        ),
    ];
    for (event, answer, code, seen) in cases {
        let receiver = Receiver::new(move |_| Some(answer.clone()));
        let run = receiver.run(&format!("send {event} --to URL"));
        let (_, end) = run.out.split_once("The user sees\n  ").unwrap();
        assert_eq!((end.trim_end(), run.code), (&*seen, code));
    }
}

#[test]
fn json_says_all_of_it() {
    let receiver = Receiver::plain();
    let run = receiver.run("send text --to URL --set=Content=hi --json --seed 1");
    let mut found = run.json();
    let attempt = &mut found["attempts"][0];
    assert!(attempt["ended"].as_f64().unwrap() >= attempt["sent"].as_f64().unwrap());
    let path = format!("/wechat?{}", receiver.arrived()[0].query);
    let body = String::from_utf8(receiver.arrived()[0].body.clone()).unwrap();
    let answer = attempt["answer"]["body"].take();
    assert!(answer.as_str().unwrap().ends_with("<Content><![CDATA[You said hi]]></Content></xml>"), "{answer}");
    let expected = json!({
        "push": "text",
        "to": "http://HOST/wechat",
        "mode": "plain",
        "message": body,
        "attempts": [{
            "sent": attempt["sent"],
            "due": 0.0,
            "ended": attempt["ended"],
            "method": "POST",
            "path": path,
            "body": body,
            "answer": { "status": 200, "body": null, "opened": null, "has_length": true },
            "error": null,
            "verdict": "shows the reply",
        }],
        "content": true,
        "user": { "shown": "text", "content": "You said hi" },
        "hint": null,
        "notes": [],
    });
    assert_eq!(found, expected);
    assert_eq!(run.code, 0);
}

const DONE: &str = "<xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>";
const PLAN: &str = "WeChat waits 3 s for an answer, and sends a payment again after 2 s, 4 s, 8 s, 16 s, 32 s, 1 min 4 s, \
                    2 min 8 s, 4 min 16 s, 8 min 32 s, 17 min 4 s, 34 min 8 s, 1 h 8 min, 2 h 16 min, 4 h 33 min, \
                    9 h 6 min: 15 times in 18 h 12 min.";

#[test]
fn a_payment_that_is_done_is_said_to_be_and_comes_once() {
    let receiver = Receiver::plain();
    let run = receiver.run("send xpay_goods_deliver_notify --to URL");
    let expected = "\
xpay_goods_deliver_notify to http://HOST/wechat, mode plain

  T s  delivery 1
  T s  status 200 after T s, 67 bytes: WeChat is done with it

WeChat
  [done]";
    assert_eq!(squeezed(&run.timeless()), expected);
    assert_eq!((run.code, receiver.arrived().len()), (0, 1));
}

#[test]
fn a_payment_comes_again_until_it_is_done_with_its_deliveries_counted() {
    let receiver = Receiver::new(|arrived| {
        Some(match arrived.number {
            0 => http(200, "success"),
            1 => http(200, "<xml><ErrCode>-1</ErrCode><ErrMsg>no stock</ErrMsg></xml>"),
            _ => http(200, DONE),
        })
    });
    let run = receiver.run("send xpay_coin_pay_notify --to URL --pause 0.1 --set=RetryTimes=0");
    let expected = format!(
        "\
xpay_coin_pay_notify to http://HOST/wechat, mode plain

  T s  delivery 1
  T s  status 200 after T s, 7 bytes: WeChat will send it again
  T s  delivery 2, in WeChat 2 s after the first
  T s  status 200 after T s, 57 bytes: WeChat will send it again
  T s  delivery 3, in WeChat 6 s after the first
  T s  status 200 after T s, 67 bytes: WeChat is done with it

WeChat
  [done]
note
  {PLAN}"
    );
    assert_eq!(squeezed(&run.timeless()), expected);
    assert_eq!(run.code, 0);
    let arrived = receiver.arrived();
    let times: Vec<_> = arrived
        .iter()
        .map(|arrived| parse_event(&arrived.body).unwrap().field("RetryTimes").unwrap().into_owned())
        .collect();
    assert_eq!(times, ["0", "1", "2"]);
    assert!(arrived[1].at - arrived[0].at >= Duration::from_millis(100));
}

#[test]
fn a_payment_that_is_never_done_comes_sixteen_times_and_the_fix_is_told() {
    let receiver = Receiver::new(|_| Some(http(200, "success")));
    let run = receiver.run("send xpay_goods_deliver_notify --to URL --pause 0");
    let (line, end) = run.out.split_once("\n\nWeChat\n  ").unwrap();
    let expected = format!(
        "[not done: WeChat gives up]
because
  `xpay_goods_deliver_notify` takes a code, not `success`
hint
  Return code 0 once the goods are booked, in the push's format: \
  {DONE}, or {{\"ErrCode\":0,\"ErrMsg\":\"success\"}} to JSON.
note
  {PLAN}
"
    );
    assert_eq!(end, expected);
    assert!(line.contains("delivery 16, in WeChat 18 h 12 min after the first\n"), "{line}");
    assert!(line.ends_with(", 7 bytes: WeChat gives up"), "{line}");
    assert_eq!((run.code, receiver.arrived().len()), (1, 16));

    let run = receiver.run("send xpay_goods_deliver_notify --to URL --once --json");
    let found = run.json();
    let reason = "`xpay_goods_deliver_notify` takes a code, not `success`";
    assert_eq!(found["user"], json!({ "shown": "pushed_again", "reason": reason }));
    assert_eq!((run.code, receiver.arrived().len()), (1, 17));
}

#[test]
fn wechat_waits_three_seconds_for_the_answer_to_a_payment() {
    let receiver = Receiver::new(|arrived| (arrived.number > 0).then(|| http(200, DONE)));
    let run = receiver.run("send xpay_refund_notify --to URL --json --pause 0");
    let found = run.json();
    let attempts = found["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2);
    let lasted = attempts[0]["ended"].as_f64().unwrap() - attempts[0]["sent"].as_f64().unwrap();
    assert!((3.0..4.9).contains(&lasted), "{lasted}");
    let told = ["error", "verdict"].map(|name| attempts[0][name].as_str().unwrap());
    assert_eq!(told, ["no answer in time", "pushes it again: no answer in time"]);
    // Three to wait, and two until it comes again.
    assert_eq!((&attempts[1]["due"], &found["user"]), (&json!(5.0), &json!({ "shown": "done" })));
    assert_eq!(run.code, 0);
}

#[test]
fn apple_asks_once_and_takes_success_for_no_opinion() {
    let receiver = Receiver::new(|_| Some(http(200, "success")));
    let run = receiver.run("send xpay_subscribe_ios_refund_query_notify --to URL");
    let (_, end) = run.out.split_once("WeChat ignores the answer\n\nWeChat\n  ").unwrap();
    let expected = "[nothing: the reply is lost]
because
  `xpay_subscribe_ios_refund_query_notify` takes an opinion, not `success`
hint
  Return result_code (0: refund, 1: do not), result_info and evidence, in the push's format.
";
    assert_eq!((end, run.code, receiver.arrived().len()), (expected, 1, 1));
}

#[test]
fn a_mini_game_is_signed_with_the_app_key_that_is_given() {
    let receiver = Receiver::plain();
    assert_eq!(receiver.run("send minigame_coin_deliver_completed --to URL --app-key secret").code, 0);
    let keys = AppKeys::live("secret").unwrap();
    let body = receiver.arrived()[0].body.clone();
    assert!(parse_event(&body).unwrap().mini_game_payload(&keys).unwrap().is_some());
}

#[test]
fn who_goes_over_to_wechats_ai_is_said_to() {
    let receiver = Receiver::endpoint(Endpoint::plain(TOKEN).unwrap(), |_| Reply::TransferBizAiIvr);
    let run = receiver.run("send text --to URL");
    assert!(run.out.ends_with("The user sees\n  [WeChat's AI takes over]\n"), "{}", run.out);
    assert_eq!(run.code, 0);
}

#[test]
fn a_pause_is_a_number_of_seconds() {
    for wrong in ["-1", "NaN", "inf", "a_day"] {
        let run = run(&format!("send text --to http://127.0.0.1:1/ --pause={wrong}"), "");
        let expected = format!(
            "error: invalid value '{wrong}' for '--pause <SECONDS>': it is not a number of seconds from 0 to 86400, such as 0.1\n"
        );
        assert!(run.err.starts_with(&expected), "{}", run.err);
        assert_eq!(run.code, 2);
    }
}

#[test]
fn who_is_silent_once_is_asked_again_after_five_seconds() {
    let receiver = Receiver::new(|arrived| (arrived.number > 0).then(|| http(200, "success")));
    let run = receiver.run("send CLICK --to URL");
    let expected = format!(
        "\
CLICK to http://HOST/wechat, mode plain

  T s  delivery 1
  T s  no answer in time: WeChat will send it again
  T s  delivery 2
  T s  status 200 after T s, 7 bytes: WeChat shows nothing, as asked

The user sees
  [nothing]
{NO_REPLY}
note
  WeChat alerts the account's owner to each delivery that is not answered in time."
    );
    assert_eq!(squeezed(&run.timeless()), expected);
    assert_eq!(run.code, 0);
    let [first, second] = &*receiver.arrived() else { panic!() };
    assert_eq!((&first.query, &first.body), (&second.query, &second.body));
    let apart = second.at - first.at;
    // A machine that is busy with other things is late, and never early.
    assert!((5.0..9.5).contains(&apart.as_secs_f64()), "{apart:?}");
}

#[test]
fn who_is_silent_three_times_has_the_fault_line() {
    let receiver = Receiver::new(|_| None);
    let run = receiver.run(&format!("send text --to URL --json --app-id {APP_ID} --aes-key {KEY}"));
    let found = run.json();
    let attempts = found["attempts"].as_array().unwrap();
    let sent: Vec<_> = attempts.iter().map(|attempt| attempt["sent"].as_f64().unwrap()).collect();
    let [first, second, third] = &*sent else { panic!("{sent:?}") };
    assert!(*first < 4.0 && (5.07..9.5).contains(second) && (10.08..14.5).contains(third), "{sent:?}");
    for attempt in attempts {
        assert_eq!((&attempt["error"], &attempt["answer"]), (&json!("no answer in time"), &Value::Null));
        let lasted = attempt["ended"].as_f64().unwrap() - attempt["sent"].as_f64().unwrap();
        assert!((5.0..9.0).contains(&lasted), "{lasted}");
    }
    assert_eq!(found["user"], json!({ "shown": "fault_line", "reason": "no answer in time" }));
    assert_eq!((run.code, &found["content"]), (1, &json!(false)));
    // In safe mode each delivery has an envelope of its own.
    let bodies: Vec<_> = receiver.arrived().into_iter().map(|arrived| arrived.body).collect();
    assert!(bodies[0] != bodies[1] && bodies[1] != bodies[2]);
}

#[test]
fn once_is_once() {
    let receiver = Receiver::new(|_| Some(Vec::new()));
    let run = receiver.run("send text --to URL --once");
    let expected = "\
text to http://HOST/wechat, mode plain

  T s  delivery 1
  T s  no answer: connection closed before message completed: WeChat has no answer

The user sees
  [nothing: the reply is lost]
because
  no answer: connection closed before message completed
hint
  The receiver closed the connection without an HTTP response: see its log. Is http or https the right one?";
    assert_eq!(squeezed(&run.timeless()), expected);
    assert_eq!((run.code, receiver.arrived().len()), (1, 1));
}

#[test]
fn nobody_there_is_told_at_once() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/wechat");
    let expected = "error: no connection to URL: Connection refused (os error 111)\n  \
                    Nothing listens there: is the receiver running, and on that port?\n";
    for command in ["send text --json --to", "send --address-check --to", "load --seconds 60"] {
        let begun = Instant::now();
        let run = run(&format!("{command} {url}"), "");
        assert_eq!((run.code, &*run.err.replace(&url, "URL")), (2, expected));
        assert!(command.contains("address") || run.out.is_empty(), "{}", run.out);
        assert!(begun.elapsed() < Duration::from_secs(4));
    }
}

#[test]
fn a_receiver_that_dies_between_two_deliveries_is_told_as_one_that_was_never_there() {
    for json in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let receiver = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            // Both end with the push unanswered.
            read(&mut BufReader::new(stream)).unwrap();
        });
        let format = if json { " --json" } else { "" };
        let run = run(&format!("send text --to http://{address}/wechat{format}"), "");
        receiver.join().unwrap();
        assert_eq!((run.code, &*run.err), (1, ""));
        let refused = "no connection: Connection refused (os error 111)";
        let hint = "Nothing listens there: is the receiver running, and on that port?";
        if json {
            let found = run.json();
            assert_eq!(found["user"], json!({ "shown": "fault_line", "reason": refused }));
            assert_eq!(found["hint"], hint);
            continue;
        }
        let expected = format!(
            "\
text to http://HOST/wechat, mode plain

  T s  delivery 1
  T s  no answer: connection closed before message completed: WeChat will send it again
  T s  delivery 2
  T s  {refused}: WeChat will send it again
  T s  delivery 3
  T s  {refused}: WeChat gives up

The user sees
  {FAULT_LINE}
because
  {refused}
hint
  {hint}"
        );
        assert_eq!(squeezed(&run.hide(&address.to_string(), "HOST").timeless()), expected);
    }
}

#[test]
fn what_the_receiver_did_is_told_when_its_answer_is_lost() {
    let long = http(200, "a".repeat((1 << 20) + 1));
    let answers = [
        (
            long,
            "the answer has more than 1 MiB",
            "A reply has some hundred bytes: the receiver must be sending something else.",
        ),
        (
            b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec(),
            "the answer `hello` is not `success`, not empty and not XML: unknown token at 1:1",
            "Bare text is not a reply: wrap it in the XML of a reply, or return `success`.",
        ),
    ];
    for (answer, reason, hint) in answers {
        let receiver = Receiver::new(move |_| Some(answer.clone()));
        let run = receiver.run("send text --to URL --once --verbose");
        let end = format!("because\n  {reason}\nhint\n  {hint}");
        assert_eq!((run.code, run.out.contains(&end)), (1, true), "{}", run.out);
        assert_eq!(run.out.contains("< HTTP/1.0 200\n"), reason.contains("hello"), "{}", run.out);
    }
}

/// A port that takes as many connections as wait there, and they are there already.
fn full() -> (TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(500)).ok();
    (listener, std::iter::from_fn(connect).collect())
}

#[test]
fn a_connection_that_nobody_takes_is_none() {
    let (listener, _waiting) = full();
    let url = format!("http://{}/wechat", listener.local_addr().unwrap());
    let sent = "error: no connection to URL: not taken within 5 s\n  \
                Is the machine up, and does no firewall drop packets to that port?\n";
    for command in ["send text --to", "send --address-check --to", "check"] {
        let run = run(&format!("{command} {url}"), "");
        assert_eq!((run.code, &*run.err.replace(&url, "URL")), (2, sent));
    }
}

#[test]
fn a_certificate_that_the_public_does_not_trust_is_told() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = made.signing_key.serialize_der().try_into().unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key);
    let config = Arc::new(config.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            // The certificate is refused.
            connection.complete_io(&mut stream.unwrap()).unwrap_err();
        }
    });
    // As servers answer to what is no HTTP.
    let in_the_clear = TcpListener::bind("127.0.0.1:0").unwrap();
    let no_tls = format!("https://{}/wechat", in_the_clear.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in in_the_clear.incoming() {
            let mut stream = stream.unwrap();
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            stream.write_all(&http(400, "")).unwrap();
        }
    });
    let is_it = "Is it https, with a certificate from a public authority?";
    let cases = [
        (format!("https://localhost:{port}/wechat"), "invalid peer certificate: UnknownIssuer"),
        (no_tls, "received corrupt message of type InvalidContentType"),
    ];
    for (url, problem) in cases {
        for command in ["send text --to", "send --address-check --to", "load --seconds 60", "check"] {
            let run = run(&format!("{command} {url}"), "");
            assert_eq!((run.code, run.err), (2, format!("error: no connection to {url}: {problem}\n  {is_it}\n")));
        }
    }
    let help = run("--help", "").out;
    assert!(help.contains("needs a certificate from an authority that Mozilla trusts"), "{help}");
}

#[test]
fn options_that_would_do_nothing_are_refused() {
    let cases = [
        ("--raw push.xml --unknown", "'--raw <FILE>' cannot be used with '--unknown'"),
        ("--address-check --unknown", "'--address-check' cannot be used with '--unknown'"),
        ("--address-check --once", "'--address-check' cannot be used with '--once'"),
    ];
    for (arguments, error) in cases {
        let run = run(&format!("send --to http://127.0.0.1:1 {arguments}"), "");
        let found = run.err.lines().next().unwrap_or_default();
        assert_eq!((run.code, found), (2, &*format!("error: the argument {error}")));
    }
}

#[test]
fn the_address_check_is_confirmed_or_refused() {
    let run = Receiver::plain().run("send --address-check --to URL --seed 7");
    let expected = "\
the address check to http://HOST/wechat, mode plain

  T s  delivery 1
  T s  status 200 after T s, 19 bytes: WeChat confirms the address

The console says
  [the address is confirmed]";
    assert_eq!(squeezed(&run.timeless()), expected);
    assert_eq!(run.code, 0);

    let echo = |arrived: &Arrived| arrived.query.split_once("echostr=").unwrap().1.to_owned();
    let quoting = Receiver::new(move |arrived| Some(http(200, format!("\"{}\"", echo(arrived)))));
    let run = quoting.run("send --check-address --to URL --seed 7");
    let (_, end) = run.out.split_once("The console says\n").unwrap();
    let echostr = echo(&quoting.arrived()[0]);
    let expected = format!(
        "  [the address is not confirmed]\nbecause\n  the body is `\\\"{echostr}\\\"`, not the echostr {echostr} alone\n\
         hint\n  A framework wrote it as a JSON string: return plain text.\n"
    );
    assert_eq!((end, run.code), (&*expected, 1));
    assert_eq!(quoting.arrived()[0].method, "GET");
}

#[test]
fn sealed_answers_are_opened() {
    let endpoints = [
        ("safe", Endpoint::safe(TOKEN, APP_ID, KEY).unwrap()),
        ("compatible", Endpoint::compatible(TOKEN, APP_ID, KEY).unwrap()),
    ];
    for (mode, endpoint) in endpoints {
        let receiver = Receiver::endpoint(endpoint, echo);
        let sealed = format!("send text --to URL --set=Content=hi --mode {mode} --app-id {APP_ID} --aes-key {KEY}");
        let run = receiver.run(&format!("{sealed} --json"));
        let found = run.json();
        let answer = &found["attempts"][0]["answer"];
        let opened = answer["opened"].as_str().unwrap();
        assert!(opened.ends_with("<Content><![CDATA[You said hi]]></Content></xml>"), "{opened}");
        assert!(answer["body"].as_str().unwrap().starts_with("<xml><Encrypt>"), "{answer}");
        assert_eq!((run.code, &found["mode"]), (0, &json!(mode)));

        let run = receiver.run(&format!("{sealed} -v"));
        let inside = "           < (decrypted)\n           < <xml><ToUserName>";
        assert!(run.out.contains(inside), "{}", run.out);
        assert!(run.out.contains("           > (decrypted)\n           > <xml><ToUserName>"), "{}", run.out);

        // The same receiver to whom the account is in plaintext mode.
        let run = receiver.run("send text --to URL");
        assert!(run.out.contains("Are token, mode, app id and key the same on both sides?"), "{}", run.out);
        assert_eq!(run.code, 1);
    }
}

#[test]
fn verbose_shows_request_and_answer_and_keeps_the_terminal_whole() {
    let receiver = Receiver::new(|_| Some(http(500, "\u{1B}[2J gone")));
    let run = receiver.run("send text --to URL --set=Content=a\u{8}b -v");
    let lines: Vec<_> = run.out.lines().map(str::trim_start).collect();
    assert!(lines.contains(&"> Host: HOST") && lines.contains(&"> <Content><![CDATA[a\\u{8}b]]></Content>"));
    assert!(lines.contains(&"< HTTP/1.1 500") && lines.contains(&"< \\u{1b}[2J gone"), "{}", run.out);
    assert!(receiver.arrived()[0].body.contains(&8));
}

#[test]
fn a_platform_is_pushed_its_tickets_in_its_own_envelope() {
    let receiver = Receiver::endpoint(Endpoint::safe(TOKEN, APP_ID, KEY).unwrap(), |_| Reply::Success);
    let run = receiver.run(&format!("send component_verify_ticket --to URL --app-id {APP_ID} --aes-key {KEY}"));
    assert_eq!(run.code, 0);
    assert!(receiver.arrived()[0].body.starts_with(b"<xml><AppId><![CDATA[wx5823bf96d3bd56c7]]></AppId>\n<Encrypt>"));
}

#[test]
fn raw_bytes_arrive_as_they_are() {
    let push = "<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>1</CreateTime>\
                <MsgType>text</MsgType><Content>raw</Content></xml>\n";
    let file = std::env::temp_dir().join(format!("wechat-simulator-{}.xml", std::process::id()));
    std::fs::write(&file, push).unwrap();
    let receiver = Receiver::plain();
    let url = receiver.url();
    let from_file = run(&format!("send --raw {} --to {url}", file.display()), "");
    let from_input = run(&format!("send --raw - --to {url}"), push);
    let changed = run(&format!("send --raw - --to {url} --set=Content=set"), push);
    std::fs::remove_file(&file).unwrap();
    for (run, said) in [(from_file, "raw"), (from_input, "raw"), (changed, "set")] {
        let end = format!("The user sees\n  You said {said}\n");
        assert!(run.out.starts_with("text to ") && run.out.ends_with(&end), "{}{}", run.out, run.err);
        assert_eq!(run.code, 0);
    }
    let arrived = receiver.arrived();
    assert_eq!(arrived[0].body, push.as_bytes());
    assert_eq!(arrived[1].body, push.as_bytes());
    assert_eq!(parse_event(&arrived[2].body).unwrap().field("CreateTime").as_deref(), Some("1"));
}

#[test]
fn what_cannot_be_sent_is_an_error_with_the_reason() {
    let receiver = Receiver::plain();
    let cases = [
        (
            "scann",
            "",
            "error: `scann` is not a kind of push; did you mean `SCAN`?\n  `wechat-simulator list` shows all kinds; \
             --unknown sends an event with that name\n",
        ),
        (
            "blizzard",
            "",
            "error: `blizzard` is not a kind of push\n  `wechat-simulator list` shows all kinds; --unknown sends an \
             event with that name\n",
        ),
        ("verify", "", "error: `verify` is not a kind of push; did you mean `--address-check`?\n"),
        ("--raw /no/such/file", "", "error: --raw /no/such/file: No such file or directory (os error 2)\n"),
        ("--raw -", "", "error: --raw -: it is empty\n"),
        (
            "--raw - --set=A=b",
            "{\"MsgType\":\"text\"}",
            "error: --set needs a push that can be read as XML, without a DTD\n",
        ),
        ("text --mode safe", "", "error: mode safe needs --app-id\n"),
        ("text --token=", "", "error: the token is empty\n"),
    ];
    for (arguments, input, error) in cases {
        let run = run(&format!("send {arguments} --to {}", receiver.url()), input);
        assert_eq!((&*run.err, run.code, &*run.out), (error, 2, ""));
    }
    assert!(receiver.arrived().is_empty());
}

#[test]
fn a_setting_that_is_none_is_told_what_it_should_be() {
    let cases = [
        ("Content", "`=` is missing: write EventKey=7"),
        ("A|B=1", "`A|B` is more than one path: set one of them"),
        ("=1", "`` is not an element name: a path looks like EventKey or ScanCodeInfo/ScanType"),
        ("A//B=1", "`` is not an element name: a path looks like EventKey or ScanCodeInfo/ScanType"),
        ("<A>=1", "`<A>` is not an element name: a path looks like EventKey or ScanCodeInfo/ScanType"),
    ];
    for (set, reason) in cases {
        let run = run(&format!("send text --to http://127.0.0.1:1 --set={set}"), "");
        let expected = format!(
            "error: invalid value '{set}' for '--set <PATH=VALUE>': {reason}\n\nFor more information, try '--help'.\n"
        );
        assert_eq!((run.err, run.code), (expected, 2));
    }
}

#[test]
fn a_field_that_the_kind_has_not_is_sent_with_a_note() {
    let receiver = Receiver::plain();
    let run = receiver.run("send SCAN --to URL --set=EventKye=7 --set=Event/Part=1 --set=Ticket=T");
    let expected = "note: SCAN has no field EventKye, so it is added to the push; did you mean EventKey?\n\
                    note: SCAN has no field Event/Part, so it is added to the push; did you mean Event?\n";
    assert_eq!((&*run.err, run.code), (expected, 0));
    let event = receiver.arrived()[0].body.clone();
    assert_eq!(parse_event(&event).unwrap().field("EventKye").as_deref(), Some("7"));
}

#[test]
fn an_unknown_kind_is_sent_when_asked() {
    let receiver = Receiver::plain();
    let run = receiver.run("send brand_new --to URL --unknown --set=Part/Color=red");
    assert_eq!(run.code, 0);
    let body = receiver.arrived()[0].body.clone();
    let event = parse_event(&body).unwrap();
    assert_eq!((event.name(), event.field("Part/Color").as_deref()), ("brand_new", Some("red")));
}

// list

#[test]
fn the_list_has_every_kind() {
    let run = run("list", "");
    let lines: Vec<_> = run.out.lines().collect();
    let kinds: Vec<_> = lines.iter().filter(|line| line.starts_with("  ")).collect();
    assert_eq!(kinds.len(), KINDS.len());
    for (line, kind) in kinds.into_iter().zip(KINDS) {
        let answer = match kind.takes() {
            Takes::Reply => "a reply",
            Takes::Code => "a code",
            Takes::IosRefund => "an opinion for Apple",
            _ => "`success`",
        };
        let words: Vec<_> = line.split("  ").filter(|word| !word.is_empty()).map(str::trim).collect();
        let [names, variant, shown] = &*words else { panic!("{line}") };
        assert_eq!((names.split(", ").next(), *variant, *shown), (Some(kind.name()), kind.variant(), answer));
    }
    assert_eq!(lines[0], "Message: messages from users");
    assert_eq!(lines.iter().filter(|line| line.contains(": ")).count(), 14);
    assert_eq!(run.code, 0);
}

#[test]
fn a_kind_by_name_has_its_fields_and_its_sample() {
    let run = run("list view", "");
    let expected = "\
VIEW: a name in Event, View of the group Account; it takes `success`

Fields for --set, with the sample's values
  EventKey  https://wx.teahouse.example/book?shop=12&day=today
  MenuId    427188930

Sample
  <xml><ToUserName><![CDATA[gh_ebc88566ca2e]]></ToUserName>
";
    assert!(run.out.starts_with(expected), "{}", run.out);
    assert_eq!(run.code, 0);
}

#[test]
fn the_list_in_json_is_the_catalogue() {
    let found = run("list --json", "").json();
    let expected: Vec<_> = KINDS
        .iter()
        .map(|kind| {
            let mut names: Vec<_> = kind.names().map(|(_, name)| name).collect();
            names.dedup();
            json!({
                "name": kind.name(),
                "named_by": kind.named_by(),
                "names": names,
                "variant": kind.variant(),
                "group": format!("{:?}", kind.group()),
                "takes_reply": kind.takes_reply(),
                "fields": kind.fields(),
                "sample": kind.sample(),
            })
        })
        .collect();
    assert_eq!(found, json!(expected));
    let some = run("list LOCATION location --json", "").json();
    let variants: Vec<_> = some.as_array().unwrap().iter().map(|kind| kind["variant"].clone()).collect();
    assert_eq!(variants, ["Location", "LocationMessage"]);
}

#[test]
fn a_name_that_is_none_is_not_listed() {
    let run = run("list SCAN lcoation", "");
    let expected = "error: `lcoation` is not a kind of push; did you mean `location` or `LOCATION`?\n  \
                    `wechat-simulator list` shows all kinds\n";
    assert_eq!((&*run.err, run.code, &*run.out), (expected, 2, ""));
}

#[test]
fn nobody_reading_the_list_is_no_failure() {
    let mut child = simulator().arg("list").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let run = Run::of(child.wait_with_output().unwrap());
    assert_eq!((run.code, &*run.err), (0, ""));
}

// load

/// Whether all pushes are accounted for.
fn assert_sums(found: &Value) {
    let number = |path: &str| found.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path}: {found}"));
    let sum = |list: &str| -> u64 {
        found[list].as_array().unwrap().iter().map(|part| part["count"].as_u64().unwrap()).sum()
    };
    assert_eq!(number("/due"), number("/sent") + number("/not_sent/busy") + number("/not_sent/late"), "{found}");
    assert_eq!(number("/sent"), number("/answered") + sum("silent"), "{found}");
    assert_eq!(sum("histogram"), number("/answered"), "{found}");
    let faults: u64 =
        found["verdicts"]["faults"].as_array().unwrap().iter().map(|fault| fault["count"].as_u64().unwrap()).sum();
    let verdicts = number("/verdicts/replies") + number("/verdicts/nothing") + faults;
    assert_eq!(number("/verdicts/judged"), verdicts, "{found}");
}

#[test]
fn a_load_is_what_was_asked_for() {
    let receiver = Receiver::plain();
    let run = receiver.run("load URL --rate 200 --seconds 1 --retries 0.1 --mix text=3,VIEW=1 --json");
    let found = run.json();
    assert_sums(&found);
    for (field, expected) in [("due", 200), ("sent", 200), ("answered", 200), ("retries", 20)] {
        assert_eq!(found[field], expected, "{field}");
    }
    let throughput = found["throughput"].as_f64().unwrap();
    assert!((100.0..=200.0).contains(&throughput), "{throughput}");
    assert_eq!((&found["mix"], &found["rate"]), (&json!("text=3,VIEW=1"), &json!(200.0)));
    // 180 new ones by their weights, and each retry is one of them.
    let arrived = receiver.arrived();
    let mut bodies: Vec<_> = arrived.iter().map(|arrived| (&arrived.query, &arrived.body)).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!((arrived.len(), bodies.len()), (200, 180));
    let texts = bodies.iter().filter(|(_, body)| parse_event(body).unwrap().name() == "text").count();
    assert_eq!(texts, 135);
    assert_eq!((run.code, &found["content"]), (0, &json!(true)));
    let verdicts = &found["verdicts"];
    assert_eq!(verdicts["judged"], 200);
    assert!(verdicts["replies"].as_u64() >= Some(135), "{verdicts}");
}

#[test]
fn a_sealed_retry_comes_in_another_envelope() {
    let endpoint = Endpoint::safe(TOKEN, APP_ID, KEY).unwrap();
    let receiver = Receiver::endpoint(endpoint, echo);
    let mix = "--mix text,component_verify_ticket";
    let sealed =
        format!("load URL --rate 100 --seconds 0.2 --retries 0.5 {mix} --json --app-id {APP_ID} --aes-key {KEY}");
    let run = receiver.run(&sealed);
    let found = run.json();
    assert_sums(&found);
    assert_eq!((run.code, &found["sent"], &found["retries"]), (0, &json!(20), &json!(10)));
    let arrived = receiver.arrived();
    let mut bodies: Vec<_> = arrived.iter().map(|arrived| &arrived.body).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 20);
}

#[test]
fn no_two_payments_of_a_load_are_of_one_order_and_those_of_mini_games_are_signed() {
    let receiver = Receiver::plain();
    let taking = KINDS.iter().filter(|kind| kind.takes() == Takes::Code).map(KindInfo::name).collect::<Vec<_>>();
    let mix = format!("--mix {} --app-key secret", taking.join(","));
    let found = receiver.run(&format!("load URL --rate 160 --seconds 1 --retries 0.25 {mix} --json")).json();
    assert_sums(&found);
    assert_eq!((&found["verdicts"]["nothing"], &found["verdicts"]["faults"]), (&json!(160), &json!([])));
    let keys = AppKeys::live("secret").unwrap();
    let mut orders = BTreeSet::new();
    for arrived in receiver.arrived() {
        let event = parse_event(&arrived.body).unwrap();
        if event.field("MiniGame/Payload").is_some() && event.field("MiniGame/PayEventSig").is_some() {
            assert!(event.mini_game_payload(&keys).is_ok(), "{event:?}");
        }
        orders.insert(event.business_key().unwrap());
    }
    assert_eq!(orders.len(), 120);
}

#[test]
fn a_payment_that_has_no_code_counts_as_a_fault_of_a_load() {
    let receiver = Receiver::new(|_| Some(http(200, "success")));
    let found = receiver.run("load URL --rate 100 --seconds 0.2 --mix xpay_goods_deliver_notify --json").json();
    assert_sums(&found);
    let fault = &found["verdicts"]["faults"][0];
    assert_eq!((&fault["count"], &fault["push"]), (&json!(20), &json!("xpay_goods_deliver_notify")), "{found}");
    assert_eq!(fault["reason"], "`xpay_goods_deliver_notify` takes a code, not `success`");
}

#[test]
fn as_fast_as_it_answers_is_bounded_by_the_connections() {
    let under_way = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let counted = Arc::clone(&under_way);
    let receiver = Receiver::new(move |_| {
        let (now, most) = &*counted;
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(5));
        now.fetch_sub(1, Ordering::SeqCst);
        Some(http(200, "success"))
    });
    let run = receiver.run("load URL --rate max --seconds 0.5 --connections 4 --threads 3 --judge 1 --json");
    let found = run.json();
    assert_sums(&found);
    assert_eq!((run.code, &found["rate"], &found["verdicts"]["judged"]), (0, &Value::Null, &found["answered"]));
    assert_eq!(under_way.1.load(Ordering::SeqCst), 4);
    // Four at a time, 5 ms each: 800 a second at most.
    let sent = found["sent"].as_u64().unwrap();
    assert!((20..=404).contains(&sent), "{sent}");
}

#[test]
fn a_push_that_waits_for_a_slow_answer_is_of_the_moment_when_it_is_sent() {
    for threads in [1, 2] {
        waits_for_a_slow_answer(threads);
    }
}

fn waits_for_a_slow_answer(threads: u32) {
    struct Push {
        id: String,
        request: (String, Vec<u8>),
        ages: [u64; 2],
    }
    let pushes = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&pushes);
    let receiver = Receiver::new(move |arrived| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let Arrived { query, body, .. } = arrived;
        let event = parse_event(body).unwrap();
        let timestamp = query.split('&').find_map(|pair| pair.strip_prefix("timestamp=")).unwrap();
        let ages = [event.field("CreateTime").unwrap().parse().unwrap(), timestamp.parse().unwrap()];
        let id = event.field("MsgId").unwrap().to_string();
        let ages = ages.map(|time: u64| now.checked_sub(time).unwrap());
        log.lock().unwrap().push(Push { id, request: (query.clone(), body.clone()), ages });
        std::thread::sleep(Duration::from_millis(400));
        Some(http(200, "success"))
    });
    let load = "load URL --rate max --seconds 5 --connections 2 --mix text --retries 0.4 --json";
    let run = receiver.run(&format!("{load} --threads {threads}"));
    assert_eq!(run.code, 0, "{}", run.out);
    let pushes = pushes.lock().unwrap();
    let mut firsts = Vec::<&Push>::new();
    for push in &*pushes {
        match firsts.iter().find(|first| first.id == push.id) {
            // A retry is its first once more, whatever time that was given.
            Some(first) => assert_eq!(push.request, first.request),
            None => firsts.push(push),
        }
    }
    let again = pushes.len() - firsts.len();
    assert!(firsts.len() > 8 && again > 4, "{} {again}", firsts.len());
    // In whole seconds, on a machine that may be late by some itself.
    let ages: Vec<_> = firsts.iter().map(|first| first.ages).collect();
    assert!(ages.iter().flatten().all(|age| *age <= 2), "{ages:?}");
}

#[test]
fn what_finds_no_connection_free_is_not_sent() {
    let receiver = Receiver::new(|_| {
        std::thread::sleep(Duration::from_millis(300));
        Some(http(200, "success"))
    });
    let run = receiver.run("load URL --rate 100 --seconds 1 --connections 10 --json");
    let found = run.json();
    assert_sums(&found);
    assert_eq!((run.code, &found["content"], &found["due"]), (1, &json!(false), &json!(100)));
    // Ten connections carry 33 a second.
    let sent = found["sent"].as_u64().unwrap();
    assert!((10..=44).contains(&sent), "{found}");
    assert!(found["not_sent"]["busy"].as_u64() > Some(0), "{found}");
}

#[test]
fn latency_counts_from_when_a_push_was_due() {
    // All wait for the first 400 ms to pass.
    let begun = Instant::now();
    let gate = std::sync::OnceLock::new();
    let receiver = Receiver::new(move |_| {
        let opens = *gate.get_or_init(|| begun.elapsed()) + Duration::from_millis(400);
        std::thread::sleep(opens.saturating_sub(begun.elapsed()));
        Some(http(200, "success"))
    });
    let found = receiver.run("load URL --rate 100 --seconds 1 --json").json();
    assert_sums(&found);
    assert_eq!(found["answered"], 100);
    // Forty of a hundred were due meanwhile and waited 200 ms in the mean.
    let mean = found["latency"]["mean"].as_f64().unwrap();
    assert!((75.0..1000.0).contains(&mean), "{found}");
    let max = found["latency"]["max"].as_f64().unwrap();
    assert!((400.0..3000.0).contains(&max), "{found}");
}

#[test]
fn answers_that_are_none_are_told_and_end_in_1() {
    let receiver = Receiver::new(|arrived| {
        Some(match arrived.number % 4 {
            0 => Vec::new(),
            1 => http(500, ""),
            2 => http(200, "oops"),
            _ => http(200, "success"),
        })
    });
    let run = receiver.run("load URL --rate 100 --seconds 0.4 --new-connections --mix text --json");
    let found = run.json();
    assert_sums(&found);
    let reason = "no answer: connection closed before message completed";
    assert_eq!(found["silent"], json!([{ "reason": reason, "count": 10 }]));
    let faults = found["verdicts"]["faults"].as_array().unwrap();
    let mut faults: Vec<_> = faults.iter().map(|fault| (fault["reason"].as_str().unwrap(), &fault["count"])).collect();
    faults.sort_by_key(|(reason, _)| std::cmp::Reverse(*reason));
    let not_xml = "the answer `oops` is not `success`, not empty and not XML: unknown token at 1:1";
    assert_eq!(faults, [(not_xml, &json!(10)), ("status 500, not 200", &json!(10))]);
    assert_eq!((run.code, &found["content"]), (1, &json!(false)));
}

/// A receiver that answers so many requests of each connection, and reads one more before it hangs up if it is to.
fn hanging_up(answered: usize, reads_on: bool) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            for _ in 0..answered {
                if read(&mut stream).is_some() {
                    counted.fetch_add(1, Ordering::SeqCst);
                    drop(stream.get_mut().write_all(&http(200, "success")));
                }
            }
            if reads_on && read(&mut stream).is_some() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    (url, requests)
}

#[test]
fn a_connection_closed_between_two_pushes_is_no_fault() {
    let (url, requests) = hanging_up(1, false);
    let run = run(&format!("load {url} --rate 20 --seconds 0.5 --connections 1 --json"), "");
    let found = run.json();
    assert_sums(&found);
    assert_eq!((run.code, &found["answered"], &found["silent"]), (0, &json!(10), &json!([])));
    assert_eq!((&found["reopened"], requests.load(Ordering::SeqCst)), (&json!(9), 10));
}

#[test]
fn who_hangs_up_on_a_push_that_it_has_read_is_told_and_not_asked_again() {
    let (url, requests) = hanging_up(1, true);
    let run = run(&format!("load {url} --rate 100 --seconds 0.3 --connections 1 --json"), "");
    let found = run.json();
    assert_sums(&found);
    let reason = "no answer: connection closed before message completed, on a connection kept open";
    // Each connection carries two pushes: one that is answered, and one that is not.
    let (sent, silent) = (found["sent"].as_u64().unwrap(), found["silent"][0]["count"].as_u64().unwrap());
    assert_eq!((silent, &found["silent"][0]["reason"]), (sent / 2, &json!(reason)), "{found}");
    assert_eq!(requests.load(Ordering::SeqCst), usize::try_from(sent).unwrap());
    assert_eq!((run.code, &found["content"], &found["reopened"]), (1, &json!(false), &json!(0)));
}

/// How many seconds a push is old when it arrives, by the time that it is signed with.
fn age(arrived: &Arrived) -> u64 {
    let timestamp = arrived.query.split('&').find_map(|part| part.strip_prefix("timestamp=")).unwrap();
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - timestamp.parse::<u64>().unwrap()
}

#[test]
fn a_push_is_signed_when_it_is_due_however_seldom_that_is() {
    let ages = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&ages);
    let receiver = Receiver::new(move |arrived| {
        noted.lock().unwrap().push(age(arrived));
        Some(http(200, "success"))
    });
    let run = receiver.run("load URL --rate 0.5 --seconds 4 --json");
    let ages = ages.lock().unwrap();
    assert_eq!((run.code, ages.len()), (0, 2));
    // 1 where a second has begun meanwhile.
    assert!(ages.iter().all(|age| *age <= 1), "{ages:?}");
}

#[test]
fn a_push_that_had_to_wait_for_a_connection_is_signed_anew() {
    let ages = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&ages);
    let receiver = Receiver::new(move |arrived| {
        noted.lock().unwrap().push(age(arrived));
        std::thread::sleep(Duration::from_millis(if arrived.number == 0 { 3500 } else { 0 }));
        Some(http(200, "success"))
    });
    let found = receiver.run("load URL --rate 1 --seconds 5 --connections 1 --json").json();
    // Those due after 1, 2 and 3 s find the connection busy.
    assert_eq!((&found["sent"], &found["not_sent"]["busy"]), (&json!(2), &json!(3)));
    let ages = ages.lock().unwrap();
    assert!(ages.iter().all(|age| *age <= 1), "{ages:?}");
}

#[test]
fn the_figures_are_drawn() {
    let receiver = Receiver::plain();
    let run = receiver.run("load URL --rate 100 --seconds 0.5 --retries 0.1 --mix text");
    let mut lines: Vec<_> = run.out.lines().collect();
    let head = [
        "load on http://HOST/wechat, mode plain",
        "  100 pushes a second over up to 256 connections, 0.5 s",
        "  text=1",
        "",
        "        50  due",
        "        50  sent, 5 of them retries",
        "        50  answered, … a second",
        "",
        "time, in ms from when a push was due",
        "               begun  answered",
    ];
    assert!(lines[6].ends_with(" a second"), "{}", lines[6]);
    lines[6] = head[6];
    assert_eq!(lines[..10], head);
    let first = |line: &&str| line.split_whitespace().next().unwrap_or_default().to_owned();
    let shares: Vec<_> = lines[10..15].iter().map(first).collect();
    assert_eq!(shares, ["50", "90", "99", "99.9", "max"]);
    assert!(lines.iter().any(|line| line.contains(" ms  █")), "{}", run.out);
    let end = ["WeChat, on 50 answers", "        50  shows the reply", "         0  shows nothing, as asked"];
    assert_eq!(lines[lines.len() - 3..], end);
    assert_eq!((run.code, &*run.err), (0, ""));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_early_with_the_figures_so_far() {
    let receiver = Receiver::new(|_| Some(http(200, "success")));
    let mut command = simulator();
    command.args(["load", &receiver.url(), "--rate", "100", "--seconds", "60", "--json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while receiver.arrived().len() < 20 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let begun = Instant::now();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let run = Run::of(child.wait_with_output().unwrap());
    assert!(begun.elapsed() < Duration::from_secs(5));
    let found = run.json();
    assert_sums(&found);
    let (sent, arrived) = (found["sent"].as_u64().unwrap(), receiver.arrived().len());
    assert_eq!((run.code, usize::try_from(sent).unwrap()), (0, arrived));
    assert!((20..500).contains(&sent), "{found}");
}

/// Stopped meanwhile, each of them finds the signal and its next look at the figures due at once.
#[cfg(unix)]
#[test]
fn ctrl_c_is_not_missed_by_who_is_busy_with_the_figures() {
    let receiver = Receiver::new(|_| Some(http(200, "success")));
    let start = |_| {
        let mut command = simulator();
        command.args(["load", &receiver.url(), "--rate", "20", "--seconds", "60", "--json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..8).map(start).collect();
    while receiver.arrived().len() < 8 * 20 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let kill = |signal: &str| {
        let numbers = children.iter().map(|child| child.id().to_string());
        assert!(Command::new("kill").arg(signal).args(numbers).status().unwrap().success());
    };
    kill("-STOP");
    std::thread::sleep(Duration::from_millis(300));
    kill("-INT");
    kill("-CONT");
    let begun = Instant::now();
    for child in children {
        assert_eq!(Run::of(child.wait_with_output().unwrap()).code, 0);
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn a_load_that_makes_no_sense_is_refused() {
    let cases = [
        ("--rate fast", "'fast' for '--rate <N>': it is not `max` or a number from 0.001 to 10000000"),
        ("--seconds -1", ""),
        ("--seconds 0", "'0' for '--seconds <S>': it is not a number from 0.001 to 1000000"),
        ("--retries 2", "'2' for '--retries <SHARE>': it is not a number from 0 to 1"),
        ("--mix text=x", "'text=x' for '--mix <NAME=WEIGHT,…>': the weight `x` is not a number from 0 to 65535"),
    ];
    for (arguments, error) in cases {
        let run = run(&format!("load http://127.0.0.1:1 {arguments}"), "");
        assert_eq!(run.code, 2);
        assert!(run.err.contains(error), "{}", run.err);
    }
}

// chat

#[test]
fn a_chat_goes_on_when_nobody_reads_its_address() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child =
        simulator().args(["chat", "http://127.0.0.1:1", "--port", &port.to_string()]).stdout(writer).spawn().unwrap();
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(20));
    }
    // It has said its address before it takes connections for good.
    std::thread::sleep(Duration::from_millis(500));
    let ended = child.try_wait().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(ended, None);
}
