//! Requests over a connection each, byte by byte: what a server does with the connection counts too.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use wechat_events::testing::Answer;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request that was sent.
pub struct Exchange(TcpStream);

impl Exchange {
    /// Sends all that the server takes of it. Without a body there is no `Content-Length`, as in WeChat's GET.
    pub fn begin(address: &str, method: &str, query: &str, body: &[u8]) -> Exchange {
        Exchange::over(connect(address), address, method, query, body)
    }

    /// [`begin`](Exchange::begin) over a connection that is there.
    pub fn over(mut stream: TcpStream, address: &str, method: &str, query: &str, body: &[u8]) -> Exchange {
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let head =
            format!("{method} /wechat?{query} HTTP/1.1\r\nHost: {address}\r\nContent-Type: text/xml\r\n{length}");
        let request = [head.as_bytes(), b"Connection: close\r\n\r\n", body].concat();
        // A server may refuse it before the end, and close.
        drop(stream.write_all(&request));
        Exchange(stream)
    }

    /// What is answered, if anything is.
    pub fn end(mut self) -> Option<Answered> {
        let mut bytes = Vec::new();
        drop(self.0.read_to_end(&mut bytes));
        Answered::read(&bytes)
    }
}

/// A connection that says nothing.
pub fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A connection that was answered once, and is kept open as a proxy keeps it.
pub fn kept_open(address: &str) -> TcpStream {
    let mut stream = connect(address);
    write!(stream, "GET /wechat HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    assert_ne!(stream.read(&mut [0; 4096]).unwrap(), 0, "it closes what is to be kept open");
    stream
}

/// A push that announces twice as much as it sends.
pub fn half_sent(address: &str, query: &str, body: &[u8]) -> TcpStream {
    let mut stream = connect(address);
    // More than a server reads before it hands a request on.
    let half = [body, &[b' '; 4096]].concat();
    let length = 2 * half.len();
    write!(stream, "POST /wechat?{query} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n").unwrap();
    stream.write_all(&half).unwrap();
    stream
}

/// A request whose head does not end.
pub fn half_a_head(address: &str) -> TcpStream {
    let mut stream = connect(address);
    write!(stream, "POST /wechat HTTP/1.1\r\nHost: {address}\r\n").unwrap();
    stream
}

#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answered {
    fn read(bytes: &[u8]) -> Option<Answered> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Answered { status, head, body: bytes[end + 4..].to_vec() })
    }

    /// All lines of that name.
    pub fn header(&self, name: &str) -> String {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect::<Vec<_>>()
            .join(", ")
    }

    pub fn answer(&self) -> Answer {
        Answer::new(self.status, &*self.body)
    }
}
