//! `examples/payment`: orders that come again and again, at the same time, to processes that are killed.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use rusqlite::Connection;
use serde_json::Value;
use wechat_events::event::Takes;
use wechat_events::testing::{Answer, Reason, Verdict, WeChat};

use crate::http::Exchange;
use crate::server::{Server, account};
use crate::{copied, now};

const ORDERS: usize = 200;
const USERS: usize = 7;
/// Orders that come at the same time.
const AT_ONCE: usize = 12;
/// Deliveries of one order that come at the same time.
const TOGETHER: u32 = 2;
const KILLS: usize = 6;
/// For all that follows from it, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

#[test]
fn every_order_is_granted_once_although_the_process_is_killed_again_and_again() {
    every_order_is_granted_once(1);
}

#[test]
fn two_processes_with_one_file_grant_every_order_once_while_they_are_killed_in_turn() {
    every_order_is_granted_once(2);
}

fn every_order_is_granted_once(processes: usize) {
    let shop = Shop::open(&format!("{processes}-killed"));
    let mut servers: Vec<Server> = (0..processes).map(|_| shop.start()).collect();
    let addresses: Vec<_> = servers.iter().map(|server| Mutex::new(server.address.clone())).collect();
    let (next, answered, lost) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let begun = Instant::now();
    // To every process in turn, by `first` and those after it at the same time, until all are answered with code 0.
    let deliver = |order: usize, first: u32| {
        let is_done = |retries: u32| {
            let process = (order + usize::try_from(retries).unwrap()) % processes;
            let address = addresses[process].lock().unwrap().clone();
            let verdict = shop.deliver(&address, order, retries);
            lost.fetch_add(usize::from(verdict.is_none()), Ordering::Relaxed);
            verdict == Some(Verdict::Silent)
        };
        let mut retries = first;
        while !together(retries..retries + TOGETHER, is_done) {
            assert!(begun.elapsed() < PATIENCE, "order {order} is not answered with code 0");
            thread::sleep(Duration::from_millis(20));
            retries += TOGETHER;
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(order) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|order| *order < ORDERS) {
                    deliver(order, 0);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for kill in 1..=KILLS {
            while answered.load(Ordering::Relaxed) < kill * ORDERS / (KILLS + 1) {
                assert!(begun.elapsed() < PATIENCE, "{} are answered", answered.load(Ordering::Relaxed));
                thread::sleep(Duration::from_millis(1));
            }
            let process = kill % processes;
            servers[process].kill();
            assert!(answered.load(Ordering::Relaxed) < ORDERS, "it was killed in the middle of them");
            servers[process] = shop.start();
            addresses[process].lock().unwrap().clone_from(&servers[process].address);
        }
    });
    assert_ne!(lost.load(Ordering::Relaxed), 0, "no delivery was hit by a kill");
    shop.holds_every_order_once();
    // WeChat comes again although it was answered: the same code, and nothing more is granted.
    (0..ORDERS).for_each(|order| deliver(order, 15));
    shop.holds_every_order_once();
}

/// Whether it is so of all of them, which are asked at the same time.
fn together(all: Range<u32>, is_so: impl Fn(u32) -> bool + Sync) -> bool {
    thread::scope(|scope| {
        let asked: Vec<_> = all
            .map(|one| {
                scope.spawn({
                    let is_so = &is_so;
                    move || is_so(one)
                })
            })
            .collect();
        asked.into_iter().all(|one| one.join().unwrap())
    })
}

#[test]
fn an_order_that_finds_the_file_locked_is_told_to_come_again_and_is_granted_then() {
    let shop = Shop::open("locked");
    let server = shop.start();
    let other = Connection::open(&shop.file).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let verdict = shop.deliver(&server.address, 7, 0).unwrap();
    assert!(matches!(verdict, Verdict::PushedAgain(Reason::Code { err_code: -1, .. })), "{verdict}");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(shop.deliver(&server.address, 7, 1), Some(Verdict::Silent));
    assert_eq!(shop.goods(), BTreeMap::from([(user(7), quantity(7))]));
}

struct Shop {
    binary: PathBuf,
    file: PathBuf,
    /// None of another server, which may have the address of one that was killed.
    token: String,
    wechat: WeChat,
    sample: Value,
}

impl Shop {
    fn open(name: &str) -> Shop {
        let file = env::temp_dir().join(format!("wechat-events-{}-{name}.db", std::process::id()));
        let sample =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/json/pushes/xpay_goods_deliver_notify.json");
        let token = format!("payment-{name}");
        let [_, _, (_, app_id), (_, key)] = account("safe")[..] else { panic!() };
        Shop {
            binary: copied::build("payment"),
            file,
            wechat: WeChat::safe(&*token, app_id, key).unwrap(),
            token,
            sample: serde_json::from_slice(&fs::read(sample).unwrap()).unwrap(),
        }
    }

    fn start(&self) -> Server {
        let mut command = Command::new(&self.binary);
        command.arg(&self.file).arg("127.0.0.1:0").envs(account("safe")).env("WECHAT_TOKEN", &self.token);
        Server::spawn(command, "/wechat waits for WeChat")
    }

    /// What WeChat makes of the answer; `None` if there is none.
    fn deliver(&self, address: &str, order: usize, retries: u32) -> Option<Verdict> {
        let mut push = self.sample.clone();
        push["OpenId"] = user(order).into();
        push["OutTradeNo"] = format!("order-{order}").into();
        push["GoodsInfo"]["Quantity"] = quantity(order).into();
        push["RetryTimes"] = retries.into();
        let request = self.wechat.raw(push.to_string()).request(now());
        let begun = Instant::now();
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(Takes::Code.deadline())).unwrap();
        let answered = Exchange::over(stream, address, "POST", &request.query, &request.body).end()?;
        Some(self.wechat.judge(&request, Answer::new(answered.status, answered.body).after(begun.elapsed())))
    }

    fn holds_every_order_once(&self) {
        let mut expected = BTreeMap::new();
        for order in 0..ORDERS {
            *expected.entry(user(order)).or_default() += quantity(order);
        }
        assert_eq!(self.goods(), expected);
        let database = Connection::open(&self.file).unwrap();
        let booked = database.query_row("SELECT count(*) FROM books", (), |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(usize::try_from(booked), Ok(ORDERS));
    }

    /// How many of its one product each user has.
    fn goods(&self) -> BTreeMap<String, i64> {
        let database = Connection::open(&self.file).unwrap();
        let mut rows = database.prepare("SELECT open_id, quantity FROM goods").unwrap();
        let rows = rows.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.file));
    }
}

fn user(order: usize) -> String {
    format!("o_{}", order % USERS)
}

fn quantity(order: usize) -> i64 {
    1 + i64::try_from(order % 3).unwrap()
}
