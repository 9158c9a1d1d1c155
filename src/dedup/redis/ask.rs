//! The questions: each one step of the trait, as commands on the one key of its push.

use std::fmt::Display;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisResult, ServerErrorKind, cmd};
use sha1::{Digest, Sha1};

use super::link::Ask;
use super::{LEASE, millis};
use crate::dedup::store::{Carrier, MAX_RUNS};

/// What all questions of a store have in common.
pub(super) struct Wire {
    prefix: Box<[u8]>,
    pub(super) channel: Box<[u8]>,
    /// Milliseconds.
    keep: u64,
    claim: Script,
    settle: Script,
    carry: Script,
    look: Script,
}

struct Script {
    digest: String,
    text: &'static str,
}

macro_rules! script {
    ($file:literal) => {
        Script::new(concat!(include_str!("record.lua"), "\n", include_str!($file)))
    };
}

impl Wire {
    pub(super) fn new(prefix: &str, keep: Duration) -> Wire {
        Wire {
            prefix: prefix.as_bytes().into(),
            channel: [prefix.as_bytes(), b"wake"].concat().into(),
            keep: millis(keep).clamp(1, u32::MAX.into()),
            claim: script!("claim.lua"),
            settle: script!("settle.lua"),
            carry: script!("carry.lua"),
            look: script!("look.lua"),
        }
    }

    pub(super) fn key(&self, name: impl Display) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.prefix.len().saturating_add(32));
        key.extend_from_slice(&self.prefix);
        let _ = write!(key, "{name}"); // to a vector, which takes all
        key
    }

    /// A claim that leaked is kept as long after its lease as others after their end.
    fn running(&self) -> u64 {
        self.keep.saturating_add(millis(LEASE))
    }
}

impl Script {
    fn new(text: &'static str) -> Script {
        Script { digest: hex::encode(Sha1::digest(text)), text }
    }

    /// By its digest; with its text where the server does not know it, which is once after each of its starts.
    async fn run<T: FromRedisValue>(
        &self,
        mut connection: MultiplexedConnection,
        key: &[u8],
        arguments: impl Fn(&mut Cmd) + Send,
    ) -> RedisResult<T> {
        let command = |verb, script: &str| {
            let mut command = cmd(verb);
            command.arg(script).arg(1).arg(key);
            arguments(&mut command);
            command
        };
        let short = command("EVALSHA", &self.digest);
        match short.query_async(&mut connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let long = command("EVAL", self.text);
                long.query_async(&mut connection).await
            }
            said => said,
        }
    }
}

/// What a claim is told, with the age in milliseconds.
pub(super) enum Told {
    New { run: u8, age: u64 },
    Running { age: u64, left: u64 },
    Done { answer: Arc<[u8]>, carrier: Option<Carrier>, age: u64 },
    Exhausted { age: u64 },
}

pub(super) struct Claiming<'a> {
    pub(super) wire: &'a Wire,
    pub(super) key: Vec<u8>,
    pub(super) owner: u128,
    /// What to write if the push is absent.
    pub(super) run: u8,
    pub(super) age: u64,
}

impl Ask for Claiming<'_> {
    type Said = Told;

    async fn ask(&self, mut connection: MultiplexedConnection, again: bool) -> RedisResult<Told> {
        let Claiming { wire, key, run, age, .. } = self;
        let owner = self.owner.to_be_bytes();
        // Most pushes are new, and for those one plain command does.
        if !again {
            let ttl = wire.running();
            let mut record = Vec::with_capacity(35);
            let _ = write!(record, "1r{run}{ttl:08x}{:08x}", age.min(&u32::MAX.into()));
            record.extend_from_slice(&owner);
            let mut set = Cmd::with_capacity(6, key.len().saturating_add(64));
            set.arg("SET").arg(key).arg(record).arg("NX").arg("PX").arg(ttl);
            if set.query_async(&mut connection).await? {
                return Ok(Told::New { run: *run, age: *age });
            }
        }
        let arguments = |command: &mut Cmd| {
            command.arg(&owner).arg(millis(LEASE)).arg(wire.running()).arg(MAX_RUNS).arg(run).arg(age);
        };
        let (kind, run, age, left, answer): (String, u8, u64, u64, Vec<u8>) =
            Box::pin(wire.claim.run(connection, key, arguments)).await?; // boxed, so that the usual way moves few bytes
        Ok(match kind.as_str() {
            "n" => Told::New { run, age },
            "r" => Told::Running { age, left },
            "e" => Told::Exhausted { age },
            done => Told::Done { answer: answer.into(), carrier: carrier(done), age },
        })
    }
}

