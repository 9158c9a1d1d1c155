//! Receivers that differ from a good one in one thing, and which checks must say so.
//!
//! Each is a row: what is wrong, the mode, the checks that are run, those that do not pass, and how it behaves.

mod address;
mod forged;
mod hostile;
mod kinds;
mod payments;
mod retries;
mod text;

use std::time::Duration;

use tokio::time::sleep;

use crate::receiver::{Answer, Asked, Mode, Serve, Serving, Stand, TOKEN, sign};

pub struct Fault {
    pub name: &'static str,
    pub mode: Mode,
    /// Arguments, for the checks that are run.
    pub run: &'static [&'static str],
    /// The checks that fail or warn: these and no others.
    pub fails: &'static [&'static str],
    behaviour: Behaviour,
}

/// How a receiver differs from a good one.
enum Behaviour {
    /// Some requests get this answer.
    Answers(fn(&Stand, &Asked) -> Option<Answer>),
    /// The good answer is changed.
    Changes(fn(&Stand, &Asked, Answer) -> Answer),
    /// The request is changed before it is answered well.
    Misreads(fn(&mut Asked)),
    /// Some requests get no answer.
    Hangs(fn(&Asked) -> bool),
    /// Whatever fits none of these.
    Serves(Serve),
}

const fn fault(
    name: &'static str,
    mode: Mode,
    run: &'static [&'static str],
    fails: &'static [&'static str],
    behaviour: Behaviour,
) -> Fault {
    Fault { name, mode, run, fails, behaviour }
}

pub fn faults() -> impl Iterator<Item = &'static Fault> {
    let all = [
        address::FAULTS,
        forged::FAULTS,
        kinds::FAULTS,
        text::FAULTS,
        payments::FAULTS,
        retries::FAULTS,
        hostile::FAULTS,
    ];
    all.into_iter().flatten()
}

/// What takes a second or two.
pub const QUICK: &[&str] = &["--skip", "slow,joins,hostile"];
/// Enough where everything is wrong.
pub const FEW: &[&str] = &["--only", "address,answers,kinds-account,end"];
pub const JOINS: &[&str] = &["--only", "joins,end"];
pub const SLOW: &[&str] = &["--only", "slow,end"];
pub const HOSTILE: &[&str] = &["--only", "hostile,end"];

impl Fault {
    /// Has arguments of its own.
    pub fn is_alone(&self) -> bool {
        ![QUICK, FEW, JOINS, SLOW, HOSTILE].contains(&self.run)
    }

    pub fn serve<'s>(&'s self, stand: &'s Stand, mut asked: Asked) -> Serving<'s> {
        match &self.behaviour {
            Behaviour::Serves(serve) => serve(stand, asked),
            behaviour => Box::pin(async move {
                match behaviour {
                    Behaviour::Misreads(misread) => misread(&mut asked),
                    Behaviour::Hangs(hangs) if hangs(&asked) => sleep(FOR_EVER).await,
                    Behaviour::Answers(answer) => {
                        if let Some(answer) = answer(stand, &asked) {
                            return answer;
                        }
                    }
                    _ => {}
                }
                let answer = stand.good(&asked).await;
                match behaviour {
                    Behaviour::Changes(change) => change(stand, &asked, answer),
                    _ => answer,
                }
            }),
        }
    }
}

/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(60);

/// The echostr, whatever it is; none without one.
fn echoed(asked: &Asked) -> Option<Answer> {
    let echostr = asked.parameter("echostr").filter(|_| !asked.is_push())?;
    Some(Answer::new(200, echostr.replace("%3C", "<").replace("%3E", ">")))
}

fn is_signed(asked: &Asked) -> bool {
    let [timestamp, nonce] = ["timestamp", "nonce"].map(|name| asked.parameter(name).unwrap_or_default());
    asked.parameter("signature") == Some(&sign([TOKEN, timestamp, nonce]))
}
