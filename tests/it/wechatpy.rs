//! Compared with the Python SDK wechatpy in a real process: each decrypts what the other encrypts.
//!
//! Runs when `WECHATPY_PYTHON` names an interpreter that has `tests/wechatpy/requirements.txt` installed. Where `CI` is
//! set it has to.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use wechat_events::cipher::{EncodingAesKey, open, seal};
use wechat_events::{Endpoint, Received, Reply};

use crate::wire::sign;

const MESSAGES: usize = 1_000;
const TOKEN: &str = "QDG6eK";

struct Wechatpy {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Wechatpy {
    fn start() -> Option<Wechatpy> {
        let Some(python) = std::env::var_os("WECHATPY_PYTHON") else {
            assert!(std::env::var_os("CI").is_none(), "CI is set, and WECHATPY_PYTHON is not");
            eprintln!("skipped: WECHATPY_PYTHON names no interpreter with tests/wechatpy/requirements.txt installed");
            return None;
        };
        let mut process = Command::new(&python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wechatpy/peer.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("WECHATPY_PYTHON is {}: {error}", python.display()));
        let requests = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Some(Wechatpy { process, requests, answers })
    }

    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.requests, "{request}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|_| panic!("wechatpy failed on {request}"))
    }

    fn stop(mut self) {
        drop(self.requests);
        assert!(self.process.wait().unwrap().success());
    }
}

/// xorshift64: the same messages on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn text(&mut self, alphabet: &[char], bytes: usize) -> String {
        let mut text = String::new();
        while text.len() < bytes {
            let c = alphabet[usize::try_from(self.below(alphabet.len() as u64)).unwrap()];
            text.push(if text.len() + c.len_utf8() <= bytes { c } else { 'x' });
        }
        text
    }
}

fn characters(ranges: &[std::ops::RangeInclusive<char>]) -> Vec<char> {
    ranges.iter().cloned().flatten().collect()
}

#[test]
fn wechatpy_and_this_crate_open_what_the_other_seals() {
    let Some(mut wechatpy) = Wechatpy::start() else { return };
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let base64 = characters(&['A'..='Z', 'a'..='z', '0'..='9', '+'..='+', '/'..='/']);
    let hex = characters(&['0'..='9', 'a'..='f']);
    let digits = characters(&['0'..='9']);
    let words = characters(&[' '..='~', '\n'..='\n', '一'..='丿', '😀'..='😏', '\u{8}'..='\u{8}']);
    let mut paddings = BTreeSet::new();

    for index in 0..MESSAGES {
        let key_text = random.text(&base64, 43);
        let app_id = format!("wx{}", random.text(&hex, 16));
        let (timestamp, nonce) = (random.text(&digits, 10), random.text(&digits, 9));
        let message = random.text(&words, index);
        let key = EncodingAesKey::new(&key_text).unwrap();
        paddings.insert(32 - (20 + message.len() + app_id.len()) % 32);

        let mut request =
            json!({ "token": TOKEN, "key": key_text, "app_id": app_id, "timestamp": timestamp, "nonce": nonce });
        request["seal"] = json!(message);
        let theirs = wechatpy.ask(&request);
        let encrypt = theirs["encrypt"].as_str().unwrap();
        assert_eq!(theirs["signature"], sign(&[TOKEN, &timestamp, &nonce, encrypt]));
        assert_eq!(open(&key, &app_id, encrypt).unwrap().message(), message.as_bytes());

        let ours = seal(&key, &app_id, message.as_bytes()).unwrap();
        assert_eq!(ours.len(), encrypt.len());
        request.as_object_mut().unwrap().remove("seal");
        request["signature"] = json!(sign(&[TOKEN, &timestamp, &nonce, &ours]));
        request["open"] = json!(ours);
        assert_eq!(wechatpy.ask(&request)["message"], message);
    }
    wechatpy.stop();
    assert_eq!(paddings, (1..=32).collect(), "every padding was sent both ways");
}

#[test]
fn a_safe_endpoint_takes_wechatpys_envelope_and_wechatpy_takes_its_answer() {
    let Some(mut wechatpy) = Wechatpy::start() else { return };
    let mut random = Random(7);
    let words = characters(&['!'..='~', '一'..='丿', '😀'..='😏']);
    let (key, app_id) = ("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "wx5823bf96d3bd56c7");
    let endpoint = Endpoint::safe(TOKEN, app_id, key).unwrap();
    for length in 1..=100 {
        let content = random.text(&words, length);
        let message = format!(
            "<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>1</CreateTime>\
             <MsgType>text</MsgType><Content><![CDATA[{}]]></Content><MsgId>1</MsgId></xml>",
            content.replace("]]>", "]]]]><![CDATA[>")
        );
        let mut request = json!({ "token": TOKEN, "key": key, "app_id": app_id });
        request["timestamp"] = json!("1714037059");
        request["nonce"] = json!("486452656");
        request["seal"] = json!(message);
        let theirs = wechatpy.ask(&request);
        let query = format!(
            "timestamp=1714037059&nonce=486452656&encrypt_type=aes&msg_signature={}",
            theirs["signature"].as_str().unwrap()
        );
        let envelope = theirs["envelope"].as_str().unwrap();
        let Ok(Received::Push(push)) = endpoint.receive("POST", &query, envelope.as_bytes(), 1) else {
            panic!("{envelope}")
        };
        assert_eq!(push.body(), message.as_bytes());

        let event = push.event().unwrap();
        let reply = Reply::text(event.field("Content").unwrap());
        let ours = String::from_utf8(push.respond(&event, &reply, 1_714_037_060).body).unwrap();
        let request = json!({ "token": TOKEN, "key": key, "app_id": app_id, "open_envelope": ours });
        assert_eq!(wechatpy.ask(&request)["message"], reply.write(&event, 1_714_037_060).body);
    }
    wechatpy.stop();
}
