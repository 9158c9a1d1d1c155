//! A shop's Official Account behind a small HTTP server, and WeChat played against it over real sockets.
//!
//! ```text
//! cargo run -p quickstart                                         prints each push and its answer
//! cargo run -p quickstart -- --listen 127.0.0.1:8080 --token T    goes on serving: for WeChat, or for curl
//! ```
//!
//! This crate and std, nothing else. From top to bottom: the shop, handling a push once, the server, WeChat's part.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};
use std::{env, thread};

use wechat_events::event::{Click, Location, Scan, Subscribe, Takes, Unsubscribe, View};
use wechat_events::{
    Dedup, Endpoint, Event, Handler, HandlerResult, Kind, Limits, Reply, Report, RequestError, parse_event,
};

/// The account's own code: a method for each event that it cares about.
struct Shop(Notes);

impl Handler for Shop {
    fn subscribe(&self, event: &Event<'_>, subscribe: &Subscribe<'_>) -> HandlerResult {
        let by = subscribe.scene().map(|scene| format!(", by the QR code {scene}")).unwrap_or_default();
        self.0.add(format!("{} follows{by}", event.from_user));
        Ok(Reply::text("Welcome!"))
    }

    fn unsubscribe(&self, event: &Event<'_>, _: &Unsubscribe<'_>) -> HandlerResult {
        self.0.add(format!("{} left", event.from_user));
        Ok(Reply::Success)
    }

    fn scan(&self, event: &Event<'_>, scan: &Scan<'_>) -> HandlerResult {
        self.0.add(format!("{} scanned the QR code {}", event.from_user, scan.scene()));
        Ok(Reply::text(format!("You scanned {}.", scan.scene())))
    }

    fn location(&self, event: &Event<'_>, location: &Location<'_>) -> HandlerResult {
        self.0.add(format!("{} is at {}, {}", event.from_user, location.latitude, location.longitude));
        Ok(Reply::Success)
    }

    fn click(&self, event: &Event<'_>, click: &Click<'_>) -> HandlerResult {
        self.0.add(format!("{} pressed {}", event.from_user, click.event_key));
        Ok(Reply::text(format!("You pressed {}.", click.event_key)))
    }

    fn view(&self, event: &Event<'_>, view: &View<'_>) -> HandlerResult {
        self.0.add(format!("{} opened {}", event.from_user, view.event_key.as_deref().unwrap_or("a page")));
        Ok(Reply::Success)
    }

    /// Whatever has no method above.
    fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
        self.0.add(format!("{} sent {}", event.from_user, event.name()));
        Ok(Reply::Success)
    }
}

/// Around any handler: WeChat delivers a push up to three times, and it is handled once.
struct Once<H> {
    handler: H,
    seen: Dedup,
    notes: Notes,
}

impl<H: Handler> Handler for Once<H> {
    fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
        let key = event.dedup_key();
        // Of a payment every delivery is answered by what the books say: `success` would deliver the goods.
        if matches!(event.takes(), Takes::Code | Takes::IosRefund) {
            return event.dispatch(&self.handler);
        }
        if !self.seen.first(&key, now()) {
            self.notes.add("seen before: not handled again");
            return Ok(Reply::Success);
        }
        // What failed is forgotten: the next delivery is its second chance.
        catch_unwind(AssertUnwindSafe(|| event.dispatch(&self.handler)))
            .unwrap_or_else(|_| Err("the handler panicked".into()))
            .inspect_err(|_| self.seen.forget(&key))
    }
}

/// What happened, one line each, for whoever watches the program.
#[derive(Clone)]
struct Notes(mpsc::Sender<String>);

impl Notes {
    fn add(&self, note: impl Into<String>) {
        // The names in it are the network's words, and must not steer a terminal.
        let line = note.into().replace(char::is_control, " ");
        // Fails when nobody watches any more.
        let _ = self.0.send(line);
    }
}

/// HTTP around the endpoint: a connection for each request, a thread for each connection.
struct Server {
    endpoint: Endpoint,
    handler: Once<Shop>,
}

