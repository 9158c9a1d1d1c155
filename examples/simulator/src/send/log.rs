//! What `send` shows of a push and its deliveries.

use std::time::Duration;

use serde::Serialize;
use wechat_events::event::Takes;
use wechat_events::testing::{self, Plan, Request};

use super::Options;
use crate::account::Mode;
use crate::delivery::Step;
use crate::hint::hint_to;
use crate::screen::{BAD, BOLD, DIM, GOOD, indented, printable, say};
use crate::shown::{Shown, is_asked_by_wechat};
use crate::wire::{Answered, Lost, Silence, unreachable};
use crate::{Problem, Verdict};

/// What the screen shows, or the JSON has in the end.
pub struct Log<'o> {
    options: &'o Options,
    pub takes: Takes,
    /// None for the check of the address.
    pub plan: Option<Plan>,
    /// Whether there is silence upon which WeChat sends again.
    retries: bool,
    name: String,
    message: String,
    attempts: Vec<Attempt>,
    /// The first connection failed: nothing can be found out.
    pub unreachable: Option<Problem>,
    /// The last delivery has no answer, and it was not the time for one that was short.
    lost: Option<Lost>,
}

/// One delivery, for `--json`. Times are in seconds from the first.
#[derive(Serialize)]
struct Attempt {
    sent: f64,
    /// When WeChat would have sent it.
    due: f64,
    ended: f64,
    method: &'static str,
    path: String,
    /// As it went over the wire.
    body: String,
    /// `null` without an answer; then `error` says why.
    answer: Option<ShownAnswer>,
    error: Option<String>,
    verdict: String,
}

#[derive(Serialize)]
struct ShownAnswer {
    status: u16,
    /// As it came over the wire.
    body: String,
    /// What a sealed one says.
    opened: Option<String>,
    /// Without it, the answer came in chunks, or until the end of the connection.
    has_length: bool,
}

/// The whole of `--json`.
#[derive(Serialize)]
struct Report {
    /// The kind's name.
    push: String,
    to: String,
    mode: Mode,
    /// What the push says, in the clear.
    message: String,
    attempts: Vec<Attempt>,
    /// Whether WeChat is content: the exit code is 0.
    content: bool,
    follower: Shown,
    hint: Option<String>,
    notes: Vec<String>,
}

/// As people say it, in the two largest units.
fn spelt(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let units = [(hours, "h"), (minutes, "min"), (seconds, "s")];
    let units = units.iter().filter(|(count, _)| *count > 0).take(2).map(|(count, unit)| format!("{count} {unit}"));
    match units.collect::<Vec<_>>().join(" ") {
        none if none.is_empty() => "0 s".to_owned(),
        spelt => spelt,
    }
}

