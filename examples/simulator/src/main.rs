//! `wechat-simulator`: plays WeChat against any receiver of its pushes, written in anything.
//!
//! ```text
//!  send   one push, with its retries: what the follower would see
//!  list   every kind of push
//!  check  a conformance run: a table of what a receiver does right, and what each fault means in WeChat
//!  load   pushes at a rate: throughput, latency, errors
//!  chat   a page that looks like WeChat's chat, for trying by hand
//! ```
//!
//! Requests and verdicts are those of [`wechat_events::testing`]; what is here is the network, the clock and the
//! screen.

mod account;
mod chat;
mod check;
mod delivery;
mod hint;
mod kinds;
mod list;
mod load;
mod screen;
mod send;
mod shown;
mod wire;
mod words;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Plays WeChat against any receiver of its pushes, written in anything.
///
/// A receiver at an https:// address needs a certificate from an authority that Mozilla trusts: none can be added, so
/// that one with a certificate of its own is tried at http://.
///
/// Exit codes: 0 when all is well, 1 when the receiver did something that WeChat does not take, 2 when nothing could be
/// found out.
#[derive(Debug, Parser)]
#[command(name = "wechat-simulator", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Send(send::Options),
    List(list::Options),
    Check(check::Options),
    Load(load::Options),
    Chat(chat::Options),
}

/// What ends a command before it has found anything out; its text is for the user.
type Problem = Box<dyn std::error::Error + Send + Sync>;

/// Whether the receiver did all that was asked of it.
type Verdict = Result<bool, Problem>;

#[tokio::main]
async fn main() -> ExitCode {
    let found = match Cli::parse().command {
        Command::Send(options) => send::run(options).await,
        Command::List(options) => list::run(&options),
        Command::Check(options) => check::run(options).await,
        Command::Load(options) => load::run(options).await,
        Command::Chat(options) => chat::run(options).await,
    };
    match found {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(problem) => {
            anstream::eprintln!("{}error:{:#} {problem}", anstyle::AnsiColor::Red.on_default().bold(), anstyle::Reset);
            ExitCode::from(2)
        }
    }
}
