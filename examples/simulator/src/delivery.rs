//! A push over the network, on WeChat's schedule and on the real clock.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep_until};
use wechat_events::testing::{self, Draft, Request, Verdict, WeChat};

use crate::account::now;
use crate::wire::{Answered, Silence, Target};

/// What happens in a delivery, as it happens. Attempts count from 1, times from the push's first moment.
pub enum Step<'s> {
    Sent { attempt: usize, at: Duration, request: &'s Request },
    Ended { attempt: usize, at: Duration, came: &'s Result<Answered, Silence>, verdict: Verdict },
}

/// The pause between two deliveries by default: WeChat's own pauses grow to hours.
pub const PAUSE: Duration = Duration::from_secs(1);

/// Delivers a push as WeChat does, with its retries, and tells `watch` of each step.
///
/// Between two deliveries it waits no longer than `pause`. Blocks its thread for up to 15 s, and for a payment that is
/// not answered for a minute; needs a runtime with more than one.
pub fn deliver(
    wechat: &WeChat,
    target: &Target,
    draft: &Draft<'_>,
    pause: Duration,
    mut watch: impl FnMut(Step<'_>),
) -> testing::Delivery {
    deliver_while(wechat, target, draft, pause, |step| {
        watch(step);
        true
    })
}

/// The same, until `watch` says `false` of the end of an attempt: what would follow is not sent.
pub fn deliver_while(
    wechat: &WeChat,
    target: &Target,
    draft: &Draft<'_>,
    pause: Duration,
    mut watch: impl FnMut(Step<'_>) -> bool,
) -> testing::Delivery {
    let begun = Instant::now();
    let plan = draft.plan();
    let mut pauses = plan.pauses.iter();
    let (mut goes_on, mut attempt, mut was_due, mut at) = (true, 0, Duration::ZERO, begun);
    draft.deliver(now(), |request| {
        if !goes_on {
            return None;
        }
        if attempt > 0 {
            let planned = pauses.next().copied().unwrap_or_default();
            at += request.due - was_due - planned + planned.min(pause);
            was_due = request.due;
        }
        attempt += 1;
        let came = block_in_place(|| {
            Handle::current().block_on(async {
                sleep_until(at).await;
                watch(Step::Sent { attempt, at: begun.elapsed(), request });
                target.send(request, plan.patience).await
            })
        });
        let answer = came.as_ref().ok().map(Answered::answer);
        let verdict = match &answer {
            Some(answer) => wechat.judge(request, answer.clone()),
            None => wechat.judge_silence(request),
        };
        goes_on = watch(Step::Ended { attempt, at: begun.elapsed(), came: &came, verdict });
        answer
    })
}
