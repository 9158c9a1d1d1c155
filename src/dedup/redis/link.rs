//! The link to Redis: a connection that is tested before use, and replaced when it fails.
//!
//! A question is answered, or fails with [`Away`] soon. After a failure nothing is asked until a connection has passed
//! the test, so a dead server delays only those that are waiting at that moment.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{join_all, try_join_all};
use redis::aio::ConnectionLike;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisResult, ServerErrorKind, Value};
use tokio::select;
use tokio::sync::watch;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, timeout};

use super::Status;
use super::script::in_full;

/// For connecting and testing: longer than for a question, since TLS and name resolution take time.
const CONNECT: Duration = Duration::from_secs(1);

/// Longest pause between two attempts while Redis is down: owners must renew their claims as soon as it is back.
pub(super) const RETRY: Duration = Duration::from_millis(100);
const FIRST_RETRY: Duration = Duration::from_millis(20);

/// Pause after a panic, which is printed, and which the next attempt is likely to repeat.
const AFTER_PANIC: Duration = Duration::from_secs(5);

/// How often a question is asked while connections break.
const ATTEMPTS: usize = 3;

/// How often something is asked, so that idle machines notice a hang too.
const BEAT: Duration = Duration::from_millis(500);

const MOVED: &str = "MOVED: this is one node of a Redis Cluster, and others hold some of the pushes: give the store a \
                     ClusterConnection";

/// Redis has not answered. The status hook was told the reason.
#[derive(Debug)]
pub(super) struct Away;

type Later<'a, T> = Pin<Box<dyn Future<Output = RedisResult<T>> + Send + 'a>>;

/// Asks one question.
type Question = dyn Fn(&Cmd) -> Later<'_, Value> + Send + Sync;

/// A connection of any type.
#[derive(Clone)]
pub(super) struct Connection(Arc<Question>);

/// Makes a connection.
pub(super) type Connect = Box<dyn Fn() -> Later<'static, Connection> + Send + Sync>;

impl Connection {
    pub(super) fn new(connection: impl ConnectionLike + Clone + Send + Sync + 'static) -> Connection {
        Connection(Arc::new(move |command| {
            let mut connection = connection.clone();
            Box::pin(async move { command.query_async(&mut connection).await })
        }))
    }
}

pub(super) struct Link {
    connect: Connect,
    state: watch::Sender<State>,
    /// For each round trip.
    limit: Duration,
    on_status: Box<dyn Fn(&Status) + Send + Sync>,
}

#[derive(Clone)]
enum State {
    /// There is none yet, or the last one broke just now: worth waiting for, within the limit.
    Connecting,
    /// All questions since this moment were answered.
    Up(u64, Connection, Instant),
    /// Not worth waiting for.
    Down(Arc<str>),
}

impl Link {
    pub(super) fn new(connect: Connect, limit: Duration, on_status: Box<dyn Fn(&Status) + Send + Sync>) -> Link {
        Link { connect, state: watch::Sender::new(State::Connecting), limit, on_status }
    }

    /// The answer. A connection that breaks is replaced, and the question asked again.
    pub(super) async fn ask<T: FromRedisValue>(&self, question: &Cmd) -> Result<T, Away> {
        for _ in 0..ATTEMPTS {
            let (number, connection) = self.connection().await?;
            let next = match self.send(&connection, question).await {
                Ok(Ok(value)) => match redis::from_redis_value(value) {
                    Ok(said) => return Ok(said),
                    Err(error) => State::Down(format!("an unexpected answer: {error}").into()),
                },
                Ok(Err(error)) if refused(&error) => State::Down(reason(&error)),
                Ok(Err(_)) => State::Connecting,
                Err(_) => State::Down(format!("no answer within {} ms", self.limit.as_millis()).into()),
            };
            let gives_up = matches!(next, State::Down(_));
            self.leave(number, next);
            if gives_up {
                break;
            }
        }
        Err(Away)
    }

    /// Asks until there is an answer, however long it takes.
    pub(super) async fn insist<T: FromRedisValue>(&self, question: impl Fn() -> Cmd) -> T {
        loop {
            self.up().await;
            if let Ok(said) = self.ask(&question()).await {
                return said;
            }
            sleep(RETRY / 2).await;
        }
    }

    /// For how long Redis has answered all questions.
    pub(super) fn steady_for(&self) -> Duration {
        match &*self.state.borrow() {
            State::Up(_, _, since) => since.elapsed(),
            State::Connecting | State::Down(_) => Duration::ZERO,
        }
    }

    /// Whether there is a connection that passes the test; if not, why.
    pub(super) async fn check(&self, tests: &[Cmd]) -> Result<(), String> {
        let mut states = self.state.subscribe();
        let _ = timeout(CONNECT, states.wait_for(|state| !matches!(state, State::Connecting))).await;
        for test in tests {
            let Ok(()) = self.ask::<u8>(test).await.map(drop) else {
                return Err(self.reason().map_or_else(|| "the connection broke".into(), |reason| reason.to_string()));
            };
        }
        Ok(())
    }

