//! The webhook on threads: for servers that have one for each request, and no runtime.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::WebhookBuilder;
use super::arrival::{Arrival, Clock, End};
use super::rules::{self, Cause, Held, OnError, Policy, Rules, WIND_UP, Which, quietly};
use super::span::Span;
use crate::endpoint::{Endpoint, Received, Report, Response};
use crate::handler::Handler;
use crate::reply::Reply;
use crate::store::{Attempt, Carrier, Claim, Claimed, Memory, Waited};

/// [`Webhook`](crate::Webhook) for servers that have a thread for each request: blocking, on one machine, without tokio.
///
/// The handler runs on a thread of its own, so that its delivery can be answered before it is done. Retries join, and
/// everything else, spans too, is as [`Webhook`](crate::Webhook) says it, but for the defaults: [`Policy::Acknowledge`]
/// and [`OnError::Acknowledge`]. A delivery that is held holds its thread, and with a pool of them would block the very
/// retries it is held for: set [`Policy::Hold`] only where [`max_held`](WebhookBuilder::max_held) is well below the
/// server's number of threads. So a handler has 4.5 s here, and a slower one needs
/// [`on_late`](WebhookBuilder::on_late).
///
/// Cloning is cheap.
///
/// ```standalone_crate
/// use wechat_events::event::Text;
/// use wechat_events::{Endpoint, Event, Handler, HandlerResult, Reply, ThreadedWebhook};
///
/// struct Echo;
///
/// impl Handler for Echo {
///     fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
///         Ok(Reply::text(&*text.content))
///     }
/// }
///
/// let webhook = ThreadedWebhook::builder(Endpoint::plain("AAAAA")?, Echo).build();
/// let query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";
/// let body = include_bytes!("../../tests/pushes/text.xml");
/// let response = webhook.call("POST", query, body);
/// assert_eq!((response.status, response.content_type), (200, "text/xml"));
/// assert_eq!(webhook.call("POST", query, body), response); // a retry gets the same, and runs nothing
/// # Ok::<(), wechat_events::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct ThreadedWebhook(Arc<Account>);

struct Account {
    endpoint: Endpoint,
    handler: Box<dyn Handler + Send + Sync>,
    shared: Arc<Shared>,
}

struct Shared {
    memory: Memory,
    rules: Rules,
    start: Instant,
    live: Mutex<Live>,
    changed: Condvar,
}

/// What a shutdown waits for.
#[derive(Default)]
struct Live {
    handlers: usize,
    threads: usize,
    /// No new pushes.
    closing: bool,
    /// No more time.
    stop: bool,
}

/// std's.
impl Clock for Shared {
    fn now(&self) -> u64 {
        rules::millis(self.start.elapsed())
    }
}

impl Shared {
    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Live)) {
        change(&mut self.live());
        self.changed.notify_all();
    }

    /// Lets a run begin, unless it is too late for new ones; [`no_run`](Shared::no_run) takes that back.
    fn begin(&self) -> bool {
        let mut live = self.live();
        if !live.closing {
            (live.handlers, live.threads) = (live.handlers + 1, live.threads + 1);
        }
        !live.closing
    }

    fn no_run(&self) {
        self.change(|live| (live.handlers, live.threads) = (live.handlers - 1, live.threads - 1));
    }

    /// Waits for a change of `Live`, at most until `deadline` by this clock. Says whether it came.
    fn until(&self, deadline: u64, come: impl Fn(&Live) -> bool) -> bool {
        let left = Duration::from_millis(deadline.saturating_sub(self.now()));
        let waited = self.changed.wait_timeout_while(self.live(), left, |live| !come(live));
        let (live, _) = waited.unwrap_or_else(PoisonError::into_inner);
        come(&live)
    }
}

