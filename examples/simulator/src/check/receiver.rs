//! The receiver that is checked: what it knows, what is sent to it, and what it made of that.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use sha1::{Digest, Sha1};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use wechat_events::event::Takes;
use wechat_events::testing::{Draft, PATIENCE, Request, Verdict, WeChat};

use super::{Miss, Outcome, doubt, fail, payments, skip};
use crate::Problem;
use crate::account::{Account, Mode, now};
use crate::hint::hint_to;
use crate::wire::{Answered, Silence, Target, unreachable};
use crate::words::Words;

/// Requests under way, but where a check is about more.
const AT_ONCE: usize = 16;
/// How often a request is sent, at most, before no answer in time is what the receiver has to say.
const TRIES: usize = 3;
/// The doubt of a check that compares answers, where one of them is late however often it is asked for.
pub const NOTHING_TO_COMPARE: &str = "one of them is never answered in time, so that there is nothing to compare";
/// Times five seconds that a receiver may be busy with what was sent to it: 50 handlers of a second, one after another.
const LEFT_BUSY: usize = 12;

pub struct Receiver {
    pub target: Target,
    pub account: Account,
    pub mode: Mode,
    pub wechat: WeChat,
    /// WeChat as a third-party platform sees it; in plain mode nothing tells the two apart.
    pub component: WeChat,
    /// WeChat that seals, and writes nothing beside it; in plain mode as `wechat`.
    pub safe: WeChat,
    pub knows: Knows,
    /// What a genuine text was answered with: the measure for what is forged.
    pub genuine: Genuine,
    /// It has confirmed its address.
    pub confirms: bool,
    /// It is to answer payments as WeChat asks for it.
    pub payments: bool,
    /// Seconds for the handler to wait: over one delivery, over two, over all three.
    pub slow: [f64; 3],
    at_once: Semaphore,
    /// Another for each run.
    run: String,
    drawn: AtomicU64,
}

/// The commands that the receiver's handler knows.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Knows {
    pub echo: bool,
    pub number: bool,
    pub wait: bool,
}

/// What a genuine text was answered with.
#[derive(Debug, Clone)]
pub enum Genuine {
    Reply,
    /// `success` or nothing: which of them.
    Silent(Vec<u8>),
    /// What WeChat does not take: as it was seen, and what usually causes it.
    Bad {
        seen: String,
        hint: Option<Words>,
    },
}

/// A request with what came back.
pub struct Exchange {
    pub request: Request,
    pub came: Result<Answered, Silence>,
    pub verdict: Verdict,
}

impl Receiver {
    /// Finds out what the receiver knows.
    ///
    /// # Errors
    /// It cannot be reached, or the account's settings are wrong.
    pub async fn meet(target: Target, account: &Account, slow: [f64; 3], payments: bool) -> Result<Receiver, Problem> {
        let wechat = account.wechat()?;
        let request = wechat.address_check(now());
        let mut came = target.send(&request, PATIENCE).await;
        for _ in 1..TRIES {
            if matches!(came, Err(Silence::TimedOut)) {
                came = target.send(&request, PATIENCE).await;
            }
        }
        let confirms = match came {
            Err(Silence::Unreachable(error)) => return Err(unreachable(&target, &error)),
            Err(silence @ Silence::TimedOut) => {
                return Err(format!("{target} takes a connection, but: {silence}").into());
            }
            Err(Silence::Broken(_) | Silence::TooLong) => false,
            Ok(answered) => wechat.judge(&request, answered.answer()) == Verdict::Confirmed,
        };
        let (component, safe) = match account.mode() {
            Mode::Plain => (account.wechat()?, account.wechat()?),
            Mode::Compatible | Mode::Safe => (account.wechat()?.component(), account.wechat_in(Mode::Safe)?),
        };
        let run = wechat.push("text").request(now()).query;
        let mut receiver = Receiver {
            target,
            account: account.clone(),
            mode: account.mode(),
            component,
            safe,
            wechat,
            confirms,
            payments,
            slow,
            knows: Knows::default(),
            genuine: Genuine::Silent(Vec::new()),
            at_once: Semaphore::new(AT_ONCE),
            run: sha1([&run]).chars().take(8).collect(),
            drawn: AtomicU64::new(0),
        };
        receiver.learn().await;
        Ok(receiver)
    }

