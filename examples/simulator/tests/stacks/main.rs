//! Every package under `examples/`, copied away, built there and started as its user would: `check` finds no fault in any
//! mode, and it ends as it should.

mod accounts;
mod copied;
mod http;
mod lambda;
mod payment;
mod server;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs, thread};

use serde_json::Value;
use wechat_events::testing::WeChat;

use http::{Answered, Exchange};
use server::{Server, account};

/// Servers at once: nearly all of a check is waiting for WeChat's schedule.
const AT_ONCE: usize = 12;
const MODES: [&str; 3] = ["plain", "compatible", "safe"];
const LAMBDA: &str = "lambda_http";
/// On AWS Lambda nothing outlives its answer and no delivery meets another, so retries cannot join; and each process
/// counts by itself, so that two may give the same `number`, by which `wait` is known.
const NOT_ON_LAMBDA: &[&str] =
    &["retry-once", "joins-once", "joins-others", "slow-second", "slow-third", "slow-late", "slow-kept"];
/// What needs `echo TEXT`, which the examples' handlers do not know.
const NOT_SEEN: &[&str] = &["hostile-dtd", "retry-same-id"];

/// What stands under `examples/` and is no stack with one Official Account at `/wechat`.
const OTHERS: [&str; 7] = ["accounts", "assistant", "cluster", "payment", "queue", "quickstart", "simulator"];

/// Every folder under `examples/` that has a package, but for the others.
fn stacks() -> &'static [Stack] {
    static STACKS: OnceLock<Vec<Stack>> = OnceLock::new();
    STACKS.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().join("Cargo.toml").exists())
            .map(|entry| entry.file_name().into_string().unwrap())
            .filter(|name| !OTHERS.contains(&&**name))
            .collect();
        names.sort();
        assert!(names.iter().any(|name| name == LAMBDA), "{names:?}");
        names.into_iter().map(|name| Stack { binary: copied::build(&name), name }).collect()
    })
}

#[derive(Debug)]
struct Stack {
    name: String,
    binary: PathBuf,
}

impl Stack {
    fn start(&self, mode: &str) -> Server {
        match &*self.name {
            LAMBDA => lambda::start(&self.binary, mode),
            _ => Server::start(&self.binary, mode),
        }
    }
}