impl ThreadedWebhook {
    /// With the defaults, which never hold a thread for longer than 4.5 s.
    pub fn builder<H: Handler + Send + Sync + 'static>(endpoint: Endpoint, handler: H) -> WebhookBuilder<H, Memory> {
        let rules = Rules { policy: Policy::Acknowledge, on_error: OnError::Acknowledge, ..Rules::default() };
        WebhookBuilder { endpoint, handler, store: Memory::new(), rules }
    }

    /// [`Webhook::with`](crate::Webhook::with): another account on the same store, bounds and hooks.
    #[must_use]
    pub fn with<H: Handler + Send + Sync + 'static>(&self, endpoint: Endpoint, handler: H) -> ThreadedWebhook {
        let shared = Arc::clone(&self.0.shared);
        ThreadedWebhook(Arc::new(Account { endpoint, handler: Box::new(handler), shared }))
    }

    /// [`Webhook::call`](crate::Webhook::call): answers a request, and keeps its thread until then.
    ///
    /// At most 4.5 s with the defaults, else 6.
    #[must_use]
    pub fn call(&self, method: &str, query: &str, body: &[u8]) -> Response {
        let Account { endpoint, shared, .. } = &*self.0;
        let wall = (shared.rules.wall_clock)();
        let push = match endpoint.receive_here(method, query, body, wall) {
            Ok(Received::Push(push)) => push,
            Ok(Received::Answer(answer)) => return answer,
            Err(error) => {
                endpoint.report(&Report::Rejected { error: &error });
                return Response::status(error.status());
            }
        };
        let arrival = Arrival::new(&push, &**shared, wall);
        arrival.span().in_scope(|| Delivery { account: &self.0, shared, arrival, held: None }.answer())
    }

    /// [`Webhook::shutdown`](crate::Webhook::shutdown): takes no new push, and waits for what runs.
    ///
    /// Handlers that still run after `grace` go on, for threads cannot be cancelled; what they answer is late if no
    /// delivery waits for it any more. Takes at most a second more than `grace`.
    ///
    /// ```standalone_crate
    /// # use std::time::Duration;
    /// # use wechat_events::{Endpoint, Handler, ThreadedWebhook};
    /// # struct Silent;
    /// # impl Handler for Silent {}
    /// let webhook = ThreadedWebhook::builder(Endpoint::plain("AAAAA")?, Silent).build();
    /// webhook.shutdown(Duration::from_secs(10));
    /// let query = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";
    /// assert_eq!(webhook.call("POST", query, include_bytes!("../../tests/pushes/text.xml")).status, 503);
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    pub fn shutdown(&self, grace: Duration) {
        let shared = &self.0.shared;
        shared.change(|live| live.closing = true);
        shared.until(shared.now().saturating_add(rules::millis(grace)), |live| live.handlers == 0);
        shared.change(|live| live.stop = true);
        shared.until(shared.now().saturating_add(rules::millis(WIND_UP)), |live| live.threads == 0);
    }
}

impl fmt::Debug for ThreadedWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadedWebhook").field("endpoint", &self.0.endpoint).finish_non_exhaustive()
    }
}

impl<H: Handler + Send + Sync + 'static> WebhookBuilder<H, Memory> {
    /// Other bounds of the store. Its lease has to be longer than WeChat asks for a push, 15 s; the default is 20.
    ///
    /// ```
    /// # use wechat_events::store::Memory;
    /// # use wechat_events::{Endpoint, Handler, ThreadedWebhook};
    /// # struct Silent;
    /// # impl Handler for Silent {}
    /// let memory = Memory::builder().entries(1 << 20).build();
    /// let webhook = ThreadedWebhook::builder(Endpoint::plain("token")?, Silent).memory(memory).build();
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    pub fn memory(self, memory: Memory) -> Self {
        Self { store: memory, ..self }
    }

    /// Makes the webhook.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the clock by which deliveries are told apart")]
    pub fn build(self) -> ThreadedWebhook {
        let WebhookBuilder { endpoint, handler, store: memory, rules } = self;
        let (live, changed) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { memory, rules, start: Instant::now(), live, changed });
        ThreadedWebhook(Arc::new(Account { endpoint, handler: Box::new(handler), shared }))
    }
}

struct Delivery<'w> {
    account: &'w Arc<Account>,
    shared: &'w Shared,
    arrival: Arrival<'w, Shared>,
    held: Option<Held<'w>>,
}

/// What a delivery and the thread of its run tell each other.
#[derive(Default)]
struct Own {
    failed: AtomicBool,
    /// Without the reply, if there was none yet.
    answered: AtomicBool,
}

