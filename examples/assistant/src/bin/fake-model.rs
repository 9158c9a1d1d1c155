//! A server that speaks as OpenAI's does and thinks nothing: its answers are lines with the question and numbers.
//!
//! ```text
//! cargo run -p wechat-events-assistant --bin fake-model -- 127.0.0.1:9000
//! ```
//!
//! An answer takes 8 to 40 s, and comes bit by bit. `FAKE_MODEL_SPEED=4` makes that 2 to 10 s. A question may say how
//! long, and how many lines: «12秒 90行». One with «错误» is answered with status 500, «断开» breaks off half way.

use std::env;
use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;

/// What is sent of an answer at a time is all there is of it, in so many parts.
const PARTS: usize = 40;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let speed = env::var("FAKE_MODEL_SPEED").map_or(Ok(1.0), |speed| speed.parse::<f64>())?;
    let app = Router::new().route(
        "/v1/chat/completions",
        post(move |Json(request): Json<Value>| async move { complete(&request, speed) }),
    );
    let listener = TcpListener::bind(env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9000".to_owned())).await?;
    println!("http://{}/v1 waits for questions", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

fn complete(request: &Value, speed: f64) -> Response {
    let question = request["messages"].as_array().and_then(|all| all.last()?["content"].as_str()).unwrap_or_default();
    if question.contains("错误") {
        return (StatusCode::INTERNAL_SERVER_ERROR, "out of order").into_response();
    }
    let mut hasher = DefaultHasher::new();
    question.hash(&mut hasher);
    let hash = hasher.finish();
    let takes = number_before(question, "秒").unwrap_or(8 + hash % 33);
    let lines = number_before(question, "行").unwrap_or(3 + hash / 33 % 150);
    let answer: String = (1..=lines).map(|line| format!("{question}：第 {line} 行，共 {lines} 行\n")).collect();
    let characters: Vec<char> = answer.chars().collect();
    let parts = characters.chunks(characters.len().div_ceil(PARTS).max(1)).map(|part| {
        let delta = json!({ "choices": [{ "index": 0, "delta": { "content": part.iter().collect::<String>() } }] });
        format!("data: {delta}\n\n")
    });
    let mut events: Vec<String> = parts.collect();
    let pause = Duration::from_secs(takes).div_f64(speed) / u32::try_from(events.len().max(1)).unwrap_or(1);
    if question.contains("断开") {
        events.truncate(PARTS / 2);
    } else {
        events.push("data: [DONE]\n\n".to_owned());
    }
    let stream = stream::unfold(events.into_iter(), move |mut events| async move {
        let event = events.next()?;
        sleep(pause).await;
        Some((Ok::<_, std::io::Error>(event), events))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream)).into_response()
}

/// The number in front of a unit.
fn number_before(text: &str, unit: &str) -> Option<u64> {
    let (before, _) = text.split_once(unit)?;
    let digits = before.len() - before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    before[before.len() - digits..].parse().ok()
}
