//! An Official Account behind tiny_http: `WECHAT_TOKEN=… cargo run --release -p wechat-events-tiny_http -- 127.0.0.1:8080`.

use std::io::{self, Read};
use std::sync::{Arc, mpsc};
use std::thread;

use tiny_http::{Header, Request, Response, Server};
use wechat_events::ThreadedWebhook;

fn wechat(webhook: &ThreadedWebhook, mut request: Request) -> io::Result<()> {
    let mut body = Vec::new();
    // The endpoint takes 1 MiB, and refuses what is a byte longer.
    request.as_reader().take((1 << 20) + 1).read_to_end(&mut body)?;
    let (path, query) = request.url().split_once('?').unwrap_or((request.url(), ""));
    if path != "/wechat" {
        return request.respond(Response::empty(404));
    }
    let answer = webhook.call(request.method().as_str(), query, &body);
    let header = Header::from_bytes("Content-Type", answer.content_type).map_err(|()| io::ErrorKind::InvalidData)?;
    let response = Response::from_data(answer.body).with_header(header).with_status_code(answer.status);
    // From 32 KiB on it would be chunked, which WeChat refuses.
    request.respond(response.with_chunked_threshold(usize::MAX))
}

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let webhook = ThreadedWebhook::new(shop::endpoint()?, shop::Shop::default())?;
    let server = Arc::new(Server::http(shop::address())?);
    println!("http://{}/wechat waits for WeChat", server.server_addr());
    let asked_to_end = Arc::clone(&server);
    ctrlc::set_handler(move || asked_to_end.unblock())?;
    let (under_way, all_answered) = mpsc::channel::<()>();
    for request in server.incoming_requests() {
        let (webhook, under_way) = (webhook.clone(), under_way.clone());
        thread::spawn(move || {
            // An error means that WeChat has hung up; it will ask again.
            drop(wechat(&webhook, request));
            drop(under_way);
        });
    }
    drop(under_way);
    // Until nobody has the sender any more. A client that sends half of a body would be waited for without end.
    let _ = all_answered.recv_timeout(shop::GRACE);
    webhook.shutdown(shop::GRACE);
    Ok(())
}