impl Delivery<'_> {
    fn answer(mut self) -> Response {
        loop {
            let now = self.shared.now();
            let response = match self.shared.memory.claim(self.arrival.key, now) {
                Claimed::New(claim) => {
                    self.arrival.note_age(claim.age, now);
                    self.run(claim, now)
                }
                Claimed::Running { age, lease_left, waiting } => {
                    self.arrival.note_age(age, now);
                    if waiting >= self.shared.rules.max_joiners {
                        return self.end(End::TooManyJoiners, Response::status(503));
                    }
                    self.wait(None, now.saturating_add(lease_left))
                }
                Claimed::Done { answer, carrier, age } => {
                    self.arrival.note_age(age, now);
                    Some(self.carry(&answer, carrier, None))
                }
                Claimed::Exhausted { age } => {
                    self.arrival.note_age(age, now);
                    Some(self.failed())
                }
                Claimed::Refused(refusal) => Some(self.not_run(End::Refused, Cause::Refused(refusal))),
            };
            if let Some(response) = response {
                return response;
            }
        }
    }

    fn run(&mut self, claim: Claim, now: u64) -> Option<Response> {
        let (shared, rules) = (self.shared, &self.shared.rules);
        let own = Arc::new(Own::default());
        let refused = if !shared.begin() {
            Some(None)
        } else if !rules.running.take() {
            shared.no_run();
            Some(Some(Cause::Busy { limit: rules.running.limit }))
        } else {
            let run = Run {
                account: Arc::clone(self.account),
                claim,
                body: Arc::from(self.arrival.push.body()),
                late_at: now.saturating_add(rules::LATE.saturating_sub(claim.age)),
                own: Arc::clone(&own),
            };
            let span = Span::current();
            let spawned =
                thread::Builder::new().name("wechat-events".to_owned()).spawn(move || span.in_scope(|| run.drive()));
            spawned.err().map(|error| {
                rules.running.give_back();
                shared.no_run();
                Some(Cause::Handler(error.into()))
            })
        };
        let Some(cause) = refused else { return self.wait(Some(&own), u64::MAX) };
        // Nothing has to be done about a claim that is lost.
        let _ = shared.memory.release(&claim, Attempt::NotMade, now);
        Some(match cause {
            None => self.end(End::Closing, Response::status(503)),
            Some(cause) => self.not_run(End::Busy, cause),
        })
    }

    /// Waits for an answer, or for the time to do without. `None`: claim again.
    fn wait(&mut self, own: Option<&Own>, lease_over: u64) -> Option<Response> {
        let (facts, rules) = (self.arrival.facts(), &self.shared.rules);
        let may_hold = rules.may_hold(facts);
        let acknowledge_at = rules.acknowledge_at(self.arrival.came, self.arrival.age());
        if may_hold && self.held.is_none() {
            self.held = Held::take(&rules.held);
        }
        loop {
            let deadline = if self.held.is_some() { self.arrival.give_up_at() } else { acknowledge_at };
            let (now, until) = (self.shared.now(), lease_over.min(deadline));
            let left = Duration::from_millis(until.saturating_sub(now));
            let memory = &self.shared.memory;
            let wait = if own.is_some() { Memory::wait_for_own } else { Memory::wait };
            match wait(memory, self.arrival.key, now).park(left) {
                Some(Waited::Done { answer, carrier }) => return Some(self.carry(&answer, carrier, own)),
                Some(Waited::Released) if own.is_some_and(|own| own.failed.load(Ordering::Acquire)) => {
                    return Some(self.failed());
                }
                Some(Waited::Released | Waited::Lapsed) => return None,
                None if until < deadline => return None,
                None if self.held.is_some() => return Some(self.end(End::Held, Response::status(503))),
                None => {
                    // A place may have become free since it began to wait.
                    self.held = if may_hold { Held::take(&rules.held) } else { None };
                    if self.held.is_some() {
                        continue;
                    }
                    self.tell_answered(own);
                    let response = rules.acknowledgement(&self.account.endpoint, self.arrival.push, facts);
                    return Some(self.end(End::Acknowledged, response));
                }
            }
        }
    }

    /// Tells its own run that there is nothing to wait for any more.
    fn tell_answered(&self, own: Option<&Own>) {
        if let Some(own) = own {
            own.answered.store(true, Ordering::Release);
            self.shared.change(|_| {});
        }
    }

    /// On the way out with an answer, which may be its own run's: asks whether it is this delivery's to carry.
    fn carry(&mut self, answer: &[u8], carrier: Option<Carrier>, own: Option<&Own>) -> Response {
        let now = self.shared.now();
        let carried = match carrier {
            Some(Carrier::Delivery) => true,
            Some(Carrier::Late) => false,
            // What is carried now arrives nowhere, and the next delivery or `on_late` has to have it.
            None if self.arrival.has_hung_up(now) => return self.end(End::HungUp, Response::status(503)),
            None => self.shared.memory.carry(self.arrival.key, Carrier::Delivery, now),
        };
        if !carried {
            return self.end(End::Late, Response::success());
        }
        self.tell_answered(own);
        let response = self.arrival.push.answer(answer.to_vec(), (self.shared.rules.wall_clock)());
        self.end(End::Answered, response)
    }

    /// The handler failed in this delivery's run, or has failed too often.
    fn failed(&mut self) -> Response {
        let rules = &self.shared.rules;
        if self.shared.live().closing {
            return self.end(End::Closing, Response::status(503));
        }
        match rules.on_error {
            OnError::Status500 => return self.end(End::Failed, Response::status(500)),
            OnError::Hold if self.arrival.facts().which != Which::Last => {
                self.held = self.held.take().or_else(|| Held::take(&rules.held));
            }
            OnError::Hold | OnError::Acknowledge => self.held = None,
        }
        if self.held.is_none() {
            return self.end(End::Failed, Response::success());
        }
        self.shared.until(self.arrival.give_up_at(), |live| live.stop);
        self.end(End::Failed, Response::status(503))
    }

    fn not_run(&mut self, end: End, cause: Cause) -> Response {
        self.shared.rules.failed(&self.account.endpoint, self.arrival.push.body(), 0, cause);
        self.end(end, Response::status(503))
    }

    fn end(&mut self, end: End, response: Response) -> Response {
        self.arrival.end(end, response)
    }
}

