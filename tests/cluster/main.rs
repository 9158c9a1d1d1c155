//! Machines behind a balancer and a Redis that they share, all that may happen to them, and what becomes of pushes.
//!
//! The machines are processes of `examples/cluster`: this test starts itself again in their place. WeChat delivers
//! each push at 0, 5.07 and 10.08 s until it is answered, and hangs up after 5 s; a connection that breaks is silence to
//! it. The balancer takes the machines in turn and passes over one that does not listen. `CLUSTER_PUSHES` is how many
//! pushes each scenario gets, 60 by default; `CLUSTER_ONLY` is the name of one.
//!
//! What must not be is excused only by what can have caused it, to this push and at that time: see [`judge::Harm`]. The
//! tables are seen with `cargo test --all-features --test cluster -- --nocapture`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::{Client, Value, cmd};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until};
use wechat_events::store::WhenDown;

#[path = "../../examples/cluster/src/main.rs"]
mod example;
mod judge;
mod machines;
#[path = "../it/redis_server.rs"]
#[allow(dead_code, reason = "one server will do here")]
mod redis_server;
#[path = "../it/redis_way.rs"]
mod redis_way;
use judge::{Harm, judge, read_logs};
use machines::{Balancer, Machine, now, wechat};
use redis_server::{Server, scratch};
use redis_way::way;

const TOKEN: &str = "AAAAA";
/// The longest handler, in milliseconds.
const LONGEST: usize = 12_000;

/// Not a test: a machine, if a test below has started this.
#[test]
fn machine() {
    let Ok(arguments) = std::env::var("CLUSTER_MACHINE") else { return };
    let [address, redis, when_down] = arguments.split(' ').collect::<Vec<_>>()[..] else { panic!("{arguments}") };
    let when_down = if when_down == "Refuse" { WhenDown::Refuse } else { WhenDown::Handle };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = example::store().when_down(when_down).connect(redis).unwrap();
        example::machine(address.parse().unwrap(), store, TOKEN).await.unwrap();
    });
}

/// What happens to them, a step every 2.5 s, over and over.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A machine is killed, and started again 0.7 s later.
    KillMachine,
    /// Redis is killed, and started again, empty, 0.7 s later.
    KillRedis,
    /// All connections break.
    Cut,
    /// Redis hangs for so many milliseconds.
    Hang(u64),
    /// Redis answers nobody for so many milliseconds, by its own `CLIENT PAUSE`.
    Pause(u64),
    Flush,
    /// It forgets the scripts.
    FlushScripts,
    /// It is full, and refuses to write, for so many milliseconds.
    Full(u64),
    /// It is full, and forgets something else for each write, for so many milliseconds.
    Evict(u64),
    /// Every tenth record becomes something else.
    Overwrite,
}
use Step::{Cut, Evict, Flush, FlushScripts, Full, Hang, KillMachine, KillRedis, Overwrite, Pause};

struct Scenario {
    machines: usize,
    when_down: WhenDown,
    /// Of each way between a machine and Redis, in milliseconds.
    delay: u64,
    steps: &'static [Step],
}

async fn tell(server: &Server, words: &str) -> Value {
    let client = Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut words = words.split(' ');
    let mut command = cmd(words.next().unwrap());
    for word in words {
        command.arg(word);
    }
    command.query_async(&mut connection).await.unwrap_or(Value::Nil)
}

impl Step {
    /// From when until when Redis forgot something, if it did.
    async fn take(self, balancer: &Balancer, server: &mut Server, number: usize) -> Option<(u64, u64)> {
        let from = now();
        match self {
            KillMachine => {
                balancer.machine(number).kill();
                sleep(Duration::from_millis(700)).await;
                balancer.machine(number).start();
                return None;
            }
            KillRedis => {
                server.kill();
                sleep(Duration::from_millis(700)).await;
                server.restart();
            }
            Cut => drop(tell(server, "CLIENT KILL TYPE normal SKIPME yes").await),
            Hang(time) => {
                server.signal("STOP");
                sleep(Duration::from_millis(time)).await;
                server.signal("CONT");
            }
            Pause(time) => {
                tell(server, &format!("CLIENT PAUSE {time} ALL")).await;
                sleep(Duration::from_millis(time)).await;
            }
            Flush => drop(tell(server, "FLUSHALL").await),
            FlushScripts => drop(tell(server, "SCRIPT FLUSH").await),
            Full(time) => {
                tell(server, "CONFIG SET maxmemory 1").await;
                sleep(Duration::from_millis(time)).await;
                tell(server, "CONFIG SET maxmemory 0").await;
            }
            Evict(time) => {
                tell(server, "CONFIG SET maxmemory-policy allkeys-lru").await;
                tell(server, "CONFIG SET maxmemory 1").await;
                sleep(Duration::from_millis(time)).await;
                tell(server, "CONFIG SET maxmemory 0").await;
                tell(server, "CONFIG SET maxmemory-policy noeviction").await;
            }
            Overwrite => {
                let keys = tell(server, "KEYS cluster-example:????????????????????????????????").await;
                let keys: Vec<String> = redis::from_redis_value(keys).unwrap();
                for key in keys.iter().step_by(10) {
                    tell(server, &format!("SET {key} <xml>another's</xml> PX 60000")).await;
                }
            }
        }
        matches!(self, KillRedis | Flush | Evict(_) | Overwrite).then(|| (from, now()))
    }
}

