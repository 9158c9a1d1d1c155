//! Two and three machines behind a balancer, which are killed, with a Redis that is killed, and what becomes of pushes.
//!
//! The machines are processes of `examples/cluster.rs`: this test starts itself again in their place. WeChat delivers
//! each push at 0, 5.07 and 10.08 s until it is answered, and hangs up after 5 s; a connection that breaks is silence to
//! it. The balancer takes the machines in turn and passes over one that does not listen. `CLUSTER_PUSHES` is how many
//! pushes each test makes, 200 by default.
//!
//! What must not be is excused only by what can have caused it, to this push and at that time: see [`Harm`]. The tables
//! are seen with `cargo test --features redis,tokio --test cluster -- --nocapture`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
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
/// When a reply that no delivery carried is late, in milliseconds since its push was first seen.
const LATE: u64 = 15_600;
/// For a step of the store's with all that belongs to it, on a machine that is busy. Milliseconds.
const STEP: u64 = 1_000;
/// Of the store. Milliseconds.
const LEASE: u64 = 4_000;
/// From the death of a machine to the next delivery, which may wait for the lease or not. Milliseconds.
const UNHEARD: u64 = 5_070 + STEP;
/// Until every machine has found a Redis that is back, and told it what runs there. Milliseconds.
const UNKNOWN: u64 = 1_000 + 1_000 + STEP;
/// For how long the store asks before it decides alone that a reply is late. Milliseconds.
const PATIENCE: u64 = 5_000;

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
#[derive(Debug)]
struct Delivered {
    name: String,
    /// When each was made, and to which life of a machine.
    deliveries: Vec<(u64, Option<PathBuf>)>,
    answer: Answer,
}

