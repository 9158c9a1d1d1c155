//! A receiver over bare TCP, that can do what no HTTP library lets it do.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wechat_events::cipher::{self, EncodingAesKey};
use wechat_events::{Endpoint, Received, Response, Webhook, parse_event};

use crate::shop::Shop;

pub const TOKEN: &str = "QDG6eK";
pub const APP_ID: &str = "wx5823bf96d3bd56c7";
pub const AES_KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Plain,
    Compatible,
    Safe,
}

/// A request, as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub query: String,
    pub body: Vec<u8>,
    /// The body is as long as was announced.
    pub whole: bool,
}

/// What goes back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: Vec<u8>,
    pub framing: Framing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Length,
    Chunks,
    /// Over when the connection is.
    Close,
    /// No answer: the connection is closed.
    None,
}

impl Answer {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer { status, content_type: "text/plain".to_owned(), body: body.into(), framing: Framing::Length }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl From<Response> for Answer {
    fn from(response: Response) -> Answer {
        Answer { content_type: response.content_type.to_owned(), ..Answer::new(response.status, response.body) }
    }
}

/// What a receiver is made of.
pub struct Stand {
    pub mode: Mode,
    pub webhook: Webhook,
    /// For the same account in plaintext mode.
    pub plain: Webhook,
    /// The same without any memory.
    pub endpoint: Endpoint,
    pub shop: Shop,
    /// What a fault keeps.
    pub kept: Mutex<HashMap<String, String>>,
    pub count: AtomicUsize,
    pub gate: tokio::sync::Mutex<()>,
    pub begun: Instant,
    /// Takes the next connection when it is done with one.
    pub one_by_one: AtomicBool,
    /// Takes no connection any more.
    pub ended: AtomicBool,
}

pub type Serving<'s> = Pin<Box<dyn Future<Output = Answer> + Send + 's>>;
pub type Serve = for<'s> fn(&'s Stand, Asked) -> Serving<'s>;

/// The receiver that does all as it should.
pub fn good(stand: &Stand, asked: Asked) -> Serving<'_> {
    Box::pin(async move { stand.good(&asked).await })
}

pub fn endpoint(mode: Mode) -> Endpoint {
    let endpoint = match mode {
        Mode::Plain => Endpoint::plain(TOKEN),
        Mode::Compatible => Endpoint::compatible(TOKEN, APP_ID, AES_KEY),
        Mode::Safe => Endpoint::safe(TOKEN, APP_ID, AES_KEY),
    };
    endpoint.unwrap().on_report(|_| {})
}

impl Stand {
    fn new(mode: Mode) -> Stand {
        let webhook = |mode| Webhook::new(endpoint(mode), Shop::default());
        Stand {
            mode,
            webhook: webhook(mode),
            plain: webhook(Mode::Plain),
            endpoint: endpoint(mode),
            shop: Shop::default(),
            kept: Mutex::default(),
            count: AtomicUsize::new(0),
            gate: tokio::sync::Mutex::default(),
            begun: Instant::now(),
            one_by_one: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        }
    }

    pub async fn good(&self, asked: &Asked) -> Answer {
        self.webhook.call(&asked.method, &asked.query, &asked.body).await.into()
    }

    /// The same without any memory: each delivery runs the handler.
    pub async fn forgetful(&self, asked: &Asked) -> Answer {
        let push = match self.endpoint.receive(&asked.method, &asked.query, &asked.body, 1_700_000_000) {
            Ok(Received::Push(push)) => push,
            Ok(Received::Answer(answer)) => return answer.into(),
            Ok(other) => panic!("neither a push nor answered: {other:?}"),
            Err(error) => return Answer::new(error.status(), ""),
        };
        let Ok(event) = push.event() else { return Answer::new(200, "success") };
        let reply = event.dispatch_async(&self.shop).await.unwrap();
        push.respond(&event, &reply, 1_700_000_000).into()
    }

    /// What the good receiver says to this message, were it pushed in the clear.
    pub async fn answer_to(&self, message: &[u8]) -> Answer {
        let query = signed("signature=&timestamp=1700000000&nonce=1", None);
        let answer = self.plain.call("POST", &query, message).await;
        self.written(&String::from_utf8_lossy(&answer.body), None)
    }

    /// An answer, sealed if need be; with these 16 bytes in front, if they are given.
    pub fn written(&self, reply: &str, random: Option<[u8; 16]>) -> Answer {
        if self.mode == Mode::Plain || matches!(reply, "" | "success") {
            return Answer::new(200, reply);
        }
        let key = EncodingAesKey::new(AES_KEY).unwrap();
        let encrypt = match random {
            Some(random) => cipher::seal_with(&key, APP_ID, reply.as_bytes(), random),
            None => cipher::seal(&key, APP_ID, reply.as_bytes()),
        };
        let encrypt = encrypt.unwrap();
        let signature = sign([TOKEN, "1700000000", "7", &encrypt]);
        let answer = Answer::new(
            200,
            format!(
                "<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt><MsgSignature>{signature}</MsgSignature>\
                 <TimeStamp>1700000000</TimeStamp><Nonce>7</Nonce></xml>"
            ),
        );
        Answer { content_type: "text/xml".to_owned(), ..answer }
    }
}

