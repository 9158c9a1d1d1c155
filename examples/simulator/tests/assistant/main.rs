//! `examples/assistant`, a model that is slow, and twenty users who ask it: the processes as they would run, WeChat's
//! schedule in real time, and every answer seen once.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

#[path = "../stacks/copied.rs"]
mod copied;
#[path = "../stacks/http.rs"]
#[allow(dead_code, reason = "of the stacks; here the simulator sends")]
mod http;
#[path = "../stacks/lambda.rs"]
#[allow(dead_code, reason = "of the stacks")]
mod lambda;
#[path = "../../../../tests/it/redis_server.rs"]
#[allow(dead_code, reason = "one server will do here")]
mod redis_server;
#[path = "../stacks/server.rs"]
#[allow(dead_code, reason = "they are killed here")]
mod server;

use server::{Server, account};

const USERS: u64 = 20;
const QUESTIONS: u64 = 3;
/// The model's 8 to 40 s are 4 to 20: ready for the first, the second or the third delivery, or for none.
const SPEED: &str = "2";
/// Of so many messages one is delivered once, and WeChat's retries of it get lost.
const LOSES: u64 = 6;

const INTERIM: &str = "还在想，请稍后回复「继续」查看。";
const NOTHING: &str = "没有等您看的回答了，有问题请直接提问。";
const HINT: &str = "\n\n（后面还有，回复「继续」查看）";
const LOST: &str = "抱歉，这个问题没有得到回答，请过一会儿再问。";

fn assistant() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| copied::build("assistant"))
}

fn model() -> Server {
    let mut command = Command::new(assistant().with_file_name("fake-model"));
    command.arg("127.0.0.1:0").env("FAKE_MODEL_SPEED", SPEED);
    Server::spawn(command, "/v1 waits for questions")
}

fn machine(mode: &str, model: &str, redis: Option<&str>) -> Server {
    let mut command = Command::new(assistant());
    command.arg("127.0.0.1:0").envs(account(mode)).env("ASSISTANT_URL", format!("http://{model}/v1"));
    command.env_remove("REDIS_URL").envs(redis.map(|url| ("REDIS_URL", url)));
    Server::spawn(command, "/wechat waits for WeChat")
}

/// What the user sees of a push, if anything.
fn send(to: &Server, mode: &str, arguments: &[&str]) -> Option<String> {
    let mut simulator = Command::new(env!("CARGO_BIN_EXE_wechat-simulator"));
    simulator.args(["send", "--json", "--to", &format!("http://{}/wechat", to.address)]).args(arguments);
    let output = simulator.envs(account(mode)).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    match report["user"]["shown"].as_str() {
        Some("text") => report["user"]["content"].as_str().map(str::to_owned),
        Some("nothing") => None,
        Some("lost") if arguments.contains(&"--once") => None,
        _ => panic!("{arguments:?}: {report:#}\n{}", to.said.lock().unwrap()),
    }
}

fn text(to: &Server, user: &str, content: &str) -> Option<String> {
    let fields = [format!("FromUserName={user}"), format!("Content={content}")];
    send(to, "plain", &["text", "--set", &fields[0], "--set", &fields[1]])
}

/// As `fake-model` answers.
fn answer(question: &str, lines: u64) -> String {
    (1..=lines).map(|line| format!("{question}：第 {line} 行，共 {lines} 行\n")).collect::<String>().trim().to_owned()
}

/// Another for each user, the same in each run.
struct Random(Cell<u64>);

impl Random {
    fn below(&self, bound: u64) -> u64 {
        let next = self.0.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0.set(next);
        (next >> 33) % bound
    }

    fn pause(&self, least: u64, most: u64) {
        thread::sleep(Duration::from_millis(least + self.below(most - least)));
    }
}

/// The texts of one user, as they come.
#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

impl Seen {
    /// What there is of answers, without what stands around each piece.
    fn answers(&self) -> String {
        let seen = self.0.lock().unwrap();
        let pieces = seen.iter().filter(|text| *text != INTERIM && *text != NOTHING).map(|text| {
            let text = text.strip_suffix(HINT).unwrap_or(text);
            if text.starts_with('「') { text.split_once('\n').unwrap().1 } else { text }
        });
        pieces.collect()
    }

    fn count(&self, what: impl Fn(&str) -> bool) -> usize {
        self.0.lock().unwrap().iter().filter(|text| what(text)).count()
    }
}

/// Asks now and then, whatever is still to come, and says 「继续」 until all is there.
fn follow(number: u64, machines: &[Server], mode: &str, seen: &Seen) -> Result<(), String> {
    let name = format!("user-{number}");
    let random = Random(Cell::new(number));
    let say = |content: &str, loses: bool| {
        let machine = &machines[usize::try_from(random.below(machines.len() as u64)).unwrap()];
        let once = loses && random.below(LOSES) == 0;
        let fields = [format!("FromUserName={name}"), format!("Content={content}")];
        move || {
            let mut arguments = vec!["text", "--set", &fields[0], "--set", &fields[1]];
            arguments.extend(once.then_some("--once"));
            let text = send(machine, mode, &arguments);
            seen.0.lock().unwrap().extend(text);
        }
    };
    let mut expected = String::new();
    thread::scope(|scope| {
        for question in 1..=QUESTIONS {
            random.pause(500, 8_000);
            let lines = 3 + random.below(90);
            let question = format!("第 {question} 问 {}秒 {lines}行", 8 + random.below(33));
            expected += &answer(&question, lines);
            scope.spawn(say(&question, true));
        }
        let begun = Instant::now();
        while seen.answers().len() < expected.len() && begun.elapsed() < Duration::from_secs(120) {
            random.pause(200, 2_000);
            say("继续", true)();
        }
    });
    // What was given twice is seen by now, for there is nothing more.
    say("继续", false)();
    let last = seen.0.lock().unwrap().last().cloned();
    let answers = seen.answers();
    if answers == expected && last.as_deref() == Some(NOTHING) {
        return Ok(());
    }
    Err(format!("{name}: in the end {last:?}\nseen:\n{:#?}\nexpected:\n{expected}", seen.0.lock().unwrap()))
}

