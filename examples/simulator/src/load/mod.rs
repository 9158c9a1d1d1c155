//! `load`: pushes at a rate, and how the receiver bears them.
//!
//! ```text
//!  plan    which pushes, and which of them again      a thread: prepares them ahead, and hands each out when it is due
//!  drive   connections, kept open                     a thread or more: sends, takes the time
//!  judge   what WeChat makes of the answers           a thread: all answers, or as many as it can
//!  report  the figures
//! ```

mod drive;
mod judge;
mod plan;
mod report;

use std::pin::pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueHint};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::ctrl_c;
use tokio::time::{interval, timeout};
use wechat_events::testing::PATIENCE;

use crate::Verdict;
use crate::account::Account;
use crate::screen::say;
use crate::wire::Target;
use drive::Progress;
use plan::{DEFAULT_MIX, Mix};
use report::Report;

/// Sends pushes at a rate, and reports throughput, latency, errors and verdicts.
///
/// Pushes are due on a fixed schedule, whether earlier ones are answered or not, and latency counts from when a push
/// was due: if a receiver stalls for a second, that second is in the figures of all pushes that waited. At most
/// one push per connection is under way; a push that finds none free is counted and not sent.
///
/// Ctrl-C ends the run early, with the figures so far.
///
/// Exit codes: 0 if WeChat accepts all answers; 1 if it rejects one, a push has no answer, or
/// more than 1 % of the pushes were not sent because all connections were waiting; 2 if that many were not
/// sent because this machine is too slow for the rate, there is no connection, or the command line is
/// wrong.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The receiver's address, as entered in the console.
    #[arg(value_name = "URL", value_hint = ValueHint::Url)]
    target: Target,
    #[command(flatten)]
    account: Account,
    /// Pushes a second; `max`, or 0: each connection sends the next push when it has its answer.
    #[arg(long, value_name = "N", default_value = "100")]
    rate: Rate,
    /// The length of the run.
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    seconds: Duration,
    /// Connections, kept open: the most pushes under way at once.
    #[arg(long, value_name = "C", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    connections: u32,
    /// The share of pushes that are retries of an earlier one, from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, value_parser = share)]
    retries: f64,
    /// Kinds and their weights.
    #[arg(long, value_name = "NAME=WEIGHT,…", default_value = DEFAULT_MIX)]
    mix: Mix,
    /// Opens a new connection for each push, as WeChat does.
    #[arg(long)]
    new_connections: bool,
    /// The share of answers that are judged in full, the others by status only. Default: 1, with `--rate max` 0.1.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    judge: Option<f64>,
    /// Sending threads.
    #[arg(long, value_name = "T", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: u32,
    /// Prints one JSON object instead of text, if the receiver can be reached.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Rate {
    /// As fast as answers come.
    Max,
    PerSecond(f64),
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        match text.parse::<f64>() {
            Ok(0.0) => Ok(Rate::Max),
            Ok(rate) if (0.001..=1e7).contains(&rate) => Ok(Rate::PerSecond(rate)),
            _ if text == "max" => Ok(Rate::Max),
            _ => Err("it is not `max` or a number from 0.001 to 10000000".to_owned()),
        }
    }
}

impl Options {
    /// Judging one takes a tenth of the time that sending it takes: where that is short, it would lower the throughput.
    fn judged(&self) -> f64 {
        self.judge.unwrap_or(if self.rate == Rate::Max { 0.1 } else { 1.0 })
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.001..=1e6).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("it is not a number from 0.001 to 1000000".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("it is not a number from 0 to 1".to_owned()),
    }
}

pub async fn run(options: Options) -> Verdict {
    // Whatever is wrong with the account is told before anything is sent.
    drop(options.account.wechat()?);
    match timeout(PATIENCE, options.target.connect()).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return Err(crate::wire::unreachable(&options.target, &error)),
        Err(_) => return Err(format!("no connection to {}: nothing happens for 5 s", options.target).into()),
    }
    let progress = Arc::new(Progress::default());
    let drive = {
        let (options, progress) = (options.clone(), Arc::clone(&progress));
        tokio::task::spawn_blocking(move || drive::run(&options, &progress))
    };
    let driven = watch(drive, &options, &progress).await?;
    let report = Report::of(&options, driven?);
    if options.json {
        say(serde_json::to_string(&report)?);
    } else {
        say(report.text());
    }
    report.outcome()
}

/// Waits for the end, with a bar where there is a terminal; Ctrl-C brings the end forward.
async fn watch<T>(
    mut drive: tokio::task::JoinHandle<T>,
    options: &Options,
    progress: &Progress,
) -> Result<T, tokio::task::JoinError> {
    let milliseconds = u64::try_from(options.seconds.as_millis()).unwrap_or(u64::MAX);
    let bar = ProgressBar::new(milliseconds);
    let style = ProgressStyle::with_template("{bar:30} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    let mut ticks = interval(Duration::from_millis(200));
    let mut ended = false;
    // One and the same until it has come: what comes between two of them is lost.
    let mut interrupt = pin!(interrupted());
    loop {
        tokio::select! {
            driven = &mut drive => {
                bar.finish_and_clear();
                return driven;
            }
            _ = ticks.tick() => {
                bar.set_position(u64::try_from(progress.elapsed().as_millis()).unwrap_or(u64::MAX));
                bar.set_message(progress.to_string());
            }
            () = &mut interrupt => {
                interrupt.set(interrupted());
                // What is under way is waited for, unless that was asked before.
                if ended {
                    bar.finish_and_clear();
                    std::process::exit(130);
                }
                ended = true;
                progress.end();
            }
        }
    }
}

/// Ctrl-C; never, where the system does not tell of it.
async fn interrupted() {
    if ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_or_max() {
        assert_eq!("max".parse(), Ok(Rate::Max));
        assert_eq!("0".parse(), Ok(Rate::Max));
        assert_eq!("2.5".parse(), Ok(Rate::PerSecond(2.5)));
        let error = Err("it is not `max` or a number from 0.001 to 10000000".to_owned());
        for text in ["-1", "NaN", "inf", "fast", ""] {
            assert_eq!(text.parse::<Rate>(), error, "{text}");
        }
    }

    #[test]
    fn a_share_is_from_0_to_1() {
        assert_eq!(share("0.25"), Ok(0.25));
        for text in ["1.01", "-0.1", "NaN", "half"] {
            assert_eq!(share(text), Err("it is not a number from 0 to 1".to_owned()), "{text}");
        }
    }
}
