//! HTTP as WeChat speaks it: a connection for each request, and five seconds' patience.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri, Version, request};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use wechat_events::testing::{self, Answer};

use crate::Problem;
use crate::words::Words;

/// Bytes of an answer that are read; WeChat's own limit is not known.
pub const LARGEST_ANSWER: usize = 1 << 20;
/// How often it is looked whether this program runs, while an answer is waited for.
const LOOK: Duration = Duration::from_millis(100);
/// Longer than a look is late on a machine that keeps up.
const STALL: Duration = Duration::from_millis(500);

/// The receiver's address, as entered in the console: `http://` or `https://`, perhaps with a query of its own.
#[derive(Clone)]
pub struct Target {
    uri: Uri,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// Of all clones: requests during which this program stood still.
    stalls: Arc<AtomicUsize>,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        const SCHEME: &str = "it does not begin with http:// or https://";
        if !text.contains("://") {
            return Err(SCHEME.to_owned());
        }
        let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
        let is_tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(SCHEME.to_owned()),
        };
        let authority = uri.authority().map_or("", Authority::as_str);
        if authority.contains('@') {
            return Err("there is a user name in front of the host: WeChat sends none".to_owned());
        }
        let host = uri.host().unwrap_or_default();
        // `Uri::port` is silent about what is no port.
        let port = match authority.strip_prefix(host).unwrap_or_default() {
            "" | ":" => {
                if is_tls {
                    443
                } else {
                    80
                }
            }
            behind => port(behind.trim_start_matches(':'))?,
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        let public = || RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let tls = is_tls.then(|| tls(&host, public()));
        Ok(Target { host, port, tls: tls.transpose()?, uri, stalls: Arc::default() })
    }
}

/// For a receiver that one of these authorities knows by that name.
fn tls(host: &str, authorities: RootCertStore) -> Result<(TlsConnector, ServerName<'static>), String> {
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let config = ClientConfig::builder().with_root_certificates(authorities).with_no_client_auth();
    Ok((TlsConnector::from(Arc::new(config)), name))
}

fn port(text: &str) -> Result<u16, String> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| is_number && *port > 0);
    port.ok_or_else(|| format!("the port `{text}` is not a number from 1 to 65535"))
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.uri.fmt(f)
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.uri.fmt(f)
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answered {
    pub status: u16,
    pub version: Version,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// From the first byte of the connection to the last of the answer.
    pub after: Duration,
}

impl Answered {
    /// For [`testing::WeChat::judge`].
    pub fn answer(&self) -> Answer {
        Answer::new(self.status, &*self.body).after(self.after)
    }

    /// Whether the length stands in the answer's head: WeChat refuses chunks (seen).
    pub fn has_length(&self) -> bool {
        self.headers.contains_key(CONTENT_LENGTH)
    }
}

/// Why nothing came back.
#[derive(Debug)]
pub enum Silence {
    /// There is nobody, or nobody who takes a connection in time.
    Unreachable(io::Error),
    /// The receiver hung up, or does not speak HTTP.
    Broken(String),
    /// More than [`LARGEST_ANSWER`]: the rest is not read.
    TooLong,
    /// No complete answer in time: WeChat hangs up.
    TimedOut,
}

impl std::fmt::Display for Silence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Silence::Unreachable(error) => write!(f, "no connection: {error}"),
            Silence::Broken(reason) => write!(f, "no answer: {reason}"),
            Silence::TooLong => f.write_str("the answer has more than 1 MiB"),
            Silence::TimedOut => f.write_str("no answer in time"),
        }
    }
}

impl std::error::Error for Silence {}

impl Silence {
    /// Whether it is time that was short, for a connection or for an answer.
    pub fn is_late(&self) -> bool {
        match self {
            Silence::TimedOut => true,
            Silence::Unreachable(error) => error.kind() == io::ErrorKind::TimedOut,
            Silence::Broken(_) | Silence::TooLong => false,
        }
    }

    /// What WeChat does not know; `None` where it was the time that was short, which it does.
    pub fn lost(&self) -> Option<Lost> {
        let hint = match self {
            Silence::Unreachable(error) => hint_to_unreachable(error),
            Silence::Broken(_) => Some(HUNG_UP),
            Silence::TooLong => Some(TOO_LONG),
            Silence::TimedOut => return None,
        };
        Some(Lost { reason: self.words(), hint })
    }