impl Server {
    /// Serves from now on; what happens is noted in the channel.
    fn start(address: &str, token: &str) -> Result<(SocketAddr, mpsc::Receiver<String>), Box<dyn Error>> {
        let (sender, receiver) = mpsc::channel();
        let notes = Notes(sender);
        let handler = Once { handler: Shop(notes.clone()), seen: Dedup::new(), notes: notes.clone() };
        let endpoint = Endpoint::plain(token)?.on_report(move |report| match report {
            Report::Rejected { error: RequestError::Signature } => notes.add("not signed by WeChat: refused"),
            other => notes.add(other.to_string()),
        });
        let server = Arc::new(Server { endpoint, handler });
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = Arc::clone(&server);
                thread::spawn(move || server.answer(&stream).unwrap_or_else(|error| eprintln!("no answer: {error}")));
            }
        });
        Ok((address, receiver))
    }

    fn answer(&self, mut stream: &TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let (status, content_type, body) = match Request::read(&mut BufReader::new(stream)) {
            Ok(Request { method, query, body }) => {
                let response = self.endpoint.respond(&method, &query, &body, now(), &self.handler);
                if method == "GET" && response.status == 200 {
                    self.handler.notes.add("the address is right");
                }
                (response.status, response.content_type, response.body)
            }
            Err(status) => (status, "text/plain", Vec::new()),
        };
        let length = body.len();
        // No browser is to take an echostr for anything else than text.
        let headers = "X-Content-Type-Options: nosniff\r\nConnection: close";
        let head = format!("Content-Type: {content_type}\r\nContent-Length: {length}\r\n{headers}");
        stream.write_all(&[format!("HTTP/1.1 {status} \r\n{head}\r\n\r\n").as_bytes(), &body].concat())?;
        // Closing while something is unread would reset the connection, and the answer with it.
        stream.shutdown(Shutdown::Write)?;
        let _ = io::copy(&mut stream.take(1 << 20), &mut io::sink());
        Ok(())
    }
}

/// What the crate needs of an HTTP request.
struct Request {
    method: String,
    query: String,
    body: Vec<u8>,
}

