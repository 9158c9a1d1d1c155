//! What an attacker sends to slow a receiver down, make it fetch something, or take it down. After each it must be up.
//!
//! In plain mode one captured signature is enough, as no signature covers a body. In the encrypted modes the
//! envelope is read before anything is checked, so that none is needed.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use wechat_events::testing::{PATIENCE, Request};

use super::receiver::{Exchange, Receiver, shortened, xml};
use super::{ALL, Check, Group, Level, Miss, Outcome, fail, skip};
use crate::account::now;
use crate::wire::Silence;

const ANSWERED: &str = "any answer, or a closed connection, within 5 seconds; and the receiver stays up";
const DOWN: &str = "one request slows the service down for everyone, or takes it down";

pub const CHECKS: &[Check] = &[
    check(
        "hostile-entities",
        "entities that expand to gigabytes, in the text and around it",
        ANSWERED,
        DOWN,
        |receiver| Box::pin(entities(receiver)),
    ),
    check(
        "hostile-external-entity",
        "entities, a DTD and an XInclude at an address of the simulator; one in /etc/passwd",
        "no request arrives there, and no file comes back",
        "anyone can read files and reach internal addresses through your service (XXE, as in nine SDKs for WeChat)",
        |receiver| Box::pin(external(receiver)),
    ),
    Check {
        level: Level::Should,
        ..check(
            "hostile-dtd",
            "a text with an entity declared in a DTD",
            "anything but a reply with the entity's text in it: WeChat never sends a DTD",
            "a parser that reads DTDs is one setting away from reading files",
            |receiver| Box::pin(dtd(receiver)),
        )
    },
    check("hostile-nesting", "100 000 nested elements", ANSWERED, DOWN, |receiver| Box::pin(nesting(receiver))),
    check("hostile-wide", "100 000 elements side by side; one with 30 000 attributes", ANSWERED, DOWN, |receiver| {
        Box::pin(wide(receiver))
    }),
    check("hostile-number", "MsgId and CreateTime with 200 000 digits", ANSWERED, DOWN, |receiver| {
        Box::pin(number(receiver))
    }),
    check("hostile-size", "bodies of 2 MiB and of 20 MiB", ANSWERED, DOWN, |receiver| Box::pin(size(receiver))),
    Check {
        level: Level::Should,
        ..check(
            "hostile-limit",
            "a text in a body of 20 MiB",
            "anything but a reply: WeChat's largest push has about 10 kB",
            "anyone can fill the memory: bodies of any size are read",
            |receiver| Box::pin(limit(receiver)),
        )
    },
    check(
        "hostile-cut-short",
        "half a push, then the connection is closed",
        "no reply; and the receiver stays up",
        "a broken connection takes the service down, or half a push is accepted as one",
        |receiver| Box::pin(cut_short(receiver)),
    ),
    Check {
        level: Level::Should,
        ..check(
            "hostile-idle",
            "an address check, while 20 connections have sent half a request",
            "the echostr within 5 seconds",
            "a few idle connections block the service",
            |receiver| Box::pin(idle(receiver)),
        )
    },
];

const fn check(
    id: &'static str,
    sends: &'static str,
    passes: &'static str,
    means: &'static str,
    run: for<'r> fn(&'r Receiver) -> super::Running<'r>,
) -> Check {
    Check { id, group: Group::Hostile, level: Level::Must, modes: ALL, sends, passes, means, run }
}

/// A text behind a DTD, with this behind its `echo` and this beside it; and the same text as a reply to it is judged by.
fn text(receiver: &Receiver, dtd: &str, echo: &str, extra: &str) -> (String, String) {
    let (user, created, msg_id) = (receiver.user(), now().to_string(), receiver.msg_id());
    let usual = xml(&[
        ("ToUserName", "gh_ebc88566ca2e"),
        ("FromUserName", &user),
        ("CreateTime", &created),
        ("MsgType", "text"),
        ("MsgId", &msg_id),
    ]);
    (usual.replacen("<xml>", &format!("{dtd}<xml><Content>echo {echo}</Content>{extra}"), 1), usual)
}

