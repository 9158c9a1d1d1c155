//! Two and three machines behind a balancer, which are killed, with a Redis that is killed, and what becomes of pushes.
//!
//! The machines are processes of `examples/cluster.rs`: this test starts itself again in their place. WeChat delivers
//! each push at 0, 5.07 and 10.08 s until it is answered, and hangs up after 5 s; a connection that breaks is silence to
//! it. The balancer takes the machines in turn and passes over one that does not listen. `CLUSTER_PUSHES` is how many
//! pushes each test makes, 200 by default.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};

#[path = "../examples/cluster.rs"]
mod example;
#[path = "it/redis_server.rs"]
#[allow(dead_code, reason = "it is not stopped here, only killed")]
mod redis_server;
use redis_server::Server;

const TOKEN: &str = "AAAAA";
/// The longest handler, in milliseconds.
const LONGEST: usize = 12_000;

/// Not a test: a machine, if the test below has started this.
#[test]
fn machine() {
    let Ok(arguments) = std::env::var("CLUSTER_MACHINE") else { return };
    let (address, redis) = arguments.split_once(' ').unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(example::machine(address.parse().unwrap(), redis, TOKEN)).unwrap();
}

/// Milliseconds since 1970, as in the machines' logs.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

struct Machine {
    address: SocketAddr,
    redis: String,
    folder: PathBuf,
    process: Option<Child>,
    /// A log for each time it was started, and when it was killed.
    lives: Vec<(PathBuf, Option<u64>)>,
}

