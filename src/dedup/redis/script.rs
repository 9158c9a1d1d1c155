//! The questions: each is one step of `push.lua` on the key of one push.

use std::fmt::Display;
use std::sync::Arc;

use redis::{Arg, Cmd, cmd};
use sha1::{Digest, Sha1};

use super::{LEASE, millis};
use crate::dedup::DedupKey;
use crate::dedup::store::{Attempt, Carrier, Claim, MAX_RUNS};

const TEXT: &str = include_str!("push.lua");

/// No push is older, and the record has no room for more. In milliseconds: 31 years.
const OLDEST: u64 = 1_000_000_000_000 - 1;

/// How many keys a test writes. A node that is not responsible for all keys passes by luck: one with half of them once
/// in 65,536 times.
const TESTS: u8 = 16;

/// The answer to `claim` and `look`: a letter, the runs, the age and the rest of the lease in milliseconds, the answer.
pub(super) type Said = (String, u8, u64, u64, Vec<u8>);

/// Builds the questions.
pub(super) struct Script {
    digest: String,
    prefix: Box<str>,
    /// In milliseconds.
    keep: u64,
}

impl Script {
    pub(super) fn new(prefix: &str, keep: u64) -> Script {
        Script { digest: hex::encode(Sha1::digest(TEXT)), prefix: prefix.into(), keep }
    }

    fn key(&self, name: impl Display) -> String {
        format!("{}{name}", self.prefix)
    }

    fn step(&self, name: impl Display, step: &str) -> Cmd {
        let mut command = cmd("EVALSHA");
        command.arg(&self.digest).arg(1).arg(self.key(name)).arg(step);
        command
    }

    /// A leaked claim is kept as long after its lease as others after their end.
    fn running(&self) -> u64 {
        self.keep.saturating_add(millis(LEASE))
    }

    /// The first claim of a push, as one plain command: most pushes are new.
    pub(super) fn fresh(&self, claim: &Claim) -> Cmd {
        let (Claim { key, owner, run, age, .. }, ttl) = (claim, self.running());
        let age = age.min(&OLDEST);
        let mut command = cmd("SET");
        command.arg(self.key(key)).arg(format!("1 r {run} {ttl} {age} {owner:032x}\n")).arg("NX").arg("PX").arg(ttl);
        command
    }

    pub(super) fn claim(&self, claim: &Claim, may_take_over: bool) -> Cmd {
        let mut command = self.owned("claim", claim, claim.age, self.running());
        command.arg(MAX_RUNS).arg(u8::from(may_take_over));
        command
    }

    pub(super) fn renew(&self, claim: &Claim, age: u64) -> Cmd {
        let mut command = self.owned("settle", claim, age, self.running());
        command.arg("r").arg("");
        command
    }

    pub(super) fn finish(&self, claim: &Claim, age: u64, answer: &[u8], carrier: Option<Carrier>) -> Cmd {
        let mut command = self.owned("settle", claim, age, self.keep);
        command.arg(letter(carrier)).arg(answer);
        command
    }

    fn owned(&self, step: &str, claim: &Claim, age: u64, ttl: u64) -> Cmd {
        let mut command = self.step(claim.key, step);
        command.arg(format!("{:032x}", claim.owner)).arg(claim.run).arg(age.min(OLDEST)).arg(ttl).arg(millis(LEASE));
        command
    }

    pub(super) fn release(&self, claim: &Claim, attempt: Attempt) -> Cmd {
        let mut command = self.step(claim.key, "release");
        command.arg(format!("{:032x}", claim.owner)).arg(u8::from(attempt == Attempt::NotMade)).arg(self.keep);
        command
    }

    /// `number` identifies this call, also when it is repeated.
    pub(super) fn carry(&self, key: DedupKey, by: Carrier, number: u128) -> Cmd {
        let mut command = self.step(key, "carry");
        command.arg(letter(Some(by))).arg(format!("{number:032x}")).arg(self.keep);
        command
    }

    pub(super) fn look(&self, name: impl Display) -> Cmd {
        let mut command = self.step(name, "look");
        command.arg(millis(LEASE));
        command
    }

    /// Questions that reach every node of a cluster: can it write and read, and can it read.
    pub(super) fn tests(&self) -> (Arc<[Cmd]>, Arc<[Cmd]>) {
        let (mut tests, mut beats) = (Vec::new(), Vec::new());
        for name in (0..TESTS).map(|n| format!("test:{n}")) {
            let mut test = self.step(&name, "test");
            test.arg(1_000);
            tests.push(test);
            beats.push(self.look(&name));
        }
        (tests.into(), beats.into())
    }
}

/// The same question, for a server that does not know the script yet.
pub(super) fn in_full(question: &Cmd) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(TEXT);
    for argument in question.args_iter().skip(2) {
        if let Arg::Simple(bytes) = argument {
            command.arg(bytes);
        }
    }
    command
}

fn letter(carrier: Option<Carrier>) -> &'static str {
    match carrier {
        None => "o",
        Some(Carrier::Delivery) => "d",
        Some(Carrier::Late) => "l",
    }
}

pub(super) fn carrier(letter: &str) -> Option<Carrier> {
    match letter {
        "d" => Some(Carrier::Delivery),
        "l" => Some(Carrier::Late),
        _ => None,
    }
}