/// The document as a push; in the encrypted modes also around Encrypt.
fn both(receiver: &Receiver, dtd: &str, echo: &str, extra: &str) -> Vec<Request> {
    let (document, usual) = text(receiver, dtd, echo, extra);
    let mut pushed = receiver.wechat.raw(document).request(now());
    let is_sealed = pushed.body != pushed.message;
    pushed.message = usual.into_bytes();
    let mut around = receiver.text("hello").request(now());
    let envelope = format!("{dtd}<xml><Content>{echo}</Content>{extra}");
    around.body = String::from_utf8_lossy(&around.body).replacen("<xml>", &envelope, 1).into_bytes();
    if is_sealed { vec![pushed, around] } else { vec![pushed] }
}

/// Fails unless each is answered, or cut off, in time.
async fn all_answered(receiver: &Receiver, requests: Vec<Request>) -> Result<Vec<Exchange>, Miss> {
    let exchanges = join_all(requests.into_iter().map(|request| receiver.exchange(request))).await;
    for exchange in &exchanges {
        match &exchange.came {
            _ if !exchange.is_in_time() => return fail("no answer within 5 seconds"),
            Err(silence @ Silence::TooLong) => return fail(silence),
            _ => {}
        }
    }
    Ok(exchanges)
}

async fn entities(receiver: &Receiver) -> Outcome {
    let mut laughs = String::from("<!DOCTYPE xml [<!ENTITY a \"aaaaaaaaaaaaaaaa\">");
    for (name, of) in ('b'..='j').zip('a'..) {
        laughs.push_str(&format!("<!ENTITY {name} \"{}\">", format!("&{of};").repeat(10)));
    }
    laughs.push_str("]>");
    let quadratic = format!("<!DOCTYPE xml [<!ENTITY a \"{}\">]>", "a".repeat(50_000));
    let mut requests = both(receiver, &laughs, "&j;", "");
    requests.extend(both(receiver, &quadratic, &"&a;".repeat(20_000), ""));
    all_answered(receiver, requests).await.map(|_| String::new())
}

/// A port that should get no request.
struct Trap {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Trap {
    /// On the address by which the receiver is reached from here.
    async fn lay(receiver: &Receiver) -> Result<Trap, Miss> {
        let Ok(local) = receiver.target.local_address().await else { return skip("no address to listen at") };
        let Ok(listener) = TcpListener::bind((local.ip(), 0)).await else { return skip("no port to listen at") };
        let Ok(address) = listener.local_addr() else { return skip("no port to listen at") };
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let noted = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let noted = Arc::clone(&noted);
                tokio::spawn(async move {
                    let mut head = [0; 256];
                    let read = timeout(Duration::from_millis(200), stream.read(&mut head)).await;
                    let length = read.ok().and_then(Result::ok).unwrap_or_default();
                    let line = String::from_utf8_lossy(&head[..length]).lines().next().unwrap_or_default().to_owned();
                    if let Ok(mut noted) = noted.lock() {
                        noted.push(line);
                    }
                    let found = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nfetched";
                    drop(stream.write_all(found.as_bytes()).await);
                });
            }
        });
        Ok(Trap { address, asked })
    }
}

async fn external(receiver: &Receiver) -> Outcome {
    let trap = Trap::lay(receiver).await?;
    let at = |what: &str| format!("http://{}/{what}", trap.address);
    let include = format!("<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"{}\"/>", at("include"));
    let mut requests = Vec::new();
    for (dtd, echo, extra) in [
        (format!("<!DOCTYPE xml [<!ENTITY a SYSTEM \"{}\">]>", at("entity")), "&a;", ""),
        (format!("<!DOCTYPE xml SYSTEM \"{}\">", at("dtd")), "hello", ""),
        (format!("<!DOCTYPE xml [<!ENTITY % a SYSTEM \"{}\"> %a;]>", at("parameter")), "hello", ""),
        (String::new(), "hello", &*include),
        ("<!DOCTYPE xml [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>".to_owned(), "&a;", ""),
    ] {
        requests.extend(both(receiver, &dtd, echo, extra));
    }
    let exchanges = all_answered(receiver, requests).await?;
    let leaks = |exchange: &&Exchange| {
        let body = exchange.came.as_ref().map(|answered| String::from_utf8_lossy(&answered.body).into_owned());
        exchange.content().or(body.ok()).is_some_and(|text| text.contains("root:"))
    };
    if let Some(leak) = exchanges.iter().find(leaks) {
        return fail(leak.seen());
    }
    sleep(Duration::from_millis(700)).await;
    let asked = trap.asked.lock().map(|asked| asked.clone()).unwrap_or_default();
    match asked.first() {
        Some(line) => fail(format!("it requested `{}` from the simulator", shortened(line))),
        None => Ok(format!("no request to {}", trap.address)),
    }
}

