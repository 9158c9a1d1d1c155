//! `Webhook::handle` and `Webhook::service`: bodies sent over real sockets, and the answers.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Full, StreamBody};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::time::Instant;
use wechat_events::event::Text;
use wechat_events::{
    AsyncHandler, Endpoint, Event, HandlerResult, Limits, Reply, ResponseBody, Webhook, WebhookService, Webhooks,
};

use crate::wire::query;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(20);

struct Echo;

impl AsyncHandler for Echo {
    async fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        Ok(Reply::text(&*text.content))
    }
}

/// The reports to the operator.
type Told = Arc<Mutex<Vec<String>>>;

fn webhook(limit: u32) -> (Webhook, Told) {
    let told = Told::default();
    let reports = Arc::clone(&told);
    let endpoint = Endpoint::plain("token")
        .unwrap()
        .limits(Limits::default().max_bytes(limit))
        .on_report(move |report| reports.lock().unwrap().push(report.to_string()));
    (Webhooks::builder().wall_clock(|| 1_714_037_060).build().account(endpoint, Echo), told)
}

/// A push that says `hi`, padded with spaces to this length.
fn push(length: usize) -> String {
    let push = "<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>1714037059</CreateTime>\
                <MsgType>text</MsgType><Content>hi</Content></xml>";
    format!("{push:length$}")
}

const PUSH: usize = 151;
const REPLY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 199\r\ncontent-type: text/xml\r\nx-content-type-options: nosniff\r\n\r\n\
                     <xml><ToUserName><![CDATA[o_1]]></ToUserName><FromUserName><![CDATA[gh_1]]></FromUserName>\
                     <CreateTime>1714037060</CreateTime><MsgType><![CDATA[text]]></MsgType>\
                     <Content><![CDATA[hi]]></Content></xml>";

/// hyper around the webhook's service, on threads of its own.
struct Server {
    address: SocketAddr,
    told: Told,
    #[expect(dead_code, reason = "it serves as long as this lives")]
    runtime: tokio::runtime::Runtime,
}

impl Server {
    fn start(limit: u32) -> Server {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (webhook, told) = webhook(limit);
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = TowerToHyperService::new(webhook.service());
                let mut http = http1::Builder::new();
                http.auto_date_header(false).half_close(true);
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
            }
        });
        Server { address, told, runtime }
    }

    /// A connection with the beginning of a request: its line, these headers, and what follows them.
    fn begin(&self, method: &str, headers: &str, rest: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let query = query("token", "1714037059", "486452656");
        let head =
            format!("{method} /wechat?{query}&echostr=42 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all((head + rest).as_bytes()).unwrap();
        stream
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

/// The answer, with its headers sorted.
fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<_> = head.split("\r\n").filter(|line| *line != "connection: close").collect();
    lines[1..].sort_unstable();
    format!("{}\r\n\r\n{body}", lines.join("\r\n"))
}

fn refused(status: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: 0\r\ncontent-type: text/plain\r\nx-content-type-options: nosniff\r\n\r\n"
    )
}

#[test]
fn a_body_of_the_length_that_was_announced_is_a_push() {
    let server = Server::start(1 << 20);
    let body = push(0);
    assert_eq!(body.len(), PUSH);
    assert_eq!(answer(server.begin("POST", &format!("Content-Length: {PUSH}\r\n"), &body)), REPLY);
    assert_eq!(server.told(), [""; 0]);
}

#[test]
fn a_body_in_chunks_is_a_push_wherever_they_end() {
    let server = Server::start(1 << 20);
    let body = push(0);
    for size in [1, 7, PUSH - 1, PUSH] {
        let mut stream = server.begin("POST", "Transfer-Encoding: chunked\r\n", "");
        for chunk in body.as_bytes().chunks(size) {
            write!(stream, "{:x}\r\n{}\r\n", chunk.len(), str::from_utf8(chunk).unwrap()).unwrap();
        }
        stream.write_all(b"0\r\nX-Trailer: ignored\r\n\r\n").unwrap();
        assert_eq!(answer(stream), REPLY, "{size}");
    }
    assert_eq!(server.told(), [""; 0]);
}

#[test]
fn other_methods_are_answered_as_call_answers_them() {
    let server = Server::start(1 << 20);
    let confirmed =
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\nx-content-type-options: nosniff\r\n\r\n42";
    assert_eq!(answer(server.begin("GET", "", "")), confirmed);
    for method in ["HEAD", "PUT", "DELETE", "OPTIONS", "QUERY"] {
        assert_eq!(answer(server.begin(method, "", "")), refused("405 Method Not Allowed"), "{method}");
    }
}

#[test]
fn a_request_without_a_query_is_not_signed() {
    let (webhook, told) = webhook(1 << 20);
    let response = polled(webhook.handle(Request::post("/wechat").body(push(0)).unwrap()));
    assert_eq!(response.status(), 400);
    assert_eq!(*told.lock().unwrap(), ["request refused with status 400: the query has no `signature`"]);
}

