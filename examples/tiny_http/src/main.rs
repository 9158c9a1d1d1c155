//! An Official Account behind tiny_http: `WECHAT_TOKEN=… cargo run --release -p wechat-events-tiny_http -- 127.0.0.1:8080`.

use std::env;
use std::error::Error;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tiny_http::{Header, Request, Response, Server};
use wechat_events::event::{Click, Subscribe, Text};
use wechat_events::{Endpoint, Event, Handler, HandlerResult, Reply, ThreadedWebhook};

fn wechat(webhook: &ThreadedWebhook, mut request: Request) -> io::Result<()> {
    let mut body = Vec::new();
    // The endpoint takes 1 MiB, and refuses what is a byte longer.
    request.as_reader().take((1 << 20) + 1).read_to_end(&mut body)?;
    let (path, query) = request.url().split_once('?').unwrap_or((request.url(), ""));
    if path != "/wechat" {
        return request.respond(Response::empty(404));
    }
    let answer = webhook.call(request.method().as_str(), query, &body);
    let header = Header::from_bytes("Content-Type", answer.content_type).map_err(|()| io::ErrorKind::InvalidData)?;
    let response = Response::from_data(answer.body).with_header(header).with_status_code(answer.status);
    // From 32 KiB on it would be chunked, which WeChat refuses.
    request.respond(response.with_chunked_threshold(usize::MAX))
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let webhook = ThreadedWebhook::new(endpoint()?, Shop::default())?;
    let server = Arc::new(Server::http(address())?);
    println!("http://{}/wechat waits for WeChat", server.server_addr());
    let asked_to_end = Arc::clone(&server);
    ctrlc::set_handler(move || asked_to_end.unblock())?;
    let (under_way, all_answered) = mpsc::channel::<()>();
    for request in server.incoming_requests() {
        let (webhook, under_way) = (webhook.clone(), under_way.clone());
        thread::spawn(move || {
            // An error means that WeChat has hung up; it will ask again.
            drop(wechat(&webhook, request));
            drop(under_way);
        });
    }
    drop(under_way);
    // Until nobody has the sender any more. A client that sends half of a request would be waited for without end.
    let _ = all_answered.recv_timeout(Duration::from_secs(10));
    webhook.shutdown(Duration::from_secs(15));
    Ok(())
}

/// Your account's own code.
#[derive(Default)]
struct Shop {
    texts: AtomicU64,
}

impl Handler for Shop {
    fn subscribe(&self, _: &Event<'_>, subscribe: &Subscribe<'_>) -> HandlerResult {
        Ok(Reply::text(match subscribe.scene() {
            Some(scene) => format!("Welcome to table {scene}!"),
            None => "Welcome!".to_owned(),
        }))
    }

    fn click(&self, _: &Event<'_>, click: &Click<'_>) -> HandlerResult {
        Ok(Reply::text(format!("You pressed {}.", click.event_key)))
    }

    /// After `wait 8` it answers in 8 seconds, too late for WeChat: `late` has it.
    fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        let number = self.texts.fetch_add(1, Ordering::Relaxed) + 1;
        let wait = text.content.strip_prefix("wait ").and_then(|seconds| seconds.parse().ok());
        if let Some(Ok(wait)) = wait.map(Duration::try_from_secs_f64) {
            thread::sleep(wait);
        }
        Ok(Reply::text(format!("{number}. You said: {}", text.content)))
    }

    /// Of a handler that took over 4.5 s: send it by the customer-service API, if the account has it.
    fn late(&self, event: &Event<'_>, reply: &Reply) -> Result<(), Box<dyn Error + Send + Sync>> {
        eprintln!("late, for {}: {reply:?}", event.from_user);
        Ok(())
    }
}

/// With a key in safe mode, which serves compatible mode too; else in plaintext mode.
fn endpoint() -> Result<Endpoint, Box<dyn Error + Send + Sync>> {
    let variable = |name| env::var(name).map_err(|error| format!("{name}: {error}"));
    let endpoint = match variable("WECHAT_AES_KEY") {
        Ok(key) => Endpoint::safe(variable("WECHAT_TOKEN")?, variable("WECHAT_APP_ID")?, key)?,
        Err(_) => Endpoint::plain(variable("WECHAT_TOKEN")?)?,
    };
    Ok(endpoint.on_report(|report| eprintln!("{report}")))
}

/// Where to listen: the first argument, or port 8080 of this machine alone.
fn address() -> String {
    env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned())
}