    /// The same as `Display`, and in Chinese.
    pub fn words(&self) -> Words {
        let zh = match self {
            Silence::Unreachable(error) => format!("无法连接：{error}"),
            Silence::Broken(reason) => format!("没有响应：{reason}"),
            Silence::TooLong => "响应超过 1 MiB".to_owned(),
            Silence::TimedOut => "超时未响应".to_owned(),
        };
        Words::made(self.to_string(), zh)
    }
}

/// Why an answer is lost, where WeChat knows only that there is none; and what to look at first.
#[derive(Debug, Clone)]
pub struct Lost {
    pub reason: Words,
    pub hint: Option<Words>,
}

const HUNG_UP: Words = Words::new(
    "The receiver closed the connection without an HTTP response: see its log. Is http or https the right one?",
    "服务端没有返回 HTTP 响应就断开了连接：请看它的日志。该用 http 还是 https？",
);
const TOO_LONG: Words = Words::new(
    "A reply has some hundred bytes: the receiver must be sending something else.",
    "一条回复只有几百字节：服务端发来的应该是别的内容。",
);

/// What to say where there is nobody.
pub fn unreachable(target: &Target, error: &io::Error) -> Problem {
    let hint = hint_to_unreachable(error).map_or(String::new(), |hint| format!("\n  {hint}"));
    format!("no connection to {target}: {error}{hint}").into()
}

fn hint_to_unreachable(error: &io::Error) -> Option<Words> {
    Some(match error.kind() {
        io::ErrorKind::ConnectionRefused => Words::new(
            "Nothing listens there: is the receiver running, and on that port?",
            "那里没有程序在监听：服务端启动了吗？端口对吗？",
        ),
        io::ErrorKind::TimedOut => Words::new(
            "Is the machine up, and does no firewall drop packets to that port?",
            "机器开着吗？有没有防火墙丢弃发往这个端口的数据？",
        ),
        io::ErrorKind::InvalidData => Words::new(
            "Is it https, with a certificate from a public authority?",
            "是 https 吗？证书是公共机构签发的吗？",
        ),
        _ => return None,
    })
}

