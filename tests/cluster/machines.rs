//! The machines, the balancer in front of them, and WeChat.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use crate::TOKEN;

/// Milliseconds since 1970, as in the machines' logs.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

pub struct Machine {
    pub address: SocketAddr,
    /// The URL, and what becomes of pushes while it is away.
    pub redis: String,
    pub folder: PathBuf,
    pub process: Option<Child>,
    /// A log for each time it was started, and when it was killed.
    pub lives: Vec<(PathBuf, Option<u64>)>,
}

impl Machine {
    pub fn start(&mut self) {
        let log = self.folder.join(format!("{}-{}.log", self.address.port(), self.lives.len()));
        let file = File::create(&log).unwrap();
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["machine", "--exact", "--nocapture"])
            .env("CLUSTER_MACHINE", format!("{} {}", self.address, self.redis))
            .stderr(Stdio::from(file.try_clone().unwrap()))
            .stdout(Stdio::from(file))
            .spawn();
        self.process = Some(process.unwrap());
        self.lives.push((log, None));
    }

    pub fn kill(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        self.lives.last_mut().unwrap().1 = Some(now());
        process.kill().unwrap();
        process.wait().unwrap();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The machines, and whose turn it is.
pub struct Balancer {
    pub machines: Vec<Mutex<Machine>>,
    pub turn: AtomicUsize,
}

impl Balancer {
    pub fn machine(&self, n: usize) -> MutexGuard<'_, Machine> {
        self.machines[n % self.machines.len()].lock().unwrap()
    }

    /// A connection to the next machine that listens, and which life of it that is.
    async fn connect(&self) -> Option<(TcpStream, PathBuf)> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        for n in 0..self.machines.len() {
            let (address, life) = {
                let machine = self.machine(turn + n);
                (machine.address, machine.lives.last().unwrap().0.clone())
            };
            if let Ok(stream) = TcpStream::connect(address).await {
                return Some((stream, life));
            }
        }
        None
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    Reply,
    Success,
    /// WeChat asks again.
    Silence,
}

/// What WeChat knows of a push.
#[derive(Debug)]
pub struct Delivered {
    pub name: String,
    /// When each was made, and to which life of a machine.
    pub deliveries: Vec<(u64, Option<PathBuf>)>,
    pub answer: Answer,
}

pub async fn wechat(balancer: Arc<Balancer>, name: String) -> Delivered {
    let start = Instant::now();
    let seconds = now() / 1_000;
    let body = format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>{seconds}</CreateTime>\
         <MsgType>text</MsgType><Content>{name}</Content><MsgId>1</MsgId></xml>"
    );
    let timestamp = seconds.to_string();
    let mut parts = [TOKEN, &timestamp, "nonce"];
    parts.sort_unstable();
    let signature = hex::encode(Sha1::digest(parts.concat()));
    let request = format!(
        "POST /?signature={signature}&timestamp={timestamp}&nonce=nonce HTTP/1.1\r\nHost: wechat\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut delivered = Delivered { name, deliveries: vec![], answer: Answer::Silence };
    for at in [0, 5_070, 10_080] {
        sleep_until(start + Duration::from_millis(at)).await;
        let (came, mut receiver) = (now(), None);
        let response = timeout(Duration::from_secs(5), async {
            let (mut stream, life) = balancer.connect().await?;
            receiver = Some(life);
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut response = String::new();
            stream.read_to_string(&mut response).await.ok()?;
            Some(response)
        });
        let response = response.await.ok().flatten().unwrap_or_default();
        delivered.deliveries.push((came, receiver));
        delivered.answer = match response.split_once("\r\n\r\n") {
            Some((head, "success")) if head.starts_with("HTTP/1.1 200 ") => Answer::Success,
            Some((head, body)) if head.starts_with("HTTP/1.1 200 ") => {
                let (takes, what) = delivered.name.split_once(' ').unwrap();
                assert!(body.contains(&format!("After {takes} ms: {what}]]>")), "another push's reply: {body}");
                Answer::Reply
            }
            _ => Answer::Silence,
        };
        if delivered.answer != Answer::Silence {
            break;
        }
    }
    delivered
}
