//! The owner of a running push: what is left to do for it, also when its task is dropped.

use std::mem;
use std::sync::Arc;

use super::run::{Ended, Run};
use super::shared::Shared;
use super::span::{Stopwatch, tell_late};
use crate::endpoint::{Endpoint, Report};
use crate::event::Event;
use crate::failure::{Cause, Failure};
use crate::reply::Reply;
use crate::store::{Attempt, Carrier, Outcome};

/// Owner of a running push. If it is dropped with a duty, as when its runtime ends, it does what can be done without
/// waiting.
pub(super) struct Owner<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) shared: &'a Arc<Shared>,
    pub(super) run: &'a Arc<Run>,
    pub(super) stopwatch: Stopwatch,
    /// The handler has not ended.
    pub(super) handles: bool,
    /// Other deliveries can find the run.
    pub(super) listed: bool,
    pub(super) duty: Duty,
}

/// What is left to do for a push.
pub(super) enum Duty {
    /// Everything: give the push back.
    Run,
    /// Nobody has carried the reply yet.
    Carry(Box<Reply>),
    TellLate(Box<Reply>),
    TellFailed(Box<Failure>),
    Nothing,
}

impl Owner<'_> {
    pub(super) fn handled(&mut self) {
        if mem::take(&mut self.handles) {
            self.shared.handler_ended();
        }
    }

    pub(super) fn forget(&mut self) {
        if mem::take(&mut self.listed) {
            self.shared.forget(self.run);
        }
    }

    /// Whoever it wakes, or comes now, asks the store.
    pub(super) fn end(&mut self, ended: Ended) {
        self.duty = Duty::Nothing;
        self.forget();
        self.run.note_end(ended);
    }

    pub(super) fn failure(&self, cause: Cause) -> Failure {
        let run = if let Cause::Unparsable(_) = cause { 0 } else { self.run.claim.run };
        Failure { body: Arc::clone(&self.run.body), run, cause }
    }
}

impl Drop for Owner<'_> {
    fn drop(&mut self) {
        let (shared, run) = (self.shared, self.run);
        let late = |reply: &Reply, was_told: bool| {
            if let Ok(event) = self.endpoint.parse_event(&run.body) {
                if !was_told {
                    tell_late(&event);
                }
                self.endpoint.report(&Report::Late { event: &event, reply });
            }
        };
        let failed = |failure: &Failure| report_failure(self.endpoint, failure, None);
        let duty = mem::replace(&mut self.duty, Duty::Nothing);
        let has_ended = !matches!(duty, Duty::Run);
        match duty {
            Duty::Nothing => {}
            Duty::TellLate(reply) => late(&reply, true),
            Duty::TellFailed(failure) => failed(&failure),
            Duty::Run => {
                if self.handles {
                    let event = self.endpoint.parse_event(&run.body).ok();
                    self.stopwatch.stop(event.as_ref(), run.claim.run, Some(&Cause::Cancelled));
                }
                shared.give_back(run.claim, Attempt::Failed);
                failed(&self.failure(Cause::Cancelled));
            }
            // If the store cannot be asked any more who carried the reply, it is reported as a failure.
            Duty::Carry(reply) => match shared.store.carry(run.claim.key, Carrier::Late, shared.now()) {
                Outcome::Now(true) => late(&reply, false),
                Outcome::Now(false) => {}
                Outcome::Later(_) => failed(&self.failure(Cause::Cancelled)),
            },
        }
        self.forget();
        self.handled();
        if !has_ended {
            run.note_end(Ended::Failed);
        }
        shared.task_ended();
    }
}

pub(super) fn report_failure(endpoint: &Endpoint, failure: &Failure, event: Option<&Event<'_>>) {
    match (&failure.cause, event) {
        (Cause::Unparsable(error), _) => endpoint.report(&Report::Unparsable { body: &failure.body, error }),
        (Cause::Handler(error), Some(event)) => endpoint.report(&Report::Failed { event, error: &**error }),
        (cause, Some(event)) => endpoint.report(&Report::Failed { event, error: cause }),
        (_, None) => match endpoint.parse_event(&failure.body) {
            Ok(event) => report_failure(endpoint, failure, Some(&event)),
            Err(error) => endpoint.report(&Report::Unparsable { body: &failure.body, error: &error }),
        },
    }
}
