//! The minimum for an axum service: reads a push and answers `success`. The baseline of `measure`.

use axum::Router;
use axum::body::Bytes;
use axum::extract::RawQuery;
use axum::http::header;
use axum::routing::any;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8081".to_owned());
    let read = async |_: RawQuery, body: Bytes| {
        drop(body);
        ([(header::CONTENT_TYPE, "text/plain")], "success")
    };
    let listener = tokio::net::TcpListener::bind(&address).await?;
    axum::serve(listener, Router::new().route("/wechat", any(read))).await?;
    Ok(())
}
