//! The way to Redis: one connection for commands, one for wake-ups, both made anew when they break.
//!
//! A question is answered, or [`Away`] within the limit. After a time-out nothing is asked until a new connection has
//! stood its test, so a dead server costs those that wait for it at that moment and nobody else.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{Stream, StreamExt, future, stream};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisResult, ServerErrorKind};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::Status;
use crate::dedup::DedupKey;

/// For a connection and its test: longer than for a question, since TLS and names take their time.
const CONNECT: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

const MOVED: &str = "MOVED: this is one node of a Redis Cluster, and others hold some of the pushes; see «Redis Cluster» \
                     in the documentation of store::Redis";

/// Redis has not answered, for a reason that the status hook is told.
#[derive(Debug)]
pub(super) struct Away;

type Messages = Pin<Box<dyn Stream<Item = redis::Msg> + Send>>;

/// A question to Redis, in one or more commands on one key.
pub(super) trait Ask {
    type Said: Send;

    /// `again`: it was asked before and may have been done, with its answer lost.
    fn ask(
        &self,
        connection: MultiplexedConnection,
        again: bool,
    ) -> impl Future<Output = RedisResult<Self::Said>> + Send;
}

pub(super) struct Link {
    client: Client,
    state: watch::Sender<State>,
    /// Of a question.
    limit: Duration,
    on_status: Box<dyn Fn(&Status) + Send + Sync>,
}

#[derive(Clone)]
enum State {
    /// There is none yet, or the last one broke this moment: worth waiting for, within the limit.
    Connecting,
    Up(u64, MultiplexedConnection),
    /// Not worth waiting for.
    Down(Arc<str>),
}

impl Link {
    pub(super) fn new(client: Client, limit: Duration, on_status: Box<dyn Fn(&Status) + Send + Sync>) -> Link {
        Link { client, state: watch::Sender::new(State::Connecting), limit, on_status }
    }

    /// The answer, or [`Away`] after the limit at the latest. A broken connection is replaced within it.
    pub(super) async fn ask<A: Ask>(&self, question: &A, mut again: bool) -> Result<A::Said, Away> {
        let mut number = 0;
        let answer = timeout(self.limit, async {
            loop {
                let connection;
                (number, connection) = match self.connection() {
                    Some(connection) => connection,
                    // The rare ways are boxed, so that the usual one moves few bytes.
                    None => Box::pin(self.connecting()).await?,
                };
                match question.ask(connection, again).await {
                    Ok(said) => return Ok(said),
                    Err(error) if refused(&error) => {
                        self.leave(number, State::Down(reason(&error)));
                        return Err(Away);
                    }
                    Err(_) => {
                        self.leave(number, State::Connecting);
                        again = true;
                    }
                }
            }
        });
        match answer.await {
            Ok(answer) => answer,
            Err(_) => {
                self.leave(number, State::Down(format!("no answer within {} ms", self.limit.as_millis()).into()));
                Err(Away)
            }
        }
    }

    /// Until there is a connection, however long that takes.
    pub(super) async fn up(&self) {
        let _ = self.state.subscribe().wait_for(|state| matches!(state, State::Up(..))).await;
    }

    /// Why there is no connection, if that is known.
    pub(super) fn reason(&self) -> Option<Arc<str>> {
        match &*self.state.borrow() {
            State::Down(reason) => Some(Arc::clone(reason)),
            State::Connecting | State::Up(..) => None,
        }
    }

    fn connection(&self) -> Option<(u64, MultiplexedConnection)> {
        match &*self.state.borrow() {
            State::Up(number, connection) => Some((*number, connection.clone())),
            State::Connecting | State::Down(_) => None,
        }
    }

    async fn connecting(&self) -> Result<(u64, MultiplexedConnection), Away> {
        let mut states = self.state.subscribe();
        let state = states.wait_for(|state| !matches!(state, State::Connecting)).await;
        match state.as_deref() {
            Ok(State::Up(number, connection)) => Ok((*number, connection.clone())),
            _ => Err(Away),
        }
    }

    /// Gives up connection `number`, or the hope for one, unless somebody was quicker.
    fn leave(&self, number: u64, next: State) {
        self.state.send_if_modified(|state| {
            let current = match state {
                State::Connecting => matches!(next, State::Down(_)),
                State::Up(current, _) => *current == number,
                State::Down(_) => false,
            };
            if current {
                *state = next;
            }
            current
        });
    }

