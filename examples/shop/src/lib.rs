//! The account that the examples serve: its handler, and its settings from the environment.
//!
//! It answers any text with the same text. Three of them are commands, by which `wechat-simulator check` sees more of
//! a receiver than others can: `echo TEXT` is answered with `TEXT` alone, `wait SECONDS` after so long, and `number`
//! with another number each time the handler is run.

use std::env;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wechat_events::event::{Click, LocationMessage, Scan, ScancodeWaitmsg, Subscribe, Text};
use wechat_events::reply::Article;
use wechat_events::{AsyncHandler, Endpoint, Event, Handler, HandlerResult, Reply};

/// The most that `wait` waits, in seconds.
const PATIENCE: f64 = 60.0;

/// The endpoint that the environment describes: `WECHAT_TOKEN`, and with `WECHAT_AES_KEY` and `WECHAT_APP_ID` in safe
/// mode, or in compatible mode if `WECHAT_MODE` says so.
///
/// What it reports goes to standard error. A service that collects events of `tracing` leaves that out.
///
/// # Errors
/// A variable that is missing, or that the endpoint refuses.
pub fn endpoint() -> Result<Endpoint, Box<dyn Error + Send + Sync>> {
    Ok(described_by(|name| env::var(name).ok())?.on_report(|report| eprintln!("{report}")))
}

fn described_by(variables: impl Fn(&str) -> Option<String>) -> Result<Endpoint, Box<dyn Error + Send + Sync>> {
    // One that is empty, as deployments write what is not set, is as good as none.
    let given = |name| variables(name).filter(|value| !value.is_empty());
    let variable = |name| given(name).ok_or_else(|| format!("{name} is not set"));
    let token = variable("WECHAT_TOKEN")?;
    match (given("WECHAT_MODE").as_deref(), given("WECHAT_AES_KEY")) {
        (Some("plain"), _) | (None, None) => Ok(Endpoint::plain(token)?),
        (Some("compatible"), _) => {
            Ok(Endpoint::compatible(token, variable("WECHAT_APP_ID")?, variable("WECHAT_AES_KEY")?)?)
        }
        (Some("safe") | None, _) => Ok(Endpoint::safe(token, variable("WECHAT_APP_ID")?, variable("WECHAT_AES_KEY")?)?),
        (Some(mode), _) => Err(format!("WECHAT_MODE: `{mode}` is not plain, compatible or safe").into()),
    }
}

/// Where to listen: the first argument, or port 8080 of this machine alone.
#[must_use]
pub fn address() -> String {
    env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned())
}

/// Returns when the process is asked to end, by Ctrl-C or, as containers are, by SIGTERM.
pub async fn asked_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    drop(tokio::signal::ctrl_c().await);
}

/// For how long to wait for what is under way, once the process is asked to end. Deliveries are held for up to 6 s.
pub const GRACE: Duration = Duration::from_secs(10);

/// The handler.
#[derive(Debug, Default)]
pub struct Shop {
    runs: AtomicU64,
}

/// What a text asks for.
enum Command<'t> {
    Echo(&'t str),
    Wait(Duration),
    Number,
}

impl<'t> Command<'t> {
    fn read(text: &'t str) -> Option<Command<'t>> {
        match text.split_once(' ') {
            None if text == "number" => Some(Command::Number),
            Some(("echo", rest)) => Some(Command::Echo(rest)),
            Some(("wait", seconds)) => {
                let seconds = seconds.parse().ok().filter(|seconds| (0.0..=PATIENCE).contains(seconds))?;
                Some(Command::Wait(Duration::from_secs_f64(seconds)))
            }
            _ => None,
        }
    }
}

impl Shop {
    fn answer(&self, command: Option<Command<'_>>, text: &Text<'_>) -> HandlerResult {
        Ok(match command {
            Some(Command::Echo(rest)) => Reply::text(rest),
            Some(Command::Number | Command::Wait(_)) => self.number(),
            None => Reply::text(format!("You said: {}", text.content)),
        })
    }

    fn number(&self) -> Reply {
        Reply::text(format!("number {}", self.runs.fetch_add(1, Ordering::Relaxed) + 1))
    }
}

impl Handler for Shop {
    fn subscribe(&self, _: &Event<'_>, subscribe: &Subscribe<'_>) -> HandlerResult {
        Ok(Reply::text(match subscribe.scene() {
            Some(scene) => format!("Welcome to table {scene}!"),
            None => "Welcome!".to_owned(),
        }))
    }

    fn scan(&self, _: &Event<'_>, scan: &Scan<'_>) -> HandlerResult {
        Ok(Reply::text(format!("You are at table {}.", scan.scene())))
    }

    fn click(&self, _: &Event<'_>, click: &Click<'_>) -> HandlerResult {
        match &*click.event_key {
            "DISHES" => Ok(Reply::news([
                Article::new("Noodles", "Pulled by hand", "", "https://example.com/noodles"),
                Article::new("Dumplings", "Twelve of them", "", "https://example.com/dumplings"),
            ])?),
            key => Ok(Reply::text(format!("You pressed {key}."))),
        }
    }

    fn scancode_waitmsg(&self, _: &Event<'_>, scan: &ScancodeWaitmsg<'_>) -> HandlerResult {
        Ok(Reply::text(format!("It says: {}", scan.scan_result.as_deref().unwrap_or_default())))
    }

    fn location_message(&self, _: &Event<'_>, location: &LocationMessage<'_>) -> HandlerResult {
        Ok(Reply::text(format!("We deliver to {}.", location.label.as_deref().unwrap_or("you"))))
    }

    fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        match Command::read(&text.content) {
            Some(Command::Wait(time)) => {
                std::thread::sleep(time);
                Ok(self.number())
            }
            command => self.answer(command, text),
        }
    }
}

/// The same, but it waits without a thread.
impl AsyncHandler for Shop {
    async fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        match Command::read(&text.content) {
            Some(Command::Wait(time)) => {
                tokio::time::sleep(time).await;
                Ok(self.number())
            }
            command => self.answer(command, text),
        }
    }

    async fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
        event.dispatch(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_is_what_is_set_and_what_is_empty_is_not() {
        const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
        for (token, mode, app_id, key, expected) in [
            ("T", "", "", "", Ok("cipher: None")),
            ("T", "plain", "wx0", KEY, Ok("cipher: None")),
            ("T", "", "wx0", KEY, Ok("compatible: false")),
            ("T", "compatible", "wx0", KEY, Ok("compatible: true")),
            ("", "", "", "", Err("WECHAT_TOKEN is not set")),
            ("T", "", "", KEY, Err("WECHAT_APP_ID is not set")),
            ("T", "safe", "wx0", "", Err("WECHAT_AES_KEY is not set")),
            ("T", "Safe", "wx0", KEY, Err("WECHAT_MODE: `Safe` is not plain, compatible or safe")),
        ] {
            let given =
                [("WECHAT_TOKEN", token), ("WECHAT_MODE", mode), ("WECHAT_APP_ID", app_id), ("WECHAT_AES_KEY", key)];
            let found = described_by(|name| {
                given.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned())
            });
            match (found, expected) {
                (Ok(endpoint), Ok(expected)) => {
                    let shown = format!("{endpoint:?}");
                    assert!(shown.contains(expected), "{shown}");
                }
                (found, expected) => {
                    assert_eq!(found.map_err(|error| error.to_string()).err().as_deref(), expected.err())
                }
            }
        }
    }
}
