//! WeChat: pushes on its schedule, and takes customer-service messages.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use ureq::Agent;
use wechat_events::Reply;
use wechat_events::testing::{Answer, DELIVERIES, PATIENCE, Verdict, WeChat};

/// Token, app id and key.
pub const ACCOUNT: [&str; 3] = ["AAAAA", "wx5823bf96d3bd56c7", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"];

#[derive(Debug)]
pub struct Push {
    pub user: String,
    content: String,
}

impl Push {
    /// Of a user of its own. The reply to every tenth takes two messages.
    pub fn new(number: usize) -> Push {
        let content = if number % 10 == 9 { "long ".repeat(500) } else { format!("push {number}") };
        Push::of(&format!("o_{number}"), &content)
    }

    pub fn of(user: &str, content: &str) -> Push {
        Push { user: user.to_owned(), content: content.to_owned() }
    }

    /// What the user is to get, message by message.
    pub fn messages(&self) -> Vec<String> {
        Reply::text(format!("You said: {}", self.content)).to_custom_messages(&self.user)
    }
}

/// What became of the deliveries of a push: when each began and ended, and whether it was answered `success`.
#[derive(Debug)]
pub struct Delivered {
    pub push: Push,
    pub deliveries: Vec<(Instant, Instant, bool)>,
}

impl Delivered {
    pub fn succeeded(&self) -> bool {
        self.deliveries.last().is_some_and(|(.., success)| *success)
    }
}

/// Three times at the most, until it is answered. Anything but `success` in time is silence, and must be nothing else.
pub fn deliver(address: &str, push: Push) -> Delivered {
    let [token, app_id, key] = ACCOUNT;
    let wechat = WeChat::safe(token, app_id, key).unwrap();
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap();
    let draft = wechat.push("text").set("FromUserName", &push.user).set("Content", &push.content);
    let message = draft.request(now()).message;
    let begun = Instant::now();
    let mut deliveries = Vec::new();
    for after in DELIVERIES {
        thread::sleep((begun + after).saturating_duration_since(Instant::now()));
        let request = wechat.raw(message.clone()).request(now());
        let agent: Agent =
            Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).build().into();
        let url = format!("http://{address}/wechat?{}", request.query);
        let sent = Instant::now();
        let answered = agent.post(&url).content_type(request.content_type).send(&request.body[..]);
        let answered = answered.and_then(|answer| {
            let status = answer.status().as_u16();
            Ok(Answer::new(status, answer.into_body().read_to_vec()?))
        });
        let success = match answered {
            Ok(answer) if answer.status == 503 => false,
            Ok(answer) => {
                assert_eq!(wechat.judge(&request, answer), Verdict::Silent);
                true
            }
            Err(_) => false,
        };
        deliveries.push((sent, Instant::now(), success));
        if success {
            break;
        }
    }
    Delivered { push, deliveries }
}

/// The customer-service API.
pub struct Api {
    pub url: String,
    taken: Arc<Mutex<Taken>>,
    _runtime: Runtime,
}

#[derive(Default)]
struct Taken {
    asked: usize,
    messages: Vec<(Instant, String)>,
}

impl Api {
    pub fn start() -> Api {
        let runtime = Runtime::new().unwrap();
        let taken = Arc::default();
        let app = Router::new().route("/send", post(send)).with_state(Arc::clone(&taken));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/send?access_token=1", listener.local_addr().unwrap());
        runtime.spawn(async { axum::serve(listener, app).await.unwrap() });
        Api { url, taken, _runtime: runtime }
    }

    /// Every message that it has taken, in order.
    pub fn sent(&self) -> Vec<(Instant, String)> {
        self.taken.lock().unwrap().messages.clone()
    }
}

/// Is busy now and then, and takes nothing for who has left.
async fn send(State(taken): State<Arc<Mutex<Taken>>>, message: String) -> &'static str {
    let answer = take(&mut taken.lock().unwrap(), message);
    // Long enough that a worker is killed in the middle of it now and then.
    tokio::time::sleep(Duration::from_millis(20)).await;
    answer
}

fn take(taken: &mut Taken, message: String) -> &'static str {
    taken.asked += 1;
    if serde_json::from_str::<Value>(&message).unwrap()["touser"] == "o_gone" {
        return r#"{"errcode":45015,"errmsg":"response out of time limit"}"#;
    }
    if taken.asked.is_multiple_of(9) {
        return r#"{"errcode":-1,"errmsg":"system error"}"#;
    }
    taken.messages.push((Instant::now(), message));
    r#"{"errcode":0,"errmsg":"ok"}"#
}
