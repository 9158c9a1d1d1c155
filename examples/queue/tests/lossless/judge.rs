//! What became of each push, and whether it may have.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::wechat::Delivered;

/// From when until when a process was not there: the only excuses.
pub struct Harm {
    pub broker: Vec<(Instant, Instant)>,
    pub receiver: Vec<(Instant, Instant)>,
    pub workers: Vec<(Instant, Instant)>,
}

/// Until a process that listens again is known to be there.
const FOUND: Duration = Duration::from_millis(500);

fn overlaps(away: &[(Instant, Instant)], from: Instant, until: Instant) -> bool {
    away.iter().any(|(began, ended)| *began <= until && from <= *ended + FOUND)
}

/// The rows of the table with their numbers, and what must not be.
pub fn judge(pushes: &[Delivered], sent: &[(Instant, String)], harm: &Harm) -> (Vec<(String, usize)>, Vec<String>) {
    let (mut table, mut wrong) = (BTreeMap::new(), Vec::new());
    let mut count = |row: String| *table.entry(row).or_insert(0) += 1;
    let mut expected = 0;
    for delivered in pushes {
        let user = &delivered.push.user;
        let (mut complete, mut last) = (true, None);
        for message in delivered.push.messages() {
            let times: Vec<Instant> = sent.iter().filter(|(_, body)| *body == message).map(|(time, _)| *time).collect();
            expected += times.len();
            complete &= times.first().copied() > last;
            last = times.first().copied();
            for pair in times.windows(2) {
                // Whose worker could not write down that it was sent.
                if overlaps(&harm.workers, pair[0], pair[1]) || overlaps(&harm.broker, pair[0], pair[1]) {
                    count("message sent twice, with its worker or broker away in between".to_owned());
                } else {
                    wrong.push(format!("{user}: a message was sent twice"));
                }
            }
        }
        match (delivered.succeeded(), complete) {
            (true, true) => count(format!("success by delivery {}, handled", delivered.deliveries.len())),
            (true, false) => {
                wrong.push(format!("{user}: success, and not all of its messages in order: {delivered:?}"))
            }
            (false, _) => {
                let excused = |(from, until, _): &(Instant, Instant, bool)| {
                    overlaps(&harm.broker, *from, *until) || overlaps(&harm.receiver, *from, *until)
                };
                if !delivered.deliveries.iter().all(excused) {
                    wrong.push(format!("{user}: given up, though there was a receiver and a broker: {delivered:?}"));
                }
                let handled = if complete { ", handled all the same" } else { "" };
                count(format!("given up, with no broker or receiver at any of its deliveries{handled}"));
            }
        }
    }
    if expected != sent.len() {
        wrong.push(format!("{} messages that nobody was to get", sent.len() - expected));
    }
    (table.into_iter().collect(), wrong)
}
