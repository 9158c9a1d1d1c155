//! Which pushes are sent, and which of them again.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use wechat_events::event::{KindInfo, Takes};
use wechat_events::testing::{Draft, Request, WeChat};

use crate::account::{Account, Mode};
use crate::{Problem, kinds};

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
                Err(_) => Err(format!("the weight `{weight}` is not a number from 0 to 65535")),
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
    made: Instant,
    first: Arc<First>,
}

/// What a push and its retries have in common.
#[derive(Debug)]
struct First {
    /// Whose turn it was.
    turn: usize,
    /// Its place among the new ones.
    number: u64,
    request: Arc<Request>,
    made: Instant,
    /// What it became when it or one of its retries was sent, whichever a thread came to before the others.
    sent: OnceLock<Arc<Request>>,
}

/// Makes the requests; nothing of it changes, so that every thread may have some made.
pub struct Maker<'w> {
    mode: Mode,
    seed: u64,
    kinds: Vec<Kind<'w>>,
}

struct Kind<'w> {
    kind: &'static KindInfo,
    wechat: &'w WeChat,
    draft: Draft<'w>,
}

impl<'w> Maker<'w> {
    /// The second WeChat is as third-party platforms know it.
    pub fn new(wechat: &'w WeChat, platform: &'w WeChat, mode: Mode, seed: u64, mix: &Mix) -> Maker<'w> {
        let kind = |(kind, _): &(&'static KindInfo, u32)| {
            let wechat = if kind.named_by() == "InfoType" { platform } else { wechat };
            Kind { kind, wechat, draft: wechat.push(kind.name()) }
        };
        Maker { mode, seed, kinds: mix.0.iter().map(kind).collect() }
    }

    /// With the payments of mini games signed, where the account has an app key.
    pub fn signed(mut self, account: &Account) -> Result<Maker<'w>, Problem> {
        for kind in &mut self.kinds {
            kind.draft = account.signed(kind.draft.clone())?;
        }
        Ok(self)
    }

    /// The same push as it is to be sent at `free`, dated anew as of `now` if it was made longer than `early` before.
    ///
    /// The message is the same in all deliveries: the one that is sent before the others decides.
    pub fn sent_at(&self, mut job: Job, free: Instant, early: Duration, now: i64) -> Job {
        let is_old = |made: Instant| free.saturating_duration_since(made) > early;
        let first = &job.first;
        let mut renewed = false;
        let sent = first.sent.get_or_init(|| {
            renewed = is_old(first.made);
            if renewed { self.request(first.turn, first.number, now) } else { Arc::clone(&first.request) }
        });
        if renewed || self.mode == Mode::Plain {
            job.request = Arc::clone(sent);
        } else if is_old(job.made) || sent.message != job.request.message {
            job.request = self.copy(first.turn, sent, now);
        }
        job
    }

    fn request(&self, turn: usize, number: u64, now: i64) -> Arc<Request> {
        let Kind { kind, draft, .. } = &self.kinds[turn];
        let mut draft = draft.clone();
        // Users differ, and orders, so that no two pushes are alike, whatever a receiver tells them apart by.
        let user = format!("o{:016x}{:011}", self.seed, number % 100_000_000_000);
        if kind.named_by() != "InfoType" {
            draft = draft.set("FromUserName", &user);
        }
        if matches!(kind.takes(), Takes::Code | Takes::IosRefund) {
            draft = kinds::ordered(draft, kind, &user, &format!("{:x}-{number}", self.seed), number);
        }
        if kind.sample().contains("<MsgId>") {
            let msg_id = (1 << 54) + (self.seed >> 11) + number;
            draft = draft.set("MsgId", &msg_id.to_string());
        }
        Arc::new(draft.request(now))
    }

    /// In plaintext mode the very request, else in another envelope.
    fn copy(&self, turn: usize, request: &Arc<Request>, now: i64) -> Arc<Request> {
        match self.mode {
            Mode::Plain => Arc::clone(request),
            Mode::Compatible | Mode::Safe => Arc::new(self.kinds[turn].wechat.raw(&*request.message).request(now)),
        }
    }
}

/// An endless row of pushes, the same for the same seed but for their times.
///
/// Without chance: kinds take turns by their weights, and of n pushes the share of retries is exact to one.
pub struct Plan<'m> {
    maker: &'m Maker<'m>,
    retries: f64,
    turns: Vec<Turn>,
    /// Jobs made so far.
    made: u64,
    /// Those of them that are new.
    new: u64,
    recent: Vec<Arc<First>>,
}

struct Turn {
    weight: i64,
    /// What is owed to it: whoever is owed most is next.
    owed: i64,
}

