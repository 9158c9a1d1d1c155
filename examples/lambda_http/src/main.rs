//! An Official Account on AWS Lambda, behind a function URL, API Gateway or a load balancer: `cargo lambda build`.
//!
//! On [`Endpoint::respond`], without a `Webhook`: Lambda freezes the process once it has answered, and runs retries in
//! other processes. The handler has to be done within WeChat's five seconds, and what is delivered again runs it again.

use std::time::{SystemTime, UNIX_EPOCH};

use lambda_http::http::{Response, StatusCode};
use lambda_http::{Body, Error, Request, run, service_fn};
use wechat_events::Endpoint;

async fn wechat(endpoint: &Endpoint, shop: &shop::Shop, request: Request) -> Result<Response<Body>, Error> {
    let (head, body) = request.into_parts();
    if body.len() > 1 << 20 {
        return Ok(Response::builder().status(StatusCode::PAYLOAD_TOO_LARGE).body(Body::Empty)?);
    }
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    Ok(endpoint.respond(head.method.as_str(), head.uri.query().unwrap_or_default(), &body, now, shop).into())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let (endpoint, shop) = (shop::endpoint()?, shop::Shop::default());
    run(service_fn(async |request| wechat(&endpoint, &shop, request).await)).await
}