/// A run, on its thread.
struct Run {
    account: Arc<Account>,
    claim: Claim,
    body: Arc<[u8]>,
    /// Milliseconds on the webhook's clock.
    late_at: u64,
    own: Arc<Own>,
}

impl Run {
    fn drive(self) {
        let shared = &*self.account.shared;
        let handled = catch_unwind(AssertUnwindSafe(|| self.handle()));
        let handled = handled.unwrap_or_else(|payload| {
            let cause = Cause::panicked(&*payload);
            quietly(|| drop(payload));
            Err(cause)
        });
        shared.rules.running.give_back();
        shared.change(|live| live.handlers = live.handlers.saturating_sub(1));
        quietly(|| self.settle(handled));
        shared.change(|live| live.threads = live.threads.saturating_sub(1));
    }

    fn handle(&self) -> Result<(Reply, Vec<u8>), Cause> {
        let Account { endpoint, handler, shared } = &*self.account;
        let event = endpoint.parse_event(&self.body).map_err(Cause::Unparsable)?;
        let reply = event.dispatch(&**handler).map_err(Cause::Handler)?;
        let written = reply.write(&event, (shared.rules.wall_clock)());
        if let Some(refused) = &written.refused {
            endpoint.report(&Report::Refused { event: &event, reply: &reply, refused });
        }
        Ok((reply, written.body.into_bytes()))
    }

    /// Writes down what came of it, and sees to what is owed.
    fn settle(&self, handled: Result<(Reply, Vec<u8>), Cause>) {
        let Account { endpoint, shared, .. } = &*self.account;
        let (memory, rules, now) = (&shared.memory, &shared.rules, shared.now());
        match handled {
            Ok((reply, written)) => {
                let carrier = match &*written {
                    b"" | b"success" => Some(Carrier::Delivery),
                    _ if now >= self.late_at || self.answered() => Some(Carrier::Late),
                    _ => None,
                };
                // Who is late after a take-over has nothing to say.
                if memory.finish(&self.claim, &written, carrier, now).is_err() {
                    return;
                }
                let late = match carrier {
                    Some(Carrier::Delivery) => false,
                    Some(Carrier::Late) => true,
                    None => {
                        shared.until(self.late_at, |live| live.stop || self.answered());
                        let moment = now.saturating_add(rules::millis(rules::MOMENT)).min(self.late_at);
                        shared.until(moment, |_| self.answered());
                        memory.carry(self.claim.key, Carrier::Late, shared.now())
                    }
                };
                if late {
                    rules.late(endpoint, &self.body, reply);
                }
            }
            // A claim that is lost has another owner, who sees to the push.
            Err(cause) => {
                if let Cause::Unparsable(_) = cause {
                    let _ = memory.finish(&self.claim, b"success", Some(Carrier::Delivery), now);
                } else {
                    self.own.failed.store(true, Ordering::Release);
                    let _ = memory.release(&self.claim, Attempt::Failed, now);
                }
                rules.failed(endpoint, &self.body, self.claim.run, cause);
            }
        }
    }

    fn answered(&self) -> bool {
        self.own.answered.load(Ordering::Acquire)
    }
}