    /// Connects forever. Ends with its task.
    pub(super) async fn keep_up(&self, tests: &[Cmd], beats: &[Cmd]) {
        let (mut number, mut pause, mut told_down, mut failed) = (0_u64, FIRST_RETRY, false, false);
        loop {
            let connecting = AssertUnwindSafe(timeout(CONNECT, self.connect(tests))).catch_unwind().await;
            let down = match connecting {
                Ok(Ok(Ok(connection))) => {
                    number = number.saturating_add(1);
                    self.state.send_replace(State::Up(number, connection, Instant::now()));
                    if told_down {
                        self.tell(&Status::Up);
                        told_down = false;
                    }
                    (pause, failed) = (FIRST_RETRY, false);
                    self.beat(beats).await;
                    self.reason()
                }
                // The first failure may have the same cause as that of the connection before.
                Ok(Ok(Err(error))) if !failed && !refused(&error) => {
                    failed = true;
                    None
                }
                Ok(Ok(Err(error))) => Some(reason(&error)),
                Ok(Err(_)) => Some(format!("no connection within {} ms", CONNECT.as_millis()).into()),
                Err(panic) => {
                    pause = AFTER_PANIC;
                    Some(format!("connecting panics: {}", said(panic.as_ref())).into())
                }
            };
            if let Some(reason) = down {
                self.state.send_replace(State::Down(Arc::clone(&reason)));
                if !told_down {
                    self.tell(&Status::Down { reason: reason.as_ref().into() });
                    told_down = true;
                }
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(RETRY);
        }
    }

    /// Asks periodically until the connection is given up, perhaps because of one of these questions. The others are
    /// then dropped: the connection they would wait for is made by the task that waits here.
    async fn beat(&self, beats: &[Cmd]) {
        let mut states = self.state.subscribe();
        let asking = async {
            loop {
                sleep(BEAT).await;
                join_all(beats.iter().map(|question| self.ask::<Value>(question))).await;
            }
        };
        select! {
            _ = states.wait_for(|state| !matches!(state, State::Up(..))) => {}
            () = asking => {}
        }
    }

    async fn connect(&self, tests: &[Cmd]) -> RedisResult<Connection> {
        let connection = (self.connect)().await?;
        try_join_all(tests.iter().map(async |test| match self.send(&connection, test).await {
            Ok(answered) => answered.and_then(Value::extract_error),
            Err(_) => Err((ErrorKind::Io, "no answer").into()),
        }))
        .await?;
        Ok(connection)
    }

    /// Waits until there is a connection, however long it takes.
    async fn up(&self) {
        let _ = self.state.subscribe().wait_for(|state| matches!(state, State::Up(..))).await;
    }

    /// One round trip; two if the server does not know the script, which is once after each of its starts.
    async fn send(&self, connection: &Connection, question: &Cmd) -> Result<RedisResult<Value>, Elapsed> {
        match timeout(self.limit, (connection.0)(question)).await? {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                timeout(self.limit, (connection.0)(&in_full(question))).await
            }
            answered => Ok(answered),
        }
    }

    async fn connection(&self) -> Result<(u64, Connection), Away> {
        let up = |state: &State| match state {
            State::Up(number, connection, _) => Some((*number, connection.clone())),
            State::Connecting | State::Down(_) => None,
        };
        if let Some(connection) = up(&self.state.borrow()) {
            return Ok(connection);
        }
        let mut states = self.state.subscribe();
        // Connecting takes several round trips.
        let connecting = timeout(3 * self.limit, states.wait_for(|state| !matches!(state, State::Connecting)));
        match connecting.await {
            Ok(Ok(state)) => up(&state).ok_or(Away),
            Ok(Err(_)) | Err(_) => Err(Away),
        }
    }

    /// Gives up connection `number`, unless that has been done.
    fn leave(&self, number: u64, next: State) {
        self.state.send_if_modified(|state| {
            let current = matches!(state, State::Up(current, ..) if *current == number);
            if current {
                *state = next;
            }
            current
        });
    }

    /// Why there is no connection, if known.
    fn reason(&self) -> Option<Arc<str>> {
        match &*self.state.borrow() {
            State::Down(reason) => Some(Arc::clone(reason)),
            State::Connecting | State::Up(..) => None,
        }
    }

    fn tell(&self, status: &Status) {
        // A hook that panics must not stop the connecting.
        let _ = catch_unwind(AssertUnwindSafe(|| (self.on_status)(status)));
    }
}

/// Whether the server answered with an error: it is alive but unusable now (read-only, loading, out of memory …).
fn refused(error: &redis::RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::AuthenticationFailed)
}

fn reason(error: &redis::RedisError) -> Arc<str> {
    match error.kind() {
        // The server's own text is a slot and an address.
        ErrorKind::Server(ServerErrorKind::Moved) => MOVED.into(),
        _ => error.to_string().into(),
    }
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it does not say why")
}
