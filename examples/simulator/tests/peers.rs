//! What `wechat-simulator check` finds in receivers built on SDKs of other languages: what its README says of them.
//!
//! Each stands in `tests/peers/NAME`: its program, the versions of what it needs, and `expected.txt`, every check that
//! it does not pass, and `ended` if its process ended by itself. An expectation that no longer holds fails, be it better
//! or worse.
//!
//! Those in Python run when `PEERS_PYTHON` names an interpreter that has `tests/peers/*/requirements.txt` installed,
//! those in JavaScript when `PEERS_NODE` names a folder that has, for each, what `npm install` makes of its
//! `package.json` in a folder of its name. Where the variable is missing nothing is tested, but under `CI` that is a
//! failure. To write down what is found anew: `PEERS_RENEW=1`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, fs, path, thread};

use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers");
const SETTINGS: [(&str, &str); 3] = [
    ("WECHAT_TOKEN", "QDG6eK"),
    ("WECHAT_APP_ID", "wx5823bf96d3bd56c7"),
    ("WECHAT_AES_KEY", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"),
];
const MODES: [&str; 2] = ["plain", "safe"];
/// It ends the process of `wechat`, so that it is no time for other checks.
const BY_ITSELF: &str = "xml-empty-body";
/// Longer ones of `slow-second`, which keep the threads of some servers busy for a minute, and one that takes some
/// parsers about five seconds and ends another, as busy as the machine is.
const LEFT_OUT: [&str; 4] = ["slow-third", "slow-late", "hostile-nesting", BY_ITSELF];

#[test]
fn receivers_in_python_do_what_is_said_of_them() {
    let Some(python) = named("PEERS_PYTHON", "interpreter with tests/peers/*/requirements.txt installed") else {
        return;
    };
    let peer = |name| Peer { name, program: python.clone(), file: "server.py", modules: None };
    held_to_what_is_expected(&["wechatpy", "werobot"].map(peer));
}

#[test]
fn receivers_in_javascript_do_what_is_said_of_them() {
    let Some(installed) = named("PEERS_NODE", "folder with tests/peers/*/package.json installed") else { return };
    let installed = path::absolute(&installed).unwrap();
    let modules = |name| Some(installed.join(name).join("node_modules"));
    let peer = |name| Peer { name, program: "node".into(), file: "server.js", modules: modules(name) };
    held_to_what_is_expected(&["wechat", "co-wechat"].map(peer));
}

/// What a variable names; where it is missing nothing is tested, but under `CI` that is a failure.
fn named(variable: &str, what: &str) -> Option<OsString> {
    let value = env::var_os(variable);
    if value.is_none() {
        assert!(env::var_os("CI").is_none(), "{variable} names no {what}");
        eprintln!("skipped: {variable} names no {what}");
    }
    value
}

#[test]
fn receivers_that_are_not_installed_are_skipped_but_fail_under_ci() {
    for (test, variable) in [
        ("receivers_in_python_do_what_is_said_of_them", "PEERS_PYTHON"),
        ("receivers_in_javascript_do_what_is_said_of_them", "PEERS_NODE"),
    ] {
        for (ci, passes) in [(None, true), (Some("true"), false)] {
            let mut command = Command::new(env::current_exe().unwrap());
            command
                .args([test, "--exact", "--nocapture"])
                .env_remove(variable)
                .env_remove("CI")
                .envs(ci.map(|ci| ("CI", ci)));
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.success(), passes, "{said}");
            assert!(said.contains(&format!("{variable} names no ")), "{said}");
        }
    }
}

/// The README's table: a row for each check that one of them does not pass, with the worse result of the two modes.
#[test]
fn the_readmes_say_of_them_what_is_expected() {
    const NAMES: [&str; 4] = ["wechatpy", "werobot", "wechat", "co-wechat"];
    let expected = NAMES.map(|name| fs::read_to_string(Path::new(FOLDER).join(name).join("expected.txt")).unwrap());
    let worst = |lines: &str, id: &str| {
        let of_id = |line: &&str| line.split(' ').next_back() == Some(id);
        lines.lines().filter(of_id).filter_map(|line| RESULTS.iter().position(|result| line.contains(result))).min()
    };
    let ids: BTreeSet<&str> =
        expected.iter().flat_map(|lines| lines.lines()).filter_map(|l| l.split(' ').next_back()).collect();
    // That a process ended is for its authors to know.
    let ids: BTreeSet<&str> = ids.into_iter().filter(|id| *id != "ended").collect();
    for (file, yes, words) in
        [("README.md", "yes", ["no", "no", "warning", "–"]), ("README.zh-CN.md", "是", ["否", "否", "警告", "–"])]
    {
        let rows: Vec<String> = ids
            .iter()
            .map(|id| {
                let cells = expected.each_ref().map(|lines| worst(lines, id).map_or(yes, |worst| words[worst]));
                format!("| `{id}` | {yes} | {} |", cells.join(" | "))
            })
            .collect();
        let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let shown: Vec<&str> =
            readme.lines().filter(|line| ids.iter().any(|id| line.starts_with(&format!("| `{id}` |")))).collect();
        assert!(shown == rows, "{file} is to say:\n{}", rows.join("\n"));
        if env::var_os("PEERS_TABLE").is_some() {
            println!("{}", rows.join("\n"));
        }
    }
}

