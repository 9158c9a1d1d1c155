//! Conversion of the response into the `http` crate's.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Response as HttpResponse, StatusCode};

use super::Response;

/// Sets `Content-Type`, the exact `Content-Length`, and `X-Content-Type-Options: nosniff`, so that no browser takes an
/// `echostr` for anything but text. Works with every body type that can be made from bytes.
///
/// A `status` or `content_type` that is not valid in HTTP, which only the caller can have set, becomes 500 and no
/// `Content-Type`.
///
/// ```
/// use wechat_events::{Endpoint, Handler};
///
/// struct Silent;
/// impl Handler for Silent {}
///
/// let response = Endpoint::plain("token")?.respond("PUT", "", b"", 1714037060, &Silent);
/// let response = http::Response::<Vec<u8>>::from(response);
/// assert_eq!(response.status(), http::StatusCode::METHOD_NOT_ALLOWED);
/// assert_eq!(response.headers()[http::header::CONTENT_LENGTH], "0");
/// # Ok::<(), wechat_events::ConfigError>(())
/// ```
impl<B: From<Vec<u8>>> From<Response> for HttpResponse<B> {
    fn from(response: Response) -> HttpResponse<B> {
        let length = HeaderValue::try_from(response.body.len().to_string());
        let mut converted = HttpResponse::new(B::from(response.body));
        *converted.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if let Ok(length) = length {
            converted.headers_mut().insert(CONTENT_LENGTH, length);
        }
        converted.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let content_type = match response.content_type {
            "text/plain" => Ok(HeaderValue::from_static("text/plain")),
            "text/xml" => Ok(HeaderValue::from_static("text/xml")),
            other => HeaderValue::from_str(other),
        };
        if let Ok(content_type) = content_type {
            converted.headers_mut().insert(CONTENT_TYPE, content_type);
        }
        converted
    }
}