async fn wechat(balancer: Arc<Balancer>, name: String) -> Delivered {
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

/// What the machines wrote about a push, over all their lives: when, and which life.
#[derive(Debug, Default)]
struct Logged {
    began: Vec<(u64, PathBuf)>,
    completed: Vec<(u64, PathBuf)>,
    late: Vec<(u64, PathBuf)>,
}

/// What was done to them: the only excuses.
#[derive(Default)]
struct Harm {
    /// When a life was ended.
    killed: BTreeMap<PathBuf, u64>,
    /// From when until when Redis was dead. Afterwards it knew nothing.
    emptied: Vec<(u64, u64)>,
    /// From when until when a life did without Redis, by what it says itself.
    away: Vec<(PathBuf, u64, u64)>,
}

impl Harm {
    fn killed(&self, life: &Path, from: u64, to: u64) -> bool {
        self.killed.get(life).is_some_and(|at| (from..=to).contains(at))
    }

    fn emptied(&self, from: u64, to: u64) -> bool {
        self.emptied.iter().any(|(began, ended)| from <= *ended && *began <= to)
    }

    /// It says so when it has noticed, which takes a question's limit.
    fn away(&self, life: &Path, from: u64, to: u64) -> bool {
        let mut of_life = self.away.iter().filter(|(path, ..)| path == life);
        of_life.any(|(_, began, ended)| from <= ended.saturating_add(STEP) && began.saturating_sub(STEP) <= to)
    }
}

/// What the lives wrote of pushes, and of themselves.
fn read_logs(lives: &[(PathBuf, Option<u64>)], harm: &mut Harm) -> BTreeMap<String, Logged> {
    let mut pushes: BTreeMap<String, Logged> = BTreeMap::new();
    for (life, killed) in lives {
        harm.killed.extend(killed.map(|at| (life.clone(), at)));
        let mut away = None;
        for line in fs::read_to_string(life).unwrap().lines() {
            let mut words = line.splitn(3, ' ');
            let (Some(Ok(at)), Some(what), Some(of)) = (words.next().map(str::parse), words.next(), words.next())
            else {
                continue; // the test harness's own
            };
            match what {
                "status" if of == "Redis is there again" => {
                    harm.away.extend(away.take().map(|from| (life.clone(), from, at)));
                }
                "status" => away = Some(at),
                "began" => pushes.entry(of.into()).or_default().began.push((at, life.clone())),
                "completed" => pushes.entry(of.into()).or_default().completed.push((at, life.clone())),
                "late" => pushes.entry(of.into()).or_default().late.push((at, life.clone())),
                "listening" | "connection" => {}
                _ => println!("{}: {line}", life.display()),
            }
        }
        harm.away.extend(away.map(|from| (life.clone(), from, killed.unwrap_or(u64::MAX))));
    }
    pushes
}

/// What became of a push, in rows of the table that begin with their place in it; and whether it may have.
fn judge(delivered: &Delivered, logged: &Logged, harm: &Harm) -> [(&'static str, bool); 2] {
    let Delivered { name, deliveries, answer } = delivered;
    let Logged { began, completed, late } = logged;
    let takes: u64 = name.split_once(' ').unwrap().0.parse().unwrap();
    let (first, (last, receiver)) = (deliveries[0].0, deliveries.last().unwrap());

    // Who ran it last, and so owes the reply, died before it was carried or late; or who was to take it over, while the
    // last delivery waited there.
    let lost_with_its_machine = began.iter().max().is_some_and(|(at, life)| {
        let due = (first + LATE).max(at + takes) + STEP;
        harm.killed(life, *last, due) || harm.killed(life, due, due + PATIENCE) && harm.away(life, due, due)
    }) || receiver.as_ref().is_some_and(|life| harm.killed(life, *last, last + 5_000));
    // There was another run besides the last, of which Redis knew. Its machine died when it owed its reply, or shortly
    // before the last run ended, when it was not yet known to be dead.
    let lost_with_another_run = completed.iter().any(|(at, life)| {
        let unheard_of = (*last).max(at - LEASE - STEP);
        harm.killed(life, *last.max(at), (first + LATE).max(*at) + STEP)
            || began.iter().any(|(_, life)| harm.killed(life, unheard_of, *at))
    });
    // All runs in the order in which they began, and when they came to their end.
    let end =
        |from: u64, by: &PathBuf| completed.iter().find(|(at, life)| life == by && *at >= from).map(|(at, _)| *at);
    let mut runs: Vec<_> = began.iter().map(|(from, life)| (*from, life, end(*from, life))).collect();
    runs.sort_unstable();
    // Each but the first began because the machine of an earlier one had died before it could tell the end; or when
    // Redis did not know of an earlier one, or knew no more that it had ended; or it or an earlier one was without Redis.
    let took_over = |earlier: &[(u64, &PathBuf, Option<u64>)], from: u64| {
        earlier.iter().any(|(began, life, ended)| {
            let until = ended.map_or(from, |at| from.min(at + STEP));
            harm.killed(life, *began.max(&(from - LEASE - UNHEARD)), until)
        })
    };
    let unknown = |earlier: &[(u64, &PathBuf, Option<u64>)], from: u64, life| {
        harm.emptied(from - UNKNOWN, from)
            || harm.away(life, from, from)
            || earlier.iter().any(|(_, life, ended)| {
                harm.away(life, from - UNKNOWN, from)
                    || ended.is_some_and(|at| at < from && harm.emptied(at - STEP, from))
            })
    };
    let may_run_again = runs
        .iter()
        .enumerate()
        .skip(1)
        .all(|(n, (from, life, _))| took_over(&runs[..n], *from) || unknown(&runs[..n], *from, *life));

    // That a delivery carries the reply was forgotten, or could not be told in time to who decides that it is late.
    let unknown_carrier =
        completed.iter().min().zip(late.iter().max()).is_some_and(|((at, _), (late, _))| harm.emptied(*at, *late))
            || receiver.as_ref().is_some_and(|life| harm.away(life, *last, last + 5_000))
            || late.iter().any(|(at, life)| harm.away(life, at.saturating_sub(PATIENCE), *at));

    let answered = match (answer, late.len()) {
        (Answer::Reply, 0) => (
            ["1 replied, first delivery", "1 replied, second delivery", "1 replied, third delivery"]
                [deliveries.len() - 1],
            true,
        ),
        (Answer::Success, 1) => ("2 acknowledged, then late", true),
        (Answer::Silence, 1) => ("3 no delivery answered, then late", true),
        (Answer::Success | Answer::Silence, 0) if lost_with_its_machine => {
            ("4 lost with its machine, killed after the last delivery", true)
        }
        (Answer::Success | Answer::Silence, 0) if lost_with_another_run => {
            ("4 lost with the machine of another run, killed after the last delivery", true)
        }
        (Answer::Success | Answer::Silence, 0) => ("5 lost otherwise", false),
        _ if completed.len() > 1 && may_run_again => ("6 answered twice, by runs of which Redis did not know", true),
        _ if unknown_carrier => ("6 answered twice, Redis did not know who carried it", true),
        _ => ("7 answered twice otherwise", false),
    };
    let ran = match completed.len() {
        0 => ("8 completed: never", lost_with_its_machine),
        1 => ("8 completed: once", true),
        _ if may_run_again => ("8 completed: more often, Redis did not know", true),
        _ => ("9 completed: more often, otherwise", false),
    };
    [answered, ran]
}

/// Does it to them while pushes come: a step every 2.5 s.
async fn do_harm(
    balancer: &Balancer,
    server: &mut Server,
    redis_dies: bool,
    end: Instant,
) -> (usize, usize, Vec<(u64, u64)>) {
    let (mut killed, mut cut, mut emptied) = (0, 0, vec![]);
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
                emptied.push((from, now()));
            }
            _ => {}
        }
    }
    (killed, cut, emptied)
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
    let (delivered, (killed, cut, emptied)) = tokio::join!(sent, do_harm(&balancer, &mut server, redis_dies, end));
    // The last may be taken over 14 s after it came, and then take as long as any.
    let done = start + Duration::from_millis((span + 14_500 + LONGEST + 1_500).try_into().unwrap());
    sleep_until(done).await;
    let lives: Vec<_> = (0..machines).flat_map(|n| balancer.machine(n).lives.clone()).collect();
    let mut harm = Harm { emptied, ..Harm::default() };
    let mut pushes_known = read_logs(&lives, &mut harm);

    let mut table: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = vec![];
    for delivered in &delivered {
        let logged = pushes_known.remove(&delivered.name).unwrap_or_default();
        for (row, may_be) in judge(delivered, &logged, &harm) {
            *table.entry(row).or_default() += 1;
            if !may_be {
                wrong.push(format!("{row}: {delivered:?}, {logged:?}"));
            }
        }
    }
    let mut text = format!(
        "\n{machines} machines, {pushes} pushes, handlers of 0 to 12 s, {:.0} s: {killed} machines killed, Redis killed \
         and emptied {} times, all connections cut {cut} times; machines went on without Redis {} times\n",
        start.elapsed().as_secs_f64(),
        harm.emptied.len(),
        harm.away.len()
    );
    for (row, count) in &table {
        writeln!(text, "  {count:6}  {}", &row[2..]).unwrap();
    }
    print!("{text}"); // at once, since the other test may print too
    assert_eq!(wrong, [""; 0], "logs in {}", folder.display());
    assert_eq!(pushes_known.len(), 0, "the machines know pushes that nobody sent");
    fs::remove_dir_all(folder).unwrap();
}

