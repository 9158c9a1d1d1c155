//! Broker, receiver and workers, as processes that can be killed and started again.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use redis::streams::StreamRangeReply;
use redis::{Client, Commands};
use wechat_events::Event;

use crate::wechat::ACCOUNT;

pub struct Process {
    pub address: String,
    program: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(&'static str, String)>,
    log: PathBuf,
    child: Option<Child>,
    /// From when until when it was not there.
    away: Vec<(Instant, Option<Instant>)>,
}

impl Process {
    fn new(program: impl Into<PathBuf>, arguments: &[&str], log: PathBuf) -> Process {
        Process {
            address: String::new(),
            program: program.into(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            variables: Vec::new(),
            log,
            child: None,
            away: Vec::new(),
        }
    }

    fn spawn(&mut self) -> io::Result<()> {
        let log = File::options().append(true).create(true).open(&self.log)?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(self.variables.iter().map(|(name, value)| (name, value)));
        self.child = Some(command.stdout(Stdio::from(log.try_clone()?)).stderr(Stdio::from(log)).spawn()?);
        Ok(())
    }

    /// Until it listens, if it listens anywhere.
    pub fn start(&mut self) {
        self.spawn().unwrap();
        let begun = Instant::now();
        while !self.address.is_empty() && TcpStream::connect(&self.address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not listen: {}", self.log.display());
            sleep(Duration::from_millis(10));
        }
        if let Some((_, until)) = self.away.last_mut() {
            *until = Some(Instant::now());
        }
    }

    /// By SIGKILL.
    pub fn kill(&mut self) {
        self.away.push((Instant::now(), None));
        self.end();
    }

    fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops it for so long: its connections stay, and nobody answers.
    pub fn hang(&mut self, time: Duration) {
        let id = self.child.as_ref().unwrap().id().to_string();
        let signal = |name| assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
        let from = Instant::now();
        signal("STOP");
        sleep(time);
        signal("CONT");
        self.away.push((from, Some(Instant::now())));
    }

    pub fn away(&self) -> Vec<(Instant, Instant)> {
        self.away.iter().map(|(from, until)| (*from, until.unwrap_or_else(Instant::now))).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

pub struct Service {
    pub broker: Process,
    pub receiver: Process,
    pub workers: [Process; 2],
    /// With their logs, and what the broker keeps.
    pub folder: PathBuf,
}

impl Service {
    /// None, and a word on standard error, where there is no `redis-server`: but not in CI.
    pub fn start(name: &str, send_url: &str) -> Option<Service> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("queue {name}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let kept = folder.to_str().unwrap();
        let (broker_at, receiver_at, metrics_at) = (free(), free(), free());
        let port = broker_at.rsplit(':').next().unwrap();
        let settings = ["--port", port, "--bind", "127.0.0.1", "--dir", kept, "--save", ""];
        let durable = ["--appendonly", "yes", "--appendfsync", "always"];
        let mut broker = Process::new("redis-server", &[&settings[..], &durable].concat(), folder.join("broker.log"));
        if let Err(error) = broker.spawn() {
            assert!(std::env::var_os("CI").is_none(), "redis-server cannot be started: {error}");
            eprintln!("skipped: redis-server cannot be started: {error}");
            return None;
        }
        broker.end();
        broker.address = broker_at;
        let url = format!("redis://{}/", broker.address);
        let own = |arguments: &[&str], log: &str| {
            let mut process = Process::new(env!("CARGO_BIN_EXE_wechat-events-queue"), arguments, folder.join(log));
            let [token, app_id, key] = ACCOUNT.map(str::to_owned);
            process.variables = vec![
                ("REDIS_URL", url.clone()),
                ("SEND_URL", send_url.to_owned()),
                ("IDLE_SECONDS", "3".to_owned()),
                ("WECHAT_TOKEN", token),
                ("WECHAT_APP_ID", app_id),
                ("WECHAT_AES_KEY", key),
            ];
            process
        };
        let mut receiver = own(&["receive", &receiver_at, &metrics_at], "receiver.log");
        receiver.address = receiver_at;
        let mut workers = ["one", "two"].map(|name| own(&["work", name], &format!("worker {name}.log")));
        broker.start();
        receiver.start();
        workers.iter_mut().for_each(Process::start);
        Some(Service { broker, receiver, workers, folder })
    }

    fn connection(&self) -> redis::Connection {
        Client::open(format!("redis://{}/", self.broker.address)).unwrap().get_connection().unwrap()
    }

    /// Until every entry is handled.
    pub fn wait_until_empty(&self) {
        let (begun, mut broker) = (Instant::now(), self.connection());
        while broker.xlen::<_, usize>("wechat:pushes").unwrap() > 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "entries are left: {}", self.folder.display());
            sleep(Duration::from_millis(100));
        }
    }

    /// What could not be sent: why, and of what push.
    pub fn dead(&self) -> Vec<(String, Event<'static>)> {
        let entries: StreamRangeReply = self.connection().xrange_all("wechat:dead").unwrap();
        let text = |entry: &redis::streams::StreamId, name| entry.get::<String>(name).unwrap();
        let entries = entries.ids.iter();
        entries.map(|entry| (text(entry, "reason"), serde_json::from_str(&text(entry, "event")).unwrap())).collect()
    }

    /// An entry of 49 hours ago, in a stream that has none younger: a new one.
    pub fn add_long_ago(&self, event: &Event<'_>) {
        let mut broker = self.connection();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let id = format!("{}-0", (now - Duration::from_secs(49 * 3600)).as_millis());
        let () = broker.del("wechat:pushes").unwrap();
        let () = broker.xadd("wechat:pushes", id, &[("event", serde_json::to_string(event).unwrap())]).unwrap();
    }

    pub fn workers_away(&self) -> Vec<(Instant, Instant)> {
        self.workers.iter().flat_map(Process::away).collect()
    }
}

fn free() -> String {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().to_string()
}
