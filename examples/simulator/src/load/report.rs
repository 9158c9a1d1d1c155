//! The figures.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::drive::Driven;
use super::judge::Verdicts;
use super::{Options, Rate};
use crate::Verdict;
use crate::account::Mode;
use crate::screen::{BAD, BOLD, DIM, printable};

/// Shares of the answers, in percent, with the time that they came within.
const PERCENTILES: [f64; 4] = [50.0, 90.0, 99.0, 99.9];
/// Characters of the longest bar.
const BAR: usize = 40;
/// A delay of its own that the program warns of: a tenth of the latency, and this.
const DELAY: Duration = Duration::from_millis(5);
const LATE: &str = "  Many started late: this machine is too busy for that rate.";
/// The share of what was due that may be left out before the figures are of another rate than the one asked for.
const LEFT_OUT: f64 = 0.01;
const TOO_FEW: &str = "  More than 1 % was not sent: these figures are not for the requested rate.";

/// All figures; with `--json` as they stand here. Times are in milliseconds.
#[derive(Debug, Serialize)]
pub struct Report {
    to: String,
    mode: Mode,
    mix: String,
    /// Pushes a second, as asked; `null` for `max`.
    rate: Option<f64>,
    connections: u32,
    /// Seconds from the first push to the last answer, or to the end of the time if that is later.
    seconds: f64,
    /// Pushes that were due: those sent and those not sent.
    due: u64,
    sent: u64,
    /// Those sent that were sent before.
    retries: u64,
    not_sent: NotSent,
    answered: u64,
    /// Answers a second.
    throughput: f64,
    /// From when a push was due to the end of its answer.
    latency: Option<Times>,
    /// From when a push was due until it was begun: this program's part in the latency.
    delay: Option<Times>,
    histogram: Vec<Bucket>,
    /// Pushes without an answer, by reason.
    silent: Vec<Silent>,
    /// Connections that the receiver closed between two pushes.
    reopened: u64,
    verdicts: Verdicts,
    /// Whether WeChat takes all of it, and it was the rate asked for: the exit code is 0.
    content: bool,
}

#[derive(Debug, Serialize)]
struct NotSent {
    /// All connections were waiting for answers.
    busy: u64,
    /// This program did not get to it.
    late: u64,
}

#[derive(Debug, Serialize)]
struct Times {
    mean: f64,
    percentiles: Vec<Percentile>,
    max: f64,
}

#[derive(Debug, Serialize)]
struct Percentile {
    percent: f64,
    within: f64,
}

/// Answers that took at least `from` and less than `to`.
#[derive(Debug, PartialEq, Serialize)]
struct Bucket {
    from: f64,
    to: f64,
    count: u64,
}

#[derive(Debug, Serialize)]
struct Silent {
    reason: String,
    count: u64,
}

impl Report {
    pub fn of(options: &Options, driven: Driven) -> Report {
        let Driven { tally, paced, verdicts, took } = driven;
        let rate = match options.rate {
            Rate::Max => None,
            Rate::PerSecond(rate) => Some(rate),
        };
        let mut silent: Vec<_> = tally.silent.into_iter().map(|(reason, count)| Silent { reason, count }).collect();
        silent.sort_by_key(|silent| std::cmp::Reverse(silent.count));
        let mut report = Report {
            to: options.target.to_string(),
            mode: options.account.mode(),
            mix: options.mix.to_string(),
            rate,
            connections: options.connections,
            seconds: took.as_secs_f64(),
            due: if rate.is_some() { paced.due } else { tally.sent },
            sent: tally.sent,
            retries: tally.again,
            not_sent: NotSent { busy: paced.busy, late: paced.late },
            answered: tally.answered,
            throughput: if took.is_zero() { 0.0 } else { tally.answered as f64 / took.as_secs_f64() },
            latency: Times::of(&tally.latency),
            delay: Times::of(&tally.delay),
            histogram: buckets(&tally.latency),
            content: false,
            silent,
            reopened: tally.reopened,
            verdicts,
        };
        report.content = matches!(report.outcome(), Ok(true));
        report
    }