/// The excuses by themselves, so that they do not excuse more than they should.
#[test]
fn harm_excuses_what_it_can_have_caused_and_nothing_else() {
    let life = |n: u8| PathBuf::from(format!("life {n}"));
    let logged = |began: &[(u64, u8)], completed: &[(u64, u8)], late: &[(u64, u8)]| {
        let of = |times: &[(u64, u8)]| times.iter().map(|(at, n)| (*at, life(*n))).collect();
        Logged { began: of(began), completed: of(completed), late: of(late) }
    };
    let judged = |answer, logged: &Logged, harm: &Harm| {
        let deliveries = [(10_000, 1), (15_070, 2), (20_080, 2)].map(|(at, n)| (at, Some(life(n)))).into();
        judge(&Delivered { name: "6000 push".into(), deliveries, answer }, logged, harm).map(|(row, _)| &row[..1])
    };
    let killed = |n, at| Harm { killed: [(life(n), at)].into(), ..Harm::default() };
    let emptied = |from, to| Harm { emptied: vec![(from, to)], ..Harm::default() };
    let away = |n, from, to| Harm { away: vec![(life(n), from, to)], ..Harm::default() };

    let twice = logged(&[(10_001, 1), (15_071, 2)], &[(16_001, 1), (21_071, 2)], &[]);
    let unharmed = Harm::default();
    for (harm, row) in [
        (unharmed, "9"),
        (killed(1, 16_100), "9"), // the other run had begun by then
        (killed(3, 14_000), "9"), // another machine
        (emptied(8_000, 9_999), "9"),
        (emptied(11_000, 11_700), "9"), // its run was written down again before the other began
        (emptied(12_000, 12_700), "8"),
        (emptied(15_072, 15_700), "9"), // it had begun twice by then
        (away(1, 10_000, 11_000), "9"),
        (away(1, 12_000, 12_700), "8"),
        (away(3, 12_000, 12_700), "9"),
        (away(2, 30_000, u64::MAX), "9"),
    ] {
        assert_eq!(judged(Answer::Reply, &twice, &harm), ["1", row], "{:?}", (harm.killed, harm.emptied, harm.away));
    }

    let again = logged(&[(10_001, 1), (20_081, 2)], &[(16_001, 1), (26_081, 2)], &[]);
    assert_eq!(judged(Answer::Reply, &again, &killed(1, 16_100))[1], "8"); // it could not tell that it had completed
    assert_eq!(judged(Answer::Reply, &again, &killed(1, 17_100))[1], "9");

    let took_over = [(10_001, 1), (15_071, 2), (20_081, 3)];
    let took_over = logged(&took_over, &[(16_001, 1), (26_081, 3)], &[]);
    let mut harm = Harm { killed: [(life(2), 16_000)].into(), ..emptied(14_000, 14_700) };
    assert_eq!(judged(Answer::Reply, &took_over, &harm)[1], "8"); // the second, of which Redis knew, died
    harm.killed.clear();
    assert_eq!(judged(Answer::Reply, &took_over, &harm)[1], "9");

    let both = logged(&[(10_001, 1)], &[(16_001, 1)], &[(25_601, 1)]);
    for (harm, row) in [
        (killed(1, 25_700), "7"), // no death makes two answers
        (killed(2, 20_100), "7"),
        (emptied(15_000, 15_700), "7"), // it was not even completed
        (emptied(30_000, 31_000), "7"),
        (emptied(22_000, 23_000), "6"),
        (away(2, 20_100, 21_000), "6"),
        (away(1, 20_600, 25_000), "6"),
        (away(3, 10_000, 30_000), "7"),
    ] {
        assert_eq!(judged(Answer::Reply, &both, &harm), [row, "8"], "{:?}", (harm.killed, harm.emptied, harm.away));
    }

    let taken_over = logged(&[(10_001, 1), (24_000, 3)], &[(30_000, 3)], &[]);
    assert_eq!(judged(Answer::Success, &taken_over, &killed(1, 20_100))[0], "5"); // it did not owe the reply any more
    assert_eq!(judged(Answer::Success, &taken_over, &killed(1, 26_000))[0], "4"); // but may not have known it
    assert_eq!(judged(Answer::Success, &taken_over, &killed(3, 30_100))[0], "4");
    let both_ended = logged(&[(10_001, 1), (24_000, 3)], &[(16_001, 1), (30_000, 3)], &[]);
    assert_eq!(judged(Answer::Success, &both_ended, &killed(1, 24_500))[0], "4"); // it owed the reply, unknown to life 3
    assert_eq!(judged(Answer::Success, &both_ended, &killed(1, 19_000))[0], "5");
    let lost = logged(&[(10_001, 1)], &[(16_001, 1)], &[]);
    for (harm, row) in [
        (killed(1, 20_000), "5"), // the last delivery was still to come
        (killed(1, 20_100), "4"),
        (killed(1, 26_700), "5"), // it should have been late by then
        (killed(2, 22_000), "4"),
        (killed(2, 26_000), "5"),
        (emptied(15_000, 16_000), "5"),
    ] {
        assert_eq!(judged(Answer::Success, &lost, &harm)[0], row, "{:?}", (harm.killed, harm.emptied, harm.away));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_machines_that_are_killed() {
    run(2, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_machines_and_a_redis_that_are_killed() {
    run(3, true).await;
}