/// The table, and what must not be.
async fn run(name: &str, scenario: Scenario) -> Option<(String, Vec<String>)> {
    let Scenario { machines, when_down, delay, steps } = scenario;
    let mut server = Server::start()?;
    let pushes: usize = std::env::var("CLUSTER_PUSHES").map_or(60, |pushes| pushes.parse().unwrap());
    let folder = scratch(&format!("cluster-{}-{}", std::process::id(), name.replace(' ', "-")));
    fs::create_dir_all(&folder).unwrap();
    let free = || std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let url = if delay == 0 { server.url() } else { way(server.port, Duration::from_millis(delay)).await.url };
    let machine = |_| {
        let (folder, redis) = (folder.clone(), format!("{url} {when_down:?}"));
        let mut machine = Machine { address: free(), redis, folder, process: None, lives: vec![] };
        machine.start();
        Mutex::new(machine)
    };
    let balancer = Arc::new(Balancer { machines: (0..machines).map(machine).collect(), turn: AtomicUsize::new(0) });
    let start = Instant::now();
    for n in 0..machines {
        let address = balancer.machine(n).address;
        while TcpStream::connect(address).await.is_err() {
            assert!(start.elapsed() < Duration::from_secs(30), "a machine does not listen");
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
    let harm = async {
        let mut emptied = vec![];
        for (number, step) in steps.iter().cycle().enumerate() {
            sleep(Duration::from_millis(2_500)).await;
            if Instant::now() > end {
                break;
            }
            emptied.extend(step.take(&balancer, &mut server, number / steps.len()).await);
        }
        emptied
    };
    let (delivered, emptied) = tokio::join!(sent, harm);
    // The last may be taken over 16 s after it came, and then take as long as any.
    sleep_until(start + Duration::from_millis((span + 16_000 + LONGEST + 1_500).try_into().unwrap())).await;
    let lives: Vec<_> = (0..machines).flat_map(|n| balancer.machine(n).lives.clone()).collect();
    let mut harm = Harm { emptied, refuses: when_down == WhenDown::Refuse, ..Harm::default() };
    let mut pushes_known = read_logs(&lives, &mut harm);

    let mut table: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = vec![];
    for delivered in &delivered {
        let logged = pushes_known.remove(&delivered.name).unwrap_or_default();
        for (row, may_be) in judge(delivered, &logged, &harm) {
            *table.entry(row).or_default() += 1;
            if !may_be {
                wrong.push(format!("{name}: {row}: {delivered:?}, {logged:?}, logs in {}", folder.display()));
            }
        }
    }
    wrong.extend(pushes_known.keys().map(|push| format!("{name}: the machines know {push}, which nobody sent")));
    let mut text = format!(
        "\n{name}: {machines} machines, {when_down:?}, {pushes} pushes with handlers of 0 to 12 s, round trip {} ms; \
         machines were without Redis {} times\n",
        2 * delay,
        harm.away.len()
    );
    for (row, count) in &table {
        writeln!(text, "  {count:6}  {}", &row[2..]).unwrap();
    }
    if wrong.is_empty() {
        fs::remove_dir_all(folder).unwrap();
    }
    Some((text, wrong))
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_every_push_is_accounted_for() {
    let (handle, refuse) = (WhenDown::Handle, WhenDown::Refuse);
    let all = [
        ("killed machines", 2, handle, 0, &[KillMachine, Cut, FlushScripts, Cut][..]),
        ("killed machines and Redis", 3, handle, 0, &[KillMachine, Cut, KillRedis, Cut]),
        ("killed Redis", 2, refuse, 0, &[KillRedis, FlushScripts]),
        ("hangs", 2, handle, 0, &[Hang(500), Hang(3_000), Hang(6_000)]),
        ("hangs, refusing", 3, refuse, 0, &[Hang(3_000), Hang(500), Hang(2_500), Hang(6_000)]),
        ("pauses, refusing", 2, refuse, 0, &[Pause(3_000), Pause(500), Cut]),
        ("forgetting", 2, refuse, 0, &[Flush, FlushScripts, Overwrite, Cut]),
        ("full", 2, handle, 0, &[Full(2_000), Evict(1_000), FlushScripts]),
        ("full, refusing", 2, refuse, 0, &[Full(2_000), Overwrite, Cut]),
        ("far", 2, handle, 20, &[KillMachine, Cut, Hang(1_000)]),
        ("farther", 2, refuse, 40, &[KillMachine, Hang(2_500), Cut]),
    ];
    let wanted = std::env::var("CLUSTER_ONLY").ok();
    let all = all.into_iter().filter(|(name, ..)| wanted.as_ref().is_none_or(|wanted| wanted == name));
    let runs: Vec<_> = all
        .map(|(name, machines, when_down, delay, steps)| {
            tokio::spawn(run(name, Scenario { machines, when_down, delay, steps }))
        })
        .collect();
    let mut wrong = vec![];
    for run in runs {
        let Some((table, found)) = run.await.unwrap() else { return };
        print!("{table}");
        wrong.extend(found);
    }
    assert_eq!(wrong, [""; 0]);
}
