//! What became of each push, and whether it may have.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::machines::{Answer, Delivered};

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

/// What the machines wrote about a push, over all their lives: when, and which life.
#[derive(Debug, Default)]
pub struct Logged {
    began: Vec<(u64, PathBuf)>,
    completed: Vec<(u64, PathBuf)>,
    late: Vec<(u64, PathBuf)>,
}

/// What was done to them: the only excuses.
#[derive(Default)]
pub struct Harm {
    /// When a life was ended.
    pub killed: BTreeMap<PathBuf, u64>,
    /// From when until when Redis was dead, or forgot what it held.
    pub emptied: Vec<(u64, u64)>,
    /// From when until when a life did without Redis, by what it says itself.
    pub away: Vec<(PathBuf, u64, u64)>,
    /// Without Redis the lives refuse pushes.
    pub refuses: bool,
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
pub fn read_logs(lives: &[(PathBuf, Option<u64>)], harm: &mut Harm) -> BTreeMap<String, Logged> {
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
                "listening" | "connection" | "failure" => {}
                _ => println!("{}: {line}", life.display()),
            }
        }
        harm.away.extend(away.map(|from| (life.clone(), from, killed.unwrap_or(u64::MAX))));
    }
    pushes
}

/// What became of a push, in rows of the table that begin with their place in it; and whether it may have.
pub fn judge(delivered: &Delivered, logged: &Logged, harm: &Harm) -> [(&'static str, bool); 2] {
    let Delivered { name, deliveries, answer } = delivered;
    let Logged { began, completed, late } = logged;
    let takes: u64 = name.split_once(' ').unwrap().0.parse().unwrap();
    let (first, (last, receiver)) = (deliveries[0].0, deliveries.last().unwrap());
    // What is refused leaves no trace: the push is first seen when it is run.
    let first = began.iter().map(|(at, _)| *at).min().filter(|_| harm.refuses).unwrap_or(first);

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
            || !harm.refuses && harm.away(life, from, from)
            || earlier.iter().any(|(_, life, ended)| {
                !harm.refuses && harm.away(life, from - UNKNOWN, from)
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

    let refused = receiver.as_ref().is_none_or(|life| harm.away(life, *last, last + 5_000));
    let at_once = runs.iter().enumerate().any(|(n, (from, life, _))| {
        runs[..n].iter().any(|(_, before, ended)| before == life && ended.is_none_or(|at| at > *from))
    });

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
        (Answer::Success | Answer::Silence, 0) if harm.refuses && completed.is_empty() && refused => {
            ("4 refused, since Redis was away", true)
        }
        (Answer::Success | Answer::Silence, 0) if !completed.is_empty() => ("5 a reply dropped in silence", false),
        (Answer::Success | Answer::Silence, 0) => ("5 lost otherwise", false),
        _ if completed.len() > 1 && may_run_again => ("6 answered twice, by runs of which Redis did not know", true),
        _ if unknown_carrier => ("6 answered twice, Redis did not know who carried it", true),
        _ => ("7 answered twice otherwise", false),
    };
    let ran = match completed.len() {
        _ if at_once => ("9 ran twice at once in one process", false),
        0 => ("8 completed: never", lost_with_its_machine || harm.refuses && refused),
        1 => ("8 completed: once", true),
        _ if may_run_again => ("8 completed: more often, Redis did not know", true),
        _ => ("9 completed: more often, otherwise", false),
    };
    [answered, ran]
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
