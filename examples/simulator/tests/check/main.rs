//! `wechat-simulator check` against a good receiver, and against one for each fault.

mod faults;
mod receiver;
#[path = "../shop/mod.rs"]
mod shop;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use faults::{FEW, Fault, HOSTILE, JOINS, QUICK, SLOW, faults};
use receiver::{AES_KEY, APP_ID, Mode, TOKEN, start};

/// What the program says, and how it ends.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

async fn simulator(arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_wechat-simulator"))
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

async fn check(url: &str, mode: Mode, arguments: &[&str]) -> Ran {
    let (mode, settings) = match mode {
        Mode::Plain => ("plain", &[][..]),
        Mode::Compatible => ("compatible", &["--app-id", APP_ID, "--aes-key", AES_KEY][..]),
        Mode::Safe => ("safe", &["--app-id", APP_ID, "--aes-key", AES_KEY][..]),
    };
    simulator(&[&["check", url, "--token", TOKEN, "--mode", mode], settings, arguments].concat()).await
}

/// The rows with a result, by their id.
fn rows(ran: &Ran) -> BTreeMap<String, (String, String)> {
    let summary: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}{}", ran.stdout, ran.stderr));
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = summary["checks"].as_array().unwrap().iter();
    rows.map(|row| (text(row, "id"), (text(row, "result"), text(row, "seen")))).collect()
}