fn twenty_users(machines: &[Server], mode: &str) {
    let all: Vec<Seen> = (0..USERS).map(|_| Seen::default()).collect();
    let failures: Vec<String> = thread::scope(|scope| {
        let users: Vec<_> =
            (1..).zip(&all).map(|(number, seen)| scope.spawn(move || follow(number, machines, mode, seen))).collect();
        users.into_iter().filter_map(|user| user.join().unwrap().err()).collect()
    });
    let said: Vec<String> = machines.iter().map(|machine| machine.said.lock().unwrap().clone()).collect();
    assert!(failures.is_empty(), "{}\n{}", failures.join("\n\n"), said.join("\n\n"));
    // Else nothing of this was tried.
    let count = |what: fn(&str) -> bool| all.iter().map(|seen| seen.count(what)).sum::<usize>();
    let counted = BTreeMap::from([
        ("with more behind them", count(|text| text.ends_with(HINT))),
        ("carried by another message", count(|text| text.starts_with('「'))),
        ("interim", count(|text| text == INTERIM)),
        ("carried by the question", count(|text| text.starts_with('第'))),
    ]);
    assert!(counted.values().all(|count| *count > 0), "{counted:?}");
    println!("{counted:?}");
}

#[test]
fn every_answer_is_seen_once_whole_and_in_order_from_one_machine() {
    let model = model();
    twenty_users(&[machine("safe", &model.address, None)], "safe");
}

#[test]
fn every_answer_is_seen_once_whole_and_in_order_from_two_machines_with_a_redis() {
    let Some(redis) = redis_server::Server::start() else { return };
    let model = model();
    let machines = [(); 2].map(|()| machine("plain", &model.address, Some(&redis.url())));
    twenty_users(&machines, "plain");
}

#[test]
fn a_model_that_fails_is_never_silence() {
    let model = model();
    let machine = machine("plain", &model.address, None);
    assert_eq!(text(&machine, "one", "错误").as_deref(), Some(LOST));
    let broken_off = text(&machine, "two", "断开 2秒 2行").unwrap();
    let begun = "断开 2秒 2行：第 1 行，共 2 行\n";
    let (came, told) = broken_off.split_once("\n\n").unwrap();
    assert_eq!((came.starts_with(begun), told), (true, "（回答到这里中断了，可以再问一次。）"), "{broken_off}");
    drop(model);
    assert_eq!(text(&machine, "three", "有人吗？").as_deref(), Some(LOST));
}

#[test]
fn what_is_no_question_has_its_answer_too() {
    let model = model();
    let machine = machine("plain", &model.address, None);
    let once = "一 2秒 1行";
    assert_eq!(text(&machine, "one", once), Some(answer(once, 1)));
    for content in ["重发", " 重发 "] {
        assert_eq!(text(&machine, "one", content), Some(answer(once, 1)));
    }
    assert_eq!(text(&machine, "two", "重发").as_deref(), Some(NOTHING));
    assert_eq!(send(&machine, "plain", &["image"]).as_deref(), Some(NOTHING));
    let too_long = "问".repeat(4096 / 3 + 1);
    assert_eq!(text(&machine, "one", &too_long).as_deref(), Some("这个问题太长了，请说得短一些。"));
    let welcome = send(&machine, "plain", &["subscribe"]).unwrap();
    assert!(welcome.contains("「继续」") && welcome.contains("「重发」"), "{welcome}");
    assert_eq!(send(&machine, "plain", &["VIEW"]), None);
}

#[test]
fn a_sixth_question_is_not_taken_before_there_is_room() {
    let model = model();
    let machine = &machine("plain", &model.address, None);
    thread::scope(|scope| {
        for question in 1..=5 {
            scope.spawn(move || text(machine, "one", &format!("{question} 60秒 1行")));
            thread::sleep(Duration::from_millis(100));
        }
        let full = "前面的回答还没看完，这个问题没有记下。请先回复「继续」看完再问。";
        assert_eq!(text(machine, "one", "6 2秒 1行").as_deref(), Some(full));
        let another = "1 2秒 1行";
        assert_eq!(text(machine, "two", another), Some(answer(another, 1)));
    });
}

#[test]
fn a_redis_that_is_gone_is_said_and_not_silence() {
    let Some(mut redis) = redis_server::Server::start() else { return };
    let model = model();
    let machine = machine("plain", &model.address, Some(&redis.url()));
    let once = "一 2秒 1行";
    assert_eq!(text(&machine, "one", once), Some(answer(once, 1)));
    redis.kill();
    let trouble = "抱歉，出了点问题，请稍后再试；没收到的，回复「重发」再看一次。";
    assert_eq!(text(&machine, "one", "二 2秒 1行").as_deref(), Some(trouble));
    redis.restart();
    let back = "三 2秒 1行";
    assert_eq!(text(&machine, "two", back), Some(answer(back, 1)));
}
