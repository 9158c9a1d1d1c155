//! An Official Account behind salvo: `WECHAT_TOKEN=… cargo run --release -p wechat-events-salvo -- 127.0.0.1:8080`.

use salvo::http::request::SecureMaxSize;
use salvo::http::{ParseError, ResBody};
use salvo::hyper;
use salvo::prelude::*;
use wechat_events::Webhook;

struct WeChat(Webhook);

#[handler]
impl WeChat {
    async fn handle(&self, req: &mut Request, res: &mut Response) -> Result<(), ParseError> {
        let body = req.payload().await?.clone();
        let answer = self.0.call(req.method().as_str(), req.uri().query().unwrap_or_default(), &body).await;
        *res = hyper::Response::<ResBody>::from(answer).into();
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let webhook = Webhook::new(shop::endpoint()?, shop::Shop::default());
    let router = Router::with_path("wechat").hoop(SecureMaxSize::new(1 << 20)).goal(WeChat(webhook.clone()));
    let acceptor = TcpListener::new(shop::address()).try_bind().await?;
    println!("http://{}/wechat waits for WeChat", acceptor.local_addr()?);
    let server = Server::new(acceptor);
    let handle = server.handle();
    tokio::spawn(async move {
        shop::asked_to_end().await;
        handle.stop_graceful(shop::GRACE);
    });
    server.try_serve(router).await?;
    webhook.shutdown(shop::GRACE).await;
    Ok(())
}
