//! What goes back: a status and bytes, for any HTTP stack.

/// What to send back. The body's length is its `Content-Length`; WeChat refuses chunks.
///
/// With the feature `http` it converts into `http::Response`, of any body that is made of bytes. Whoever writes it by
/// hand sets `Content-Type`, `Content-Length`, and `X-Content-Type-Options: nosniff`: an `echostr` goes back as it came,
/// and a browser must not take it for anything else than text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP's status.
    pub status: u16,
    /// `text/xml`, `application/json` or `text/plain`.
    pub content_type: &'static str,
    /// The bytes.
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
