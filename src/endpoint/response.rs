//! The response: a status and bytes, for any HTTP stack.

/// What to send back. The body's length is the `Content-Length`; WeChat refuses chunked responses.
///
/// With the feature `http` it converts into `http::Response` with any body type that can be made from bytes. If you
/// write it yourself, set `Content-Type`, `Content-Length`, and `X-Content-Type-Options: nosniff`: an `echostr` is
/// returned unchanged, and a browser must not take it for anything but text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `text/xml`, `application/json` or `text/plain`.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    pub(crate) fn success() -> Response {
        Response { body: b"success".to_vec(), ..Response::status(200) }
    }

    pub(super) fn written(body: Vec<u8>) -> Response {
        let content_type = match body.first() {
            Some(b'<') => "text/xml",
            Some(b'{') => "application/json",
            _ => "text/plain",
        };
        Response { status: 200, content_type, body }
    }

    pub(crate) fn status(status: u16) -> Response {
        Response { status, content_type: "text/plain", body: Vec::new() }
    }
}