/// What `expected.txt` says, the worst first.
const RESULTS: [&str; 4] = [" ended", " failed ", " warned ", " skipped "];

/// A receiver on another SDK.
struct Peer {
    name: &'static str,
    program: OsString,
    file: &'static str,
    modules: Option<PathBuf>,
}

fn held_to_what_is_expected(peers: &[Peer]) {
    thread::scope(|scope| {
        for peer in peers {
            scope.spawn(|| peer.is_held_to_what_is_expected());
        }
    });
}

impl Peer {
    fn is_held_to_what_is_expected(&self) {
        let path = Path::new(FOLDER).join(self.name).join("expected.txt");
        if env::var_os("PEERS_RENEW").is_some() {
            let found = self.checked_alone();
            fs::write(&path, found.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        }
        let expected: BTreeSet<String> = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
        let found = self.checked();
        let mut more = &found - &expected;
        let mut less = &expected - &found;
        // Five seconds may be too few for a machine that does so much at once: what differs must differ again.
        for _ in 0..2 {
            if more.is_empty() && less.is_empty() {
                return;
            }
            eprintln!("{}: once more and alone, for {more:?} and without {less:?}", self.name);
            let found = self.checked_alone();
            more = &more & &(&found - &expected);
            less = &less & &(&expected - &found);
        }
        assert!(more.is_empty() && less.is_empty(), "{}: unexpected {more:#?}, expected in vain {less:#?}", self.name);
    }

    fn checked(&self) -> BTreeSet<String> {
        thread::scope(|scope| {
            let runs = MODES.map(|mode| scope.spawn(move || self.checked_in(mode)));
            runs.into_iter().flat_map(|run| run.join().unwrap()).collect()
        })
    }

    /// The same, but one mode after the other, and no other peer at the same time.
    fn checked_alone(&self) -> BTreeSet<String> {
        static ALONE: Mutex<()> = Mutex::new(());
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        MODES.iter().flat_map(|mode| self.checked_in(mode)).collect()
    }

    /// What it does not pass: mode, result and the check's name; and whether it ended by itself.
    fn checked_in(&self, mode: &str) -> Vec<String> {
        let ended = AtomicBool::new(false);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (reports, ends) = thread::scope(|scope| {
            let running = scope.spawn(|| self.keep_running(mode, port, &ended));
            let reports = {
                // Whatever happens: the thread above ends.
                let _end = End(&ended);
                wait_for(port);
                let reports =
                    [check(mode, port, ["--skip", &LEFT_OUT.join(",")]), check(mode, port, ["--only", BY_ITSELF])];
                // A process that ends closes its connections a little before.
                thread::sleep(Duration::from_millis(500));
                reports
            };
            (reports, running.join().unwrap())
        });
        let rows = reports.iter().flat_map(|report| report["checks"].as_array().unwrap());
        let rows: Vec<&Value> = rows.filter(|row| row["seen"] != "left out by --skip").collect();
        assert!(rows.iter().any(|row| row["result"] == "passed"), "{} in {mode} mode: {reports:?}", self.name);
        let of = |row: &Value, name| row[name].as_str().unwrap().to_owned();
        for row in rows.iter().filter(|row| row["result"] != "passed") {
            println!("{} {mode} {} {}: {}", self.name, of(row, "result"), of(row, "id"), of(row, "seen"));
        }
        let ended = (ends > 0).then(|| format!("{mode} ended"));
        rows.iter()
            .map(|row| (of(row, "result"), of(row, "id")))
            .filter(|(result, _)| result != "passed")
            .map(|(result, id)| format!("{mode} {result} {id}"))
            .chain(ended)
            .collect()
    }

    /// Starts it, and again whenever it has ended by itself, as whoever runs a service does; returns how often it has.
    fn keep_running(&self, mode: &str, port: u16, ended: &AtomicBool) -> usize {
        let mut ends = 0;
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{mode}", self.name));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        while !ended.load(Ordering::Relaxed) {
            let mut process = self.start(mode, port, &folder);
            while !ended.load(Ordering::Relaxed) && process.try_wait().unwrap().is_none() {
                thread::sleep(Duration::from_millis(20));
            }
            if process.try_wait().unwrap().is_some() {
                ends += 1;
            } else {
                process.kill().unwrap();
                process.wait().unwrap();
            }
        }
        ends
    }

    fn start(&self, mode: &str, port: u16, folder: &Path) -> Child {
        let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
        let mut command = Command::new(&self.program);
        command
            .arg(Path::new(FOLDER).join(self.name).join(self.file))
            .arg(port.to_string())
            .envs(SETTINGS)
            .env("WECHAT_MODE", mode)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        if let Some(modules) = &self.modules {
            command.env("NODE_PATH", modules);
        }
        command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()))
    }
}

struct End<'e>(&'e AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn wait_for(port: u16) {
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "nothing listens: see the log in {}",
            env!("CARGO_TARGET_TMPDIR")
        );
        thread::sleep(Duration::from_millis(50));
    }
}

fn check(mode: &str, port: u16, chosen: [&str; 2]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_wechat-simulator"))
        .args(["check", &format!("http://127.0.0.1:{port}/wechat"), "--json"])
        .args(chosen)
        .envs(SETTINGS)
        .env("WECHAT_MODE", mode)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", output.status))
}