impl Machine {
    fn start(&mut self) {
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

    fn kill(&mut self) {
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
struct Balancer {
    machines: Vec<Mutex<Machine>>,
    turn: AtomicUsize,
}

impl Balancer {
    fn machine(&self, n: usize) -> MutexGuard<'_, Machine> {
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
enum Answer {
    Reply,
    Success,
    /// WeChat asks again.
    Silence,
}

/// What WeChat knows of a push.
struct Delivered {
    name: String,
    first: u64,
    /// When the last delivery was made, and to which life of a machine.
    last: u64,
    receiver: Option<PathBuf>,
    deliveries: usize,
    answer: Answer,
}

async fn wechat(balancer: Arc<Balancer>, name: String) -> Delivered {
    let (start, first) = (Instant::now(), now());
    let seconds = first / 1_000;
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
    let mut delivered = Delivered { name, first, last: first, receiver: None, deliveries: 0, answer: Answer::Silence };
    for at in [0, 5_070, 10_080] {
        sleep_until(start + Duration::from_millis(at)).await;
        delivered.deliveries += 1;
        delivered.last = now();
        let receiver = &mut delivered.receiver;
        let response = timeout(Duration::from_secs(5), async {
            let (mut stream, life) = balancer.connect().await?;
            *receiver = Some(life);
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut response = String::new();
            stream.read_to_string(&mut response).await.ok()?;
            Some(response)
        });
        let response = response.await.ok().flatten().unwrap_or_default();
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

/// What the machines wrote about a push, over all their lives.
#[derive(Default)]
struct Logged {
    began: Vec<(u64, PathBuf)>,
    completed: Vec<u64>,
    late: Vec<u64>,
}

#[derive(Default)]
struct Logs {
    pushes: BTreeMap<String, Logged>,
    /// From when until when some machine did without Redis.
    away: Vec<(u64, u64)>,
}

fn logs(lives: &[(PathBuf, Option<u64>)]) -> Logs {
    let mut logs = Logs::default();
    for (path, killed) in lives {
        let mut away = None;
        for line in fs::read_to_string(path).unwrap().lines() {
            let mut words = line.splitn(3, ' ');
            let (Some(Ok(at)), Some(what), Some(of)) = (words.next().map(str::parse), words.next(), words.next())
            else {
                continue; // the test harness's own
            };
            match what {
                "status" if of == "Redis is there again" => logs.away.extend(away.take().map(|from| (from, at))),
                "status" => away = Some(at),
                "began" => logs.pushes.entry(of.into()).or_default().began.push((at, path.clone())),
                "completed" => logs.pushes.entry(of.into()).or_default().completed.push(at),
                "late" => logs.pushes.entry(of.into()).or_default().late.push(at),
                "listening" | "connection" => {}
                _ => println!("{}: {line}", path.display()),
            }
        }
        logs.away.extend(away.map(|from| (from, killed.unwrap_or(u64::MAX))));
    }
    logs
}

/// What happens to them while pushes come: a step every 2.5 s.
async fn harm(
    balancer: &Balancer,
    server: &mut Server,
    redis_dies: bool,
    end: Instant,
) -> (usize, usize, usize, Vec<(u64, u64)>) {
    let (mut killed, mut cut, mut emptied, mut away) = (0, 0, 0, vec![]);
    for step in 0.. {
        sleep(Duration::from_millis(2_500)).await;
        if Instant::now() > end {
            break;
        }
        match step % 4 {
            0 => {
                balancer.machine(killed).kill();
                sleep(Duration::from_millis(700)).await;
                balancer.machine(killed).start();
                killed += 1;
            }
            1 | 3 => {
                let client = redis::Client::open(server.url()).unwrap();
                let mut connection = client.get_multiplexed_async_connection().await.unwrap();
                for kind in ["normal", "pubsub"] {
                    let mut kill = redis::cmd("CLIENT");
                    kill.arg("KILL").arg("TYPE").arg(kind).arg("SKIPME").arg("yes");
                    let _: u64 = kill.query_async(&mut connection).await.unwrap();
                }
                cut += 1;
            }
            _ if redis_dies => {
                let from = now();
                server.kill();
                sleep(Duration::from_millis(700)).await;
                server.restart();
                away.push((from, now()));
                emptied += 1;
            }
            _ => {}
        }
    }
    (killed, cut, emptied, away)
}

async fn run(machines: usize, redis_dies: bool) {
    let Some(mut server) = Server::start() else { return };
    let pushes: usize = std::env::var("CLUSTER_PUSHES").map_or(200, |pushes| pushes.parse().unwrap());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cluster-{}-{machines}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let free = || std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let machine = |_| {
        let (folder, redis) = (folder.clone(), server.url());
        let mut machine = Machine { address: free(), redis, folder, process: None, lives: vec![] };
        machine.start();
        Mutex::new(machine)
    };
    let balancer = Arc::new(Balancer { machines: (0..machines).map(machine).collect(), turn: AtomicUsize::new(0) });
    for n in 0..machines {
        let address = balancer.machine(n).address;
        while TcpStream::connect(address).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    }

    // They come over 20 to 30 s, so that they are all under way together for some time.
    let (start, span) = (Instant::now(), if pushes > 500 { 30_000 } else { 20_000 });
    let sent = async {
        let mut tasks = vec![];
        for n in 0..pushes {
            sleep_until(start + Duration::from_millis((n * span / pushes).try_into().unwrap())).await;
            let takes = n * 7_919 % (LONGEST + 1);
            tasks.push(tokio::spawn(wechat(balancer.clone(), format!("{takes} push-{n}"))));
        }
        let mut delivered = vec![];
        for task in tasks {
            delivered.push(task.await.unwrap());
        }
        delivered
    };
    let end = start + Duration::from_millis(span.try_into().unwrap()) + Duration::from_secs(10);
    let (delivered, (killed, cut, emptied, mut away)) =
        tokio::join!(sent, harm(&balancer, &mut server, redis_dies, end));
    // The last may be taken over 14 s after it came, and then take as long as any.
    let done = start + Duration::from_millis((span + 14_500 + LONGEST + 1_500).try_into().unwrap());
    sleep_until(done).await;
    let lives: Vec<_> = (0..machines).flat_map(|n| balancer.machine(n).lives.clone()).collect();
    let mut logs = logs(&lives);
    let seen_away = logs.away.len();
    away.append(&mut logs.away);

    let killed_after = |life: &PathBuf, at: u64| lives.iter().any(|(path, kill)| path == life && *kill >= Some(at));
    let mut table: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = vec![];
    for delivered in &delivered {
        let Delivered { name, first, last, receiver, deliveries, answer } = delivered;
        let Logged { began, completed, late } = logs.pushes.remove(name).unwrap_or_default();
        let over = completed.iter().chain(&late).copied().max().unwrap_or_default().max(*last);
        let without_redis = away.iter().any(|(from, to)| from <= &over && first <= to);
        let owner_killed = began.iter().any(|(_, life)| killed_after(life, 0));
        let lost_with_its_machine = began.iter().any(|(_, life)| killed_after(life, *last))
            || receiver.as_ref().is_some_and(|life| killed_after(life, *last));
        let mut count = |row, is_wrong: bool| {
            *table.entry(row).or_default() += 1;
            if is_wrong {
                wrong.push(format!(
                    "{row}: {name}, first {first}, last {last}, {answer:?}, began {began:?}, completed {completed:?}, late {late:?}"
                ));
            }
        };
        match (answer, late.len()) {
            (Answer::Reply, 0) => {
                let row = ["1 replied, first delivery", "1 replied, second delivery", "1 replied, third delivery"];
                count(row[deliveries - 1], false);
            }
            (Answer::Success, 1) => count("2 acknowledged, then late", false),
            (Answer::Silence, 1) => count("3 no delivery answered, then late", false),
            (Answer::Success | Answer::Silence, 0) if lost_with_its_machine => {
                count("4 lost with its machine, killed after the last delivery", false);
            }
            (Answer::Success | Answer::Silence, 0) => count("5 lost otherwise", true),
            _ if without_redis => count("6 answered twice, Redis was away", false),
            _ if owner_killed => count("6 answered twice, a machine was killed", false),
            _ => count("7 answered twice otherwise", true),
        }
        match completed.len() {
            0 => count("8 completed: never", completed.is_empty() && !lost_with_its_machine),
            1 => count("8 completed: once", false),
            _ if without_redis => count("8 completed: more often, Redis was away", false),
            _ if owner_killed => count("8 completed: more often, a machine was killed", false),
            _ => count("9 completed: more often, otherwise", true),
        }
    }
    println!(
        "\n{machines} machines, {pushes} pushes, handlers of 0 to 12 s, {:.0} s: {killed} machines killed, Redis killed \
         and emptied {emptied} times, all connections cut {cut} times; machines went on without Redis {seen_away} times",
        start.elapsed().as_secs_f64()
    );
    for (row, count) in &table {
        println!("  {count:6}  {}", &row[2..]);
    }
    assert_eq!(wrong, [""; 0], "logs in {}", folder.display());
    assert_eq!(logs.pushes.len(), 0, "the machines know pushes that nobody sent");
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_machines_that_are_killed() {
    run(2, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_machines_and_a_redis_that_are_killed() {
    run(3, true).await;
}
