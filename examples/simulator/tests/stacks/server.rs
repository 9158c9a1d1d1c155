//! A stack's process.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::http::{Answered, Exchange};
use crate::lambda::StandIn;

/// Longer than any server takes to start.
const STARTED: Duration = Duration::from_secs(20);

/// The account, as the examples and `wechat-simulator` read it from the environment.
pub fn account(mode: &str) -> Vec<(&str, &str)> {
    let sealed =
        [("WECHAT_APP_ID", "wx5823bf96d3bd56c7"), ("WECHAT_AES_KEY", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C")];
    let mut account = vec![("WECHAT_TOKEN", "AAAAA"), ("WECHAT_MODE", mode)];
    account.extend(sealed.iter().filter(|_| mode != "plain"));
    account
}

pub struct Server {
    pub address: String,
    pub processes: Vec<Child>,
    /// On both streams.
    pub said: Arc<Mutex<String>>,
    /// What is in front of the processes, if they do not listen themselves.
    #[expect(dead_code, reason = "it lives as long as they do")]
    pub stand_in: Option<StandIn>,
}

impl Server {
    /// On a port that is free, when it says which.
    pub fn start(binary: &Path, mode: &str) -> Server {
        let mut command = Command::new(binary);
        command.arg("127.0.0.1:0").envs(account(mode));
        Server::spawn(command, "/wechat waits for WeChat")
    }

    /// Once it has said its address, with this behind it.
    pub fn spawn(mut command: Command, waits: &str) -> Server {
        let said = Arc::default();
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        collect(process.stderr.take().unwrap(), &said);
        collect(process.stdout.take().unwrap(), &said);
        let begun = Instant::now();
        let mut server = Server { address: String::new(), processes: vec![process], said, stand_in: None };
        while server.address.is_empty() {
            let said = server.said.lock().unwrap().clone();
            assert!(begun.elapsed() < STARTED, "{command:?}: no address after {STARTED:?}\n{said}");
            let mut lines = said.lines().filter_map(|line| line.strip_prefix("http://"));
            server.address = lines.find_map(|line| line.strip_suffix(waits)).unwrap_or_default().to_owned();
            thread::sleep(Duration::from_millis(10));
        }
        server
    }

    /// What is answered to a request, if anything is.
    pub fn exchange(&self, method: &str, query: &str, body: &[u8]) -> Option<Answered> {
        Exchange::begin(&self.address, method, query, body).end()
    }

    #[cfg(unix)]
    pub fn signal(&self, name: &str) {
        for process in &self.processes {
            let sent = Command::new("kill").args(["-s", name, &process.id().to_string()]).status().unwrap();
            assert!(sent.success());
        }
    }

    /// As when the machine dies: nothing of it ends in order.
    pub fn kill(&mut self) {
        for process in &mut self.processes {
            drop(process.kill());
            drop(process.wait());
        }
    }

    /// How it ended, if it does in time.
    pub fn ended(&mut self, patience: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if let Some(status) = self.processes[0].try_wait().unwrap() {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads it to its end, lest the process wait for a reader.
pub fn collect(stream: impl Read + Send + 'static, said: &Arc<Mutex<String>>) {
    let said = Arc::clone(said);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            said.lock().unwrap().push_str(&(line + "\n"));
        }
    });
}
