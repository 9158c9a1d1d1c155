//! `check`: plays WeChat and an attacker, and reports what a receiver does right.
//!
//! A check is a row of a table: what is sent, what passes, what a failure means in WeChat, and the function that finds
//! out. The tables stand by group, in a file each; tests/check has for each row a receiver that fails it.
//!
//! A receiver may know three texts, by which more of it is seen (`Receiver::meet` finds out which it knows):
//!
//! ```text
//! echo TEXT     answered with TEXT alone: what the handler got, and whether a forged push has reached it
//! number        answered with a different text each time the handler runs: whether it ran twice for one push
//! wait SECONDS  the same after that many seconds: what becomes of slow handlers and their retries
//! ```

mod address;
mod answers;
mod captured;
mod end;
mod forged;
mod hostile;
mod joins;
mod json;
mod kinds;
mod payments;
mod receiver;
mod retries;
mod screen;
mod slow;
mod text;
mod xml;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use clap::Args;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use tokio::time::{Instant, timeout};

use crate::account::{Account, Mode};
use crate::kinds::nearest;
use crate::wire::Target;
use crate::{Problem, Verdict};
use receiver::Receiver;
use screen::Screen;

/// Plays WeChat and an attacker against a receiver: what it does right, and what each fault means in WeChat.
///
/// Exit codes: 0 if nothing failed, 1 if something did or the receiver went down, 2 if it cannot be reached at all. A
/// warning is not a failure: no official page settles it, WeChat forgives it, or the result is not certain.
///
/// Run it against a test instance: it sends some six hundred pushes of every kind, from made-up users.
/// Each run sends new ones. It takes about 25 seconds, and longer if the receiver does not answer.
///
/// Answers alone tell only so much. A receiver that knows the three texts below shows more; a check that needs
/// one that it does not know is skipped, and the report says so.
///
/// The answer to a payment (xpay_…, minigame_…) is a code. Receivers are checked for it if they answer a payment with
/// something like a code; with `--payments`, or with such a check in `--only`, all are.
///
/// A push counts as refused if the answer is not a reply; no answer is a warning. If a receiver returns `success`
/// to a genuine text too, only the status can show a refusal.
#[derive(Debug, Args)]
#[command(after_long_help = listing())]
pub struct Options {
    /// The receiver's address, as entered in the console.
    url: Target,
    #[command(flatten)]
    account: Account,
    /// Runs only these checks or groups, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    only: Vec<String>,
    /// Leaves out these checks or groups, separated by commas: for what a receiver is known not to do.
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    skip: Vec<String>,
    /// Checks the answers to payments even if the receiver answers them like any other event.
    #[arg(long)]
    payments: bool,
    /// Seconds that the handler waits in slow-second, slow-third and slow-late, separated by commas.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "SECONDS",
        value_parser = slow::seconds,
        default_value = slow::SECONDS
    )]
    slow: Vec<f64>,
    /// Prints one JSON object instead of the table, if the receiver can be reached.
    #[arg(long)]
    json: bool,
}

/// What checks have in common, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Group {
    Address,
    Answers,
    Forged,
    Kinds,
    Text,
    Xml,
    Json,
    Payments,
    Retries,
    Joins,
    Slow,
    Hostile,
    End,
}

/// Checks of one phase run when those of the phase before are done and the receiver is at rest, so that what one does to
/// it is not blamed on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// All at once.
    Quick,
    /// One after another, each when the receiver is done with the one before.
    Joins,
    /// All at once: a quarter of a minute.
    Slow,
    /// One after another, and after each it is asked whether the receiver lives.
    Hostile,
    End,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Phase::Quick => "the quick checks",
            Phase::Joins => "joins",
            Phase::Slow => "slow",
            Phase::Hostile => "hostile",
            Phase::End => "end",
        }
    }

    fn under_way(self) -> &'static str {
        match self {
            Phase::Quick => "quick checks, all at once",
            Phase::Joins => "many requests at once",
            Phase::Slow => "slow handlers, for 16 seconds",
            Phase::Hostile => "hostile pushes, one after another",
            Phase::End => "whether the receiver is still up",
        }
    }
}

impl Group {
    fn name(self) -> &'static str {
        match self {
            Group::Address => "address",
            Group::Answers => "answers",
            Group::Forged => "forged",
            Group::Kinds => "kinds",
            Group::Text => "text",
            Group::Xml => "xml",
            Group::Json => "json",
            Group::Payments => "payments",
            Group::Retries => "retries",
            Group::Joins => "joins",
            Group::Slow => "slow",
            Group::Hostile => "hostile",
            Group::End => "end",
        }
    }

    fn phase(self) -> Phase {
        match self {
            Group::Joins => Phase::Joins,
            Group::Slow => Phase::Slow,
            Group::Hostile => Phase::Hostile,
            Group::End => Phase::End,
            _ => Phase::Quick,
        }
    }
}