/// What a connection runs over.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Target {
    /// A connection, with TLS if the address says so.
    pub async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        self.secured(self.reach().await?).await
    }

    async fn reach(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((&*self.host, self.port)).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn secured(&self, stream: TcpStream) -> io::Result<Box<dyn Stream>> {
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some((connector, name)) => Ok(Box::new(connector.connect(name.clone(), stream).await?)),
        }
    }

    /// This machine's address, as the receiver sees it.
    pub async fn local_address(&self) -> io::Result<SocketAddr> {
        TcpStream::connect((&*self.host, self.port)).await?.local_addr()
    }

    /// A connection that requests are sent over, one after another.
    pub async fn open(&self) -> Result<SendRequest<Full<Bytes>>, Silence> {
        self.open_over(self.reach().await.map_err(Silence::Unreachable)?).await
    }

    async fn open_over(&self, stream: TcpStream) -> Result<SendRequest<Full<Bytes>>, Silence> {
        let stream = self.secured(stream).await.map_err(Silence::Unreachable)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(async move {
            // Whoever waits for an answer is told of the error too.
            drop(connection.await);
        });
        Ok(sender)
    }

    /// The path and query under which a request arrives: the address's own query stands in front.
    pub fn path(&self, query: &str) -> String {
        let path = self.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let mark = if path.contains('?') { '&' } else { '?' };
        if query.is_empty() { path.to_owned() } else { format!("{path}{mark}{query}") }
    }

    /// The `Host` header.
    pub fn host(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }

    /// What goes in front of the body; the connection adds its length.
    pub fn head(&self, request: &testing::Request) -> request::Builder {
        let head = Request::builder()
            .method(request.method)
            .uri(self.path(&request.query))
            .header(HOST, self.host())
            .header(USER_AGENT, "Mozilla/4.0");
        if request.content_type.is_empty() { head } else { head.header(CONTENT_TYPE, request.content_type) }
    }

    /// Sends a request over a connection of its own, and hangs up after `patience`.
    pub async fn send(&self, request: &testing::Request, patience: Duration) -> Result<Answered, Silence> {
        let (target, request, asked) = (self.clone(), request.clone(), Instant::now());
        // A task of its own, so that the time that is measured is the receiver's, whatever the caller does meanwhile.
        let exchange = tokio::spawn(async move { target.send_from(asked, &request, patience).await });
        exchange.await.unwrap_or_else(|error| Err(broken(error)))
    }

    async fn send_from(
        &self,
        asked: Instant,
        request: &testing::Request,
        patience: Duration,
    ) -> Result<Answered, Silence> {
        let begun = Instant::now();
        let is_reached = AtomicBool::new(false);
        let mut exchange = pin!(async {
            let stream = self.reach().await.map_err(Silence::Unreachable)?;
            is_reached.store(true, Ordering::Relaxed);
            let mut sender = self.open_over(stream).await?;
            self.exchange(&mut sender, request).await
        });
        let (mut looked, mut has_stalled) = (asked, false);
        let came = loop {
            let look = (Instant::now() + LOOK).min(begun + patience);
            let came = timeout_at(look, exchange.as_mut()).await;
            let now = Instant::now();
            has_stalled |= now - looked > LOOK + STALL;
            looked = now;
            match came {
                // An answer may be there too, if nobody looked in time; when it came nobody knows.
                _ if now - begun >= patience && is_reached.load(Ordering::Relaxed) => break Err(Silence::TimedOut),
                _ if now - begun >= patience => break Err(not_taken(patience)),
                Ok(came) => break came.map(|answered| Answered { after: now - begun, ..answered }),
                Err(_) => {}
            }
        };
        if has_stalled {
            self.stalls.fetch_add(1, Ordering::Relaxed);
        }
        came
    }

    /// How many requests were under way when this program stood still for longer than half a second: what they say of
    /// time is not the receiver's.
    pub fn stalls(&self) -> usize {
        self.stalls.load(Ordering::Relaxed)
    }

    /// Sends a request over a connection that is open already.
    pub async fn exchange(
        &self,
        sender: &mut SendRequest<Full<Bytes>>,
        request: &testing::Request,
    ) -> Result<Answered, Silence> {
        let begun = Instant::now();
        let request = self.head(request).body(Full::from(request.body.clone())).map_err(broken)?;
        sender.ready().await.map_err(broken)?;
        let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        let body = Limited::new(body, LARGEST_ANSWER).collect().await.map_err(cut_off)?.to_bytes().to_vec();
        Ok(Answered {
            status: head.status.as_u16(),
            version: head.version,
            headers: head.headers,
            body,
            after: begun.elapsed(),
        })
    }
}

fn not_taken(patience: Duration) -> Silence {
    let seen = format!("not taken within {} s", patience.as_secs_f64());
    Silence::Unreachable(io::Error::new(io::ErrorKind::TimedOut, seen))
}

/// Of the body of an answer.
pub fn cut_off(error: Box<dyn std::error::Error + Send + Sync>) -> Silence {
    if error.is::<LengthLimitError>() { Silence::TooLong } else { broken(error) }
}

