//! `send`: one push, and what the user sees.

mod log;

use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueHint};
use tokio::time::Instant;
use wechat_events::event::{KindInfo, Takes};
use wechat_events::testing::{self, Draft, PATIENCE, WeChat};
use wechat_events::{Event, parse_event};

use crate::account::{Account, now};
use crate::delivery::{PAUSE, Step, deliver_while};
use crate::screen::BOLD;
use crate::wire::{Silence, Target};
use crate::{Problem, Verdict, kinds};
use log::Log;

/// Sends one push as WeChat does, with its retries, and says what the user sees.
///
/// WeChat waits 5 s for an answer, and without one sends the push again after 5 and after 10 s. It sends a payment
/// (xpay_…, minigame_…) again until the answer is code 0 within 3 s, with RetryTimes counted up: up to 15
/// times over many hours, which --pause shortens.
///
/// Exit codes: 0 if WeChat accepts the answer; 1 if the user sees the fault line, the answer is lost, the
/// payment is not done or the address is not confirmed; 2 if there is no connection or the command line is wrong.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The kind's name on the wire, such as text, SCAN or CLICK; `list` shows all.
    #[arg(required_unless_present_any = ["raw", "address_check"], conflicts_with_all = ["raw", "address_check"])]
    event: Option<String>,
    /// The receiver's address, as entered in the console.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    to: Target,
    #[command(flatten)]
    account: Account,
    /// Sets a field, such as EventKey=7 or ScanCodeInfo/ScanResult=1; repeatable.
    #[arg(long, value_name = "PATH=VALUE", conflicts_with = "address_check")]
    set: Vec<Change>,
    /// Sends this file's XML or JSON unchanged (`-`: standard input). Sent twice, the second is a retry.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    raw: Option<PathBuf>,
    /// Sends the console's address check instead of a push.
    #[arg(long, alias = "check-address", conflicts_with = "raw")]
    address_check: bool,
    /// Accepts a name that is not a known kind, and sends an event with that name.
    #[arg(long, conflicts_with_all = ["raw", "address_check"])]
    unknown: bool,
    /// Sends the push once, without retries.
    #[arg(long, conflicts_with = "address_check")]
    once: bool,
    /// The longest pause before a payment is sent again. WeChat's own pauses grow to hours.
    #[arg(long, value_name = "SECONDS", value_parser = pause, default_value_t = PAUSE.as_secs_f64())]
    pause: f64,
    /// Shows requests and answers, decrypted.
    #[arg(long, short)]
    verbose: bool,
    /// Prints one JSON object at the end instead of text, if the receiver can be reached.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  wechat-simulator send text --set Content=hello --to http://127.0.0.1:8080/wechat --token TOKEN
  wechat-simulator send xpay_goods_deliver_notify --to http://127.0.0.1:8080/wechat --token TOKEN
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
            return Err("`=` is missing: write EventKey=7".to_owned());
        };
        if path.contains('|') {
            return Err(format!("`{path}` is more than one path: set one of them"));
        }
        for name in path.split('/') {
            let starts_well = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
            if !starts_well || !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')) {
                return Err(format!(
                    "`{name}` is not an element name: a path looks like EventKey or ScanCodeInfo/ScanType"
                ));
            }
        }
        Ok(Change { path: path.to_owned(), value: value.to_owned() })
    }
}

/// Reads seconds; none at all is a time too.
fn pause(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=LONGEST_PAUSE).contains(&seconds) => Ok(seconds),
        _ => Err(format!("it is not a number of seconds from 0 to {LONGEST_PAUSE}, such as 0.1")),
    }
}

/// WeChat's own are no longer.
const LONGEST_PAUSE: f64 = 86_400.0;

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
                Err(format!("`{name}` is not a kind of push; did you mean `--address-check`?").into())
            }
            None => Err(format!("{}; --unknown sends an event with that name", kinds::unknown(name)).into()),
        }
    }

    /// What the time line begins with.
    fn name(&self) -> String {
        match self {
            Pushed::Kind(kind) => kind.name().to_owned(),
            Pushed::Unknown(name) => name.clone(),
            Pushed::Raw(bytes) => {
                parse_event(bytes).map_or_else(|_| "raw bytes".to_owned(), |event| event.name().to_owned())
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

    fn draft<'w>(&self, wechat: &'w WeChat, account: &Account, changes: &[Change]) -> Result<Draft<'w>, Problem> {
        let mut draft = match self {
            Pushed::Kind(kind) => wechat.push(kind.name()),
            Pushed::Unknown(name) => wechat.push_unknown(name),
            Pushed::Raw(bytes) => wechat.raw(bytes.clone()),
        };
        for Change { path, value } in changes {
            draft = draft.set_unknown(path, value);
        }
        // Raw bytes are sent as they are.
        if !matches!(self, Pushed::Raw(_)) {
            draft = account.signed(draft)?;
        }
        match self {
            Pushed::Raw(bytes) if !changes.is_empty() && draft.request(0).message == *bytes => {
                Err("--set needs a push that can be read as XML, without a DTD".into())
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
        let draft = pushed.draft(&wechat, &options.account, &options.set)?;
        for (path, meant) in pushed.new_paths(&options.set) {
            let meant = if meant.is_empty() { String::new() } else { format!("; did you mean {}?", meant.join(", ")) };
            let name = pushed.name();
            anstream::eprintln!("{BOLD}note:{BOLD:#} {name} has no field {path}, so it is added to the push{meant}");
        }
        let takes = parse_event(&draft.request(0).message).map_or(Takes::Success, |event| event.takes());
        (log.takes, log.plan) = (takes, Some(draft.plan()));
        log.begin(&pushed.name());
        let pause = Duration::from_secs_f64(options.pause);
        let delivery = deliver_while(&wechat, &options.to, &draft, pause, |step| {
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
        Err(_) => wechat.judge_silence(request),
    };
    log.step(&Step::Ended { attempt: 1, at: begun.elapsed(), came: &came, verdict: verdict.clone() });
    verdict
}