    async fn learn(&mut self) {
        let mark = self.mark();
        let echo = self.reply_to(&format!("echo {mark}")).await;
        self.genuine = match &echo.verdict {
            Verdict::Accepted(_) => Genuine::Reply,
            Verdict::Silent => {
                Genuine::Silent(echo.came.as_ref().map(|answered| answered.body.clone()).unwrap_or_default())
            }
            verdict => {
                let lost = echo.came.as_ref().err().and_then(Silence::lost);
                Genuine::Bad { seen: echo.seen(), hint: hint_to(Takes::Reply, verdict, lost.as_ref()) }
            }
        };
        if matches!(self.genuine, Genuine::Bad { .. }) {
            return;
        }
        self.payments = self.payments || self.speaks_of_codes().await;
        self.knows.echo = echo.content().as_deref() == Some(&*mark);
        let mut seen = Vec::new();
        for (text, least) in [("number", 0), ("number", 0), ("wait 0.3", 300), ("wait 0.3", 300)] {
            let exchange = self.reply_to(text).await;
            let waited = exchange.came.as_ref().is_ok_and(|answer| answer.after >= Duration::from_millis(least));
            match exchange.content() {
                Some(content) if waited && !seen.contains(&content) => seen.push(content),
                _ => break,
            }
            self.knows.number = seen.len() >= 2;
            self.knows.wait = seen.len() >= 4;
        }
    }

    /// What a text is answered with; asked for again where WeChat does not take it, as what a receiver does first after
    /// its start may be late.
    async fn reply_to(&self, text: &str) -> Exchange {
        self.ask(|| self.text(text).request(now()), Exchange::is_taken).await
    }

    /// Whether it answers a payment with something that is meant for a code: whoever has nothing to sell does not.
    async fn speaks_of_codes(&self) -> bool {
        let order = || self.push(payments::GOODS).set("OutTradeNo", &self.mark()).request(now());
        let message = self.ask(order, Exchange::is_in_time).await.message(self);
        message.is_some_and(|message| message.to_ascii_lowercase().contains("errcode"))
    }

    /// A number of this run alone.
    fn draw(&self) -> u64 {
        self.drawn.fetch_add(1, Ordering::Relaxed)
    }

    /// A word that nobody has said before.
    pub fn mark(&self) -> String {
        format!("m{}x{}", self.run, self.draw())
    }

    /// A number that no other run has, of 48 bits.
    pub fn number(&self) -> u64 {
        let run = u64::from_str_radix(&self.run, 16).unwrap_or_default();
        (run << 16).wrapping_add(self.draw()) & ((1 << 48) - 1)
    }

    /// A MsgId as long as WeChat's, over 2⁵³; no two are the same as floating-point numbers.
    pub fn msg_id(&self) -> String {
        (1 << 54 | self.number() << 3).to_string()
    }

    pub fn app_id(&self) -> &str {
        self.account.app_id.as_deref().unwrap_or("wx5823bf96d3bd56c7")
    }

    /// An OpenID that nobody has had before, as long as WeChat's.
    pub fn follower(&self) -> String {
        format!("oSim{}-{:015}", self.run, self.draw())
    }

