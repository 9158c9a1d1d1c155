//! Pushes on their schedule, over connections that are kept open.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::SendRequest;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};
use wechat_events::testing::{Answer, PATIENCE};

use super::judge::{self, Desk, Judge, Verdicts};
use super::plan::{Job, Maker, Plan};
use super::{Options, Rate};
use crate::Problem;
use crate::account::now;
use crate::wire::{LARGEST_ANSWER, Silence, Target, broken, cut_off};

/// Pushes that are prepared ahead, at most.
const AHEAD: usize = 64;
/// After the last push is due, how long it may still be sent; what is later yet is not sent in time.
const GRACE: Duration = Duration::from_secs(1);
/// How long before it is due, or sent where nothing is due, a push is prepared at the earliest: it is signed with the
/// time at which it is prepared.
const EARLY: Duration = Duration::from_millis(50);
/// The longest that a thread sleeps without looking whether it is to end.
const NAP: Duration = Duration::from_millis(50);

/// How far it is; for other threads to look at.
#[derive(Debug, Default)]
pub struct Progress {
    begun: OnceLock<Instant>,
    ended: AtomicBool,
    sent: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
    not_sent: AtomicU64,
}

impl Progress {
    pub fn elapsed(&self) -> Duration {
        self.begun.get().map(Instant::elapsed).unwrap_or_default()
    }

    /// Nothing more is sent.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// For the bar.
impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        write!(
            f,
            "{:.0} s, {} sent, {} answered",
            self.elapsed().as_secs_f64(),
            read(&self.sent),
            read(&self.answered)
        )?;
        for (counter, what) in [(&self.failed, "not answered"), (&self.not_sent, "not sent in time")] {
            match read(counter) {
                0 => {}
                number => write!(f, ", {number} {what}")?,
            }
        }
        Ok(())
    }
}

/// What it came to.
pub struct Driven {
    pub tally: Tally,
    pub paced: Paced,
    pub verdicts: Verdicts,
    /// From the first push to the last answer, or to the end of the time if that is later.
    pub took: Duration,
}

/// What became of what was due.
#[derive(Debug, Default, Clone, Copy)]
pub struct Paced {
    /// Pushes that were due until the end.
    pub due: u64,
    /// Not sent, since all connections were waiting for answers.
    pub busy: u64,
    /// Not sent, since this program did not get to it.
    pub late: u64,
}

/// What a thread that sends has counted.
#[derive(Debug)]
pub struct Tally {
    pub sent: u64,
    pub again: u64,
    pub answered: u64,
    /// Connections that the receiver had closed between two pushes.
    pub reopened: u64,
    /// Microseconds from when a push was due to the end of its answer.
    pub latency: Histogram<u64>,
    /// Microseconds from when a push was due until it was begun: this program's part in the latency.
    pub delay: Histogram<u64>,
    /// Why there was no answer, and how often.
    pub silent: BTreeMap<String, u64>,
    last: Duration,
}

/// What came back.
struct Answered {
    status: u16,
    body: Bytes,
}

impl Tally {
    fn new() -> Result<Tally, Problem> {
        // From a microsecond to longer than any wait, exact to a thousandth.
        let histogram = Histogram::new_with_bounds(1, 60_000_000, 3)?;
        Ok(Tally {
            sent: 0,
            again: 0,
            answered: 0,
            reopened: 0,
            delay: histogram.clone(),
            latency: histogram,
            silent: BTreeMap::new(),
            last: Duration::ZERO,
        })
    }

    fn add(&mut self, other: &Tally) -> Result<(), Problem> {
        self.sent += other.sent;
        self.again += other.again;
        self.answered += other.answered;
        self.reopened += other.reopened;
        self.latency.add(&other.latency)?;
        self.delay.add(&other.delay)?;
        for (reason, count) in &other.silent {
            *self.silent.entry(reason.clone()).or_default() += count;
        }
        self.last = self.last.max(other.last);
        Ok(())
    }
}

fn record(histogram: &mut Histogram<u64>, time: Duration) {
    histogram.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
}

/// A push on its way to the thread that sends it.
struct Due {
    when: When,
    job: Job,
}

enum When {
    /// When it is due; with its place among those under way.
    At(Instant, OwnedSemaphorePermit),
    /// When a connection is free, be it long after it was prepared.
    Free,
}

/// A thread that sends, as the one that paces sees it.
struct Lane {
    jobs: Sender<Vec<Due>>,
    slots: Arc<Semaphore>,
}