impl Request {
    /// Reads a request; one that cannot be read becomes the status that says why.
    fn read(stream: &mut impl BufRead) -> Result<Request, u16> {
        let mut head = String::new();
        let mut lines = stream.take(16 * 1024);
        while !head.ends_with("\r\n\r\n") {
            if lines.read_line(&mut head).map_err(|_| 400_u16)? == 0 {
                return Err(400);
            }
        }
        let (line, headers) = head.split_once("\r\n").ok_or(400_u16)?;
        let [method, target, "HTTP/1.1" | "HTTP/1.0"] = *line.split(' ').collect::<Vec<_>>() else { return Err(400) };
        let header = |wanted: &str| {
            let mut headers = headers.lines().filter_map(|header| header.split_once(':'));
            headers.find_map(|(name, value)| name.eq_ignore_ascii_case(wanted).then_some(value.trim()))
        };
        let length: u32 = match (header("Transfer-Encoding"), header("Content-Length")) {
            (Some(_), _) => return Err(411),
            (None, length) => length.unwrap_or("0").parse().map_err(|_| 400_u16)?,
        };
        if length > Limits::default().bytes {
            return Err(413);
        }
        let mut body = Vec::new();
        stream.take(length.into()).read_to_end(&mut body).map_err(|_| 400_u16)?;
        if u32::try_from(body.len()) != Ok(length) {
            return Err(400);
        }
        let query = target.split_once('?').map_or("", |(_, query)| query);
        Ok(Request { method: method.to_owned(), query: query.to_owned(), body })
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or_default()
}

/// A token, and a query signed with it. In plaintext mode a signature is good for any body.
const TOKEN: &str = "AAAAA";
const QUERY: &str = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";

macro_rules! pushes {
    ($($name:literal)*) => { [$(include_str!(concat!("../pushes/", $name, ".xml"))),*] };
}
const FIRST: [&str; 6] = pushes!["subscribe.first_seed" "subscribe.first_seed_qr_code" "scan.first_seed"
    "location.first_seed" "click.first_seed" "view.first_seed"];
const SECOND: [&str; 5] = pushes!["subscribe.second_seed" "subscribe.second_seed_qr_code" "scan.second_seed"
    "click.second_seed" "view.second_seed"];
const NEITHER: [&str; 1] = pushes!["unsubscribe"];

/// Plays WeChat, and prints what it sends, what the shop makes of it, and what it gets.
pub(crate) fn play(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let (address, notes) = Server::start("127.0.0.1:0", TOKEN)?;
    let row = |sent: &str, noted: &str, got: &str| format!("{sent:<32}  {noted:<42}  {got}");
    let send = |title: &str, method: &str, query: &str, body: &str| -> Result<String, Box<dyn Error>> {
        let answer = exchange(address, method, query, body)?;
        Ok(row(&format!("  {title}"), &notes.try_iter().collect::<Vec<_>>().join("; "), &answer))
    };
    writeln!(out, "{}", row("WeChat sends", "the shop notes", "WeChat gets"))?;
    writeln!(out, "{}", row(&"-".repeat(32), &"-".repeat(42), &"-".repeat(34)))?;
    writeln!(out, "When the address is entered in the console")?;
    writeln!(out, "{}", send("address check", "GET", &format!("{QUERY}&echostr=5837014942016238421"), "")?)?;
    let documents: [(&str, &[&str]); 3] = [
        ("Pushes, as one document prints them", &FIRST),
        ("Pushes, as another document prints them", &SECOND),
        ("A push that both describe and neither prints", &NEITHER),
    ];
    for (document, pushes) in documents {
        writeln!(out, "{document}")?;
        for body in pushes {
            let event = parse_event(body.as_bytes())?;
            let title = format!("{} {}", event.name(), event.field("EventKey").unwrap_or_default());
            writeln!(out, "{}", send(&title, "POST", QUERY, body)?)?;
        }
    }
    let [.., click, _] = FIRST;
    writeln!(out, "What else arrives")?;
    writeln!(out, "{}", send("the same CLICK again", "POST", QUERY, click)?)?;
    writeln!(out, "{}", send("a forged CLICK", "POST", &QUERY.replace("nonce=4", "nonce=5"), click)?)?;
    Ok(())
}

/// One request over a socket of its own, and the answer in a few words.
fn exchange(address: SocketAddr, method: &str, query: &str, body: &str) -> Result<String, Box<dyn Error>> {
    let length = body.len();
    let mut stream = TcpStream::connect(address)?;
    let head = format!("{method} /wechat?{query} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("an answer without a head")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    Ok(match parse_event(body.as_bytes()).map(|event| event.kind) {
        // A reply is written as a message is.
        Ok(Kind::Text(text)) => format!("{status} the text {:?}", text.content),
        _ => format!("{status} {body}").trim_end().to_owned(),
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut listen, mut token) = (None, TOKEN.to_owned());
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("--listen", Some(address)) => listen = Some(address),
            ("--token", Some(given)) => token = given,
            _ => return Err("usage: quickstart [--listen ADDRESS:PORT [--token TOKEN]]".into()),
        }
    }
    let Some(address) = listen else { return play(&mut io::stdout()) };
    let (address, notes) = Server::start(&address, &token)?;
    println!("http://{address} waits for WeChat.");
    if token == TOKEN {
        println!("The token is {TOKEN}. To be WeChat:\n  curl 'http://{address}/?{QUERY}&echostr=hello'");
        let push = concat!(env!("CARGO_MANIFEST_DIR"), "/pushes/click.first_seed.xml");
        println!("  curl 'http://{address}/?{QUERY}' --data-binary @{push}");
    }
    notes.iter().for_each(|note| println!("{note}"));
    Ok(())
}
