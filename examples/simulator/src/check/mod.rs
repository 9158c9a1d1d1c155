//! `check`: plays WeChat and an attacker, and tells what a receiver does right.
//!
//! A check is a row of a table: what is sent, what passes, what a failure means in WeChat, and the function that finds
//! out. The tables stand by group, in a file each.

mod address;
mod end;
mod forged;
mod joins;
mod kinds;
mod receiver;
mod retries;
mod screen;
mod text;

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
use crate::wire::Target;
use crate::{Problem, Verdict};
use receiver::Receiver;
use screen::Screen;

/// Plays WeChat and an attacker against a receiver: a table of what it does right, and what each fault means in WeChat.
///
/// Exit codes: 0 when nothing failed, 1 when something did, 2 when the receiver cannot be reached. A warning is no
/// failure: it is about what no official page settles, or about what WeChat forgives.
///
/// Run it against a receiver that may be filled with made-up followers: every kind of push is sent, and some sixty
/// texts. Nothing is sent twice by two runs.
///
/// # What can be seen
///
/// From outside an answer tells only so much. A receiver that answers these texts shows more of itself; what needs one
/// that it does not know is skipped, and the table says so:
///
///   echo TEXT      answered with TEXT alone
///   number         answered with another text each time the handler runs: «number 7»
///   wait SECONDS   the same as `number`, after so many seconds
///
/// A refused push is one that is not answered with a reply. Where a receiver answers `success` to a genuine text too,
/// a refusal cannot be told from it, unless by its status.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Options {
    /// The receiver's address, as it is entered in the console.
    url: Target,
    #[command(flatten)]
    account: Account,
    /// Only these checks or groups of checks.
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    only: Vec<String>,
    /// Without these checks or groups of checks: for what a receiver is known not to do.
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    skip: Vec<String>,
    /// One JSON object instead of the table.
    #[arg(long)]
    json: bool,
}

/// What checks have in common, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Group {
    Address,
    Forged,
    Kinds,
    Text,
    Retries,
    Joins,
    End,
}

impl Group {
    fn name(self) -> &'static str {
        match self {
            Group::Address => "address",
            Group::Forged => "forged",
            Group::Kinds => "kinds",
            Group::Text => "text",
            Group::Retries => "retries",
            Group::Joins => "joins",
            Group::End => "end",
        }
    }

    /// Checks of one phase run at once; the next begins when they are done, so that what one does to the receiver is not
    /// blamed on another.
    fn phase(self) -> u8 {
        match self {
            Group::Address | Group::Forged | Group::Kinds | Group::Text | Group::Retries => 0,
            Group::Joins => 1,
            Group::End => 9,
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
    /// Why it cannot be told.
    Skipped(String),
}

fn fail<T>(seen: impl fmt::Display) -> Result<T, Miss> {
    Err(Miss::Failed(seen.to_string()))
}

fn skip<T>(why: impl fmt::Display) -> Result<T, Miss> {
    Err(Miss::Skipped(why.to_string()))
}

/// Longer than any check takes: three deliveries and what follows them.
const LONGEST: Duration = Duration::from_secs(40);

fn checks() -> Vec<Check> {
    [address::CHECKS, forged::CHECKS, kinds::CHECKS, text::CHECKS, retries::CHECKS, joins::CHECKS, end::CHECKS].concat()
}

impl Options {
    /// Which checks are in the table, and which of them run.
    fn chosen(&self) -> Result<Vec<(Check, bool)>, Problem> {
        let checks = checks();
        let known = |name: &String| checks.iter().any(|check| is_named(check, name));
        if let Some(name) = self.only.iter().chain(&self.skip).find(|name| !known(name)) {
            return Err(format!("`{name}` is no check and no group of checks").into());
        }
        let mode = self.account.mode();
        let named = |names: &[String], check| names.iter().any(|name| is_named(check, name));
        Ok(checks
            .iter()
            .filter(|check| check.modes.contains(&mode) && (self.only.is_empty() || named(&self.only, check)))
            .map(|check| (*check, !named(&self.skip, check)))
            .collect())
    }
}

fn is_named(check: &Check, name: &str) -> bool {
    name == check.id || name == check.group.name()
}

pub async fn run(options: Options) -> Verdict {
    let mut chosen = options.chosen()?;
    chosen.sort_by_key(|(check, _)| check.group);
    let begun = Instant::now();
    let receiver = Receiver::meet(options.url.clone(), &options.account).await?;
    let mut screen = Screen::new(&receiver, chosen.iter().map(|(check, _)| *check).collect(), options.json);
    for (place, _) in chosen.iter().enumerate().filter(|(_, (_, runs))| !runs) {
        screen.found(place, Err(Miss::Skipped("by request".to_owned())));
    }
    let mut waiting: Vec<_> = chosen.iter().enumerate().filter(|(_, (_, runs))| *runs).collect();
    while let Some(phase) = waiting.iter().map(|(_, (check, _))| check.group.phase()).min() {
        let mut now: FuturesUnordered<_> = waiting
            .iter()
            .filter(|(_, (check, _))| check.group.phase() == phase)
            .map(|&(place, (check, _))| {
                let receiver = &receiver;
                async move {
                    let outcome = timeout(LONGEST, (check.run)(receiver)).await;
                    (place, outcome.unwrap_or_else(|_| fail(format!("it was not over after {LONGEST:?}"))))
                }
            })
            .collect();
        while let Some((place, outcome)) = now.next().await {
            screen.found(place, outcome);
        }
        drop(now);
        waiting.retain(|(_, (check, _))| check.group.phase() != phase);
    }
    Ok(screen.end(begun.elapsed()))
}
