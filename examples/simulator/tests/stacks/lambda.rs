//! AWS Lambda as a function sees it: API Gateway turns each request into an event, and a process that is idle asks for
//! it. Each process has one event at a time, as there.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{DefaultBodyLimit, Path as Segments, Request, State};
use axum::http::{Response, StatusCode};
use axum::routing::{any, get, post};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};

use crate::server::{Server, account, collect};

/// Enough for `check`; Lambda itself would start more.
const PROCESSES: usize = 12;
/// Bytes of a request; API Gateway's limit.
const LARGEST: usize = 10 << 20;

/// Both ends of it run here.
pub type StandIn = Runtime;

type Answer = oneshot::Sender<Result<Answered, String>>;

struct Gateway {
    waiting: mpsc::UnboundedSender<(Value, Answer)>,
    queue: AsyncMutex<mpsc::UnboundedReceiver<(Value, Answer)>>,
    running: Mutex<HashMap<String, Answer>>,
    drawn: AtomicU64,
}

/// What a function answers: payload format 2.0.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answered {
    status_code: u16,
    headers: HashMap<String, String>,
    #[serde(default)]
    body: Option<String>,
    is_base64_encoded: bool,
}

pub fn start(binary: &Path, mode: &str) -> Server {
    let runtime = Runtime::new().unwrap();
    let (waiting, queue) = mpsc::unbounded_channel();
    let gateway =
        Gateway { waiting, queue: AsyncMutex::new(queue), running: Mutex::default(), drawn: AtomicU64::default() };
    let gateway = Arc::new(gateway);
    let front = Router::new().route("/wechat", any(request)).with_state(Arc::clone(&gateway));
    let back = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(gateway);
    let [front, back] = [front, back].map(|app| runtime.block_on(listen(app)));
    let said = Arc::default();
    let processes = (0..PROCESSES).map(|_| {
        let mut command = Command::new(binary);
        command
            .envs(account(mode))
            .env("AWS_LAMBDA_RUNTIME_API", back.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "wechat")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        collect(process.stdout.take().unwrap(), &said);
        collect(process.stderr.take().unwrap(), &said);
        process
    });
    let processes = processes.collect();
    Server { address: front.to_string(), processes, said, stand_in: Some(runtime) }
}

async fn listen(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

/// API Gateway: a request becomes an event, and the function's answer one of HTTP.
async fn request(State(gateway): State<Arc<Gateway>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(Body::new(body), LARGEST).await else {
        return status(StatusCode::PAYLOAD_TOO_LARGE);
    };
    // As it does with types that it takes for text.
    let (is_base64, body) = match std::str::from_utf8(&body) {
        Ok(text) => (false, text.to_owned()),
        Err(_) => (true, BASE64_STANDARD.encode(&body)),
    };
    let headers: HashMap<_, _> =
        head.headers.iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()))).collect();
    let event = json!({
        "version": "2.0",
        "routeKey": "ANY /wechat",
        "rawPath": head.uri.path(),
        "rawQueryString": head.uri.query().unwrap_or_default(),
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api-id",
            "domainName": "id.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "id",
            "http": {
                "method": head.method.as_str(),
                "path": head.uri.path(),
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "Mozilla/4.0",
            },
            "requestId": "id",
            "routeKey": "ANY /wechat",
            "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1_583_348_638_390_i64,
        },
        "body": body,
        "isBase64Encoded": is_base64,
    });
    let (sender, answer) = oneshot::channel();
    gateway.waiting.send((event, sender)).unwrap();
    let answer = match answer.await.unwrap() {
        Ok(answer) => answer,
        Err(error) => return Response::builder().status(StatusCode::BAD_GATEWAY).body(Body::from(error)).unwrap(),
    };
    let body = answer.body.unwrap_or_default();
    let body = if answer.is_base64_encoded { BASE64_STANDARD.decode(body).unwrap() } else { body.into_bytes() };
    let mut response = Response::builder().status(answer.status_code);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(body)).unwrap()
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// A process is idle, and gets the next event.
async fn next(State(gateway): State<Arc<Gateway>>) -> Response<Body> {
    let (event, answer) = gateway.queue.lock().await.recv().await.unwrap();
    let id = format!("id-{}", gateway.drawn.fetch_add(1, Ordering::Relaxed));
    gateway.running.lock().unwrap().insert(id.clone(), answer);
    Response::builder()
        .header("Lambda-Runtime-Aws-Request-Id", id)
        .header("Lambda-Runtime-Deadline-Ms", "4102444800000")
        .header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:wechat")
        .body(Body::from(event.to_string()))
        .unwrap()
}

async fn response(State(gateway): State<Arc<Gateway>>, Segments(id): Segments<String>, body: Bytes) -> StatusCode {
    gateway.end(&id, serde_json::from_slice(&body).map_err(|error| error.to_string()))
}

async fn error(State(gateway): State<Arc<Gateway>>, Segments(id): Segments<String>, body: Bytes) -> StatusCode {
    gateway.end(&id, Err(String::from_utf8_lossy(&body).into_owned()))
}

impl Gateway {
    fn end(&self, id: &str, answered: Result<Answered, String>) -> StatusCode {
        let answer = self.running.lock().unwrap().remove(id).unwrap();
        // Whoever asked may have hung up.
        drop(answer.send(answered));
        StatusCode::ACCEPTED
    }
}
