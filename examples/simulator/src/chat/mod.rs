//! A page that looks like WeChat's chat with an account.
//!
//! ```text
//!  page  ── POST /api/acts ──▶  act        what was done becomes pushes
//!                               delivery   each goes to the receiver, on WeChat's schedule
//!   ▲                           record     each step is put down
//!   └── GET /api/changes ─────  conversation
//! ```
//! The server signs with the account's token, so it answers this machine's browser alone, and no page but its own.

mod act;
mod chinese;
mod conversation;
mod menu;
mod record;

use std::convert::Infallible;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream::{Stream, unfold};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderMap, HeaderName, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use wechat_events::testing::{PATIENCE, WeChat};

use crate::Verdict;
use crate::account::{Account, now};
use crate::delivery::{PAUSE, Step, deliver};
use crate::screen::say;
use crate::wire::{Answered, Silence, Target};
use crate::words::Words;
use act::{Act, Made, Refused};
use conversation::Conversation;
use menu::Menu;
use record::{Attempt, Outcome, Push, epoch_millis};

/// A page that looks like the chat with the account on a phone, for trying a receiver by hand.
///
/// Beside the phone stand each request and answer, in the clear and as sent, and the deliveries on a time line. The
/// page is for this machine alone; Ctrl-C ends it.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The receiver's address, as in the console: http://127.0.0.1:8080/wechat
    url: Target,
    #[command(flatten)]
    account: Account,
    /// The page's port on this machine. Default: a free one.
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Opens the page in the browser.
    #[arg(long)]
    open: bool,
    /// The account's menu, as JSON: what the interface `menu/create` takes. Default: that of a restaurant.
    #[arg(long, value_name = "FILE")]
    menu: Option<PathBuf>,
    /// The account's name, above the chat. Default: «Official Account», or 公众号 in a Chinese browser.
    #[arg(long)]
    name: Option<String>,
    /// The account's id (原始ID): ToUserName of what is pushed.
    #[arg(long, default_value = "gh_ebc88566ca2e")]
    account_id: String,
    /// The user's OpenID: FromUserName of what is pushed.
    #[arg(long, value_name = "OPENID", default_value = "oqi1rLPx-bJ18oxc49j8USAghBVe")]
    user: String,
}

/// Pushes that may be under way at once: a slow receiver has each of them for 15 s.
const UNDER_WAY: usize = 64;

/// Bytes that an act may have.
const LARGEST_ACT: usize = 1 << 20;

/// Everything the page and the deliveries share.
struct Chat {
    wechat: WeChat,
    account: Account,
    target: Target,
    name: Option<String>,
    account_id: String,
    user: String,
    menu: Menu,
    conversation: Conversation,
    under_way: Arc<Semaphore>,
    /// The page's own address.
    address: SocketAddr,
    /// Tells a page that is left over from another run.
    run: u64,
}

pub async fn run(options: Options) -> Verdict {
    let Options { url, account, port, open, menu, name, account_id, user } = options;
    let menu = Menu::of(menu.as_deref())?;
    let wechat = account.wechat()?;
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| format!("--port {port}: {error}"))?;
    let address = listener.local_addr()?;
    let page = format!("http://{address}/");
    say(format_args!("{page} plays WeChat to {url}. Ctrl-C ends it."));
    let chat = Chat {
        wechat,
        account,
        target: url,
        name,
        account_id,
        user,
        menu,
        conversation: Conversation::new(),
        under_way: Arc::new(Semaphore::new(UNDER_WAY)),
        address,
        run: epoch_millis(),
    };
    if open && let Err(error) = open::that_detached(&page) {
        drop(writeln!(io::stderr(), "the browser does not start: {error}"));
    }
    axum::serve(listener, router(Arc::new(chat))).await?;
    Ok(true)
}

