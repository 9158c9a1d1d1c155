//! Broker, receiver and workers are killed while WeChat delivers: what it was answered `success` for is handled, and every
//! message is sent.
//!
//! The processes are the package's own, the broker is `redis-server` of the search path, with the settings that
//! `src/main.rs` asks for. WeChat's side, and the customer-service API, are this test. The tables are seen with
//! `cargo test -p wechat-events-queue -- --nocapture`.

mod judge;
mod processes;
mod wechat;

use std::thread;
use std::time::{Duration, Instant};

use judge::{Harm, judge};
use processes::Service;
use wechat::{Api, Push, deliver};

/// When a thing is to be done, after the beginning.
fn at(begun: Instant, milliseconds: u64) {
    thread::sleep((begun + Duration::from_millis(milliseconds)).saturating_duration_since(Instant::now()));
}

/// Delivers a push at each of these milliseconds, does harm meanwhile, and judges when nothing is left in the stream: the
/// rows of the table, each with its number.
fn run(name: &str, times: &[u64], harm: impl FnOnce(&mut Service, Instant)) -> Option<Vec<(String, usize)>> {
    let api = Api::start();
    let mut service = Service::start(name, &api.url)?;
    let begun = Instant::now();
    let wechat = service.receiver.address.clone();
    let pushes: Vec<_> = thread::scope(|scope| {
        let deliveries: Vec<_> = times
            .iter()
            .enumerate()
            .map(|(number, time)| {
                let (wechat, push) = (&wechat, Push::new(number));
                scope.spawn(move || {
                    at(begun, *time);
                    deliver(wechat, push)
                })
            })
            .collect();
        harm(&mut service, begun);
        deliveries.into_iter().map(|delivered| delivered.join().unwrap()).collect()
    });
    service.wait_until_empty();
    let harm =
        Harm { broker: service.broker.away(), receiver: service.receiver.away(), workers: service.workers_away() };
    let (table, wrong) = judge(&pushes, &api.sent(), &harm);
    println!("\n{name}: {} pushes", pushes.len());
    for (row, number) in &table {
        println!("  {number:6}  {row}");
    }
    assert_eq!(wrong, [""; 0], "{name}, logs in {}", service.folder.display());
    Some(table)
}

#[test]
fn whatever_dies_each_push_that_got_success_is_handled_and_each_message_sent() {
    let times: Vec<u64> = (0..96).map(|number| number * 250).collect();
    let table = run("all that dies", &times, |service, begun| {
        at(begun, 2_000);
        service.broker.kill();
        at(begun, 2_700);
        service.broker.start();
        at(begun, 5_000);
        service.receiver.kill();
        service.receiver.start();
        at(begun, 7_000);
        service.workers[0].kill();
        at(begun, 7_500);
        service.workers[0].start();
        // Longer than a delivery is waited for.
        at(begun, 9_000);
        service.broker.kill();
        at(begun, 13_500);
        service.broker.start();
        at(begun, 16_500);
        service.broker.kill();
        service.receiver.kill();
        service.workers.iter_mut().for_each(|worker| worker.kill());
        service.broker.start();
        service.receiver.start();
        service.workers.iter_mut().for_each(|worker| worker.start());
        // Long enough that the receiver does not wait for it.
        at(begun, 18_500);
        service.broker.hang(Duration::from_millis(3_500));
        // The other one finds what it leaves behind.
        at(begun, 24_000);
        service.workers[1].kill();
    });
    let Some(table) = table else { return };
    // How many by which delivery depends on the machine.
    let handled = table.iter().filter(|(row, _)| row.starts_with("success")).map(|(_, number)| number);
    assert_eq!(handled.sum::<usize>(), times.len());
}

#[test]
fn a_broker_away_for_three_deliveries_costs_the_pushes_that_had_all_of_theirs_meanwhile() {
    // It is away from 2.0 to 18.0 s, and each delivery tries for 3 s.
    let (before, by_second, by_third) = ([0, 100], [14_500, 14_600], [9_000, 9_100, 9_200]);
    let given_up = [3_000, 3_100, 3_200, 3_300, 3_400];
    let times = [&before[..], &by_second, &by_third, &given_up].concat();
    let table = run("a broker away", &times, |service, begun| {
        at(begun, 2_000);
        service.broker.kill();
        at(begun, 18_000);
        service.broker.start();
    });
    let Some(table) = table else { return };
    let expected = [
        ("given up, with no broker or receiver at any of its deliveries", 5),
        ("success by delivery 1, handled", 2),
        ("success by delivery 2, handled", 2),
        ("success by delivery 3, handled", 3),
    ];
    assert_eq!(table.iter().map(|(row, number)| (&**row, *number)).collect::<Vec<_>>(), expected);
}

#[test]
fn what_cannot_be_sent_is_kept_apart_with_the_reason() {
    let api = Api::start();
    let Some(service) = Service::start("what cannot be sent", &api.url) else { return };
    let delivered = deliver(&service.receiver.address, Push::of("o_gone", "hello"));
    assert!(delivered.succeeded());
    service.wait_until_empty();
    let dead = service.dead();
    let [(reason, event)] = &*dead else { panic!("{dead:?}") };
    assert_eq!(reason, r#"{"errcode":45015,"errmsg":"response out of time limit"}"#);
    assert_eq!(event.from_user, "o_gone");

    service.add_long_ago(event);
    service.wait_until_empty();
    let dead = service.dead();
    assert_eq!((&*dead[1].0, &dead[1].1, dead.len()), ("older than 48 hours", event, 2));
    assert_eq!(api.sent(), []);
}
