//! Requests to the page's server, with any headers.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

pub struct Answer {
    pub status: u16,
    head: hyper::http::response::Parts,
    body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.head.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub async fn get(host: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    whole(begin("GET", host, path, "", headers).await).await
}

pub async fn post(host: &str, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
    whole(begin("POST", host, path, &body.to_string(), headers).await).await
}

/// Sends a request; a header that is given takes the place of the usual one.
pub async fn begin(method: &str, host: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Response<Incoming> {
    let stream = TcpStream::connect(host).await.unwrap();
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", host)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_owned())))
        .unwrap();
    for (name, value) in headers {
        let name = hyper::header::HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    sender.send_request(request).await.unwrap()
}

async fn whole(response: Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: head.status.as_u16(), head, body }
}