/// The page's files.
const PAGE: &[(&str, &str)] = &[
    ("/", include_str!("page/index.html")),
    ("/icon.svg", include_str!("page/icon.svg")),
    ("/style.css", include_str!("page/style.css")),
    ("/words.json", include_str!("page/words.json")),
    ("/chat.js", include_str!("page/chat.js")),
    ("/detail.js", include_str!("page/detail.js")),
    ("/dialogs.js", include_str!("page/dialogs.js")),
    ("/elements.js", include_str!("page/elements.js")),
    ("/foot.js", include_str!("page/foot.js")),
    ("/list.js", include_str!("page/list.js")),
    ("/main.js", include_str!("page/main.js")),
    ("/state.js", include_str!("page/state.js")),
    ("/words.js", include_str!("page/words.js")),
];

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "json")) => "application/json",
        Some((_, "svg")) => "image/svg+xml",
        _ => "text/html; charset=utf-8",
    }
}

fn router(chat: Arc<Chat>) -> Router {
    let file = |text: &'static str, content_type| get(move || async move { ([(CONTENT_TYPE, content_type)], text) });
    let files =
        PAGE.iter().fold(Router::new(), |router, (path, text)| router.route(path, file(text, content_type(path))));
    files
        .route("/api/setup", get(setup))
        .route("/api/changes", get(changes))
        .route("/api/acts", post(acts))
        .route("/api/preview", post(preview))
        .route("/api/clear", post(clear))
        .layer(DefaultBodyLimit::max(LARGEST_ACT))
        .layer(from_fn_with_state(Arc::clone(&chat), guard))
        .with_state(chat)
}