impl Asked {
    pub fn is_push(&self) -> bool {
        self.method == "POST"
    }

    /// What is pushed, opened if it is sealed and can be opened.
    pub fn message(&self) -> Vec<u8> {
        let key = EncodingAesKey::new(AES_KEY).unwrap();
        let opened = encrypt(&self.body).and_then(|encrypt| cipher::open(&key, APP_ID, &encrypt).ok());
        opened.map_or_else(|| self.body.clone(), |opened| opened.into_message())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.message()).into_owned()
    }

    pub fn field(&self, name: &str) -> String {
        let message = self.message();
        let event = parse_event(&message).ok();
        event.and_then(|event| event.field(name).map(String::from)).unwrap_or_default()
    }

    /// A reply of text to this push, as it would be written by somebody who does not know better.
    pub fn reply(&self, content: &str) -> String {
        format!(
            "<xml><ToUserName><![CDATA[{}]]></ToUserName><FromUserName><![CDATA[{}]]></FromUserName>\
             <CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType>\
             <Content><![CDATA[{content}]]></Content></xml>",
            self.field("FromUserName"),
            self.field("ToUserName")
        )
    }

    pub fn parameter(&self, name: &str) -> Option<&str> {
        parameter(&self.query, name)
    }
}

pub fn encrypt(body: &[u8]) -> Option<String> {
    let body = String::from_utf8_lossy(body).into_owned();
    if body.starts_with('{') {
        let (_, behind) = body.split_once("\"Encrypt\":\"")?;
        return Some(behind.split('"').next()?.to_owned());
    }
    let (_, behind) = body.split_once("<Encrypt>")?;
    let encrypt = behind.split("</Encrypt>").next()?.trim();
    Some(encrypt.trim_start_matches("<![CDATA[").trim_end_matches("]]>").to_owned())
}

pub fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// Lower-case hexadecimal SHA-1 of the sorted parts.
pub fn sign<const N: usize>(mut parts: [&str; N]) -> String {
    parts.sort_unstable();
    Sha1::digest(parts.concat()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The query with the signatures that it should have; over this Encrypt.
pub fn signed(query: &str, encrypt: Option<&str>) -> String {
    let (timestamp, nonce) = (parameter(query, "timestamp").unwrap_or("1"), parameter(query, "nonce").unwrap_or("1"));
    let mut rest: Vec<String> = query
        .split('&')
        .filter(|pair| !["signature", "msg_signature", "timestamp", "nonce"].contains(&pair.split('=').next().unwrap()))
        .map(str::to_owned)
        .collect();
    rest.push(format!("signature={}&timestamp={timestamp}&nonce={nonce}", sign([TOKEN, timestamp, nonce])));
    if let Some(encrypt) = encrypt {
        rest.push(format!("msg_signature={}", sign([TOKEN, timestamp, nonce, encrypt])));
    }
    rest.join("&")
}

/// A receiver that is there until this is dropped.
pub struct Receiver {
    pub url: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub async fn start<S>(mode: Mode, serve: S) -> Receiver
where
    S: for<'s> Fn(&'s Stand, Asked) -> Serving<'s> + Copy + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/wechat", listener.local_addr().unwrap());
    let stand = Arc::new(Stand::new(mode));
    let task = tokio::spawn(async move {
        while !stand.ended.load(Ordering::SeqCst) {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let conversation = {
                let stand = Arc::clone(&stand);
                // Whoever hangs up does not hear the rest.
                tokio::spawn(async move { converse(stream, &stand, serve).await.unwrap_or_default() })
            };
            if stand.one_by_one.load(Ordering::SeqCst) {
                conversation.await.unwrap_or_default();
            }
        }
    });
    Receiver { url, task }
}

async fn converse(
    mut stream: TcpStream,
    stand: &Stand,
    serve: impl for<'s> Fn(&'s Stand, Asked) -> Serving<'s>,
) -> std::io::Result<()> {
    let mut read = Vec::new();
    let head_end = loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
    };
    let head = String::from_utf8_lossy(&read[..head_end]).into_owned();
    let mut words = head.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default());
    let query = path.split_once('?').map_or("", |(_, query)| query).to_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = read.split_off(head_end);
    while body.len() < length.unwrap_or_default() {
        if stream.read_buf(&mut body).await? == 0 {
            break;
        }
    }
    let whole = body.len() == length.unwrap_or_default();
    let answer = serve(stand, Asked { method, query, body, whole }).await;
    let head =
        format!("HTTP/1.1 {} X\r\nContent-Type: {}\r\nConnection: close\r\n", answer.status, answer.content_type);
    let length = answer.body.len();
    let written = match answer.framing {
        Framing::None => return Ok(()),
        Framing::Length => [format!("{head}Content-Length: {length}\r\n\r\n").as_bytes(), &answer.body].concat(),
        Framing::Close => [format!("{head}\r\n").as_bytes(), &answer.body].concat(),
        Framing::Chunks => {
            let mut written = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
            if length > 0 {
                written.extend(format!("{length:x}\r\n").as_bytes());
                written.extend(&answer.body);
                written.extend(b"\r\n");
            }
            written.extend(b"0\r\n\r\n");
            written
        }
    };
    stream.write_all(&written).await?;
    stream.shutdown().await
}