impl<'m> Plan<'m> {
    /// The mix is the maker's.
    pub fn new(maker: &'m Maker<'m>, mix: &Mix, retries: f64) -> Plan<'m> {
        let turns = mix.0.iter().map(|(_, weight)| Turn { weight: i64::from(*weight), owed: 0 }).collect();
        Plan { maker, retries, turns, made: 0, new: 0, recent: Vec::new() }
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
            return self.new_push(job.first.turn, job.first.number, now);
        }
        let first = self.recent.iter().find(|first| first.number == job.first.number);
        first.map_or_else(|| job.clone(), |first| self.copy(first, now))
    }

    fn new_push(&mut self, turn: usize, number: u64, now: i64) -> Job {
        let made = Instant::now();
        let request = self.maker.request(turn, number, now);
        let first = Arc::new(First { turn, number, request: Arc::clone(&request), made, sent: OnceLock::new() });
        let place = usize::try_from(number).unwrap_or_default() % RECENT;
        match self.recent.get_mut(place) {
            Some(there) => *there = Arc::clone(&first),
            None => self.recent.push(Arc::clone(&first)),
        }
        Job { request, name: self.maker.kinds[turn].kind.name(), again: false, made, first }
    }

    /// A recent push once more.
    fn again(&self, now: i64) -> Option<Job> {
        // Multiples of the golden ratio are spread evenly.
        let spread = usize::try_from(self.made.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40).unwrap_or_default();
        Some(self.copy(self.recent.get(spread.checked_rem(self.recent.len())?)?, now))
    }

    fn copy(&self, first: &Arc<First>, now: i64) -> Job {
        let made = Instant::now();
        let request = self.maker.copy(first.turn, &first.request, now);
        Job { request, name: self.maker.kinds[first.turn].kind.name(), again: true, made, first: Arc::clone(first) }
    }

    /// Whose turn it is.
    fn turn(&mut self) -> usize {
        let total: i64 = self.turns.iter().map(|turn| turn.weight).sum();
        let mut most = 0;
        for index in 0..self.turns.len() {
            self.turns[index].owed += self.turns[index].weight;
            if self.turns[index].owed > self.turns[most].owed {
                most = index;
            }
        }
        self.turns[most].owed -= total;
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
        let mix = mix.parse().unwrap();
        let maker = Maker::new(wechat, wechat, mode, 7, &mix);
        let mut plan = Plan::new(&maker, &mix, retries);
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
        let mix = "text".parse().unwrap();
        let maker = Maker::new(&wechat, &wechat, Mode::Plain, 7, &mix);
        let mut plan = Plan::new(&maker, &mix, 0.5);
        let jobs = [plan.next(1_700_000_000), plan.next(1_700_000_000)];
        let [first, again] = jobs.map(|job| plan.anew(&job, 1_700_000_009));
        let mut other = Plan::new(&maker, &mix, 0.5);
        assert_eq!(first.request.message, other.next(1_700_000_009).request.message);
        assert_eq!((first.again, again.again), (false, true));
        assert_eq!(again.request, first.request);
    }

    #[test]
    fn whichever_is_sent_before_the_others_dates_them_all() {
        let plain = WeChat::plain("token").unwrap();
        let safe = WeChat::safe("token", "wx5823bf96d3bd56c7", KEY).unwrap();
        let (early, late) = (Duration::from_millis(50), Duration::from_secs(60));
        for (wechat, mode) in [(plain, Mode::Plain), (safe, Mode::Safe)] {
            let mix = "text".parse().unwrap();
            let maker = Maker::new(&wechat, &wechat, mode, 7, &mix);
            for retry_before in [false, true] {
                let mut plan = Plan::new(&maker, &mix, 0.5);
                let mut jobs = [plan.next(1_700_000_000), plan.next(1_700_000_000)];
                if retry_before {
                    jobs.reverse();
                }
                // Its place among the recent ones is another's by now.
                (0..4 * RECENT).for_each(|_| drop(plan.next(1_700_000_000)));
                let [one, other] = jobs;
                let made = one.made;
                let one = maker.sent_at(one, made + late, early, 1_700_000_060);
                let other = maker.sent_at(other, made + 2 * late, early, 1_700_000_120);
                assert_eq!(one.request.message, maker.request(0, 0, 1_700_000_060).message);
                assert_eq!(other.request.message, one.request.message);
                assert_eq!(other.request == one.request, mode == Mode::Plain);
                let timestamp = if mode == Mode::Plain { "timestamp=1700000060" } else { "timestamp=1700000120" };
                assert!(other.request.query.contains(timestamp), "{}", other.request.query);
                assert_eq!((one.again, other.again), (retry_before, !retry_before));
            }
        }
    }

    #[test]
    fn what_is_sent_at_once_is_as_it_was_made() {
        let wechat = WeChat::safe("token", "wx5823bf96d3bd56c7", KEY).unwrap();
        let mix = "text".parse().unwrap();
        let maker = Maker::new(&wechat, &wechat, Mode::Safe, 7, &mix);
        let mut plan = Plan::new(&maker, &mix, 0.5);
        for job in [plan.next(1_700_000_000), plan.next(1_700_000_000)] {
            let made = job.made;
            let sent = maker.sent_at(job.clone(), made, Duration::from_millis(50), 1_700_000_001);
            assert_eq!(sent.request, job.request);
        }
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
        assert_eq!(error("text=many"), "the weight `many` is not a number from 0 to 65535");
        assert_eq!(error("text=0,SCAN=0"), "all weights are 0");
        assert_eq!(
            error("txet=1"),
            "`txet` is not a kind of push; did you mean `text`?\n  `wechat-simulator list` shows all kinds"
        );
    }
}
