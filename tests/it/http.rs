//! `http::Response` from a `Response`: all of it, and nothing more.

use wechat_events::event::Text;
use wechat_events::{Endpoint, Event, Handler, HandlerResult, Reply, Response};

use crate::wire::query;

struct Shop;

impl Handler for Shop {
    fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        Ok(if text.content == "hush" { Reply::Success } else { Reply::text(&*text.content) })
    }
}

/// Status, headers by name, body.
type Shown = (u16, Vec<(String, String)>, String);

fn shown(response: http::Response<Vec<u8>>) -> Shown {
    let (head, body) = response.into_parts();
    let header =
        |(name, value): (&http::HeaderName, &http::HeaderValue)| (name.to_string(), value.to_str().unwrap().to_owned());
    let mut headers: Vec<_> = head.headers.iter().map(header).collect();
    headers.sort();
    (head.status.as_u16(), headers, String::from_utf8(body).unwrap())
}

fn answered(method: &str, content: &str) -> Shown {
    let body = format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>1714037059</CreateTime>\
         <MsgType>text</MsgType><Content>{content}</Content></xml>"
    );
    let endpoint = Endpoint::plain("token").unwrap();
    let query = query("token", "1714037059", "486452656");
    shown(endpoint.respond(method, &query, body.as_bytes(), 1_714_037_060, &Shop).into())
}

/// Each with the header that all have.
fn with(status: u16, headers: &[(&str, &str)], body: &str) -> Shown {
    let headers = headers
        .iter()
        .chain(&[("x-content-type-options", "nosniff")])
        .map(|&(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    (status, headers, body.to_owned())
}

#[test]
fn a_reply_keeps_its_type_and_states_its_length_in_bytes() {
    let body = "<xml><ToUserName><![CDATA[o_1]]></ToUserName><FromUserName><![CDATA[gh_1]]></FromUserName>\
                <CreateTime>1714037060</CreateTime><MsgType><![CDATA[text]]></MsgType>\
                <Content><![CDATA[你好]]></Content></xml>";
    let headers = [("content-length", "203"), ("content-type", "text/xml")];
    assert_eq!(answered("POST", "你好"), with(200, &headers, body));
}

#[test]
fn success_is_plain_text() {
    let headers = [("content-length", "7"), ("content-type", "text/plain")];
    assert_eq!(answered("POST", "hush"), with(200, &headers, "success"));
}

#[test]
fn a_refusal_has_its_status_and_states_that_there_is_no_body() {
    let headers = [("content-length", "0"), ("content-type", "text/plain")];
    assert_eq!(answered("PUT", "hush"), with(405, &headers, ""));
}

#[test]
fn a_status_that_http_does_not_know_becomes_500() {
    let headers = [("content-length", "2"), ("content-type", "text/plain")];
    for (status, expected) in [(0, 500), (99, 500), (100, 100), (999, 999), (1000, 500), (u16::MAX, 500)] {
        let response = Response { status, content_type: "text/plain", body: b"hi".to_vec() };
        assert_eq!(shown(response.into()), with(expected, &headers, "hi"), "{status}");
    }
}

#[test]
fn a_type_that_no_header_can_hold_is_left_out() {
    for content_type in ["a\nb", "text/plain\r\nSet-Cookie: a=b", "\0", "\x7f"] {
        let response = Response { status: 200, content_type, body: b"hi".to_vec() };
        assert_eq!(shown(response.into()), with(200, &[("content-length", "2")], "hi"), "{content_type:?}");
    }
}