/// Blocks until all is answered.
pub fn run(options: &Options, progress: &Arc<Progress>) -> Result<Driven, Problem> {
    let (seed, mode) = (options.account.seed(), options.account.mode());
    let wechat = Arc::new(options.account.wechat()?);
    let platform = options.account.wechat()?.component();
    let maker = &Maker::new(&wechat, &platform, mode, seed, &options.mix).signed(&options.account)?;
    let plan = &mut Plan::new(maker, &options.mix, options.retries);
    let judge = Judge::new(Arc::clone(&wechat));
    let begun = *progress.begun.get_or_init(Instant::now);

    let threads = options.threads.min(options.connections);
    let (tally, paced, ended) = thread::scope(|scope| {
        let (mut lanes, mut handles) = (Vec::new(), Vec::new());
        for index in 0..threads {
            let connections = options.connections / threads + u32::from(index < options.connections % threads);
            let places = usize::try_from(connections)?;
            let slots = Arc::new(Semaphore::new(places));
            let (jobs, receiver) = mpsc::channel(match options.rate {
                Rate::Max => 4,
                Rate::PerSecond(_) => places,
            });
            let sender = Sending {
                target: options.target.clone(),
                keep: !options.new_connections,
                judged: options.judged(),
                connections,
                slots: Arc::clone(&slots),
                begun,
                ends: begun + options.seconds,
                progress: Arc::clone(progress),
                idle: RefCell::default(),
                answers: Cell::new(0),
                tally: RefCell::new(Tally::new()?),
                desk: RefCell::new(judge.desk()),
            };
            handles.push(scope.spawn(move || sender.run(receiver, maker)));
            lanes.push(Lane { jobs, slots });
        }

        let paced = match options.rate {
            Rate::Max => {
                feed(plan, &lanes, progress, begun + options.seconds);
                Paced::default()
            }
            Rate::PerSecond(rate) => pace(plan, &lanes, progress, begun, rate, options.seconds),
        };
        drop(lanes);
        let ended = begun.elapsed();
        let mut tally = Tally::new()?;
        // A scope that is left before all are joined panics where one of the others has.
        let ends: Vec<_> = handles.into_iter().map(|handle| handle.join()).collect();
        for end in ends {
            tally.add(&end.map_err(|_| "a thread that sends has failed")??)?;
        }
        Ok::<_, Problem>((tally, paced, ended))
    })?;
    let took = tally.last.max(if progress.has_ended() { ended } else { options.seconds });
    Ok(Driven { tally, paced, verdicts: judge.end(), took })
}

/// Hands out each push when it is due. Every one that is due until the end is counted, sent or not.
fn pace(plan: &mut Plan<'_>, lanes: &[Lane], progress: &Progress, begun: Instant, rate: f64, time: Duration) -> Paced {
    let mut paced = Paced::default();
    let total = (rate * time.as_secs_f64()).round().max(1.0) as u64;
    let due = |number: u64| begun + Duration::from_secs_f64(number as f64 / rate);
    let mut ahead: VecDeque<(Instant, Job)> = VecDeque::new();
    while paced.due < total && !progress.has_ended() {
        let at = due(paced.due);
        while ahead.len() < AHEAD && (ahead.is_empty() || Instant::now() < at) {
            let begun = Instant::now();
            if due(paced.due + ahead.len() as u64) > begun + EARLY {
                break;
            }
            ahead.push_back((begun, plan.next(now())));
        }
        let left = at.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            thread::sleep(left.min(NAP));
            continue;
        }
        if Instant::now() > begun + time + GRACE {
            paced.late += total - paced.due;
            paced.due = total;
            break;
        }
        paced.due += 1;
        let first = usize::try_from(paced.due).unwrap_or_default();
        let mut turns = (0..lanes.len()).map(|turn| &lanes[(first + turn) % lanes.len()]);
        let free = turns.find_map(|lane| Some((lane, Arc::clone(&lane.slots).try_acquire_owned().ok()?)));
        let Some((lane, slot)) = free else {
            paced.busy += 1;
            count(&progress.not_sent);
            continue;
        };
        if ahead.front().is_some_and(|(prepared, _)| prepared.elapsed() > 2 * EARLY) {
            // They found no connection free for so long.
            for (prepared, job) in &mut ahead {
                (*prepared, *job) = (Instant::now(), plan.anew(job, now()));
            }
        }
        if let Some((_, job)) = ahead.pop_front() {
            // There is room for as many as have a slot.
            drop(lane.jobs.try_send(vec![Due { when: When::At(at, slot), job }]));
        }
    }
    paced
}

/// Keeps prepared pushes before each thread that sends.
fn feed(plan: &mut Plan<'_>, lanes: &[Lane], progress: &Progress, ends: Instant) {
    for lane in lanes.iter().cycle() {
        if Instant::now() >= ends || progress.has_ended() {
            return;
        }
        let batch = (0..AHEAD).map(|_| Due { when: When::Free, job: plan.next(now()) }).collect();
        if lane.jobs.blocking_send(batch).is_err() {
            return;
        }
    }
}

/// A thread that sends.
struct Sending {
    target: Target,
    keep: bool,
    judged: f64,
    connections: u32,
    slots: Arc<Semaphore>,
    begun: Instant,
    ends: Instant,
    progress: Arc<Progress>,
    /// Connections that wait for a push; the last one used is used next.
    idle: RefCell<Vec<SendRequest<Full<Bytes>>>>,
    answers: Cell<u64>,
    tally: RefCell<Tally>,
    desk: RefCell<Desk>,
}

