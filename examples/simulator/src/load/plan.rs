//! Which pushes are sent, and which of them again.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use wechat_events::event::KindInfo;
use wechat_events::testing::{Draft, Request, WeChat};

use crate::account::Mode;
use crate::kinds;

/// What a shop's account gets on a usual day: mostly texts, then what its menu and its codes bring.
pub const DEFAULT_MIX: &str =
    "text=50,image=5,voice=3,location=2,CLICK=12,VIEW=10,LOCATION=8,SCAN=5,subscribe=3,unsubscribe=2";

/// Pushes of which one may come again.
const RECENT: usize = 1024;

/// Kinds and their weights.
#[derive(Debug, Clone)]
pub struct Mix(Vec<(&'static KindInfo, u32)>);

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Mix, String> {
        let part = |part: &str| {
            let (name, weight) = part.trim().split_once('=').unwrap_or((part.trim(), "1"));
            let kind = kinds::find(name).ok_or_else(|| kinds::unknown(name))?;
            match weight.parse::<u16>() {
                Ok(weight) => Ok((kind, u32::from(weight))),
                Err(_) => Err(format!("the weight `{weight}` is no number from 0 to 65535")),
            }
        };
        let parts: Vec<_> = text.split(',').map(part).collect::<Result<_, _>>()?;
        match parts.iter().all(|(_, weight)| *weight == 0) {
            true => Err("all weights are 0".to_owned()),
            false => Ok(Mix(parts)),
        }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.iter().map(|(kind, weight)| format!("{}={weight}", kind.name())).collect();
        f.write_str(&parts.join(","))
    }
}

/// A push that is to be sent.
#[derive(Debug, Clone)]
pub struct Job {
    pub request: Arc<Request>,
    /// Its kind's name.
    pub name: &'static str,
    /// Whether it was sent before.
    pub again: bool,
    /// Whose turn it was.
    turn: usize,
    /// Its place among the new ones; that of the first delivery where it was sent before.
    number: u64,
}

/// An endless row of pushes, the same for the same seed but for their times.
///
/// Without chance: kinds take turns by their weights, and of n pushes the share of retries is exact to one.
pub struct Plan<'w> {
    mode: Mode,
    seed: u64,
    retries: f64,
    kinds: Vec<Turn<'w>>,
    /// Jobs made so far.
    made: u64,
    /// Those of them that are new.
    new: u64,
    recent: Vec<Recent>,
}

struct Recent {
    turn: usize,
    number: u64,
    request: Arc<Request>,
}

struct Turn<'w> {
    kind: &'static KindInfo,
    wechat: &'w WeChat,
    draft: Draft<'w>,
    weight: i64,
    /// What is owed to it: whoever is owed most is next.
    owed: i64,
}

impl<'w> Plan<'w> {
    /// The second WeChat is as third-party platforms know it.
    pub fn new(wechat: &'w WeChat, platform: &'w WeChat, mode: Mode, seed: u64, mix: &Mix, retries: f64) -> Plan<'w> {
        let turn = |(kind, weight): &(&'static KindInfo, u32)| {
            let wechat = if kind.named_by() == "InfoType" { platform } else { wechat };
            Turn { kind, wechat, draft: wechat.push(kind.name()), weight: i64::from(*weight), owed: 0 }
        };
        let kinds = mix.0.iter().map(turn).collect();
        Plan { mode, seed, retries, kinds, made: 0, new: 0, recent: Vec::new() }
    }

    /// The next push, signed as of `now`.
    pub fn next(&mut self, now: i64) -> Job {
        let before = whole(self.made, self.retries);
        self.made += 1;
        if whole(self.made, self.retries) > before
            && let Some(job) = self.again(now)
        {
            return job;
        }
        let (turn, number) = (self.turn(), self.new);
        self.new += 1;
        self.new_push(turn, number, now)
    }

    /// The same push, which was not sent in its time, signed as of `now`. One that was sent before comes after its first.
    pub fn anew(&mut self, job: &Job, now: i64) -> Job {
        if !job.again {
            return self.new_push(job.turn, job.number, now);
        }
        let first = self.recent.iter().find(|first| first.number == job.number);
        first.map_or_else(|| job.clone(), |first| self.copy(first, now))
    }

    fn new_push(&mut self, turn: usize, number: u64, now: i64) -> Job {
        let Turn { kind, draft, .. } = &self.kinds[turn];
        let mut draft = draft.clone();
        if kind.named_by() != "InfoType" {
            // Followers differ, so that no two pushes are alike, whatever a receiver tells them apart by.
            draft = draft.set("FromUserName", &format!("o{:016x}{:011}", self.seed, number % 100_000_000_000));
        }
        if kind.sample().contains("<MsgId>") {
            let msg_id = (1 << 54) + (self.seed >> 11) + number;
            draft = draft.set("MsgId", &msg_id.to_string());
        }
        let request = Arc::new(draft.request(now));
        let recent = Recent { turn, number, request: Arc::clone(&request) };
        let place = usize::try_from(number).unwrap_or_default() % RECENT;
        match self.recent.get_mut(place) {
            Some(there) => *there = recent,
            None => self.recent.push(recent),
        }
        Job { request, name: kind.name(), again: false, turn, number }
    }

    /// A recent push once more.
    fn again(&self, now: i64) -> Option<Job> {
        // Multiples of the golden ratio are spread evenly.
        let spread = usize::try_from(self.made.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40).unwrap_or_default();
        Some(self.copy(self.recent.get(spread.checked_rem(self.recent.len())?)?, now))
    }

    /// In plaintext mode its very request, else in another envelope.
    fn copy(&self, first: &Recent, now: i64) -> Job {
        let Turn { kind, wechat, .. } = &self.kinds[first.turn];
        let request = match self.mode {
            Mode::Plain => Arc::clone(&first.request),
            Mode::Compatible | Mode::Safe => Arc::new(wechat.raw(&*first.request.message).request(now)),
        };
        Job { request, name: kind.name(), again: true, turn: first.turn, number: first.number }
    }

    /// Whose turn it is.
    fn turn(&mut self) -> usize {
        let total: i64 = self.kinds.iter().map(|turn| turn.weight).sum();
        let mut most = 0;
        for index in 0..self.kinds.len() {
            self.kinds[index].owed += self.kinds[index].weight;
            if self.kinds[index].owed > self.kinds[most].owed {
                most = index;
            }
        }
        self.kinds[most].owed -= total;
        most
    }
}

