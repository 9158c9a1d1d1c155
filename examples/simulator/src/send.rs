//! `send`: one push, and what the follower sees.

use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueHint};
use serde::Serialize;
use tokio::time::Instant;
use wechat_events::event::KindInfo;
use wechat_events::testing::{self, Draft, PATIENCE, Reason, Request, WeChat};
use wechat_events::{Event, parse_event};

use crate::account::{Account, Mode, now};
use crate::delivery::{Step, deliver_while};
use crate::hint::hint_to;
use crate::screen::{BAD, BOLD, DIM, GOOD, indented, printable, say};
use crate::shown::Shown;
use crate::wire::{Answered, Lost, Silence, Target, unreachable};
use crate::{Problem, Verdict, kinds};

/// Sends one push as WeChat does, with its retries, and says what the follower sees.
///
/// WeChat waits 5 s for an answer, and sends the push again after 5 and after 10 s when there is none.
///
/// Exit codes: 0 when WeChat is content with the answer, 1 when the follower sees the fault line, the answer is lost or
/// the address is refused, 2 when there is no connection at all or the command line is wrong.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The kind by its name on the wire, such as text, SCAN or CLICK; `list` shows all.
    #[arg(required_unless_present_any = ["raw", "address_check"], conflicts_with_all = ["raw", "address_check"])]
    event: Option<String>,
    /// The receiver's address, as it is entered in the console.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    to: Target,
    #[command(flatten)]
    account: Account,
    /// Sets a field, such as EventKey=7 or ScanCodeInfo/ScanResult=1; can be repeated.
    #[arg(long, value_name = "PATH=VALUE", conflicts_with = "address_check")]
    set: Vec<Change>,
    /// Sends this file's XML or JSON instead, `-` for standard input, as it is: sent twice, it is a retry.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    raw: Option<PathBuf>,
    /// Sends the check of the address, as when the console's button is pressed, and no push.
    #[arg(long, alias = "check-address", conflicts_with = "raw")]
    address_check: bool,
    /// Takes a name that is no kind: an event of that name, as when WeChat has something new.
    #[arg(long, conflicts_with_all = ["raw", "address_check"])]
    unknown: bool,
    /// Sends it once: no retries.
    #[arg(long, conflicts_with = "address_check")]
    once: bool,
    /// Shows requests and answers, in the clear.
    #[arg(long, short)]
    verbose: bool,
    /// Prints one JSON object when all is over, instead of words, if there is anybody to be reached.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  wechat-simulator send text --set Content=hello --to http://127.0.0.1:8080/wechat --token TOKEN
  wechat-simulator send --address-check --to http://127.0.0.1:8080/wechat --token TOKEN
  wechat-simulator send --raw push.xml --to https://example.com/wechat --token TOKEN --app-id APPID --aes-key KEY";

/// `EventKey=7`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    path: String,
    value: String,
}

impl FromStr for Change {
    type Err = String;

    fn from_str(text: &str) -> Result<Change, String> {
        let Some((path, value)) = text.split_once('=') else {
            return Err("there is no `=` in it: write it as EventKey=7".to_owned());
        };
        if path.contains('|') {
            return Err(format!("`{path}` is more than one path: set one of them"));
        }
        for name in path.split('/') {
            let starts_well = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
            if !starts_well || !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')) {
                return Err(format!(
                    "`{name}` is no name of an element: a path is like EventKey or ScanCodeInfo/ScanType"
                ));
            }
        }
        Ok(Change { path: path.to_owned(), value: value.to_owned() })
    }
}

/// What is sent.
enum Pushed {
    Kind(&'static KindInfo),
    Unknown(String),
    Raw(Vec<u8>),
}

impl Pushed {
    fn of(options: &Options) -> Result<Pushed, Problem> {
        if let Some(file) = &options.raw {
            return Ok(Pushed::Raw(read(file)?));
        }
        let name = options.event.as_deref().unwrap_or_default();
        match kinds::find(name) {
            Some(kind) => Ok(Pushed::Kind(kind)),
            None if options.unknown => Ok(Pushed::Unknown(name.to_owned())),
            None if matches!(name, "address-check" | "check-address" | "verify" | "echostr") => {
                Err(format!("`{name}` is no kind of push; did you mean `--address-check`?").into())
            }
            None => Err(format!("{}, and --unknown sends an event of that name", kinds::unknown(name)).into()),
        }
    }