/// Lets in this page alone, and keeps everything else out of it.
///
/// A name of some website's may lead to this machine (DNS rebinding), so the Host is checked; and any website may post
/// to it, so the Origin is.
async fn guard(State(chat): State<Arc<Chat>>, request: Request, next: Next) -> Response {
    let mut response = match chat.stranger(request.headers()) {
        None => next.run(request).await,
        Some(problem) => (StatusCode::FORBIDDEN, problem).into_response(),
    };
    const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

impl Chat {
    /// Why a request is not this page's.
    fn stranger(&self, headers: &HeaderMap) -> Option<String> {
        let port = self.address.port();
        let hosts = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
        // Browsers leave HTTP's own port out.
        let is_own = |host: &str| hosts.iter().any(|own| own == host || own.strip_suffix(":80") == Some(host));
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let host = headers.get(HOST).map(text).unwrap_or_default();
        if !is_own(&host) {
            return Some(format!("Host is `{host}`, not `{}`: this page is for this machine alone\n", self.address));
        }
        let origin = headers.get(ORIGIN).map(text)?;
        if origin.strip_prefix("http://").is_some_and(is_own) {
            return None;
        }
        Some(format!("Origin is `{origin}`, not `http://{}`: another page asks\n", self.address))
    }
}

/// What never changes.
async fn setup(State(chat): State<Arc<Chat>>) -> Json<serde_json::Value> {
    Json(json!({
        "run": chat.run,
        "name": chat.name,
        "account_id": chat.account_id,
        "user": chat.user,
        "target": chat.target.to_string(),
        "mode": chat.account.mode(),
        "menu": chat.menu,
        "kinds": chat.kinds(),
    }))
}

/// First everything, then what changes, as it does.
async fn changes(State(chat): State<Arc<Chat>>) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
    let watch = chat.conversation.watch();
    let stream = unfold((chat, watch, None), async |(chat, mut watch, seen)| {
        if seen.is_some() {
            watch.changed().await.ok()?;
        }
        watch.mark_unchanged();
        let change = chat.conversation.since(seen.unwrap_or(0));
        let seen = Some(change.revision);
        let told = json!({ "run": chat.run, "change": change });
        Some((Ok(sse::Event::default().data(told.to_string())), (chat, watch, seen)))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

/// What the page says when nothing was pushed.
fn refusal(status: StatusCode, problem: &Words) -> Response {
    (status, Json(json!({ "problem": problem }))).into_response()
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Refused::Unknown(problem) => refusal(StatusCode::NOT_FOUND, &problem),
            Refused::NotFollowing => refusal(
                StatusCode::CONFLICT,
                &Words::new("you do not follow the account: follow it first", "你没有关注这个公众号，请先关注"),
            ),
        }
    }
}

/// Pushes, and gives the pushes' numbers.
async fn acts(State(chat): State<Arc<Chat>>, Json(act): Json<Act>) -> Response {
    let made = match act.make(&chat) {
        Ok(made) => made,
        Err(refused) => return refused.into_response(),
    };
    let count = match &made {
        Made::Pushes(messages) => messages.len(),
        Made::AddressCheck => 1,
    };
    let permits = u32::try_from(count).ok().map(|count| Arc::clone(&chat.under_way).try_acquire_many_owned(count));
    let Some(Ok(mut permits)) = permits else {
        return refusal(
            StatusCode::TOO_MANY_REQUESTS,
            &Words::made(
                format!("{UNDER_WAY} pushes are under way: wait for some to end"),
                format!("已有 {UNDER_WAY} 条推送正在进行，请稍等"),
            ),
        );
    };
    let mut ids = Vec::new();
    match made {
        Made::Pushes(messages) => {
            for message in messages {
                let id = chat.conversation.add(Push::new(message.clone()));
                ids.push(id);
                let (chat, permit) = (Arc::clone(&chat), permits.split(1));
                spawn_blocking(move || {
                    chat.push(id, message);
                    drop(permit);
                });
            }
        }
        Made::AddressCheck => {
            let id = chat.conversation.add(Push::address_check());
            ids.push(id);
            tokio::spawn(async move {
                chat.check_address(id).await;
                drop(permits);
            });
        }
    }
    (StatusCode::ACCEPTED, Json(json!({ "ids": ids }))).into_response()
}

/// What an act would push, without doing it.
async fn preview(State(chat): State<Arc<Chat>>, Json(act): Json<Act>) -> Response {
    match act.make(&chat) {
        Ok(Made::AddressCheck) => Json(json!({ "messages": [] })).into_response(),
        Ok(Made::Pushes(messages)) => {
            let texts: Vec<_> = messages.iter().map(|message| String::from_utf8_lossy(message)).collect();
            Json(json!({ "messages": texts })).into_response()
        }
        Err(refused) => refused.into_response(),
    }
}

async fn clear(State(chat): State<Arc<Chat>>) -> StatusCode {
    chat.conversation.clear();
    StatusCode::NO_CONTENT
}

impl Chat {
    /// Delivers a push, and puts each step down.
    fn push(&self, id: u64, message: Vec<u8>) {
        let begun = Instant::now();
        let draft = self.wechat.raw(message);
        let mut lost = None;
        let delivery = deliver(&self.wechat, &self.target, &draft, PAUSE, |step| match step {
            Step::Sent { at, request, .. } => {
                let attempt = Attempt::sent(&self.target, request, at);
                self.conversation.update(id, |push| push.attempts.push(attempt));
            }
            Step::Ended { at, came, verdict, .. } => {
                self.conversation.update(id, |push| {
                    if let Some(attempt) = push.attempts.last_mut() {
                        attempt.end(&self.account, push.takes, came, &verdict, at);
                    }
                });
                lost = came.as_ref().err().and_then(Silence::lost);
            }
        });
        let at = begun.elapsed();
        self.conversation.update(id, |push| {
            push.outcome = Some(Outcome::of(push.takes, &delivery.verdict, lost.as_ref(), at));
        });
    }

    /// Asks once, as the console does.
    async fn check_address(&self, id: u64) {
        let begun = Instant::now();
        let request = self.wechat.address_check(now());
        let attempt = Attempt::sent(&self.target, &request, Duration::ZERO);
        self.conversation.update(id, |push| push.attempts.push(attempt));
        let came = self.target.send(&request, PATIENCE).await;
        let verdict = match came.as_ref().ok().map(Answered::answer) {
            Some(answer) => self.wechat.judge(&request, answer),
            None => self.wechat.judge_silence(&request),
        };
        let at = begun.elapsed();
        self.conversation.update(id, |push| {
            if let Some(attempt) = push.attempts.last_mut() {
                attempt.end(&self.account, push.takes, &came, &verdict, at);
            }
            push.outcome =
                Some(Outcome::of(push.takes, &verdict, came.as_ref().err().and_then(Silence::lost).as_ref(), at));
        });
    }
}