/// How many of so many are that share, rounded down.
fn whole(number: u64, share: f64) -> u64 {
    // A little more, since 0.1 × 30 is 3.0000000000000004 and 0.29 × 100 is 28.999999999999996.
    (number as f64 * share + 1e-9) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use wechat_events::parse_event;

    use super::*;

    const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";

    fn jobs(wechat: &WeChat, mode: Mode, mix: &str, retries: f64, count: usize) -> Vec<Job> {
        let mut plan = Plan::new(wechat, wechat, mode, 7, &mix.parse().unwrap(), retries);
        (0..count).map(|_| plan.next(1_700_000_000)).collect()
    }

    #[test]
    fn kinds_take_turns_by_their_weights() {
        let wechat = WeChat::plain("token").unwrap();
        let jobs = jobs(&wechat, Mode::Plain, DEFAULT_MIX, 0.0, 200);
        let mut counts = BTreeMap::new();
        for job in &jobs {
            *counts.entry(job.name).or_insert(0) += 1;
        }
        let expected = [
            ("CLICK", 24),
            ("LOCATION", 16),
            ("SCAN", 10),
            ("VIEW", 20),
            ("image", 10),
            ("location", 4),
            ("subscribe", 6),
            ("text", 100),
            ("unsubscribe", 4),
            ("voice", 6),
        ];
        assert_eq!(counts.into_iter().collect::<Vec<_>>(), expected);
        let first: Vec<_> = jobs.iter().take(4).map(|job| job.name).collect();
        assert_eq!(first, ["text", "CLICK", "text", "VIEW"]);
    }

    #[test]
    fn every_push_is_new_but_for_the_share_that_is_not() {
        let wechat = WeChat::plain("token").unwrap();
        let jobs = jobs(&wechat, Mode::Plain, DEFAULT_MIX, 0.1, 3000);
        let mut seen = HashSet::new();
        for job in &jobs {
            let is_new = seen.insert(job.request.message.clone());
            assert_eq!(is_new, !job.again, "{}", String::from_utf8_lossy(&job.request.message));
        }
        assert_eq!(jobs.iter().filter(|job| job.again).count(), 300);
    }

    #[test]
    fn a_plain_retry_is_the_same_request_and_a_sealed_one_another_envelope() {
        let plain = WeChat::plain("token").unwrap();
        let safe = WeChat::safe("token", "wx5823bf96d3bd56c7", KEY).unwrap();
        for (wechat, mode) in [(plain, Mode::Plain), (safe, Mode::Safe)] {
            let jobs = jobs(&wechat, mode, "text", 0.5, 2);
            let [first, second] = &*jobs else { panic!() };
            assert!(!first.again && second.again);
            assert_eq!(first.request.message, second.request.message);
            assert_eq!(first.request == second.request, mode == Mode::Plain);
        }
    }

    #[test]
    fn what_is_signed_anew_is_the_same_push_at_another_time_and_so_is_its_retry() {
        let wechat = WeChat::plain("token").unwrap();
        let mut plan = Plan::new(&wechat, &wechat, Mode::Plain, 7, &"text".parse().unwrap(), 0.5);
        let jobs = [plan.next(1_700_000_000), plan.next(1_700_000_000)];
        let [first, again] = jobs.map(|job| plan.anew(&job, 1_700_000_009));
        let mut other = Plan::new(&wechat, &wechat, Mode::Plain, 7, &"text".parse().unwrap(), 0.5);
        assert_eq!(first.request.message, other.next(1_700_000_009).request.message);
        assert_eq!((first.again, again.again), (false, true));
        assert_eq!(again.request, first.request);
    }

    #[test]
    fn pushes_differ_by_user_and_by_message() {
        let wechat = WeChat::plain("token").unwrap();
        let jobs = jobs(&wechat, Mode::Plain, "text", 0.0, 2);
        let event = parse_event(&jobs[1].request.message).unwrap();
        assert_eq!(event.from_user, "o000000000000000700000000001");
        assert_eq!(event.msg_id().as_deref(), Some("18014398509481985"));
    }

    #[test]
    fn a_mix_that_is_none_is_refused_with_the_reason() {
        let error = |text: &str| text.parse::<Mix>().unwrap_err();
        assert_eq!(error("text=many"), "the weight `many` is no number from 0 to 65535");
        assert_eq!(error("text=0,SCAN=0"), "all weights are 0");
        assert_eq!(
            error("txet=1"),
            "`txet` is no kind of push; did you mean `text`?\n  `wechat-simulator list` shows all kinds"
        );
    }
}