#[test]
fn a_body_as_long_as_the_limit_is_taken_and_one_byte_more_is_refused_before_it_comes() {
    let server = Server::start(200);
    assert_eq!(answer(server.begin("POST", "Content-Length: 200\r\n", &push(200))), REPLY);
    // Nothing of it is sent.
    assert_eq!(answer(server.begin("POST", "Content-Length: 201\r\n", "")), refused("413 Payload Too Large"));
    let enormous = format!("Content-Length: {}\r\n", u64::MAX - 2);
    assert_eq!(answer(server.begin("POST", &enormous, "")), refused("413 Payload Too Large"));
    let told = server.told();
    assert_eq!(told[0], "request refused with status 413: the body is 201 bytes long, the limit is 200");
    assert_eq!(told.len(), 2);
}

#[test]
fn chunks_are_read_up_to_the_limit_and_no_further() {
    let server = Server::start(200);
    // The last chunk, and the end, never come.
    for chunks in
        ["c9\r\n".to_owned() + &push(201), format!("64\r\n{}\r\n65\r\n{}", push(0).split_at(100).0, " ".repeat(101))]
    {
        let stream = server.begin("POST", "Transfer-Encoding: chunked\r\n", &chunks);
        assert_eq!(answer(stream), refused("413 Payload Too Large"));
    }
    let told = "request refused with status 413: the body is 201 bytes long, the limit is 200";
    assert_eq!(server.told(), [told, told]);
}

#[test]
fn a_body_that_breaks_off_is_no_push() {
    let server = Server::start(1 << 20);
    let half = &push(0)[..PUSH / 2];
    let chunked = format!("{:x}\r\n{half}\r\n", half.len());
    for (headers, sent) in [("Content-Length: 151\r\n", half), ("Transfer-Encoding: chunked\r\n", &chunked)] {
        // The client still listens: the length that it announced was wrong.
        let stream = server.begin("POST", headers, sent);
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(answer(stream), refused("400 Bad Request"), "{headers}");
        // The client hangs up.
        drop(server.begin("POST", headers, sent));
    }
    // Not a number of bytes at all.
    let stream = server.begin("POST", "Transfer-Encoding: chunked\r\n", &format!("{chunked}many\r\n"));
    assert_eq!(answer(stream), refused("400 Bad Request"));
    let told = "request refused with status 400: the body ended after 75 bytes: the client hung up or announced \
                another length";
    for _ in 0..200 {
        if server.told().len() == 5 {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(server.told(), [told; 5]);
}

#[test]
fn of_a_body_longer_than_announced_the_rest_is_not_read() {
    let server = Server::start(1 << 20);
    let response = answer(server.begin("POST", "Content-Length: 150\r\n", &push(0)));
    assert!(response.ends_with("\r\n\r\nsuccess"), "{response}");
    let told = server.told();
    assert!(
        told[0].starts_with("authentic, but not a valid push, 150 bytes answered `success`: not XML: "),
        "{told:?}"
    );
}

/// On a clock that is moved by hand.
fn polled<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(future)
}

#[test]
fn a_body_that_does_not_end_is_waited_for_as_long_as_wechat_waits() {
    let (webhook, told) = webhook(1 << 20);
    polled(async {
        let some = http_body::Frame::data(Bytes::from("<xml>"));
        let rest = futures_util::stream::pending::<Result<_, Infallible>>();
        let body = StreamBody::new(futures_util::StreamExt::chain(futures_util::stream::iter([Ok(some)]), rest));
        let begun = Instant::now();
        let response = webhook.handle(Request::post("/wechat?a=b").body(body).unwrap()).await;
        assert_eq!((response.status().as_u16(), begun.elapsed()), (408, Duration::from_secs(5)));
    });
    let expected = "request refused with status 408: the body was incomplete after 5 s, when WeChat hangs up: 5 bytes \
                    received";
    assert_eq!(*told.lock().unwrap(), [expected]);
}

/// Compiles with what stacks require of a mounted service: axum's `route_service`, hyper, and bodies that are not
/// `Sync`.
#[test]
fn the_service_is_what_stacks_mount() {
    fn mounts<B>(
        _: impl tower_service::Service<
            Request<B>,
            Response = Response<ResponseBody>,
            Error = Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + Sync
        + 'static,
    ) {
    }
    let (webhook, _) = webhook(1);
    mounts::<Full<Bytes>>(webhook.service());
    mounts::<hyper::body::Incoming>(webhook.service());
    mounts::<http_body_util::combinators::UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>>(
        webhook.service(),
    );
    fn debug<T: std::fmt::Debug>(_: T) {}
    debug::<WebhookService>(webhook.service());
}