    /// How the command ends.
    pub fn outcome(&self) -> Verdict {
        outcome(self.silent.is_empty() && self.verdicts.faults.is_empty(), self.due, &self.not_sent)
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mode = format!("{:?}", self.mode).to_lowercase();
        let rate = self.rate.map_or("as fast as it answers".to_owned(), |rate| format!("{rate} pushes a second"));
        let connections = self.connections;
        let up_to = if self.rate.is_some() { "up to " } else { "" };
        line(&mut text, format_args!("{BOLD}load{BOLD:#} on {}, mode {mode}", self.to));
        line(&mut text, format_args!("  {rate} over {up_to}{connections} connections, {:.1} s", self.seconds));
        line(&mut text, format_args!("  {DIM}{}{DIM:#}\n", self.mix));
        self.counts(&mut text);
        self.times(&mut text);
        self.judged(&mut text);
        text.truncate(text.trim_end().len());
        text
    }

    fn counts(&self, text: &mut String) {
        let row = |text: &mut String, number: u64, what: &str| line(text, format_args!("{number:>10}  {what}"));
        let bad = |text: &mut String, number: u64, what: &str| {
            if number > 0 {
                line(text, format_args!("{BAD}{number:>10}{BAD:#}  {what}"));
            }
        };
        if self.rate.is_some() {
            row(text, self.due, "due");
        }
        row(text, self.sent, &format!("sent, {} of them retries", self.retries));
        let decimals = if self.throughput < 10.0 { 1 } else { 0 };
        row(text, self.answered, &format!("answered, {:.decimals$} a second", self.throughput));
        bad(text, self.not_sent.busy, "not sent in time: all connections were waiting for answers");
        bad(text, self.not_sent.late, "not sent in time: this machine is too slow for that rate");
        for Silent { reason, count } in &self.silent {
            bad(text, *count, &printable(reason));
        }
        if self.reopened > 0 {
            row(text, self.reopened, "connections closed by the receiver between two pushes");
        }
        if self.not_sent.is_much_of(self.due) {
            line(text, format_args!("{BAD}{TOO_FEW}{BAD:#}"));
        }
        text.push('\n');
    }

    fn times(&self, text: &mut String) {
        let (Some(latency), Some(delay)) = (&self.latency, &self.delay) else { return };
        if self.rate.is_some() {
            line(text, format_args!("{BOLD}time{BOLD:#}, in ms from when a push was due"));
            row(text, "", "begun", "answered");
        } else {
            line(text, format_args!("{BOLD}time{BOLD:#}, in ms from when a push was started"));
            row(text, "", "", "answered");
        }
        for (delay, latency) in delay.rows().zip(latency.rows()) {
            let begun = if self.rate.is_some() { delay.1 } else { String::new() };
            row(text, &delay.0, &begun, &latency.1);
        }
        if delay.at(99.0) > DELAY.as_secs_f64() * 1e3 && delay.at(99.0) > latency.at(99.0) / 10.0 {
            line(text, format_args!("{BAD}{LATE}{BAD:#}"));
        }
        text.push('\n');
        let most = self.histogram.iter().map(|bucket| bucket.count).max().unwrap_or_default();
        for Bucket { from, to, count } in &self.histogram {
            let range = format!("{from} – {to}");
            line(text, format_args!("{range:>15} ms  {:<BAR$}  {count}", bar(*count, most)));
        }
        text.push('\n');
    }

    fn judged(&self, text: &mut String) {
        let Verdicts { judged, replies, nothing, faults } = &self.verdicts;
        if self.answered == 0 {
            return;
        }
        let of = if *judged == self.answered { String::new() } else { format!(", {judged} of them judged") };
        line(text, format_args!("{BOLD}WeChat{BOLD:#}, on {} answers{of}", self.answered));
        if *judged == 0 {
            return;
        }
        line(text, format_args!("{replies:>10}  shows the reply"));
        line(text, format_args!("{nothing:>10}  shows nothing, as asked"));
        for fault in faults {
            let (count, reason) = (fault.count, printable(&fault.reason));
            line(text, format_args!("{BAD}{count:>10}{BAD:#}  does not take it: {reason}; first for {}", fault.push));
            if let Some(hint) = &fault.hint {
                line(text, format_args!("{DIM}            {hint}{DIM:#}"));
            }
        }
    }
}

/// Where this program was too slow for the rate asked for, nothing was found out about it.
fn outcome(is_taken: bool, due: u64, not_sent: &NotSent) -> Verdict {
    if is_taken && not_sent.is_much_of(due) && not_sent.late > not_sent.busy {
        return Err("the rate was not reached: this machine is too busy for it".into());
    }
    Ok(is_taken && !not_sent.is_much_of(due))
}

impl NotSent {
    fn is_much_of(&self, due: u64) -> bool {
        (self.busy + self.late) as f64 > due as f64 * LEFT_OUT
    }
}