impl Sending {
    fn run(self, jobs: Receiver<Vec<Due>>, maker: &Maker<'_>) -> Result<Tally, Problem> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let sending = Rc::new(self);
        LocalSet::new().block_on(&runtime, Rc::clone(&sending).send_all(jobs, maker));
        drop(runtime);
        Rc::into_inner(sending).map(|sending| sending.tally.into_inner()).ok_or_else(|| "a push is left over".into())
    }

    async fn send_all(self: Rc<Self>, mut jobs: Receiver<Vec<Due>>, maker: &Maker<'_>) {
        while let Some(batch) = jobs.recv().await {
            for Due { when, mut job } in batch {
                let (due, slot) = match when {
                    When::At(due, slot) => (Some(due), slot),
                    When::Free => {
                        let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { return };
                        let free = Instant::now();
                        if free >= self.ends || self.progress.has_ended() {
                            continue;
                        }
                        job = maker.sent_at(job, free, EARLY, now());
                        (None, slot)
                    }
                };
                let sending = Rc::clone(&self);
                tokio::task::spawn_local(async move {
                    sending.send(job, due).await;
                    drop(slot);
                });
            }
        }
        // All have come home when all slots are free.
        drop(self.slots.acquire_many(self.connections).await);
    }

    async fn send(&self, job: Job, due: Option<Instant>) {
        let begun = Instant::now();
        count(&self.progress.sent);
        let came = timeout(PATIENCE, self.exchange(&job)).await.unwrap_or(Err(Silence::TimedOut));
        let is_gone = matches!(came, Err(Silence::Unreachable(_)));
        self.note(job, due.unwrap_or(begun), begun, came);
        // Where nothing paces the pushes, a receiver that has gone would be asked for a million times.
        if is_gone && due.is_none() {
            sleep(NAP).await;
        }
    }

    fn note(&self, job: Job, due: Instant, begun: Instant, came: Result<Answered, Silence>) {
        let tally = &mut *self.tally.borrow_mut();
        tally.sent += 1;
        tally.again += u64::from(job.again);
        record(&mut tally.delay, begun - due);
        match came {
            Ok(answered) => {
                count(&self.progress.answered);
                tally.answered += 1;
                record(&mut tally.latency, due.elapsed());
                tally.last = tally.last.max(self.begun.elapsed());
                let is_judged = self.is_judged();
                if answered.status != 200 {
                    self.desk.borrow_mut().count(answered.status, job.name);
                } else if is_judged {
                    let answer = Answer::new(answered.status, answered.body).after(begun.elapsed());
                    let answered = judge::Answered { request: job.request, name: job.name, answer };
                    self.desk.borrow_mut().hand_over(answered);
                }
            }
            Err(silence) => {
                count(&self.progress.failed);
                *tally.silent.entry(silence.to_string()).or_default() += 1;
            }
        }
    }

    /// Every so many, by the share.
    fn is_judged(&self) -> bool {
        let number = self.answers.get();
        self.answers.set(number + 1);
        let whole = |number: u64| (number as f64 * self.judged) as u64;
        whole(number + 1) > whole(number)
    }

    async fn exchange(&self, job: &Job) -> Result<Answered, Silence> {
        while let Some(mut connection) = self.take_idle() {
            match self.exchange_over(&mut connection, job).await {
                Some(Ok(answered)) => {
                    self.put_back(connection);
                    return Ok(answered);
                }
                Some(Err(Silence::Broken(reason))) => {
                    return Err(Silence::Broken(format!("{reason}, on a connection kept open")));
                }
                Some(Err(silence)) => return Err(silence),
                None => self.tally.borrow_mut().reopened += 1,
            }
        }
        let mut connection = self.target.open().await?;
        let answered = self.exchange_over(&mut connection, job).await;
        let answered = answered.unwrap_or_else(|| Err(broken("the receiver closes the connection at once")))?;
        self.put_back(connection);
        Ok(answered)
    }

    /// `None` where nothing was sent, since the receiver had closed the connection: open for too long for its taste,
    /// which is no fault. What was sent may have been read, and is not sent again in silence.
    async fn exchange_over(
        &self,
        connection: &mut SendRequest<Full<Bytes>>,
        job: &Job,
    ) -> Option<Result<Answered, Silence>> {
        let body = Full::from(job.request.body.clone());
        let request = match self.target.head(&job.request).body(body) {
            Ok(request) => request,
            Err(error) => return Some(Err(broken(error))),
        };
        connection.ready().await.ok()?;
        let answer = match connection.try_send_request(request).await {
            Ok(answer) => answer,
            Err(mut error) => match error.take_message() {
                Some(_) => return None,
                None => return Some(Err(broken(error.into_error()))),
            },
        };
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await.map_err(cut_off);
        Some(body.map(|body| Answered { status, body: body.to_bytes() }))
    }

    /// One that is open, as far as is known.
    fn take_idle(&self) -> Option<SendRequest<Full<Bytes>>> {
        while let Some(connection) = self.idle.borrow_mut().pop() {
            if !connection.is_closed() {
                return Some(connection);
            }
            self.tally.borrow_mut().reopened += 1;
        }
        None
    }

    fn put_back(&self, connection: SendRequest<Full<Bytes>>) {
        if self.keep {
            self.idle.borrow_mut().push(connection);
        }
    }
}
