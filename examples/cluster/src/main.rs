//! One of several machines that answer for one account, behind a balancer, with a Redis that they share.
//!
//! ```text
//! cargo run -p wechat-events-cluster -- 127.0.0.1:8081 redis://127.0.0.1:6379/ TOKEN
//! cargo run -p wechat-events-cluster -- 127.0.0.1:8082 redis://127.0.0.1:6379/ TOKEN
//! ```
//!
//! A text message «3500 hello» is answered after 3,500 milliseconds, whichever machines its deliveries reach and
//! whichever of them dies meanwhile. What happens is printed, one line each, with the time in milliseconds since 1970.
//! From top to bottom: the account, the machine, HTTP. `tests/cluster` runs two and three of these and does its worst to them.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use wechat_events::event::Text;
use wechat_events::store::{Redis, RedisBuilder};
use wechat_events::{AsyncHandler, Endpoint, Event, Failure, HandlerResult, Kind, Reply, Response, Webhook, Webhooks};

/// The account's own code: it takes its time.
struct Slow;

impl AsyncHandler for Slow {
    async fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        print("began", &text.content);
        let (takes, what) = text.content.split_once(' ').ok_or("no number of milliseconds")?;
        sleep(Duration::from_millis(takes.parse()?)).await;
        print("completed", &text.content);
        Ok(Reply::text(format!("After {takes} ms: {what}")))
    }

    /// Here the customer-service API would send the reply.
    async fn late(&self, event: &Event<'_>, _: &Reply) -> Result<(), Box<dyn Error + Send + Sync>> {
        match &event.kind {
            Kind::Text(text) => print("late", &text.content),
            _ => print("late", event.name()),
        }
        Ok(())
    }

    async fn failed(&self, failure: &Failure) -> Result<(), Box<dyn Error + Send + Sync>> {
        print("failure", &failure.to_string());
        Ok(())
    }
}

fn print(what: &str, of: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    println!("{} {what} {of}", now.as_millis());
}

/// What all machines share, to be connected.
pub fn store() -> RedisBuilder {
    Redis::builder("cluster-example:").on_status(|status| print("status", &status.to_string()))
}

/// Listens until the process dies.
pub async fn machine(address: SocketAddr, store: Redis, token: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let webhook = Webhooks::builder().store(store).build().account(Endpoint::plain(token)?, Slow);
    let listener = TcpListener::bind(address).await?;
    print("listening", &address.to_string());
    loop {
        let (stream, _) = listener.accept().await?;
        let webhook = webhook.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(stream, &webhook).await {
                print("connection", &error.to_string());
            }
        });
    }
}

/// A request may be so large; WeChat's have some hundred bytes.
const LIMIT: u64 = 1 << 20;

/// One request and its response. Any HTTP server will do: this one needs no other crate.
async fn serve(mut stream: TcpStream, webhook: &Webhook) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut read = BufReader::new(read.take(LIMIT));
    let (method, target, body) = timeout(Duration::from_secs(10), request(&mut read)).await??;
    let query = target.split_once('?').map_or("", |(_, query)| query);
    // WeChat hangs up after five seconds. Then nobody waits here any more, and the handler goes on all the same.
    let mut rest = [0];
    let response = tokio::select! {
        response = webhook.call(&method, query, &body) => response,
        _ = read.read(&mut rest) => return Ok(()),
    };
    let Response { status, content_type, body, .. } = response;
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} -\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    write.write_all(&[head.as_bytes(), &body].concat()).await
}

async fn request(read: &mut (impl AsyncBufRead + Unpin)) -> io::Result<(String, String, Vec<u8>)> {
    let odd = || io::Error::new(io::ErrorKind::InvalidData, "no HTTP request");
    let (mut line, mut length) = (String::new(), 0);
    read.read_line(&mut line).await?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next().ok_or_else(odd)?, words.next().ok_or_else(odd)?);
    loop {
        line.clear();
        if read.read_line(&mut line).await? == 0 {
            return Err(odd());
        }
        match line.trim_end().split_once(':') {
            None => break,
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().map_err(|_| odd())?;
            }
            Some(_) => {}
        }
    }
    let mut body = vec![];
    read.take(length).read_to_end(&mut body).await?;
    Ok((method, target, body))
}

#[tokio::main]
#[allow(dead_code, reason = "the test has a main function of its own")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [address, redis, token] = &arguments[..] else {
        return Err("usage: cluster ADDRESS REDIS-URL TOKEN".into());
    };
    machine(address.parse()?, store().connect(redis)?, token).await
}