/// The ids that did not pass, but for those that were skipped.
fn found(rows: &BTreeMap<String, (String, String)>) -> BTreeSet<&str> {
    let bad = rows.iter().filter(|(_, (result, _))| matches!(&**result, "failed" | "warned"));
    bad.map(|(id, _)| &**id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn a_good_receiver_passes_every_check_of_its_mode() {
    let modes = [Mode::Plain, Mode::Compatible, Mode::Safe].map(|mode| async move {
        let receiver = start(mode, receiver::good).await;
        let mut ran = check(&receiver.url, mode, &["--json"]).await;
        if ran.code != Some(0) {
            // On a machine that is busy elsewhere five seconds are short.
            ran = check(&receiver.url, mode, &["--json"]).await;
        }
        let rows = rows(&ran);
        let not_passed: Vec<_> = rows.iter().filter(|(_, (result, _))| result != "passed").collect();
        assert_eq!(not_passed, Vec::<(&String, &(String, String))>::new(), "{mode:?}");
        assert_eq!(ran.code, Some(0));
        rows.into_keys().collect::<BTreeSet<_>>()
    });
    let [plain, compatible, safe] = futures_util::future::join_all(modes).await.try_into().unwrap();
    let names = |ids: &BTreeSet<String>| ids.iter().cloned().collect::<Vec<_>>().join("\n");
    assert_eq!(compatible, safe);
    assert_eq!(
        names(&plain.difference(&safe).cloned().collect()),
        "forged-empty-token\nforged-no-signature\nforged-other-parts\nforged-wrong-signature"
    );
    assert_eq!(
        names(&safe.difference(&plain).cloned().collect()),
        "answer-encrypted\nanswer-encrypted-afresh\ndowngrade-mixed\ndowngrade-plain\ndowngrade-raw\n\
         encrypted-empty-token\nencrypted-exchanged\nencrypted-long-parts\nencrypted-no-signature\n\
         encrypted-oracle\nencrypted-other-app-id\nencrypted-other-key\nencrypted-other-parts\n\
         encrypted-reflection\nencrypted-splice\nencrypted-tampered\nencrypted-wrong-signature\n\
         text-every-length\nxml-envelope-order"
    );
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let counted = format!("{} checks in plain mode, {} in the others", plain.len(), safe.len());
    assert!(readme.contains(&counted), "the README is to speak of {counted}");
    // A check that no fault fails proves nothing.
    let known: BTreeSet<&str> = faults().flat_map(|fault| fault.fails).copied().collect();
    let all: BTreeSet<&str> = plain.union(&safe).map(|id| &**id).collect();
    assert_eq!(all.difference(&known).copied().collect::<Vec<_>>(), Vec::<&str>::new());
}

/// Many threads: some receivers compute, and must not stop the clocks of the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn each_fault_is_found_and_nothing_else() {
    let mut all_wrong = Vec::new();
    // Where half a second decides nothing else runs, and where a receiver has to work only one other.
    for (at_once, run) in [(5, QUICK), (5, FEW), (3, JOINS), (8, SLOW), (2, HOSTILE)] {
        let at_once = Arc::new(Semaphore::new(at_once));
        let mut running = JoinSet::new();
        for fault in faults().filter(|fault| fault.run == run || (run == FEW && fault.is_alone())) {
            let at_once = Arc::clone(&at_once);
            running.spawn(async move {
                let _permit = at_once.acquire_owned().await;
                match wrong(fault).await {
                    // On a machine that is busy elsewhere five seconds are short.
                    Some(_) => wrong(fault).await,
                    None => None,
                }
            });
        }
        all_wrong.extend(running.join_all().await.into_iter().flatten());
    }
    assert!(all_wrong.is_empty(), "{}", all_wrong.join("\n"));
}

/// What `check` does not say of a fault, or says and should not.
async fn wrong(fault: &'static Fault) -> Option<String> {
    let receiver = start(fault.mode, |stand, asked| fault.serve(stand, asked)).await;
    let ran = check(&receiver.url, fault.mode, &[&["--json"], fault.run].concat()).await;
    let rows = rows(&ran);
    let (found, expected) = (found(&rows), fault.fails.iter().copied().collect::<BTreeSet<_>>());
    let failed = rows.values().any(|(result, _)| result == "failed");
    if found == expected && ran.code == Some(i32::from(failed)) {
        return None;
    }
    let seen = |id: &&str| format!("  {id}: {:?}", rows.get(*id));
    Some(format!(
        "{} ({:?}), code {:?}, and this is wrong:\n{}",
        fault.name,
        fault.mode,
        ran.code,
        found.symmetric_difference(&expected).map(seen).collect::<Vec<_>>().join("\n")
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_reached_is_said_and_ends_with_2() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = check(&format!("http://{free}/wechat"), Mode::Plain, &[]).await;
    assert_eq!(ran.code, Some(2));
    assert_eq!(ran.stdout, "");
    let expected = format!(
        "error: no connection to http://{free}/wechat: Connection refused (os error 111)\n  \
         Nothing listens there: is the receiver running, and on that port?\n"
    );
    assert_eq!(ran.stderr, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_late_at_first_is_asked_again() {
    let receiver = start(Mode::Plain, |stand, asked| {
        Box::pin(async move {
            for late in ["[echo m", "[wait 0.3]", "subscribe_msg_popup_event"] {
                let is_first = |text: &str| {
                    text.contains(late) && stand.kept.lock().unwrap().insert(late.to_owned(), String::new()).is_none()
                };
                if asked.is_push() && is_first(&asked.text()) {
                    sleep(Duration::from_secs(6)).await;
                }
            }
            stand.good(&asked).await
        })
    })
    .await;
    let only = "forged-no-signature,joins-others,json-event";
    let ran = check(&receiver.url, Mode::Plain, &["--json", "--only", only]).await;
    let passed = |id: &str| (id.to_owned(), ("passed".to_owned(), String::new()));
    assert_eq!(rows(&ran), ["forged-no-signature", "joins-others", "json-event"].map(passed).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_always_late_is_no_answer_that_tells_of_a_seal_or_of_json() {
    // Only what a good one is asked twice, or in JSON: the rest is needed to get there.
    let receiver = start(Mode::Safe, |stand, asked| {
        Box::pin(async move {
            let is_again = || {
                let content = asked.field("Content");
                !content.is_empty() && stand.kept.lock().unwrap().insert(content, String::new()).is_some()
            };
            if asked.is_push() && (asked.text().starts_with('{') || is_again()) {
                sleep(Duration::from_secs(60)).await;
            }
            stand.good(&asked).await
        })
    })
    .await;
    let ran = check(&receiver.url, Mode::Safe, &["--json", "--only", "answer-encrypted-afresh,json"]).await;
    let rows = rows(&ran);
    let nothing = "one of them is never answered in time, so there is nothing to compare";
    assert_eq!(rows["answer-encrypted-afresh"], ("warned".to_owned(), nothing.to_owned()));
    let untold = "no answer in time: whether JSON is taken cannot be told";
    for id in ["json-text", "json-event"] {
        assert_eq!(rows[id], ("warned".to_owned(), untold.to_owned()));
    }
    assert_eq!(ran.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_in_json_that_is_always_late_is_no_failure() {
    let receiver = start(Mode::Plain, |stand, asked| {
        Box::pin(async move {
            if asked.text().contains("subscribe_msg_popup_event") {
                sleep(Duration::from_secs(60)).await;
            }
            stand.good(&asked).await
        })
    })
    .await;
    let ran = check(&receiver.url, Mode::Plain, &["--json", "--only", "json-event"]).await;
    let untold = "no answer in time: whether the event is taken cannot be told".to_owned();
    assert_eq!(rows(&ran)["json-event"], ("warned".to_owned(), untold));
    assert_eq!(ran.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_is_no_answer_that_tells_of_a_seal() {
    let receiver = start(Mode::Safe, |stand, asked| {
        Box::pin(async move {
            let content = asked.field("Content");
            if asked.is_push()
                && !content.is_empty()
                && stand.kept.lock().unwrap().insert(content, String::new()).is_some()
            {
                return receiver::Answer { framing: receiver::Framing::None, ..receiver::Answer::new(200, "") };
            }
            stand.good(&asked).await
        })
    })
    .await;
    let ran = check(&receiver.url, Mode::Safe, &["--json", "--only", "answer-encrypted-afresh"]).await;
    let seen = "no answer: connection closed before message completed".to_owned();
    assert_eq!(rows(&ran)["answer-encrypted-afresh"], ("failed".to_owned(), seen));
    assert_eq!(ran.code, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_genuine_text_without_a_right_answer_is_a_failure_whatever_was_asked_for() {
    let receiver = start(Mode::Plain, |stand, asked| {
        Box::pin(async move {
            if asked.is_push() { receiver::Answer::new(404, "not found") } else { stand.good(&asked).await }
        })
    })
    .await;
    let ran = check(&receiver.url, Mode::Plain, &["--json", "--only", "address-right,forged-no-signature"]).await;
    let expected = [
        ("address-right", "passed", ""),
        (
            "answer-text",
            "failed",
            "status 404, `not found`; WeChat shows its fault line: status 404, not 200\n\
             Is the path right? WeChat calls exactly the address that it is given.",
        ),
        (
            "forged-no-signature",
            "skipped",
            "WeChat rejects the answer to a genuine text, so there is nothing to compare with",
        ),
    ];
    let all = expected.map(|(id, result, seen)| (id.to_owned(), (result.to_owned(), seen.to_owned())));
    assert_eq!((ran.code, rows(&ran)), (Some(1), all.into()));
    // What compares answers, or looks at one, has nothing to look at.
    let needing = ["answer-length", "kinds-other-case-same", "still-there"];
    let ran = check(&receiver.url, Mode::Plain, &["--json", "--only", &needing.join(",")]).await;
    let skipped = ("skipped".to_owned(), expected[2].2.to_owned());
    let rows = rows(&ran);
    assert_eq!(needing.map(|id| rows[id].clone()), [(); 3].map(|()| skipped.clone()));
    // Whoever is not there yet asks for less.
    let ran = check(&receiver.url, Mode::Plain, &["--only", "address"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_ended_is_not_blamed_on_what_came_after() {
    let receiver = start(Mode::Plain, |stand, asked| {
        Box::pin(async move {
            if stand.ended.fetch_or(asked.query.is_empty(), Ordering::SeqCst) {
                return receiver::Answer { framing: receiver::Framing::None, ..receiver::Answer::new(200, "") };
            }
            stand.good(&asked).await
        })
    })
    .await;
    let ran = check(&receiver.url, Mode::Plain, &["--json", "--only", "address-bare,hostile-dtd,hostile-wide"]).await;
    let gone = ("skipped".to_owned(), "the receiver has been gone since the quick checks".to_owned());
    let expected = [
        ("address-bare".to_owned(), ("passed".to_owned(), String::new())),
        ("hostile-dtd".to_owned(), gone.clone()),
        ("hostile-wide".to_owned(), gone),
    ];
    assert_eq!((rows(&ran), ran.code), (expected.into(), Some(1)));
    let summary: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(summary["gone_since"], "the quick checks");
}

/// Stopped with its request under way, it finds the answer there when it goes on, and five seconds gone.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_the_simulator_slept_through_is_made_again() {
    static SIMULATOR: OnceLock<u32> = OnceLock::new();
    static SLEPT: AtomicBool = AtomicBool::new(false);
    fn signal(name: &str) {
        let pid = SIMULATOR.get().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }
    let receiver = start(Mode::Plain, |stand, asked| {
        Box::pin(async move {
            if asked.query.contains("nonce=10000000000&") && !SLEPT.swap(true, Ordering::SeqCst) {
                signal("STOP");
                tokio::spawn(async move {
                    sleep(Duration::from_secs(6)).await;
                    signal("CONT");
                });
            }
            stand.good(&asked).await
        })
    })
    .await;
    let simulator = Command::new(env!("CARGO_BIN_EXE_wechat-simulator"))
        .args(["check", &receiver.url, "--token", TOKEN, "--json", "--only", "address-sorting"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    SIMULATOR.set(simulator.id().unwrap()).unwrap();
    let output = simulator.wait_with_output().await.unwrap();
    let ran =
        Ran { code: output.status.code(), stdout: String::from_utf8(output.stdout).unwrap(), stderr: String::new() };
    assert!(SLEPT.load(Ordering::SeqCst));
    assert_eq!(rows(&ran)["address-sorting"], ("passed".to_owned(), String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_is_none_is_refused_before_anything_is_sent() {
    for option in ["--only", "--skip"] {
        let ran = check("http://127.0.0.1:1/wechat", Mode::Plain, &[option, "address,adress-right"]).await;
        assert_eq!(ran.code, Some(2));
        assert_eq!(
            ran.stderr,
            "error: `adress-right` is not a check or a group of checks; did you mean address-right?\n"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_help_is_broken_into_lines_that_begin_below_each_other() {
    let program = env!("CARGO_BIN_EXE_wechat-simulator");
    let output = Command::new(program).args(["check", "--help"]).env("COLUMNS", "80").output().await.unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let paragraph = "
Exit codes: 0 if nothing failed, 1 if something did or the receiver went down, 2
if it cannot be reached at all. A warning is not a failure: no official page
settles it, WeChat forgives it, or the result is not certain.
";
    let row = "
    address-signed-script (warns)
          a signed one whose echostr was replaced by a script: the signature
          does not cover it
";
    for shown in [paragraph, row] {
        assert!(help.contains(shown), "{help}");
    }
    let long: Vec<&str> = help.lines().filter(|line| line.chars().count() > 80).collect();
    assert_eq!(long, Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_is_no_number_of_seconds_is_refused() {
    let help = simulator(&["check", "--help"]).await.stdout;
    assert!(help.contains("[default: 6,12,20]"), "{help}");
    for (slow, wrong) in [("NaN,0,0", "NaN"), ("6,-1,20", "-1"), ("6,12,inf", "inf")] {
        let ran = check("http://127.0.0.1:1/wechat", Mode::Plain, &["--slow", slow]).await;
        let expected = format!(
            "error: invalid value '{wrong}' for '--slow <SECONDS>': it is not a number of seconds, such as 6\n"
        );
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.starts_with(&expected), "{}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_where_an_entity_leads_moves_no_cursor() {
    let receiver = start(Mode::Plain, |stand, asked| {
        Box::pin(async move {
            if let Some((_, behind)) = asked.text().split_once("<!ENTITY a SYSTEM \"http://")
                && let Some((address, _)) = behind.split_once('/')
            {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(b"GET /\x1b[2J HTTP/1.0\r\n\r\n").await.unwrap();
            }
            stand.good(&asked).await
        })
    })
    .await;
    let ran = check(&receiver.url, Mode::Plain, &["--json", "--only", "hostile-external-entity"]).await;
    let seen = "it requested `GET /\\u{1b}[2J HTTP/1.0` from the simulator".to_owned();
    assert_eq!(rows(&ran)["hostile-external-entity"], ("failed".to_owned(), seen));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_another_mode_says_so() {
    let receiver = start(Mode::Plain, receiver::good).await;
    let ran = check(&receiver.url, Mode::Plain, &["--only", "downgrade-plain,address-right", "--json"]).await;
    let rows = rows(&ran);
    assert_eq!(rows["downgrade-plain"], ("skipped".to_owned(), "not in plain mode".to_owned()));
    assert_eq!(rows["address-right"].0, "passed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_says_what_was_sent_what_passes_what_was_seen_and_what_it_means() {
    let quoting = faults().find(|fault| fault.name == "success in quotes").unwrap();
    let receiver = start(Mode::Plain, |stand, asked| quoting.serve(stand, asked)).await;
    let arguments = ["--only", "address-length,kinds-job,json-event,joins-others", "--skip", "joins"];
    let ran = check(&receiver.url, Mode::Plain, &arguments).await;
    let expected = "in plain mode; it knows echo, number, wait

address
  passed   address-length             a signed address check

kinds
  FAILED   kinds-job                  the outcome of template, mass and subscription messages
             passes:    `success`, an empty body, or a reply where WeChat takes one
             seen:      TEMPLATESENDJOBFINISH, MASSSENDJOBFINISH, PUBLISHJOBFINISH, subscribe_msg_popup_event, \
                    subscribe_msg_change_event, subscribe_msg_sent_event: status 200, `\\\"success\\\"`; WeChat shows its \
                    fault line: the answer `\\\"success\\\"` is not `success`, not empty and not XML: unknown token at 1:1
             in WeChat: WeChat counts the receiver as failing: you get an alarm, and after many a pause of a minute

json
  warning  json-event                 an event in JSON, with a list and a number
             passes:    `success` or an empty body; skipped where JSON is not accepted at all
             seen:      status 200, `\\\"success\\\"`; WeChat shows its fault line: the answer `\\\"success\\\"` is not \
                    `success`, not empty and not XML: unknown token at 1:1
             in WeChat: an alarm, and the event is lost

joins
  skipped  joins-others               a text, while the handler waits 3 seconds for each of four other users
             why:       left out by --skip

1 passed, 1 failed, 1 warned, 1 skipped, in ";
    let (shown, _) = ran.stdout.rsplit_once(" s\n").unwrap();
    let (shown, _) = shown.rsplit_once("in ").unwrap();
    assert_eq!(format!("{shown}in "), format!("{} {expected}", receiver.url));
    assert_eq!(ran.code, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_success_to_a_payment_is_told_what_to_answer_where_payments_are_asked_for() {
    let selling = faults().find(|fault| fault.name == "answers a payment as any other event").unwrap();
    let receiver = start(Mode::Plain, |stand, asked| selling.serve(stand, asked)).await;
    let nothing = "a payment is answered like any other event; if the receiver sells, run these with --payments";
    let ids = ["pay-code", "pay-again", "pay-json", "pay-missing-fields", "pay-unknown", "pay-game"];
    let skip = ["--skip", "slow,joins,hostile,kinds,text,xml,forged"];
    let ran = check(&receiver.url, Mode::Plain, &[&["--json"], &skip[..]].concat()).await;
    let unasked = rows(&ran);
    assert_eq!(ids.map(|id| unasked[id].clone()), [(); 6].map(|()| ("skipped".to_owned(), nothing.to_owned())));
    assert_eq!(ran.code, Some(0), "who has nothing to sell is not at fault");

    let fix = "Return code 0 once the goods are booked, in the push's format: \
               <xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>, \
               or {\"ErrCode\":0,\"ErrMsg\":\"success\"} to JSON.";
    for asked in [&["--payments"][..], &["--only", "payments"], &["--only", "pay-code"]] {
        let ran = check(&receiver.url, Mode::Plain, &[&["--json"], &skip[..], asked].concat()).await;
        let (result, seen) = rows(&ran)["pay-code"].clone();
        let expected = format!(
            "xpay_goods_deliver_notify, xpay_coin_pay_notify, xpay_refund_notify, xpay_complaint_notify, \
             xpay_wxpay_callback_notify, xpay_subscribe_signing_result_notify, xpay_subscribe_pay_fail_notify, \
             xpay_apple_subscribe_signing_result_notify, xpay_apple_subscribe_unsigning_result_notify: status 200, \
             `success`; WeChat pushes it again: `xpay_goods_deliver_notify` takes a code, not `success`\n{fix}"
        );
        assert_eq!((&*result, seen, ran.code), ("failed", expected, Some(1)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_users_over_to_wechats_ai_answers_messages_rightly_and_events_wrongly() {
    let over = async |event: &str| {
        let receiver = match event {
            "" => start(Mode::Safe, |stand, asked| Box::pin(handed_over(stand, asked, "text"))).await,
            _ => start(Mode::Safe, |stand, asked| Box::pin(handed_over(stand, asked, "event"))).await,
        };
        let ran = check(&receiver.url, Mode::Safe, &["--json", "--only", "answers,kinds-account,end"]).await;
        let failed = rows(&ran).into_iter().filter(|(_, (result, _))| result == "failed").map(|(id, _)| id);
        (failed.collect::<Vec<_>>(), ran.code)
    };
    assert_eq!(over("").await, (vec![], Some(0)));
    assert_eq!(over("event").await, (vec!["kinds-account".to_owned()], Some(1)));
}

/// What goes over of this type, the rest as it should.
async fn handed_over(stand: &receiver::Stand, asked: receiver::Asked, msg_type: &str) -> receiver::Answer {
    let answer = stand.good(&asked).await;
    if !asked.is_push() || answer.status != 200 || asked.field("MsgType") != msg_type {
        return answer;
    }
    let reply = asked.reply("").replace("<MsgType><![CDATA[text]]>", "<MsgType><![CDATA[transfer_biz_ai_ivr]]>");
    stand.written(&reply.replace("<Content><![CDATA[]]></Content>", ""), None)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_commands_what_they_would_show_is_skipped_and_said() {
    let receiver = start(Mode::Plain, |stand, asked| {
        Box::pin(async move {
            let answer = stand.good(&asked).await;
            if asked.is_push() && answer.status == 200 { receiver::Answer::new(200, "success") } else { answer }
        })
    })
    .await;
    let ran = check(&receiver.url, Mode::Plain, &["--json"]).await;
    let rows = rows(&ran);
    let skipped = rows.iter().filter(|(_, (result, _))| result == "skipped");
    let skipped: Vec<String> = skipped.map(|(id, (_, why))| format!("{id}: {why}")).collect();
    let nothing = "a payment is answered like any other event; if the receiver sells, run these with --payments";
    assert_eq!(
        skipped.join("\n"),
        format!(
            "answer-content-type: the receiver does not reply to texts\n\
         answer-time: the receiver does not reply to texts\n\
         hostile-dtd: the receiver does not know `echo TEXT`\n\
         joins-once: the receiver does not know `number`\n\
         joins-others: the receiver does not know `wait SECONDS`\n\
         pay-again: {nothing}\n\
         pay-code: {nothing}\n\
         pay-game: {nothing}\n\
         pay-json: {nothing}\n\
         pay-missing-fields: {nothing}\n\
         pay-unknown: {nothing}\n\
         retry-once: the receiver does not know `number`\n\
         retry-same-id: the receiver does not know `echo TEXT`\n\
         retry-same-second: the receiver does not reply to clicks with a text\n\
         slow-kept: the receiver does not know `number`\n\
         slow-late: the receiver does not know `wait SECONDS`\n\
         slow-second: the receiver does not know `wait SECONDS`\n\
         slow-third: the receiver does not know `wait SECONDS`"
        )
    );
    assert_eq!(found(&rows), BTreeSet::new());
    assert_eq!(ran.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hands_every_message_to_a_human_is_not_at_fault() {
    let receiver = start(Mode::Plain, |stand, asked| {
        Box::pin(async move {
            let answer = stand.good(&asked).await;
            if asked.field("MsgType") != "text" || !answer.text().contains("<Content>") {
                return answer;
            }
            let to_human = asked.reply("").replace("CDATA[text]", "CDATA[transfer_customer_service]");
            let to_human = to_human.replace("1700000000", &asked.field("CreateTime"));
            receiver::Answer { body: to_human.into_bytes(), ..answer }
        })
    })
    .await;
    let ran = check(&receiver.url, Mode::Plain, &["--json", "--skip", "slow,hostile"]).await;
    assert_eq!((found(&rows(&ran)), ran.code), (BTreeSet::new(), Some(0)));
}