    /// What the time line begins with.
    fn name(&self) -> String {
        match self {
            Pushed::Kind(kind) => kind.name().to_owned(),
            Pushed::Unknown(name) => name.clone(),
            Pushed::Raw(bytes) => {
                parse_event(bytes).map_or_else(|_| "these bytes".to_owned(), |event| event.name().to_owned())
            }
        }
    }

    /// Whether WeChat sends it to a third-party platform, in the component's envelope.
    fn is_for_component(&self) -> bool {
        let by_info_type = |event: Event<'_>| event.field("MsgType").is_none() && event.field("InfoType").is_some();
        match self {
            Pushed::Kind(kind) => kind.named_by() == "InfoType",
            Pushed::Unknown(_) => false,
            Pushed::Raw(bytes) => parse_event(bytes).is_ok_and(by_info_type),
        }
    }

    fn draft<'w>(&self, wechat: &'w WeChat, changes: &[Change]) -> Result<Draft<'w>, Problem> {
        let mut draft = match self {
            Pushed::Kind(kind) => wechat.push(kind.name()),
            Pushed::Unknown(name) => wechat.push_unknown(name),
            Pushed::Raw(bytes) => wechat.raw(bytes.clone()),
        };
        for Change { path, value } in changes {
            draft = draft.set_unknown(path, value);
        }
        match self {
            Pushed::Raw(bytes) if !changes.is_empty() && draft.request(0).message == *bytes => {
                Err("--set does nothing to what cannot be read as XML without a DTD".into())
            }
            _ => Ok(draft),
        }
    }

    /// Paths that the kind does not have, and those that may have been meant.
    fn new_paths<'c>(&self, changes: &'c [Change]) -> Vec<(&'c str, Vec<String>)> {
        let Pushed::Kind(kind) = self else { return Vec::new() };
        let mut known = kind.fields();
        known = known.iter().flat_map(|path| path.split('|')).map(str::to_owned).collect();
        let header = ["ToUserName", "FromUserName", "CreateTime", "MsgType", "Event", "MsgId", "InfoType", "AppId"];
        known.extend(header.map(str::to_owned));
        let sample = parse_event(kind.sample().as_bytes()).ok();
        let is_known = |path: &str| {
            known.iter().any(|known| known == path) || sample.as_ref().is_some_and(|event| event.field(path).is_some())
        };
        let new = changes.iter().map(|change| &*change.path).filter(|path| !is_known(path));
        let meant = |path| kinds::nearest(path, known.iter().map(|known| (&**known, &**known)));
        new.map(|path| (path, meant(path).into_iter().map(str::to_owned).collect())).collect()
    }
}

fn read(file: &PathBuf) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let read = if file.as_os_str() == "-" {
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(file)
    };
    match read {
        Ok(bytes) if bytes.is_empty() => Err(format!("--raw {}: it is empty", file.display()).into()),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(format!("--raw {}: {error}", file.display()).into()),
    }
}

pub async fn run(options: Options) -> Verdict {
    let wechat = options.account.wechat()?;
    let mut log = Log::of(&options);
    let verdict = if options.address_check {
        log.begin("the address check");
        check_address(&wechat, &options, &mut log).await
    } else {
        let pushed = Pushed::of(&options)?;
        let wechat = if pushed.is_for_component() { wechat.component() } else { wechat };
        let draft = pushed.draft(&wechat, &options.set)?;
        for (path, meant) in pushed.new_paths(&options.set) {
            let meant = if meant.is_empty() { String::new() } else { format!("; did you mean {}?", meant.join(", ")) };
            let name = pushed.name();
            anstream::eprintln!("{BOLD}note:{BOLD:#} {name} has no field {path}, so it is added to the push{meant}");
        }
        log.begin(&pushed.name());
        let delivery = deliver_while(&wechat, &options.to, &draft, |step| {
            log.step(&step);
            let unreachable = matches!(&step, Step::Ended { came: Err(Silence::Unreachable(_)), attempt: 1, .. });
            !(unreachable || options.once)
        });
        let first = delivery.attempts.into_iter().next().map(|attempt| attempt.verdict);
        first.filter(|_| options.once).unwrap_or(delivery.verdict)
    };
    match log.unreachable.take() {
        Some(problem) => Err(problem),
        None => log.end(&verdict),
    }
}