/// How bad a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// Something in WeChat goes wrong, or somebody can do harm.
    Must,
    /// No official page settles it, or WeChat forgives it: a warning.
    Should,
}

type Running<'r> = Pin<Box<dyn Future<Output = Outcome> + Send + 'r>>;

/// A row of the table.
#[derive(Clone, Copy)]
struct Check {
    id: &'static str,
    group: Group,
    level: Level,
    modes: &'static [Mode],
    /// What is sent.
    sends: &'static str,
    /// What passes, and why.
    passes: &'static str,
    /// What a failure means in WeChat.
    means: &'static str,
    run: for<'r> fn(&'r Receiver) -> Running<'r>,
}

const ALL: &[Mode] = &[Mode::Plain, Mode::Compatible, Mode::Safe];
const PLAIN: &[Mode] = &[Mode::Plain];
const SEALED: &[Mode] = &[Mode::Compatible, Mode::Safe];

/// What was found out; a note, if there is something to say.
type Outcome = Result<String, Miss>;

/// Why a check did not pass.
#[derive(Debug, Clone)]
enum Miss {
    /// What was seen instead.
    Failed(String),
    /// The same, and the receiver did not outlive it: a failure at any level.
    Ended(String),
    /// What was seen, which may be a failure and may be none: a warning at any level.
    Doubtful(String),
    /// Why it cannot be told.
    Skipped(String),
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Miss::Failed(text) | Miss::Ended(text) | Miss::Doubtful(text) | Miss::Skipped(text)) = self;
        f.write_str(text)
    }
}

fn fail<T>(seen: impl fmt::Display) -> Result<T, Miss> {
    Err(Miss::Failed(seen.to_string()))
}

fn doubt<T>(seen: impl fmt::Display) -> Result<T, Miss> {
    Err(Miss::Doubtful(seen.to_string()))
}

fn skip<T>(why: impl fmt::Display) -> Result<T, Miss> {
    Err(Miss::Skipped(why.to_string()))
}

/// Longer than any check takes that does not wait for the requests of others: three deliveries and what follows them.
const LONGEST: Duration = Duration::from_secs(40);

fn checks() -> Vec<Check> {
    [
        address::CHECKS,
        answers::CHECKS,
        forged::CHECKS,
        captured::CHECKS,
        kinds::CHECKS,
        text::CHECKS,
        xml::CHECKS,
        json::CHECKS,
        payments::CHECKS,
        retries::CHECKS,
        joins::CHECKS,
        slow::CHECKS,
        hostile::CHECKS,
        end::CHECKS,
    ]
    .concat()
}

impl Options {
    /// The rows of the table; with each why it is not run, if it is not.
    fn chosen(&self) -> Result<Vec<(Check, Option<String>)>, Problem> {
        let checks = checks();
        let known = |name: &String| checks.iter().any(|check| is_named(check, name));
        if let Some(name) = self.only.iter().chain(&self.skip).find(|name| !known(name)) {
            let names = checks.iter().flat_map(|check| [check.id, check.group.name()]).map(|name| (name, name));
            let meant = match &*nearest(name, names) {
                [] => String::new(),
                meant => format!("; did you mean {}?", meant.join(" or ")),
            };
            return Err(format!("`{name}` is not a check or a group of checks{meant}").into());
        }
        let mode = self.account.mode();
        let rows = checks.into_iter().filter_map(|check| {
            let asked_for = self.only.iter().any(|name| *name == check.id);
            let in_mode = check.modes.contains(&mode);
            if !asked_for && !(in_mode && (self.only.is_empty() || is_any(&check, &self.only))) {
                return None;
            }
            let not_run = match () {
                () if !in_mode => Some(format!("not in {mode:?} mode").to_lowercase()),
                () if is_any(&check, &self.skip) => Some("left out by --skip".to_owned()),
                () => None,
            };
            Some((check, not_run))
        });
        Ok(rows.collect())
    }
}

/// Adds the check of a genuine text, if there is a check that says nothing without: else nothing would fail.
fn add_genuine(chosen: &mut Vec<(Check, Option<String>)>) {
    let is_there = chosen.iter().any(|(check, _)| check.id == answers::GENUINE);
    let needs_it = |(check, not_run): &(Check, Option<String>)| {
        not_run.is_none() && !matches!(check.group, Group::Address | Group::End)
    };
    if !is_there && chosen.iter().any(needs_it) {
        let place = chosen.partition_point(|(check, _)| check.group < Group::Answers);
        let genuine = answers::CHECKS.iter().filter(|check| check.id == answers::GENUINE);
        chosen.splice(place..place, genuine.map(|check| (*check, None)));
    }
}

