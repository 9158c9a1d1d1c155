//! The table.

use std::collections::BTreeMap;
use std::time::Duration;

use anstyle::{AnsiColor, Reset, Style};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::receiver::{Genuine, Knows, Receiver};
use super::{Check, Group, Level, Miss, Outcome};
use crate::account::Mode;
use crate::screen::{BAD, BOLD, DIM, GOOD, say};

/// Shows each row when those above it are known.
pub struct Screen {
    address: String,
    mode: Mode,
    knows: Knows,
    checks: Vec<Check>,
    found: BTreeMap<usize, Found>,
    shown: usize,
    json: bool,
    bar: ProgressBar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Result {
    Passed,
    Failed,
    Warned,
    Skipped,
}

#[derive(Debug, Clone)]
struct Found {
    result: Result,
    seen: String,
    took: Duration,
}

#[derive(Serialize)]
struct Row<'s> {
    id: &'s str,
    group: Group,
    level: Level,
    result: Result,
    seen: &'s str,
    seconds: f64,
    sends: &'s str,
    passes: &'s str,
    means: &'s str,
}

#[derive(Serialize)]
struct Summary<'s> {
    url: &'s str,
    mode: Mode,
    knows: Knows,
    checks: Vec<Row<'s>>,
    passed: usize,
    failed: usize,
    warned: usize,
    skipped: usize,
    /// Since which checks the receiver does not answer any more.
    gone_since: Option<&'static str>,
    seconds: f64,
}

impl Result {
    fn word(self) -> &'static str {
        match self {
            Result::Passed => "passed",
            Result::Failed => "FAILED",
            Result::Warned => "warning",
            Result::Skipped => "skipped",
        }
    }

    fn style(self) -> Style {
        match self {
            Result::Passed => GOOD,
            Result::Failed => BAD,
            Result::Warned => AnsiColor::Yellow.on_default(),
            Result::Skipped => DIM,
        }
    }
}

impl Screen {
    pub fn new(receiver: &Receiver, checks: Vec<Check>, json: bool) -> Screen {
        let bar = ProgressBar::new(checks.len() as u64).with_style(
            ProgressStyle::with_template("{spinner} {pos} of {len} checks after {elapsed}; {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        bar.enable_steady_tick(Duration::from_millis(100));
        let screen = Screen {
            address: receiver.target.to_string(),
            mode: receiver.mode,
            knows: receiver.knows,
            checks,
            found: BTreeMap::new(),
            shown: 0,
            json,
            bar,
        };
        if !json {
            let Knows { echo, number, wait } = screen.knows;
            let known = [("echo", echo), ("number", number), ("wait", wait)];
            let known: Vec<_> = known.iter().filter(|(_, known)| *known).map(|(name, _)| *name).collect();
            let known = if known.is_empty() { "none of echo, number, wait".to_owned() } else { known.join(", ") };
            let mode = format!("{:?}", screen.mode).to_lowercase();
            screen.bar.suspend(|| {
                say(format_args!("{} in {mode} mode; it knows {known}", screen.address));
                if let Genuine::Bad { seen, hint } = &receiver.genuine {
                    let style = Result::Failed.style();
                    say(format_args!("{style}a genuine text is not answered{Reset}: {seen}"));
                    if let Some(hint) = hint {
                        say(hint);
                    }
                }
            });
        }
        screen
    }

    pub fn found(&mut self, place: usize, outcome: Outcome, took: Duration) {
        let level = self.checks[place].level;
        let (result, seen) = match (outcome, level) {
            (Ok(seen), _) => (Result::Passed, seen),
            (Err(Miss::Ended(seen)), _) | (Err(Miss::Failed(seen)), Level::Must) => (Result::Failed, seen),
            (Err(Miss::Failed(seen)), Level::Should) | (Err(Miss::Doubtful(seen)), _) => (Result::Warned, seen),
            (Err(Miss::Skipped(seen)), _) => (Result::Skipped, seen),
        };
        let found = Found { result, seen, took };
        self.found.insert(place, found);
        self.bar.inc(1);
        while let Some(found) = self.found.get(&self.shown) {
            if !self.json {
                let above = self.shown.checked_sub(1).map(|above| self.checks[above].group);
                self.bar.suspend(|| show(&self.checks[self.shown], found, above));
            }
            self.shown += 1;
        }
    }

    /// What is being done, beside the bar.
    pub fn under_way(&self, what: &'static str) {
        self.bar.set_message(what);
    }

    /// Whether nothing failed, and the receiver is still there.
    pub fn end(self, took: Duration, gone_since: Option<&'static str>) -> bool {
        self.bar.finish_and_clear();
        let count = |result| self.found.values().filter(|found| found.result == result).count();
        let (passed, failed) = (count(Result::Passed), count(Result::Failed));
        let (warned, skipped) = (count(Result::Warned), count(Result::Skipped));
        if self.json {
            let rows = self.found.iter().map(|(place, Found { result, seen, took })| {
                let Check { id, group, level, sends, passes, means, .. } = self.checks[*place];
                let seconds = took.as_secs_f64();
                Row { id, group, level, result: *result, seen, seconds, sends, passes, means }
            });
            let summary = Summary {
                url: &self.address,
                mode: self.mode,
                knows: self.knows,
                checks: rows.collect(),
                passed,
                failed,
                warned,
                skipped,
                gone_since,
                seconds: took.as_secs_f64(),
            };
            say(format_args!("{}", serde_json::to_string_pretty(&summary).unwrap_or_default()));
        } else {
            if let Some(since) = gone_since {
                let style = Result::Failed.style();
                say(format_args!("\n{style}the receiver no longer confirms its address{Reset}, since {since}"));
            }
            let style = if failed == 0 { Result::Passed.style() } else { Result::Failed.style() };
            say(format_args!(
                "\n{style}{passed} passed, {failed} failed{Reset}, {warned} warned, {skipped} skipped, in {:.1} s",
                took.as_secs_f64()
            ));
        }
        failed == 0 && gone_since.is_none()
    }
}

fn show(check: &Check, found: &Found, above: Option<Group>) {
    if above != Some(check.group) {
        say(format_args!("\n{}{}{Reset}", BOLD, check.group.name()));
    }
    let (style, word) = (found.result.style(), found.result.word());
    say(format_args!("  {style}{word:<7}{Reset}  {:<26} {}", check.id, check.sends));
    let lines = |title: &str, text: &str| {
        for (index, line) in text.lines().enumerate() {
            let title = if index == 0 { title } else { "" };
            say(format_args!("             {title:<10} {line}"));
        }
    };
    match found.result {
        Result::Passed if found.seen.is_empty() => {}
        Result::Passed => lines("note:", &found.seen),
        Result::Skipped => lines("why:", &found.seen),
        Result::Failed | Result::Warned => {
            lines("passes:", check.passes);
            lines("seen:", &found.seen);
            lines("in WeChat:", check.means);
        }
    }
}