/// How many keys a test reads. A node that is not in charge of all keys passes it by luck: one that has half of them
/// once in 65,536 times.
const PROBES: u8 = 16;

/// Whether the server does what is needed of it.
pub(super) struct Testing<'a>(pub(super) Claiming<'a>);

impl Ask for Testing<'_> {
    type Said = ();

    async fn ask(&self, mut connection: MultiplexedConnection, again: bool) -> RedisResult<()> {
        self.0.ask(connection.clone(), again).await?;
        let mut probes = redis::pipe();
        for n in 0..PROBES {
            probes.cmd("GET").arg(self.0.wire.key(format_args!("test:{n}")));
        }
        probes.query_async(&mut connection).await
    }
}

/// `renew`, `finish` and `release`.
pub(super) struct Settling {
    pub(super) wire: Arc<Wire>,
    pub(super) key: Vec<u8>,
    /// The push, as it is published.
    pub(super) push: [u8; 16],
    pub(super) owner: u128,
    pub(super) to: Settled,
    pub(super) run: u8,
    /// To write if the push has vanished, in milliseconds.
    pub(super) age: u64,
}

#[derive(Clone)]
pub(super) enum Settled {
    Running,
    Released,
    Done(Arc<[u8]>, Option<Carrier>),
}

impl Ask for Settling {
    /// Whether the claim held.
    type Said = bool;

    async fn ask(&self, connection: MultiplexedConnection, again: bool) -> RedisResult<bool> {
        let Settling { wire, key, push, owner, to, run, age } = self;
        let (state, ttl, answer): (_, _, &[u8]) = match to {
            Settled::Running => ("r", wire.running(), &[]),
            Settled::Released => ("x", wire.keep, &[]),
            Settled::Done(answer, carrier) => (letter(*carrier), wire.keep, answer),
        };
        let arguments = |command: &mut Cmd| {
            command.arg(&owner.to_be_bytes()).arg(state).arg(run).arg(age).arg(ttl).arg(u8::from(again));
            command.arg(&*wire.channel).arg(push).arg(answer).arg(millis(LEASE));
        };
        wire.settle.run(connection, key, arguments).await
    }
}

pub(super) struct Carrying {
    pub(super) wire: Arc<Wire>,
    pub(super) key: Vec<u8>,
    pub(super) by: Carrier,
    /// Of this call, so that it is known again if its answer was lost.
    pub(super) number: u128,
}

impl Ask for Carrying {
    /// Who carries it now, if it is known, and whether that is this call's `by`.
    type Said = (Option<Carrier>, bool);

    async fn ask(&self, connection: MultiplexedConnection, _: bool) -> RedisResult<Self::Said> {
        let arguments = |command: &mut Cmd| {
            command.arg(&self.number.to_be_bytes()).arg(letter(Some(self.by))).arg(self.wire.keep);
        };
        let (state, carries): (String, bool) = self.wire.carry.run(connection, &self.key, arguments).await?;
        Ok((carrier(&state), carries))
    }
}

pub(super) struct Looking {
    pub(super) wire: Arc<Wire>,
    pub(super) key: Vec<u8>,
}

pub(super) enum Seen {
    Nothing,
    Running,
    Released,
    Done(Arc<[u8]>, Option<Carrier>),
}

impl Ask for Looking {
    type Said = Seen;

    async fn ask(&self, connection: MultiplexedConnection, _: bool) -> RedisResult<Seen> {
        let arguments = |command: &mut Cmd| {
            command.arg("").arg(millis(LEASE));
        };
        let (state, answer): (String, Vec<u8>) = self.wire.look.run(connection, &self.key, arguments).await?;
        Ok(match state.as_str() {
            "-" => Seen::Nothing,
            "r" | "w" => Seen::Running,
            "x" => Seen::Released,
            done => Seen::Done(answer.into(), carrier(done)),
        })
    }
}

fn letter(carrier: Option<Carrier>) -> &'static str {
    match carrier {
        None => "o",
        Some(Carrier::Delivery) => "d",
        Some(Carrier::Late) => "l",
    }
}

fn carrier(letter: &str) -> Option<Carrier> {
    match letter {
        "d" => Some(Carrier::Delivery),
        "l" => Some(Carrier::Late),
        _ => None,
    }
}