async fn dtd(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    receiver.needs_echo()?;
    let mark = receiver.mark();
    let declared = format!("<!DOCTYPE xml [<!ENTITY a \"{mark}\">]>");
    let (document, usual) = text(receiver, &declared, "&a;", "");
    let mut request = receiver.wechat.raw(document).request(now());
    request.message = usual.into_bytes();
    let exchange = receiver.exchange(request).await;
    let expanded = exchange.content().is_some_and(|content| content.contains(&mark));
    if expanded { fail(exchange.seen()) } else { Ok(String::new()) }
}

async fn nesting(receiver: &Receiver) -> Outcome {
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    all_answered(receiver, both(receiver, "", "hello", &deep)).await.map(|_| String::new())
}

async fn wide(receiver: &Receiver) -> Outcome {
    let attributes: String = (0..30_000).map(|number| format!(" a{number}=\"\"")).collect();
    let mut requests = both(receiver, "", "hello", &"<a/>".repeat(100_000));
    requests.extend(both(receiver, "", "hello", &format!("<a{attributes}/>")));
    all_answered(receiver, requests).await.map(|_| String::new())
}

async fn number(receiver: &Receiver) -> Outcome {
    let digits = "7".repeat(200_000);
    let by_id = receiver.text("hello").set("MsgId", &digits).request(now());
    let by_time = receiver.text("hello").set("CreateTime", &digits).request(now());
    all_answered(receiver, vec![by_id, by_time]).await.map(|_| String::new())
}

/// A text, and beside it so many unsigned bytes.
fn large(receiver: &Receiver, bytes: usize) -> Request {
    let mut request = receiver.text(&format!("echo {}", receiver.mark())).request(now());
    let padding = format!("<xml><Padding>{}</Padding>", "a".repeat(bytes));
    request.body = String::from_utf8_lossy(&request.body).replacen("<xml>", &padding, 1).into_bytes();
    request
}

async fn size(receiver: &Receiver) -> Outcome {
    let requests = [2, 20].map(|mebibytes| large(receiver, mebibytes << 20));
    all_answered(receiver, requests.into()).await.map(|_| String::new())
}

async fn limit(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    let exchange = receiver.exchange(large(receiver, 20 << 20)).await;
    if exchange.is_reply() { fail(exchange.seen()) } else { Ok(String::new()) }
}

/// The head of a push, announcing so many bytes.
fn head(receiver: &Receiver, request: &Request, length: usize) -> String {
    format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n",
        receiver.target.path(&request.query),
        receiver.target.host()
    )
}

async fn cut_short(receiver: &Receiver) -> Outcome {
    for hang_up in [true, false] {
        let request = receiver.text(&format!("echo {}", receiver.mark())).request(now());
        let half = request.body.get(..request.body.len() / 2).unwrap_or_default();
        let Ok(mut stream) = receiver.target.connect().await else { return fail("no connection") };
        let head = head(receiver, &request, request.body.len());
        // A receiver that has hung up by now has refused it, which is well.
        drop(stream.write_all(&[head.as_bytes(), half].concat()).await);
        drop(stream.flush().await);
        if hang_up {
            continue;
        }
        drop(stream.shutdown().await);
        let mut answer = Vec::new();
        drop(timeout(PATIENCE, stream.read_to_end(&mut answer)).await);
        let answer = String::from_utf8_lossy(&answer);
        if answer.starts_with("HTTP/1.1 200") && ["<MsgType>", "<Encrypt>"].iter().any(|mark| answer.contains(mark)) {
            return fail(format!("a reply: `{}`", shortened(&answer)));
        }
    }
    Ok(String::new())
}

async fn idle(receiver: &Receiver) -> Outcome {
    let mut held = Vec::new();
    for _ in 0..20 {
        let Ok(mut stream) = receiver.target.connect().await else { return fail("no connection") };
        let request = receiver.text("hello").request(now());
        drop(stream.write_all(head(receiver, &request, request.body.len()).as_bytes()).await);
        drop(stream.flush().await);
        held.push(stream);
    }
    super::address::right(receiver).await
}