    /// A text from a new follower.
    pub fn text(&self, content: &str) -> Draft<'_> {
        self.push("text").set("Content", content)
    }

    /// A push of a kind from a new follower.
    pub fn push(&self, name: &str) -> Draft<'_> {
        self.wechat.push_unknown(name).set("FromUserName", &self.follower())
    }

    /// Whether it answers the check of its address as it did at first; somebody may be starting it again.
    pub async fn lives(&self) -> bool {
        self.confirms_again(0).await
    }

    /// The same, when it has been given time to end what it is still busy with.
    pub async fn is_left_alive(&self) -> bool {
        self.confirms_again(LEFT_BUSY).await
    }

    /// Whether it confirms its address again, though it may be late so often.
    async fn confirms_again(&self, mut late: usize) -> bool {
        for wait in [0, 500, 1500] {
            sleep(Duration::from_millis(wait)).await;
            loop {
                let exchange = self.exchange_at_once(self.wechat.address_check(now())).await;
                if exchange.came.is_ok() && (exchange.verdict == Verdict::Confirmed || !self.confirms) {
                    return true;
                }
                if exchange.is_in_time() || late == 0 {
                    break;
                }
                late -= 1;
            }
        }
        false
    }

    /// Sends it, with a few others at once, and judges the answer.
    pub async fn exchange(&self, request: Request) -> Exchange {
        let _permit = self.at_once.acquire().await;
        self.exchange_at_once(request).await
    }

    /// The same, however many others there are.
    pub async fn exchange_at_once(&self, request: Request) -> Exchange {
        let came = self.target.send(&request, PATIENCE).await;
        let verdict = match &came {
            Ok(answered) => self.wechat.judge(&request, answered.answer()),
            Err(_) => self.wechat.judge_silence(&request),
        };
        Exchange { request, came, verdict }
    }

    /// Sends what is made, and what is made anew, until the answer is enough; or what came at last.
    pub async fn ask(&self, make: impl Fn() -> Request, is_enough: fn(&Exchange) -> bool) -> Exchange {
        let mut exchange = self.exchange(make()).await;
        for _ in 1..TRIES {
            if is_enough(&exchange) {
                break;
            }
            exchange = self.exchange(make()).await;
        }
        exchange
    }

    /// Fails unless WeChat takes the answer.
    pub async fn takes(&self, request: Request) -> Result<Exchange, Miss> {
        let exchange = self.exchange(request).await;
        if exchange.is_taken() { Ok(exchange) } else { fail(exchange.seen()) }
    }

    /// A genuine push must be answered before a forged one tells anything.
    pub fn needs_genuine(&self) -> Result<(), Miss> {
        match &self.genuine {
            Genuine::Bad { .. } => {
                skip("WeChat does not take the answer to a genuine text, so that nothing can be told")
            }
            Genuine::Reply | Genuine::Silent(_) => Ok(()),
        }
    }

    /// The usual check of the address must be confirmed before an unusual one tells anything.
    pub fn needs_confirmation(&self) -> Result<(), Miss> {
        if self.confirms { Ok(()) } else { skip("the usual check of the address is not confirmed either") }
    }

    pub fn needs_echo(&self) -> Result<(), Miss> {
        if self.knows.echo { Ok(()) } else { skip("the receiver does not know `echo TEXT`") }
    }

    pub fn needs_wait(&self) -> Result<(), Miss> {
        if self.knows.wait { Ok(()) } else { skip("the receiver does not know `wait SECONDS`") }
    }

    /// A receiver that has nothing to sell answers payments as it likes.
    pub fn needs_payments(&self) -> Result<(), Miss> {
        self.needs_genuine()?;
        match self.payments {
            true => Ok(()),
            false => skip("a payment is answered as any other event is; if it is to sell, --payments asks for these"),
        }
    }

    /// The note of a check that sees more where there is an `echo`.
    pub fn unseen(&self) -> String {
        match self.knows.echo {
            true => String::new(),
            false => "whether the handler got it whole is not seen: the receiver does not know `echo TEXT`".to_owned(),
        }
    }

    /// What comes to a request that is to be refused; silence is no refusal, for what is silent may be the handler.
    ///
    /// Hanging up is one, as long as the receiver lives.
    pub async fn answer_to_forged(&self, request: Request) -> Result<Exchange, Miss> {
        let exchange = self.ask(|| request.clone(), Exchange::is_in_time).await;
        match &exchange.came {
            Ok(_) => Ok(exchange),
            Err(Silence::Broken(_) | Silence::TooLong) if self.lives().await => Ok(exchange),
            Err(Silence::Broken(_) | Silence::TooLong) => doubt(format!("{}; and then it is gone", exchange.seen())),
            Err(Silence::TimedOut | Silence::Unreachable(_)) => {
                doubt(format!("{}: whether that is a refusal cannot be told", exchange.seen()))
            }
        }
    }

    /// Passes if the request is refused: whatever is no reply, where a genuine one is replied to.
    pub async fn refuses(&self, request: Request) -> Outcome {
        self.needs_genuine()?;
        let exchange = self.answer_to_forged(request).await?;
        let Ok(answered) = &exchange.came else { return Ok(String::new()) };
        if answered.status >= 300 {
            return Ok(String::new());
        }
        if exchange.is_reply() {
            return fail(exchange.seen());
        }
        match &self.genuine {
            Genuine::Silent(body) if *body == answered.body => {
                skip(format!("it is answered as a genuine text is, with {}", exchange.seen()))
            }
            _ => Ok(String::new()),
        }
    }
}

impl Exchange {
    /// Whether something came back in time, be it that the receiver hung up.
    pub fn is_in_time(&self) -> bool {
        !self.came.as_ref().is_err_and(Silence::is_late)
    }

