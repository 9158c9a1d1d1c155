//! The handler of the receivers that the tests start.
//!
//! It replies to a text with that text. Three texts are commands that let `wechat-simulator check` see more of a receiver:
//! `echo TEXT` is answered with `TEXT` alone, `wait SECONDS` after that many seconds, and `number` with another number each
//! time the handler runs. `silence` gets no reply.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wechat_events::event::{Click, LocationMessage, Scan, ScancodeWaitmsg, Subscribe, Text};
use wechat_events::reply::Article;
use wechat_events::{AsyncHandler, Event, Handler, HandlerResult, Reply};

/// The most that `wait` waits, in seconds.
const PATIENCE: f64 = 60.0;

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
    Silence,
}

impl<'t> Command<'t> {
    fn read(text: &'t str) -> Option<Command<'t>> {
        match text.split_once(' ') {
            None if text == "number" => Some(Command::Number),
            None if text == "silence" => Some(Command::Silence),
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
            Some(Command::Silence) => Reply::Success,
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
            ])),
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