/// Runs all jobs, so many at a time, and fails with what all of them said that failed.
fn all<J: Sync>(jobs: &[J], run: impl Fn(&J) -> Result<(), String> + Sync) {
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(failure) = run(job) {
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn check_finds_no_fault_in_any_stack_in_any_mode() {
    let jobs: Vec<_> = stacks().iter().flat_map(|stack| MODES.map(|mode| (stack, mode))).collect();
    all(&jobs, |(stack, mode)| {
        let server = stack.start(mode);
        let mut left_out = NOT_SEEN.to_vec();
        if stack.name == LAMBDA {
            left_out.extend(NOT_ON_LAMBDA);
        }
        left_out.sort_unstable();
        let mut check = Command::new(env!("CARGO_BIN_EXE_wechat-simulator"));
        check
            .args(["check", &format!("http://{}/wechat", server.address), "--json", "--skip", &left_out.join(",")])
            .envs(account(mode));
        let mut run = || {
            let checked = check.output().unwrap();
            let report: Value = serde_json::from_slice(&checked.stdout).unwrap_or_default();
            let rows = report["checks"].as_array().map_or(&[][..], Vec::as_slice);
            let mut not_passed: Vec<_> = rows.iter().filter(|row| row["result"] != "passed").collect();
            not_passed.sort_by_key(|row| row["id"].as_str());
            if checked.status.success() && not_passed.iter().map(|row| &row["id"]).eq(&left_out) {
                return Ok(());
            }
            let said = server.said.lock().unwrap();
            let erred = String::from_utf8_lossy(&checked.stderr);
            Err(format!("{}, {mode}: {}\n{not_passed:#?}\n{erred}{said}", stack.name, checked.status))
        };
        // Among so many at once five seconds may be short.
        run().or_else(|_| run())
    });
}

#[test]
fn what_is_no_stack_builds_too_where_it_was_copied_to() {
    for other in OTHERS {
        copied::build(other);
    }
}

/// What is about HTTP more than about WeChat, and so no part of `check`.
#[test]
fn every_stack_states_lengths_takes_1_mib_and_has_a_word_for_other_methods() {
    let wechat = WeChat::plain("AAAAA").unwrap().seed(1);
    all(stacks(), |stack| {
        let server = stack.start("plain");
        let mut found = Vec::new();
        let mut expect = |what, expected: &str, answered: Option<Answered>| {
            let seen = answered.map_or("nothing".to_owned(), |answered| {
                let header = |name| answered.header(name);
                let exact =
                    if header("content-length") == answered.body.len().to_string() { "exact" } else { "not exact" };
                let encoding = header("transfer-encoding");
                format!("{} {} {exact} {encoding}", answered.status, header("content-type")).trim().to_owned()
            });
            if seen != expected {
                found.push(format!("{what}: `{seen}`, not `{expected}`"));
            }
        };
        let check = wechat.address_check(now());
        expect("the check of the address", "200 text/plain exact", server.exchange("GET", &check.query, b""));
        let mut push = wechat.push("text").set("Content", "hello").request(now());
        expect("a push", "200 text/xml exact", server.exchange("POST", &push.query, &push.body));
        expect("a PUT", "405 text/plain exact", server.exchange("PUT", &push.query, &push.body));
        expect("a DELETE without a body", "405 text/plain exact", server.exchange("DELETE", &push.query, b""));
        push.body.resize(1 << 20, b' ');
        expect("1 MiB", "200 text/xml exact", server.exchange("POST", &push.query, &push.body));
        push.body.push(b' ');
        // In the stack's own words: ntex says 400. Who hangs up before all was sent may not be heard.
        match server.exchange("POST", &push.query, &push.body) {
            Some(answered) if !matches!(answered.status, 400 | 413) => {
                found.push(format!("1 MiB and a byte: {answered:?}"))
            }
            _ => {}
        }
        if found.is_empty() { Ok(()) } else { Err(format!("{}: {}", stack.name, found.join("; "))) }
    });
}

/// With connections that are idle, as a proxy keeps some, and a handler whose delivery hung up.
#[cfg(unix)]
#[test]
fn every_stack_answers_what_is_in_flight_and_ends_when_handlers_are_done() {
    let wechat = WeChat::plain("AAAAA").unwrap().seed(2);
    let stacks = stacks().iter().filter(|stack| stack.name != LAMBDA);
    let jobs: Vec<_> = stacks.flat_map(|stack| ["INT", "TERM"].map(|signal| (stack, signal))).collect();
    all(&jobs, |(stack, signal)| {
        let mut server = stack.start("plain");
        let begin = |text| {
            let push = wechat.push("text").set("Content", text).request(now());
            (Exchange::begin(&server.address, "POST", &push.query, &push.body), push)
        };
        let idle = [http::connect(&server.address), http::kept_open(&server.address)];
        let begun = Instant::now();
        let (waits, push) = begin("wait 2");
        let (hung_up, _) = begin("wait 8");
        thread::sleep(Duration::from_millis(500));
        drop(hung_up);
        server.signal(signal);
        let answered = waits.end();
        let ended = server.ended(Duration::from_secs(25));
        let after = begun.elapsed();
        drop(idle);
        let content = answered.map(|answered| {
            wechat.judge(&push, answered.answer()).field("Content").map_or_else(|| format!("{answered:?}"), Into::into)
        });
        let is_answer = content.as_ref().is_some_and(|content| content.ends_with("You said: wait 2"));
        if is_answer && ended.is_some_and(|status| status.success()) && after >= Duration::from_secs(8) {
            return Ok(());
        }
        let said = server.said.lock().unwrap();
        Err(format!("{}, SIG{signal}: answered {content:?}, ended {ended:?} after {after:?}\n{said}", stack.name))
    });
}

/// With clients that send half of a body and half of a head, and a handler that runs for longer than it is waited for.
#[cfg(unix)]
#[test]
fn every_stack_ends_when_handlers_are_done_although_a_request_never_is() {
    let wechat = WeChat::plain("AAAAA").unwrap().seed(3);
    let stacks: Vec<_> = stacks().iter().filter(|stack| stack.name != LAMBDA).collect();
    all(&stacks, |stack| {
        let mut server = stack.start("plain");
        let push = |text| wechat.push("text").set("Content", text).request(now());
        let (slow, half, quick) = (push("wait 12"), push("number"), push("number"));
        let begun = Instant::now();
        let hung_up = Exchange::begin(&server.address, "POST", &slow.query, &slow.body);
        let halves = [http::half_sent(&server.address, &half.query, &half.body), http::half_a_head(&server.address)];
        let answered = server.exchange("POST", &quick.query, &quick.body).map(|answered| answered.status);
        thread::sleep(Duration::from_millis(500));
        drop(hung_up);
        server.signal("TERM");
        let ended = server.ended(Duration::from_secs(25));
        let after = begun.elapsed();
        drop(halves);
        if answered == Some(200) && ended.is_some_and(|status| status.success()) && after >= Duration::from_secs(12) {
            return Ok(());
        }
        let said = server.said.lock().unwrap();
        Err(format!("{}: answered {answered:?}, ended {ended:?} after {after:?}\n{said}", stack.name))
    });
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}