    /// Whether WeChat takes the answer, be it a reply or none.
    pub fn is_taken(&self) -> bool {
        matches!(self.verdict, Verdict::Accepted(_) | Verdict::Silent)
    }

    /// The text that the follower sees.
    pub fn content(&self) -> Option<String> {
        self.verdict.field("Content")
    }

    /// Whether it looks like a reply, be it one that WeChat takes or not: the handler has run.
    pub fn is_reply(&self) -> bool {
        let Ok(answered) = &self.came else { return false };
        let body = String::from_utf8_lossy(&answered.body);
        matches!(self.verdict, Verdict::Accepted(_))
            || ["<MsgType>", "<Encrypt>", "\"MsgType\"", "\"Encrypt\""].iter().any(|mark| body.contains(mark))
    }

    /// What the answer says, opened if it is sealed, whether WeChat would take it or not.
    pub fn message(&self, receiver: &Receiver) -> Option<String> {
        let body = &self.came.as_ref().ok()?.body;
        let opened = receiver.account.open(body);
        Some(String::from_utf8_lossy(opened.as_ref().unwrap_or(body)).into_owned())
    }

    /// What is sealed in the answer.
    pub fn encrypt(&self) -> Option<String> {
        let body = String::from_utf8_lossy(&self.came.as_ref().ok()?.body).into_owned();
        let (_, behind) = body.split_once("<Encrypt>")?;
        Some(behind.split_once("</Encrypt>")?.0.to_owned())
    }

    /// What came back, in a line.
    pub fn seen(&self) -> String {
        let mut seen = seen(&self.came);
        if self.came.is_ok() && !matches!(self.verdict, Verdict::Accepted(_) | Verdict::Silent | Verdict::Confirmed) {
            let _ = write!(seen, "; WeChat {}", self.verdict);
        }
        if let Some(content) = self.content() {
            let _ = write!(seen, "; the follower sees `{}`", shortened(&content));
        }
        seen
    }
}

/// What came back, in a line.
pub fn seen(came: &Result<Answered, Silence>) -> String {
    match came {
        Err(silence) => silence.to_string(),
        Ok(answered) if answered.body.is_empty() => format!("status {}, no body", answered.status),
        Ok(answered) => {
            format!("status {}, `{}`", answered.status, shortened(&String::from_utf8_lossy(&answered.body)))
        }
    }
}

/// As much of a text as fits a line.
pub fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(100).collect::<String>().escape_debug().to_string();
    if shown.len() < text.len() && text.chars().count() > 100 {
        shown.push('…');
    }
    shown
}

/// A push with these fields, as WeChat writes it.
pub fn xml(fields: &[(&str, &str)]) -> String {
    let is_number = |value: &str| !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let fields = fields.iter().map(|(name, value)| match is_number(value) {
        true => format!("<{name}>{value}</{name}>\n"),
        false => format!("<{name}><![CDATA[{}]]></{name}>\n", value.replace("]]>", "]]]]><![CDATA[>")),
    });
    format!("<xml>{}</xml>", fields.collect::<String>())
}

/// The query with another value of a parameter, or without it.
pub fn with(query: &str, name: &str, value: Option<&str>) -> String {
    let is_it = |pair: &str| pair.split('=').next() == Some(name);
    let mut pairs: Vec<String> = query
        .split('&')
        .filter(|pair| value.is_some() || !is_it(pair))
        .map(|pair| match value {
            Some(value) if is_it(pair) => format!("{name}={value}"),
            _ => pair.to_owned(),
        })
        .collect();
    if let Some(value) = value.filter(|_| !query.split('&').any(is_it)) {
        pairs.push(format!("{name}={value}"));
    }
    pairs.join("&")
}

/// The value of a parameter, as it stands there.
pub fn parameter<'q>(query: &'q str, name: &str) -> &'q str {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
}

/// Another digit in place of the last one.
pub fn altered(value: &str) -> String {
    let (front, last) = value.split_at(value.len().saturating_sub(1));
    format!("{front}{}", if last == "0" { "1" } else { "0" })
}

/// Lower-case hexadecimal SHA-1 of the sorted parts, as signatures are.
pub fn sha1<const N: usize>(mut parts: [&str; N]) -> String {
    parts.sort_unstable();
    Sha1::digest(parts.concat()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