impl<'o> Log<'o> {
    pub fn of(options: &'o Options) -> Log<'o> {
        let retries = !options.once && !options.address_check;
        let (name, message) = (String::new(), String::new());
        let (takes, plan) = (Takes::Success, None);
        Log { options, takes, plan, retries, name, message, attempts: Vec::new(), unreachable: None, lost: None }
    }

    pub fn begin(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        if !self.options.json {
            let mode = format!("{:?}", self.options.account.mode()).to_lowercase();
            say(format_args!("{BOLD}{}{BOLD:#} to {}, mode {mode}\n", printable(name), self.options.to));
        }
    }

    pub fn step(&mut self, step: &Step<'_>) {
        match step {
            Step::Sent { attempt, at, request } => {
                let due = match request.due {
                    due if *attempt > 1 && is_asked_by_wechat(self.takes) => {
                        format!(", in WeChat {} after the first", spelt(due))
                    }
                    _ => String::new(),
                };
                self.line(*at, &format!("delivery {attempt}{due}"));
                if self.options.verbose && !self.options.json {
                    say(indented(&self.request(request), "           > "));
                }
                self.message = String::from_utf8_lossy(&request.message).into_owned();
                self.attempts.push(Attempt {
                    sent: at.as_secs_f64(),
                    due: request.due.as_secs_f64(),
                    ended: 0.0,
                    method: request.method,
                    path: self.options.to.path(&request.query),
                    body: String::from_utf8_lossy(&request.body).into_owned(),
                    answer: None,
                    error: None,
                    verdict: String::new(),
                });
            }
            Step::Ended { attempt, at, came, verdict, .. } => {
                let (answer, error) = match came {
                    Ok(answered) => (Some(self.answer(answered)), None),
                    Err(silence) => (None, Some(silence.to_string())),
                };
                self.line(*at, &self.outcome(*attempt, came, verdict));
                if let Ok(answered) = came
                    && self.options.verbose
                    && !self.options.json
                {
                    say(indented(&self.answer_head(answered), "           < "));
                }
                if let Err(Silence::Unreachable(error)) = came
                    && *attempt == 1
                {
                    self.unreachable = Some(unreachable(&self.options.to, error));
                }
                self.lost = came.as_ref().err().and_then(Silence::lost);
                if let Some(last) = self.attempts.last_mut() {
                    last.ended = at.as_secs_f64();
                    last.answer = answer;
                    last.error = error;
                    last.verdict = verdict.to_string();
                }
            }
        }
    }

    fn line(&self, at: Duration, text: &str) {
        if !self.options.json {
            say(format_args!("{DIM}{:>7.3} s{DIM:#}  {text}", at.as_secs_f64()));
        }
    }

    /// What came, and what WeChat does.
    fn outcome(&self, attempt: usize, came: &Result<Answered, Silence>, verdict: &testing::Verdict) -> String {
        let pauses = self.plan.map_or(0, |plan| plan.pauses.len());
        let is_last = attempt > pauses;
        let silent = match came {
            Err(Silence::Unreachable(error)) if attempt == 1 => return format!("{BAD}no connection{BAD:#}: {error}"),
            Err(silence) => silence,
            Ok(answered) => {
                let (style, does) = match verdict {
                    testing::Verdict::Accepted(_) => (GOOD, "shows the reply"),
                    testing::Verdict::Silent if is_asked_by_wechat(self.takes) => (GOOD, "is done with it"),
                    testing::Verdict::Silent => (GOOD, "shows nothing, as asked"),
                    testing::Verdict::PushedAgain(_) if is_last => (BAD, "gives up"),
                    testing::Verdict::PushedAgain(_) => (BAD, "will send it again"),
                    testing::Verdict::Confirmed => (GOOD, "confirms the address"),
                    testing::Verdict::Refused(_) => (BAD, "does not confirm the address"),
                    testing::Verdict::FaultLine(_) => (BAD, "shows its fault line"),
                    _ => (BAD, "ignores the answer"),
                };
                let (status, after, bytes) = (answered.status, answered.after.as_secs_f64(), answered.body.len());
                return format!("status {status} after {after:.3} s, {bytes} bytes: {style}WeChat {does}{style:#}");
            }
        };
        let does = match (self.retries, is_last) {
            (true, false) => "will send it again",
            (true, true) if pauses == 0 => "decides without it",
            (true, true) => "gives up",
            (false, _) if silent.is_late() => "hangs up",
            (false, _) => "has no answer",
        };
        format!("{silent}: {BAD}WeChat {does}{BAD:#}")
    }

    /// The request as it is on the wire, but in the clear.
    fn request(&self, request: &Request) -> String {
        let mut text = format!(
            "{} {} HTTP/1.1\nHost: {}",
            request.method,
            self.options.to.path(&request.query),
            self.options.to.host()
        );
        if !request.content_type.is_empty() {
            let length = request.body.len();
            text.push_str(&format!("\nContent-Type: {}\nContent-Length: {length}\n\n", request.content_type));
            if self.options.account.mode() != Mode::Plain {
                text.push_str("(opened)\n");
            }
            text.push_str(String::from_utf8_lossy(&request.message).trim_end());
        }
        printable(&text)
    }

    /// The answer as it is on the wire, but in the clear.
    fn answer_head(&self, answered: &Answered) -> String {
        let mut text = format!("{:?} {}\n", answered.version, answered.status);
        for (name, value) in &answered.headers {
            text.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
        }
        text.push('\n');
        match self.options.account.open(&answered.body) {
            Some(opened) => text.push_str(&format!("(opened)\n{}", String::from_utf8_lossy(&opened))),
            None => text.push_str(&String::from_utf8_lossy(&answered.body)),
        }
        printable(text.trim_end())
    }

    fn answer(&self, answered: &Answered) -> ShownAnswer {
        ShownAnswer {
            status: answered.status,
            body: String::from_utf8_lossy(&answered.body).into_owned(),
            opened: self.options.account.open(&answered.body).map(|text| String::from_utf8_lossy(&text).into_owned()),
            has_length: answered.has_length(),
        }
    }

    /// What the follower sees, and why.
    pub fn end(self, verdict: &testing::Verdict) -> Verdict {
        let (takes, lost) = (self.takes, self.lost.as_ref());
        let follower = Shown::of(takes, verdict, lost);
        let reason = follower.reason().map(str::to_owned);
        let (content, hint) = (reason.is_none(), hint_to(takes, verdict, lost).map(|hint| hint.to_string()));
        let notes = self.notes(content);
        let Log { options, name, message, attempts, .. } = self;
        let mode = options.account.mode();
        if options.json {
            let to = options.to.to_string();
            let report = Report { push: name, to, mode, message, attempts, content, follower, hint, notes };
            say(serde_json::to_string(&report)?);
            return Ok(content);
        }
        let who = match takes {
            _ if options.address_check => "The console says",
            Takes::Code | Takes::IosRefund => "WeChat",
            _ => "The follower sees",
        };
        let style = if content { GOOD } else { BAD };
        say(format_args!("\n{BOLD}{who}{BOLD:#}"));
        for line in printable(&follower.to_string()).lines() {
            say(format_args!("  {style}{line}{style:#}"));
        }
        if let Some(reason) = reason {
            say(format_args!("{BOLD}because{BOLD:#}\n  {}", printable(&reason)));
        }
        if let Some(hint) = hint {
            say(format_args!("{BOLD}hint{BOLD:#}\n  {hint}"));
        }
        for note in notes {
            say(format_args!("{BOLD}note{BOLD:#}\n  {note}"));
        }
        Ok(content)
    }

    /// What WeChat lets pass this time, and what it does where this was made short.
    fn notes(&self, content: bool) -> Vec<String> {
        let answers = self.attempts.iter().filter_map(|attempt| attempt.answer.as_ref());
        let mut notes = Vec::new();
        if let Some(plan) = self.plan.filter(|_| self.takes == Takes::Code && self.attempts.len() > 1) {
            let pauses: Vec<_> = plan.pauses.iter().map(|pause| spelt(*pause)).collect();
            let (waits, all) = (spelt(plan.patience), spelt(plan.pauses.iter().sum()));
            notes.push(format!(
                "WeChat waits {waits} for an answer, and sends a payment again after {}: {} times in {all}.",
                pauses.join(", "),
                pauses.len()
            ));
        } else if content && self.attempts.len() > 1 {
            notes.push("WeChat tells the account's owner of each delivery that is not answered in time.".to_owned());
        }
        if answers.filter(|answer| answer.status == 200).any(|answer| !answer.has_length) {
            notes.push(
                "The answer has no Content-Length. WeChat was seen to refuse those to the address check.".to_owned(),
            );
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spelt_in_their_two_largest_units() {
        let spelt = |seconds| spelt(Duration::from_secs(seconds));
        assert_eq!(
            [0, 2, 60, 64, 3_600, 65_534].map(spelt),
            ["0 s", "2 s", "1 min", "1 min 4 s", "1 h", "18 h 12 min"]
        );
    }
}