/// Of a connection or an answer that is not whole.
pub fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Silence {
    Silence::Broken(error.into().to_string())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    use tokio::join;
    use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};
    use wechat_events::testing::{Verdict, WeChat};
    use wechat_events::{Endpoint, Event, Handler, HandlerResult, Reply};

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(700);

    /// One that answers soon.
    fn soon() -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            thread::sleep(Duration::from_millis(200));
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        });
        format!("http://{address}/").parse().unwrap()
    }

    /// «You said» to each push in the clear, over TLS with a certificate for this name; and the authority behind that.
    fn over_tls(name: &str) -> (u16, RootCertStore) {
        struct Says;
        impl Handler for Says {
            fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
                Ok(Reply::text(format!("You said {}", event.field("Content").unwrap())))
            }
        }
        let (authority_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let mut authorities = RootCertStore::empty();
        authorities.add(authority.self_signed(&authority_key).unwrap().der().clone()).unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap());
        let config = Arc::new(config.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, stream.unwrap());
                let mut read = Vec::new();
                // Whoever refuses the certificate sends nothing.
                while !read.ends_with(b"</xml>") {
                    let mut part = [0; 4096];
                    match stream.read(&mut part) {
                        Ok(length @ 1..) => read.extend(&part[..length]),
                        _ => break,
                    }
                }
                let read = String::from_utf8(read).unwrap();
                let Some((head, body)) = read.split_once("\r\n\r\n") else { continue };
                let query = head.split(['?', ' ']).nth(2).unwrap();
                let endpoint = Endpoint::plain("token").unwrap();
                let answer = endpoint.respond("POST", query, body.as_bytes(), 1_700_000_000, &Says);
                let (status, body) = (answer.status, answer.body);
                write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len()).unwrap();
                stream.write_all(&body).unwrap();
                stream.flush().unwrap();
            }
        });
        (port, authorities)
    }

    /// Sends a request, and stops the thread for a second while the answer is on its way.
    async fn sent_by_a_sluggard(target: &Target) -> Result<Answered, Silence> {
        let request = WeChat::plain("token").unwrap().push("text").request(1_700_000_000);
        let (came, ()) = join!(target.send(&request, PATIENCE), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            thread::sleep(Duration::from_secs(1));
        });
        came
    }

    #[test]
    fn an_address_that_leads_elsewhere_than_it_says_is_refused() {
        let refused = [
            ("ftp://h/", "it does not begin with http:// or https://"),
            ("127.0.0.1:8080/wechat", "it does not begin with http:// or https://"),
            ("http://h:99999/", "the port `99999` is not a number from 1 to 65535"),
            ("https://h:808O/", "the port `808O` is not a number from 1 to 65535"),
            ("http://[::1]:0/", "the port `0` is not a number from 1 to 65535"),
            ("http://user:word@h:80/", "there is a user name in front of the host: WeChat sends none"),
        ];
        for (address, problem) in refused {
            assert_eq!(address.parse::<Target>().unwrap_err(), problem);
        }
        let taken = [("http://h", 80), ("https://h:/", 443), ("http://[::1]/", 80), ("https://[::1]:8080/?a", 8080)];
        for (address, port) in taken {
            assert_eq!(address.parse::<Target>().unwrap().port, port);
        }
    }

    #[tokio::test]
    async fn a_push_goes_over_tls_to_whom_an_authority_knows_and_to_nobody_else() {
        let wechat = WeChat::plain("token").unwrap();
        let request = wechat.push("text").set("Content", "hi").request(1_700_000_000);
        let public = |port| format!("https://localhost:{port}/wechat").parse::<Target>().unwrap();
        let trusting = |port, authorities| Target { tls: Some(tls("localhost", authorities).unwrap()), ..public(port) };

        let (port, authorities) = over_tls("localhost");
        let answered = trusting(port, authorities).send(&request, PATIENCE * 10).await.unwrap();
        let verdict = wechat.judge(&request, answered.answer());
        assert!(matches!(verdict, Verdict::Accepted(_)), "{verdict}");
        assert_eq!(verdict.field("Content").as_deref(), Some("You said hi"));

        let (elsewhere, authorities) = over_tls("example.com");
        let refused = [
            (public(port), "no connection: invalid peer certificate: UnknownIssuer"),
            (
                trusting(elsewhere, authorities),
                "no connection: invalid peer certificate: certificate not valid for name \"localhost\"; certificate is \
                 only valid for DnsName(\"example.com\")",
            ),
        ];
        for (target, seen) in refused {
            let silence = target.send(&request, PATIENCE * 10).await.unwrap_err();
            assert_eq!(silence.to_string(), seen);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_the_caller_does_meanwhile_is_not_the_receivers_time() {
        let target = soon();
        let after = sent_by_a_sluggard(&target).await.unwrap().after;
        assert!(after < PATIENCE, "{after:?}");
        assert_eq!(target.stalls(), 0);
    }

    #[tokio::test]
    async fn an_answer_that_is_seen_too_late_is_none_and_the_stall_is_counted() {
        let target = soon();
        let came = sent_by_a_sluggard(&target).await;
        assert!(matches!(came, Err(Silence::TimedOut)), "{came:?}");
        assert_eq!(target.stalls(), 1);
    }
}
