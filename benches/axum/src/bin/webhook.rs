//! A `Webhook` whose handler answers each text, in the mode that `WECHAT_MODE` names: what `measure` measures.

use std::env;

use axum::Router;
use wechat_events::event::Text;
use wechat_events::{AsyncHandler, Endpoint, Event, HandlerResult, Reply, Webhook};

struct Shop;

impl AsyncHandler for Shop {
    async fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        Ok(Reply::text(format!("You said: {}", text.content)))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let token = env::var("WECHAT_TOKEN")?;
    let endpoint = match &*env::var("WECHAT_MODE")? {
        "safe" => Endpoint::safe(token, env::var("WECHAT_APP_ID")?, env::var("WECHAT_AES_KEY")?)?,
        _ => Endpoint::plain(token)?,
    };
    let app = Router::new().route_service("/wechat", Webhook::new(endpoint, Shop).service());
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    axum::serve(tokio::net::TcpListener::bind(address).await?, app).await?;
    Ok(())
}
