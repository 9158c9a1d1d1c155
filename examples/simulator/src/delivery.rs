//! A push over the network, on WeChat's schedule and on the real clock.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep_until};
use wechat_events::testing::{self, DELIVERIES, Draft, PATIENCE, Reason, Request, Verdict, WeChat};

use crate::account::now;
use crate::wire::{Answered, Silence, Target};

/// What happens in a delivery, as it happens. Attempts count from 1, times from the push's first moment.
pub enum Step<'s> {
    Sent { attempt: usize, at: Duration, request: &'s Request },
    Ended { attempt: usize, at: Duration, came: &'s Result<Answered, Silence>, verdict: Verdict },
}

/// Delivers a push as WeChat does, with its retries, and tells `watch` of each step.
///
/// Blocks its thread for up to 15 s; needs a runtime with more than one.
pub fn deliver(
    wechat: &WeChat,
    target: &Target,
    draft: &Draft<'_>,
    mut watch: impl FnMut(Step<'_>),
) -> testing::Delivery {
    deliver_while(wechat, target, draft, |step| {
        watch(step);
        true
    })
}

/// The same, until `watch` says `false` of the end of an attempt: what would follow is not sent.
pub fn deliver_while(
    wechat: &WeChat,
    target: &Target,
    draft: &Draft<'_>,
    mut watch: impl FnMut(Step<'_>) -> bool,
) -> testing::Delivery {
    let begun = Instant::now();
    let mut goes_on = true;
    let mut schedule = DELIVERIES.iter().enumerate();
    draft.deliver(now(), |request| {
        let (index, due) = schedule.next().filter(|_| goes_on)?;
        let attempt = index + 1;
        let came = block_in_place(|| {
            Handle::current().block_on(async {
                sleep_until(begun + *due).await;
                watch(Step::Sent { attempt, at: begun.elapsed(), request });
                target.send(request, PATIENCE).await
            })
        });
        let answer = came.as_ref().ok().map(Answered::answer);
        let verdict = match &answer {
            Some(answer) => wechat.judge(request, answer.clone()),
            None => Verdict::Ignored(Reason::Silence),
        };
        goes_on = watch(Step::Ended { attempt, at: begun.elapsed(), came: &came, verdict });
        answer
    })
}