    /// Connects for ever. Ends with its task.
    pub(super) async fn keep_up(&self, test: &impl Ask, channel: &[u8], hints: &Hints) {
        let (mut number, mut pause, mut told_down) = (0_u64, FIRST_PAUSE, false);
        loop {
            let error = match timeout(CONNECT, self.connect(test, channel)).await {
                Ok(Ok((connection, messages))) => {
                    number = number.saturating_add(1);
                    self.state.send_replace(State::Up(number, connection));
                    if told_down {
                        self.tell(&Status::Up);
                        told_down = false;
                    }
                    pause = FIRST_PAUSE;
                    self.listen(number, messages, hints).await;
                    self.reason()
                }
                Ok(Err(error)) => Some(reason(&error)),
                Err(_) => Some(format!("no connection within {} ms", CONNECT.as_millis()).into()),
            };
            if let Some(reason) = error {
                self.state.send_replace(State::Down(Arc::clone(&reason)));
                if !told_down {
                    self.tell(&Status::Down { reason: reason.as_ref().into() });
                    told_down = true;
                }
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    async fn connect(&self, test: &impl Ask, channel: &[u8]) -> RedisResult<(MultiplexedConnection, Messages)> {
        // The limits are here, around all of it.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        test.ask(connection.clone(), false).await?;
        let mut listener = self.client.get_async_pubsub().await?;
        // Without the right to listen there are no wake-ups, and waiters look by themselves.
        let messages: Messages = match listener.subscribe(channel).await {
            Ok(()) => Box::pin(listener.into_on_message()),
            Err(_) => Box::pin(stream::pending()),
        };
        Ok((connection, messages))
    }

    /// Wakes who waits, until the connection is given up. The end of the one that listens mostly is the end of both.
    async fn listen(&self, number: u64, mut messages: Messages, hints: &Hints) {
        let mut states = self.state.subscribe();
        let mut left = pin!(states.wait_for(|state| !matches!(state, State::Up(..))));
        loop {
            match future::select(messages.next(), left.as_mut()).await {
                future::Either::Left((Some(message), _)) => {
                    if let Ok(key) = <[u8; 16]>::try_from(message.get_payload_bytes()) {
                        hints.wake(DedupKey::from_bytes(key));
                    }
                }
                future::Either::Left((None, _)) => return self.leave(number, State::Connecting),
                future::Either::Right(_) => return,
            }
        }
    }

    fn tell(&self, status: &Status) {
        // A hook that panics must not end the connecting.
        let _ = catch_unwind(AssertUnwindSafe(|| (self.on_status)(status)));
    }
}

/// Whether the server answered with an error: it lives, but is of no use now (read-only, loading, out of memory …).
fn refused(error: &redis::RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::AuthenticationFailed)
}

fn reason(error: &redis::RedisError) -> Arc<str> {
    match error.kind() {
        // The server's own words are a slot and an address.
        ErrorKind::Server(ServerErrorKind::Moved) => MOVED.into(),
        _ => error.to_string().into(),
    }
}

/// Who waits in this process for which push.
#[derive(Default)]
pub(super) struct Hints(Mutex<HashMap<DedupKey, (usize, Arc<Notify>)>>);

impl Hints {
    pub(super) fn watch(&self, key: DedupKey) -> Watch<'_> {
        let mut waiting = self.lock();
        let (count, notify) = waiting.entry(key).or_default();
        *count = count.saturating_add(1);
        Watch { hints: self, key, notify: Arc::clone(notify) }
    }

    pub(super) fn wake(&self, key: DedupKey) {
        if let Some((_, notify)) = self.lock().get(&key) {
            notify.notify_waiters();
        }
    }

    pub(super) fn waiting(&self, key: DedupKey) -> usize {
        self.lock().get(&key).map_or(0, |(count, _)| *count)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DedupKey, (usize, Arc<Notify>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits; it is no longer counted once this is dropped.
pub(super) struct Watch<'a> {
    hints: &'a Hints,
    key: DedupKey,
    pub(super) notify: Arc<Notify>,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut waiting = self.hints.lock();
        if let Some((count, _)) = waiting.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                waiting.remove(&self.key);
            }
        }
    }
}