/// The console sends it once.
async fn check_address(wechat: &WeChat, options: &Options, log: &mut Log<'_>) -> testing::Verdict {
    let begun = Instant::now();
    let request = &wechat.address_check(now());
    log.step(&Step::Sent { attempt: 1, at: begun.elapsed(), request });
    let came = options.to.send(request, PATIENCE).await;
    let verdict = match &came {
        Ok(answered) => wechat.judge(request, answered.answer()),
        Err(_) => testing::Verdict::Refused(Reason::Silence),
    };
    log.step(&Step::Ended { attempt: 1, at: begun.elapsed(), came: &came, verdict: verdict.clone() });
    verdict
}

/// What the screen shows, or the JSON has in the end.
struct Log<'o> {
    options: &'o Options,
    /// Whether there is silence upon which WeChat sends again.
    retries: bool,
    name: String,
    message: String,
    attempts: Vec<Attempt>,
    /// The first connection failed: nothing can be found out.
    unreachable: Option<Problem>,
    /// The last delivery has no answer, and it was not the time for one that was short.
    lost: Option<Lost>,
}

/// One delivery, for `--json`. Times are in seconds from the first.
#[derive(Serialize)]
struct Attempt {
    sent: f64,
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
    notes: Vec<&'static str>,
}

impl<'o> Log<'o> {
    fn of(options: &'o Options) -> Log<'o> {
        let retries = !options.once && !options.address_check;
        let (name, message) = (String::new(), String::new());
        Log { options, retries, name, message, attempts: Vec::new(), unreachable: None, lost: None }
    }

    fn begin(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        if !self.options.json {
            let mode = format!("{:?}", self.options.account.mode()).to_lowercase();
            say(format_args!("{BOLD}{}{BOLD:#} to {}, mode {mode}\n", printable(name), self.options.to));
        }
    }

    fn step(&mut self, step: &Step<'_>) {
        match step {
            Step::Sent { attempt, at, request } => {
                self.line(*at, &format!("delivery {attempt}"));
                if self.options.verbose && !self.options.json {
                    say(indented(&self.request(request), "           > "));
                }
                self.message = String::from_utf8_lossy(&request.message).into_owned();
                self.attempts.push(Attempt {
                    sent: at.as_secs_f64(),
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
        let silent = match came {
            Err(Silence::Unreachable(error)) if attempt == 1 => return format!("{BAD}no connection{BAD:#}: {error}"),
            Err(silence) => silence,
            Ok(answered) => {
                let (style, does) = match verdict {
                    testing::Verdict::Accepted(_) => (GOOD, "shows the reply"),
                    testing::Verdict::Silent => (GOOD, "shows nothing, as asked"),
                    testing::Verdict::Confirmed => (GOOD, "confirms the address"),
                    testing::Verdict::Refused(_) => (BAD, "does not confirm the address"),
                    testing::Verdict::FaultLine(_) => (BAD, "shows its fault line"),
                    _ => (BAD, "ignores the answer"),
                };
                let (status, after, bytes) = (answered.status, answered.after.as_secs_f64(), answered.body.len());
                return format!("status {status} after {after:.3} s, {bytes} bytes: {style}WeChat {does}{style:#}");
            }
        };
        let last = attempt >= testing::DELIVERIES.len();
        let does = match (self.retries, last) {
            (true, false) => "will send it again",
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
    fn end(self, verdict: &testing::Verdict) -> Verdict {
        let follower = Shown::of(verdict, self.lost.as_ref());
        let reason = follower.reason().map(str::to_owned);
        let (content, hint) = (reason.is_none(), hint_to(verdict, self.lost.as_ref()));
        let notes = self.notes(content);
        let Log { options, name, message, attempts, .. } = self;
        let mode = options.account.mode();
        if options.json {
            let to = options.to.to_string();
            let report = Report { push: name, to, mode, message, attempts, content, follower, hint, notes };
            say(serde_json::to_string(&report)?);
            return Ok(content);
        }
        let who = if options.address_check { "The console says" } else { "The follower sees" };
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

    /// What WeChat lets pass this time.
    fn notes(&self, content: bool) -> Vec<&'static str> {
        let answers = self.attempts.iter().filter_map(|attempt| attempt.answer.as_ref());
        let mut notes = Vec::new();
        if content && self.attempts.len() > 1 {
            notes.push("WeChat tells the account's owner of each delivery that is not answered in time.");
        }
        if answers.filter(|answer| answer.status == 200).any(|answer| !answer.has_length) {
            notes.push("The answer has no Content-Length. WeChat was seen to refuse those to the address check.");
        }
        notes
    }
}
