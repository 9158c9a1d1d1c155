//! A store written outside the crate: a plain `HashMap` behind a lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wechat_events::DedupKey;
use wechat_events::store::{Attempt, Carrier, Claim, Claimed, Lost, MAX_RUNS, Outcome, Store, Waited};

const LEASE_MS: u64 = 20_000;

/// The minimal store: forgets nothing, and wakes nobody before the state is asked for.
#[derive(Default)]
struct Plain(Mutex<HashMap<DedupKey, Record>>);

struct Record {
    claim: Claim,
    lease_until: u64,
    state: State,
}

enum State {
    Running,
    Released,
    Done(Arc<[u8]>, Option<Carrier>),
}

impl Plain {
    /// A step of an owner, if it still is the owner.
    fn own<T>(&self, claim: &Claim, step: impl FnOnce(&mut Record) -> T) -> Outcome<'_, Result<T, Lost>> {
        let mut records = self.0.lock().unwrap();
        let record = records.get_mut(&claim.key);
        let owned = record.filter(|found| found.claim.owner == claim.owner && matches!(found.state, State::Running));
        Outcome::Now(owned.map(step).ok_or(Lost))
    }
}

impl Store for Plain {
    fn lease(&self) -> Duration {
        Duration::from_millis(LEASE_MS)
    }

    fn claim(&self, key: DedupKey, now_ms: u64) -> Outcome<'_, Claimed> {
        let mut records = self.0.lock().unwrap();
        let owner = 1 + u128::from(now_ms);
        let claim = match records.get(&key) {
            None => Claim::new(key, owner, 1, now_ms, now_ms),
            Some(Record { claim, lease_until, state }) => {
                let age = now_ms - claim.first_seen;
                match state {
                    State::Done(answer, carrier) => {
                        return Outcome::Now(Claimed::Done { answer: answer.clone(), carrier: *carrier, age });
                    }
                    State::Running if *lease_until > now_ms => {
                        return Outcome::Now(Claimed::Running { age, lease_left: lease_until - now_ms, waiting: 0 });
                    }
                    _ if claim.run == MAX_RUNS => return Outcome::Now(Claimed::Exhausted { age }),
                    _ => Claim::new(key, owner, claim.run + 1, claim.first_seen, now_ms),
                }
            }
        };
        records.insert(key, Record { claim, lease_until: now_ms + LEASE_MS, state: State::Running });
        Outcome::Now(Claimed::New(claim))
    }

    fn renew(&self, claim: &Claim, now_ms: u64) -> Outcome<'_, Result<(), Lost>> {
        self.own(claim, |record| record.lease_until = now_ms + LEASE_MS)
    }

    fn finish(&self, claim: &Claim, answer: &[u8], carrier: Option<Carrier>, _: u64) -> Outcome<'_, Result<(), Lost>> {
        self.own(claim, |record| record.state = State::Done(answer.into(), carrier))
    }

    fn release(&self, claim: &Claim, attempt: Attempt, _: u64) -> Outcome<'_, Result<(), Lost>> {
        self.own(claim, |record| {
            record.state = State::Released;
            record.claim.run -= u8::from(attempt == Attempt::NotMade);
        })
    }

    fn wait(&self, key: DedupKey, _: u64) -> Outcome<'_, Waited> {
        Outcome::Now(match self.0.lock().unwrap().get(&key).map(|record| &record.state) {
            Some(State::Done(answer, carrier)) => Waited::Done { answer: answer.clone(), carrier: *carrier },
            Some(State::Released) => Waited::Released,
            Some(State::Running) | None => Waited::Lapsed,
        })
    }

    fn carry(&self, key: DedupKey, by: Carrier, _: u64) -> Outcome<'_, bool> {
        let mut records = self.0.lock().unwrap();
        let Some(Record { state: State::Done(_, carrier), .. }) = records.get_mut(&key) else {
            return Outcome::Now(true);
        };
        Outcome::Now(match carrier {
            None => {
                *carrier = Some(by);
                true
            }
            Some(carrier) => (*carrier, by) == (Carrier::Delivery, Carrier::Delivery),
        })
    }
}

#[test]
fn a_store_over_a_plain_map_is_written_outside_of_the_crate() {
    let store: Arc<dyn Store> = Arc::new(Plain::default());
    let key = DedupKey::from_bytes([1; 16]);
    let Outcome::Now(Claimed::New(first)) = store.claim(key, 1_000) else { panic!() };
    assert_eq!(first, Claim::new(key, 1_001, 1, 1_000, 1_000));
    let Outcome::Now(running) = store.claim(key, 6_070) else { panic!() };
    assert_eq!(running, Claimed::Running { age: 5_070, lease_left: 14_930, waiting: 0 });

    assert!(matches!(store.release(&first, Attempt::Failed, 6_071), Outcome::Now(Ok(()))));
    assert!(matches!(store.finish(&first, b"", None, 6_072), Outcome::Now(Err(Lost))));
    let Outcome::Now(Claimed::New(second)) = store.claim(key, 11_080) else { panic!() };
    assert_eq!((second.run, second.first_seen, second.age), (2, 1_000, 10_080));

    assert!(matches!(store.renew(&second, 11_081), Outcome::Now(Ok(()))));
    assert!(matches!(store.finish(&second, b"hello", None, 11_082), Outcome::Now(Ok(()))));
    assert!(matches!(store.carry(key, Carrier::Delivery, 11_083), Outcome::Now(true)));
    assert!(matches!(store.carry(key, Carrier::Late, 11_084), Outcome::Now(false)));
    let Outcome::Now(Claimed::Done { answer, carrier, age }) = store.claim(key, 11_085) else { panic!() };
    assert_eq!((&*answer, carrier, age), (&b"hello"[..], Some(Carrier::Delivery), 10_085));
}
