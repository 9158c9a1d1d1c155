//! When WeChat delivers a push, and how long it waits for an answer: one row for each of its ways.

use std::time::Duration;

use super::settings::millis;
use crate::event::{Event, Takes};
use crate::store::Attempt;

/// How WeChat delivers a push, and how to answer. Times in milliseconds.
#[derive(Debug)]
pub(super) struct Schedule {
    /// How long after a delivery came WeChat hangs up.
    deadline: Duration,
    /// `None` if the push itself says which delivery it is.
    series: Option<Series>,
    /// How long after it came a delivery that is not held is answered, with time left for the network.
    acknowledge_after: u64,
    /// Whether a delivery may be left unanswered, so that WeChat delivers the push again.
    pub(super) hold: bool,
    /// The answer while the reply is not ready.
    pub(super) meanwhile: Meanwhile,
    /// Whether a reply that no delivery carried must still reach the user, another way. An answer to WeChat itself
    /// waits for the next delivery.
    pub(super) owed: bool,
    /// Whether a failed run counts towards the runs of a push: they are as many as its deliveries, or few of them.
    pub(super) failed: Attempt,
}

/// Deliveries that come at about equal distances.
#[derive(Debug)]
struct Series {
    deliveries: u8,
    /// How long after one the next comes.
    every: u64,
}

/// What stands in for a reply that is not ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meanwhile {
    Success,
    /// The interim reply of the settings, if there is one.
    Interim,
    /// A code other than 0, which makes WeChat push again.
    Code,
}

/// Seen in a log: at 0, 5.07 and 10.08 s.
const WITH_REPLY: Schedule = Schedule {
    deadline: Takes::Reply.deadline(),
    series: Some(Series { deliveries: 3, every: 5_000 }),
    acknowledge_after: 4_500,
    hold: true,
    meanwhile: Meanwhile::Interim,
    owed: true,
    failed: Attempt::Failed,
};

/// The same, but not held: the user sees nothing of the answer.
const WITHOUT_REPLY: Schedule = Schedule { hold: false, meanwhile: Meanwhile::Success, ..WITH_REPLY };

/// A payment, which is retried for hours and counts that in `RetryTimes`. A failure is answered at once.
const WITH_CODE: Schedule = Schedule {
    deadline: Takes::Code.deadline(),
    series: None,
    acknowledge_after: 2_500,
    hold: false,
    meanwhile: Meanwhile::Code,
    owed: false,
    failed: Attempt::NotMade,
};

impl Schedule {
    /// `None`, an invalid push, is delivered like one that takes no reply.
    pub(super) fn of(event: Option<&Event<'_>>) -> &'static Schedule {
        match event.map(Event::takes) {
            Some(Takes::Reply) => &WITH_REPLY,
            Some(Takes::Code | Takes::IosRefund) => &WITH_CODE,
            Some(Takes::Success) | None => &WITHOUT_REPLY,
        }
    }

    pub(super) fn deadline(&self) -> u64 {
        millis(self.deadline)
    }

    /// A second after WeChat must have hung up, in case a proxy holds the connection.
    pub(super) fn give_up_after(&self) -> u64 {
        self.deadline() + 1_000
    }

    /// `setting` can only make it shorter.
    pub(super) fn acknowledge_after(&self, setting: Option<u64>) -> u64 {
        setting.map_or(self.acknowledge_after, |setting| setting.min(self.acknowledge_after))
    }

    /// 0.6 s after WeChat has hung up on the last delivery that can be foreseen, counted from the first.
    pub(super) fn late_after(&self) -> u64 {
        self.series.as_ref().map_or(0, Series::last) + self.deadline() + 600
    }

    /// The number, from 1, of the delivery that comes at this age: from half way to the next one on, it is the next.
    ///
    /// Deliveries are not counted, since one may be lost, and a proxy may repeat one. `since_create_time`, in seconds,
    /// is the age by WeChat's own clock, for a push whose first deliveries were not seen here. `retries` is what the
    /// push says.
    pub(super) fn delivery(&self, age: u64, since_create_time: Option<i64>, retries: Option<u8>) -> Option<u8> {
        let Some(series) = &self.series else { return retries.map(|retries| retries.saturating_add(1)) };
        let last_by_create_time = i64::try_from(series.last() / 1_000).unwrap_or(i64::MAX) - 1;
        if since_create_time.is_some_and(|seconds| seconds >= last_by_create_time) {
            return Some(series.deliveries);
        }
        let number = age.saturating_add(series.every / 2) / series.every + 1;
        Some(u8::try_from(number).unwrap_or(u8::MAX).min(series.deliveries))
    }

    pub(super) fn is_last(&self, delivery: Option<u8>) -> bool {
        self.series.as_ref().zip(delivery).is_some_and(|(series, delivery)| delivery >= series.deliveries)
    }

    /// Whether only the push says which delivery it is.
    pub(super) fn is_counted(&self) -> bool {
        self.series.is_none()
    }
}

impl Series {
    /// When the last one comes.
    fn last(&self) -> u64 {
        self.every * (u64::from(self.deliveries) - 1)
    }
}