/// What stands below the options in the help: the texts that a receiver may know, and every check with what it sends.
///
/// clap breaks long lines and indents what follows as the line, so each line begins one column, and no table has two.
fn listing() -> String {
    let mut listing = "Texts that show more:
  echo TEXT
          answered with TEXT alone
  number
          answered with a different text each time the handler runs: «number 7»
  wait SECONDS
          the same as `number`, after that many seconds

Checks, by group:"
        .to_owned();
    let mut above = None;
    for check in checks() {
        if above.replace(check.group) != Some(check.group) {
            listing.push_str(&format!("\n  {}\n", check.group.name()));
        }
        let level = if check.level == Level::Should { " (warns)" } else { "" };
        listing.push_str(&format!("    {}{level}\n          {}\n", check.id, check.sends));
    }
    listing
}

fn is_any(check: &Check, names: &[String]) -> bool {
    names.iter().any(|name| is_named(check, name))
}

fn is_named(check: &Check, name: &str) -> bool {
    name == check.id || name == check.group.name()
}

pub async fn run(options: Options) -> Verdict {
    let mut chosen = options.chosen()?;
    let slow = <[f64; 3]>::try_from(&*options.slow).map_err(|_| "--slow needs three numbers, such as 6,12,20")?;
    let begun = Instant::now();
    let payments = options.payments || payments::CHECKS.iter().any(|check| is_any(check, &options.only));
    let receiver = Receiver::meet(options.url.clone(), &options.account, slow, payments).await?;
    if receiver.needs_genuine().is_err() {
        add_genuine(&mut chosen);
    }
    let mut screen = Screen::new(&receiver, chosen.iter().map(|(check, _)| *check).collect(), options.json);
    let mut phases = BTreeMap::<Phase, Vec<(usize, Check)>>::new();
    for (place, (check, not_run)) in chosen.into_iter().enumerate() {
        match not_run {
            None => phases.entry(check.group.phase()).or_default().push((place, check)),
            Some(why) => screen.found(place, skip(why), Duration::ZERO),
        }
    }
    let mut gone_since = None;
    let mut before = None;
    for (phase, checks) in phases {
        screen.under_way(phase.under_way());
        if let Some(before) = before.replace(phase)
            && gone_since.is_none()
            && !receiver.is_left_alive().await
        {
            gone_since = Some(before.name());
        }
        match phase {
            Phase::Quick | Phase::Slow if gone_since.is_none() => {
                let outcome = |(place, check): (usize, Check)| {
                    let receiver = &receiver;
                    async move {
                        let begun = Instant::now();
                        (place, found(receiver, check).await, begun.elapsed())
                    }
                };
                let mut running: FuturesUnordered<_> = checks.into_iter().map(outcome).collect();
                while let Some((place, outcome, took)) = running.next().await {
                    screen.found(place, outcome, took);
                }
            }
            _ => {
                for (place, check) in checks {
                    let begun = Instant::now();
                    let mut outcome = match gone_since {
                        Some(since) if phase != Phase::End => skip(format!("the receiver has been gone since {since}")),
                        _ => found(&receiver, check).await,
                    };
                    let outlived = match phase {
                        _ if gone_since.is_some() => true,
                        // A handler for each of the 50 deliveries may run yet.
                        Phase::Joins => receiver.is_left_alive().await,
                        Phase::Hostile => receiver.lives().await,
                        Phase::Quick | Phase::Slow | Phase::End => true,
                    };
                    if !outlived {
                        gone_since = Some(check.id);
                        let seen = outcome.err().map_or(String::new(), |miss| format!("{miss}\n"));
                        outcome =
                            Err(Miss::Ended(format!("{seen}after that the receiver no longer confirms its address")));
                    }
                    screen.found(place, outcome, begun.elapsed());
                }
            }
        }
    }
    Ok(screen.end(begun.elapsed(), gone_since))
}

/// Runs a check; once more if it does not pass and the simulator itself stood still, for then it may not be the receiver
/// that was late.
async fn found(receiver: &Receiver, check: Check) -> Outcome {
    let stalls = receiver.target.stalls();
    let outcome = in_time(receiver, check).await;
    if outcome.is_ok() || receiver.target.stalls() == stalls {
        return outcome;
    }
    let stalls = receiver.target.stalls();
    match in_time(receiver, check).await {
        Err(Miss::Failed(seen)) if receiver.target.stalls() > stalls => {
            fail(format!("{seen}\n(the simulator itself stood still for a while, twice: is the machine busy?)"))
        }
        outcome => outcome,
    }
}

async fn in_time(receiver: &Receiver, check: Check) -> Outcome {
    let running = (check.run)(receiver);
    if check.group.phase() == Phase::Quick {
        // Each of its requests has its end; before each it may wait for those of all others.
        return running.await;
    }
    let outcome = timeout(LONGEST, running).await;
    outcome.unwrap_or_else(|_| fail(format!("it was not over after {} seconds", LONGEST.as_secs())))
}