/// A line of the table of times.
fn row(text: &mut String, what: &str, begun: &str, answered: &str) {
    line(text, format_args!("{what:>10}{begun:>10}{answered:>10}"));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.push_str(&format!("{line}\n"));
}

impl Times {
    fn of(histogram: &Histogram<u64>) -> Option<Times> {
        let milliseconds = |micros: u64| micros as f64 / 1e3;
        let within = |percent| Percentile { percent, within: milliseconds(histogram.value_at_percentile(percent)) };
        (!histogram.is_empty()).then(|| Times {
            mean: (histogram.mean() / 1e3 * 1e3).round() / 1e3,
            percentiles: PERCENTILES.map(within).into(),
            max: milliseconds(histogram.max()),
        })
    }
}

impl Times {
    /// 0 for a percentile that is none of [`PERCENTILES`].
    fn at(&self, percent: f64) -> f64 {
        let found = self.percentiles.iter().find(|percentile| percentile.percent == percent);
        found.map(|percentile| percentile.within).unwrap_or_default()
    }

    fn rows(&self) -> impl Iterator<Item = (String, String)> {
        let time = |time: f64| format!("{time:.3}");
        let percentiles = self.percentiles.iter();
        let rows = percentiles.map(move |Percentile { percent, within }| (format!("{percent} %"), time(*within)));
        rows.chain([("max".to_owned(), time(self.max))])
    }
}

/// Steps of 1, 2, 5 and so on, from the first that has an answer to the last.
fn buckets(histogram: &Histogram<u64>) -> Vec<Bucket> {
    let edges: Vec<u64> = (1..8).flat_map(|power| [1, 2, 5].map(|step| step * 10_u64.pow(power))).collect();
    let from = [0].into_iter().chain(edges.iter().copied());
    let bucket = |(from, to): (u64, u64)| Bucket {
        from: from as f64 / 1e3,
        to: to as f64 / 1e3,
        count: histogram
            .iter_recorded()
            .filter(|value| (from..to).contains(&value.value_iterated_to()))
            .map(|value| value.count_at_value())
            .sum(),
    };
    let buckets: Vec<_> = from.zip(edges.iter().copied()).map(bucket).collect();
    let is_filled = |bucket: &Bucket| bucket.count > 0;
    let first = buckets.iter().position(is_filled).unwrap_or_default();
    let behind = buckets.iter().rposition(is_filled).map_or(first, |last| last + 1);
    buckets.into_iter().take(behind).skip(first).collect()
}

/// Drawn to an eighth of a character; whatever is not nothing is seen.
fn bar(count: u64, most: u64) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (count as f64 / most.max(1) as f64 * (BAR * 8) as f64).round() as usize;
    let eighths = if count > 0 { eighths.max(1) } else { 0 };
    "█".repeat(eighths / 8) + PARTS[eighths % 8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        assert_eq!(bar(100, 100), "█".repeat(40));
        assert_eq!(bar(5, 100), "██");
        assert_eq!(bar(1, 1_000_000), "▏");
        assert_eq!(bar(0, 100), "");
    }

    #[test]
    fn a_load_of_another_rate_than_asked_is_told_and_told_whose_fault_it_is() {
        let too_slow = Err("the rate was not reached: this machine is too busy for it".to_owned());
        let cases = [
            (true, 0, 0, Ok(true)),
            (true, 5, 5, Ok(true)),
            (true, 11, 0, Ok(false)),
            (true, 6, 5, Ok(false)),
            (true, 5, 6, too_slow),
            (false, 0, 0, Ok(false)),
            (false, 0, 1000, Ok(false)),
        ];
        for (is_taken, busy, late, expected) in cases {
            let found = outcome(is_taken, 1000, &NotSent { busy, late }).map_err(|error| error.to_string());
            assert_eq!(found, expected, "{is_taken} {busy} {late}");
        }
    }

    #[test]
    fn buckets_begin_and_end_where_answers_are() {
        let mut histogram = Histogram::new_with_bounds(1, 60_000_000, 3).unwrap();
        for micros in [150, 199, 200, 900] {
            histogram.record(micros).unwrap();
        }
        let expected = [(0.1, 0.2, 2), (0.2, 0.5, 1), (0.5, 1.0, 1)];
        assert_eq!(buckets(&histogram), expected.map(|(from, to, count)| Bucket { from, to, count }));
    }
}
