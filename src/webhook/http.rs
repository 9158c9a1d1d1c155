//! The webhook for HTTP stacks: with requests and responses of the crate `http`, and as a tower service.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::time::timeout;
use tower_service::Service;

use super::account::Webhook;
use super::shared::within;
use crate::error::RequestError;

/// How long WeChat waits for an answer, and how long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(5);

impl Webhook {
    /// Answers a request: reads its body, and [calls](Webhook::call) the webhook. With the feature `http`.
    ///
    /// Reads no more than the endpoint's [limit](crate::Limits::bytes), and for no longer than WeChat waits. Any path
    /// is accepted: routing is up to the router.
    ///
    /// | body | answer, itself without a body |
    /// |---|---|
    /// | a `Content-Length` over the limit | 413, without reading anything |
    /// | chunked, over the limit | 413, without reading more |
    /// | ends early, or has the wrong length | 400 |
    /// | incomplete after 5 s | 408 |
    ///
    /// Each of these is [reported](crate::Report::Rejected). Trailers are ignored.
    ///
    /// # Panics
    /// Outside a tokio runtime with timers enabled, unless the builder was given
    /// [one](crate::WebhooksBuilder::runtime).
    ///
    /// ```standalone_crate
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// use wechat_events::event::Text;
    /// use wechat_events::{AsyncHandler, Endpoint, Event, HandlerResult, Reply, Webhook};
    ///
    /// struct Echo;
    ///
    /// impl AsyncHandler for Echo {
    ///     async fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
    ///         Ok(Reply::text(&*text.content))
    ///     }
    /// }
    ///
    /// let webhook = Webhook::new(Endpoint::plain("AAAAA")?, Echo);
    /// let query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";
    /// let body = include_str!("../../tests/pushes/text.xml");
    /// let request = http::Request::post(format!("/wechat?{query}")).body(body.to_owned())?;
    /// let response = webhook.handle(request).await;
    /// assert_eq!(response.status(), http::StatusCode::OK);
    /// assert_eq!(response.headers()[http::header::CONTENT_TYPE], "text/xml");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn handle<B: Body>(&self, request: Request<B>) -> Response<ResponseBody> {
        let (head, body) = request.into_parts();
        let endpoint = self.endpoint();
        let mut body = pin!(read(body, endpoint.max_bytes()));
        let body = poll_fn(|context| within(self.runtime(), || body.as_mut().poll(context))).await;
        let response = match body {
            Ok(body) => self.call(head.method.as_str(), head.uri.query().unwrap_or_default(), &body).await,
            Err(error) => endpoint.refuse(&error),
        };
        response.into()
    }

    /// The webhook as a [`tower_service::Service`], for stacks that mount one. With the feature `http`.
    ///
    /// ```
    /// # use wechat_events::{AsyncHandler, Endpoint, Webhook};
    /// # struct Silent;
    /// # impl AsyncHandler for Silent {}
    /// let webhook = Webhook::new(Endpoint::plain("token")?, Silent);
    /// // With axum: Router::new().route_service("/wechat", webhook.service())
    /// let service = webhook.service();
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[must_use]
    pub fn service(&self) -> WebhookService {
        WebhookService(self.clone())
    }
}

/// A [`Webhook`] as a tower service, made by [`Webhook::service`]. Always ready, and never fails.
#[derive(Debug, Clone)]
pub struct WebhookService(Webhook);

impl<B> Service<Request<B>> for WebhookService
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let webhook = self.0.clone();
        Box::pin(async move { Ok(webhook.handle(request).await) })
    }
}

/// Reads the whole body.
async fn read<B: Body>(body: B, limit: u32) -> Result<Vec<u8>, RequestError> {
    let too_large = |bytes| RequestError::TooLarge { bytes, limit };
    let is_too_large = |bytes| u32::try_from(bytes).map_or(true, |bytes| bytes > limit);
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if is_too_large(announced) {
        return Err(too_large(announced));
    }
    let (mut body, mut read) = (pin!(body), Vec::new());
    let whole = async {
        while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
            let frame = frame.map_err(|_| RequestError::BrokenOff { bytes: read.len() })?;
            let Ok(data) = frame.into_data() else { continue };
            let bytes = read.len().saturating_add(data.remaining());
            if is_too_large(bytes) {
                return Err(too_large(bytes));
            }
            read.put(data);
        }
        Ok(())
    };
    match timeout(PATIENCE, whole).await {
        Ok(whole) => whole.map(|()| read),
        Err(_) => Err(RequestError::TooSlow { bytes: read.len(), seconds: PATIENCE.as_secs() }),
    }
}

/// The body of a [`Webhook`]'s response: a single frame of known length.
///
/// ```
/// use wechat_events::ResponseBody;
///
/// let body = ResponseBody::from(b"success".to_vec());
/// assert_eq!(http_body::Body::size_hint(&body).exact(), Some(7));
/// assert_eq!(Vec::from(body), b"success");
/// ```
#[derive(Debug, Clone, Default)]
pub struct ResponseBody(Bytes);

impl From<Vec<u8>> for ResponseBody {
    fn from(body: Vec<u8>) -> ResponseBody {
        ResponseBody(body.into())
    }
}

impl From<ResponseBody> for Vec<u8> {
    fn from(body: ResponseBody) -> Vec<u8> {
        body.0.into()
    }
}

impl From<ResponseBody> for Bytes {
    fn from(body: ResponseBody) -> Bytes {
        body.0
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let body = std::mem::take(&mut self.0);
        Poll::Ready((!body.is_empty()).then(|| Ok(Frame::data(body))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.0.len()).unwrap_or(u64::MAX))
    }
}
