//! Deliveries of a push, their answers, and what a test expects.

use std::fmt;
use std::time::Duration;

use super::draft::counted;
use super::{Answer, Draft, Mode, Plan, Reason, Request, Verdict};
use crate::endpoint::Endpoint;
use crate::handler::Handler;

/// A push with all its deliveries and the result; see [`Draft::deliver`].
///
/// `Display` shows every request, answer and verdict.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Delivery {
    /// One entry per delivery: up to three, for a payment up to sixteen.
    pub attempts: Vec<Attempt>,
    /// The verdict that counts for the user.
    pub verdict: Verdict,
}

/// One delivery of a push.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Attempt {
    /// The request.
    pub request: Request,
    /// The answer, in time or not; `None` if there was none.
    pub answer: Option<Answer>,
    /// How WeChat judges the answer.
    pub verdict: Verdict,
}

impl Draft<'_> {
    /// Delivers the push as WeChat does, by its [plan](Draft::plan): until it is answered in time, or for a payment
    /// until it is answered with code 0.
    ///
    /// `now` is the time of the first delivery in seconds since 1970. `serve` receives each request and returns its
    /// answer with [how long](Answer::after) it took, or `None` for no answer. An answer after WeChat has hung up is
    /// lost. In plaintext mode all deliveries have the same signature, timestamp and nonce; in the other modes each has
    /// its own, and its own ciphertext. Deliveries of a payment are hours apart and each is signed anew, and
    /// `RetryTimes` is counted up if the body has it.
    ///
    /// # Example: slow once
    /// ```
    /// use std::time::Duration;
    /// use wechat_events::testing::{Answer, Reason, Verdict, WeChat};
    ///
    /// let mut seconds = [6, 1].into_iter();
    /// let delivery = WeChat::plain("token")?.push("text").deliver(1700000000, |_| {
    ///     Some(Answer::new(200, "success").after(Duration::from_secs(seconds.next()?)))
    /// });
    /// let late = Verdict::Ignored(Reason::TooLate { after: Duration::from_secs(6) });
    /// let [first, second] = &*delivery.attempts else { panic!() };
    /// assert_eq!((first.request.now, second.request.now), (1700000000, 1700000005));
    /// assert_eq!((&first.verdict, &second.verdict), (&late, &Verdict::Silent));
    /// assert_eq!(delivery.verdict, Verdict::Silent);
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    ///
    /// # Example: a payment that is not in stock at first
    /// ```
    /// use wechat_events::testing::{Answer, Verdict, WeChat};
    ///
    /// let mut codes = [-1, -1, 0].into_iter();
    /// let wechat = WeChat::plain("token")?;
    /// let delivery = wechat.push("xpay_goods_deliver_notify").deliver(1700000000, |_| {
    ///     Some(Answer::new(200, format!("<xml><ErrCode>{}</ErrCode></xml>", codes.next()?)))
    /// });
    /// assert_eq!(delivery.verdict, Verdict::Silent);
    /// let sent: Vec<_> = delivery.attempts.iter().map(|attempt| attempt.request.due.as_secs()).collect();
    /// assert_eq!(sent, [0, 2, 6]);
    /// assert!(delivery.attempts[2].request.message.ends_with(b"<RetryTimes>2</RetryTimes>\n</xml>"));
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    pub fn deliver(&self, now: i64, mut serve: impl FnMut(&Request) -> Option<Answer>) -> Delivery {
        let mut deliveries = Deliveries::new(self, now);
        while let Some(request) = deliveries.next() {
            let answer = serve(&request);
            deliveries.answered(request, answer);
        }
        deliveries.delivery()
    }

    /// [`deliver`](Draft::deliver)s the push to an endpoint and a handler.
    ///
    /// ```
    /// use wechat_events::testing::WeChat;
    /// use wechat_events::{Endpoint, Event, Handler, HandlerResult, Reply};
    ///
    /// struct Echo;
    /// impl Handler for Echo {
    ///     fn text(&self, _: &Event<'_>, text: &wechat_events::event::Text<'_>) -> HandlerResult {
    ///         Ok(Reply::text(&text.content))
    ///     }
    /// }
    ///
    /// let (wechat, endpoint) = (WeChat::plain("token")?, Endpoint::plain("token")?);
    /// wechat.push("text").set("Content", "hi").respond(&endpoint, &Echo).expect_text("hi");
    /// wechat.push("unsubscribe").respond(&endpoint, &Echo).expect_success();
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    pub fn respond<H: Handler + ?Sized>(&self, endpoint: &Endpoint, handler: &H) -> Delivery {
        self.deliver(self.now(), |request| {
            let Request { method, query, body, now, .. } = request;
            Some(endpoint.respond(method, query, body, *now, handler).into())
        })
    }

    /// Delivers the push to a webhook as WeChat does: hangs up after 5 s, or 3 s, and pushes again.
    ///
    /// Uses tokio's clock: in a test with `start_paused` a slow handler takes no time, nor do the hours of a payment.
    /// If the webhook's `wall_clock` is not the system's, set the time with [`at`](Draft::at).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// use std::time::Duration;
    /// use wechat_events::event::Scan;
    /// use wechat_events::testing::WeChat;
    /// use wechat_events::{AsyncHandler, Endpoint, Event, HandlerResult, Reply, Webhook};
    ///
    /// struct Kitchen;
    /// impl AsyncHandler for Kitchen {
    ///     async fn scan(&self, _: &Event<'_>, scan: &Scan<'_>) -> HandlerResult {
    ///         tokio::time::sleep(Duration::from_secs(8)).await;
    ///         Ok(Reply::text(format!("Table {} is yours", scan.scene())))
    ///     }
    /// }
    ///
    /// let (token, app_id, key) = ("token", "wx5823bf96d3bd56c7", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C");
    /// let webhook = Webhook::new(Endpoint::safe(token, app_id, key)?, Kitchen);
    /// let delivery = WeChat::safe(token, app_id, key)?.push("SCAN").set("EventKey", "7").send(&webhook).await;
    /// delivery.expect_text("Table 7 is yours");
    /// assert_eq!(delivery.attempts.len(), 2);
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// # }).unwrap();
    /// ```
    #[cfg(feature = "tokio")]
    pub async fn send(&self, webhook: &crate::Webhook) -> Delivery {
        use tokio::time::{Instant, sleep_until, timeout};

        let (start, mut deliveries) = (Instant::now(), Deliveries::new(self, self.now()));
        while let Some(request) = deliveries.next() {
            sleep_until(start + request.due).await;
            let sent = Instant::now();
            let call = webhook.call(request.method, &request.query, &request.body);
            let response = timeout(deliveries.plan.patience, call).await.ok();
            deliveries.answered(request, response.map(|response| Answer::from(response).after(sent.elapsed())));
        }
        deliveries.delivery()
    }
}

/// Sends the deliveries until the answer is what WeChat expects, or the plan ends.
struct Deliveries<'d, 'w> {
    draft: &'d Draft<'w>,
    plan: Plan,
    first: Request,
    /// When the next delivery is due, counted from the first.
    due: Duration,
    attempts: Vec<Attempt>,
    ended: bool,
}

impl<'d, 'w> Deliveries<'d, 'w> {
    fn new(draft: &'d Draft<'w>, now: i64) -> Deliveries<'d, 'w> {
        let (plan, first) = (draft.plan(), draft.request(now));
        Deliveries { draft, plan, first, due: Duration::ZERO, attempts: Vec::new(), ended: false }
    }

    fn next(&self) -> Option<Request> {
        let (wechat, now) = (self.draft.wechat(), self.first.now.saturating_add_unsigned(self.due.as_secs()));
        let anew = |message: &[u8]| wechat.request(message, self.draft.chosen_nonce(), now);
        let is_payment = self.attempts.last().is_some_and(|last| matches!(last.verdict, Verdict::PushedAgain(_)));
        let request = match wechat.mode {
            _ if self.ended => return None,
            _ if self.attempts.is_empty() => self.first.clone(),
            _ if is_payment => anew(&counted(wechat, &self.first.message, self.attempts.len())),
            Mode::Plain => Request { now, ..self.first.clone() },
            Mode::Compatible(_) | Mode::Safe(_) => anew(&self.first.message),
        };
        Some(Request { due: self.due, ..request })
    }

    fn answered(&mut self, request: Request, answer: Option<Answer>) {
        let wechat = self.draft.wechat();
        let verdict = match &answer {
            Some(answer) => wechat.judge(&request, answer.clone()),
            None => wechat.judge_silence(&request),
        };
        let patience = self.plan.patience;
        let waited = answer.as_ref().map_or(patience, |answer| answer.after.min(patience));
        let is_owed =
            matches!(verdict, Verdict::PushedAgain(_) | Verdict::Ignored(Reason::Silence | Reason::TooLate { .. }));
        match self.plan.pauses.get(self.attempts.len()) {
            Some(pause) if is_owed => self.due += waited + *pause,
            _ => self.ended = true,
        }
        self.attempts.push(Attempt { request, answer, verdict });
    }

    fn delivery(self) -> Delivery {
        let verdict = match self.attempts.last().map(|last| last.verdict.clone()) {
            Some(Verdict::PushedAgain(reason)) => Verdict::GivenUp(reason),
            // Unanswered three times. For a push that is sent only once, nothing is shown to anybody.
            Some(Verdict::Ignored(Reason::Silence | Reason::TooLate { .. })) if self.attempts.len() > 1 => {
                Verdict::FaultLine(Reason::Silence)
            }
            Some(verdict) => verdict,
            None => Verdict::Ignored(Reason::Silence),
        };
        Delivery { attempts: self.attempts, verdict }
    }
}

impl Delivery {
    /// Expects that the user is shown this text.
    ///
    /// # Panics
    /// If not: with every request, every answer and the reason.
    #[track_caller]
    pub fn expect_text(&self, expected: &str) -> &Delivery {
        let is = |path, text: &str| self.verdict.field(path).as_deref() == Some(text);
        self.holds(is("MsgType", "text") && is("Content", expected), &format!("the text {expected:?}"))
    }

    /// Expects a reply with this text at a path, such as `Image/MediaId`.
    ///
    /// # Panics
    /// If not: with every request, every answer and the reason.
    ///
    /// ```should_panic
    /// # use wechat_events::testing::WeChat;
    /// # use wechat_events::{Endpoint, Handler};
    /// # struct Silent;
    /// # impl Handler for Silent {}
    /// let delivery = WeChat::plain("token")?.push("text").respond(&Endpoint::plain("token")?, &Silent);
    /// delivery.expect("Image/MediaId", "M");
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[track_caller]
    pub fn expect(&self, path: &str, expected: &str) -> &Delivery {
        let found = self.verdict.field(path);
        self.holds(found.as_deref() == Some(expected), &format!("a reply with {path} {expected:?}"))
    }

    /// Expects that the push is acknowledged and the user is shown nothing.
    ///
    /// # Panics
    /// If the user is shown something, or WeChat expects more: with every request, every answer and the reason.
    #[track_caller]
    pub fn expect_success(&self) -> &Delivery {
        self.holds(self.verdict == Verdict::Silent, "`success`")
    }

    #[track_caller]
    #[expect(clippy::panic, reason = "what a test expected is not so")]
    fn holds(&self, holds: bool, expected: &str) -> &Delivery {
        match holds {
            true => self,
            false => panic!("expected {expected}, but WeChat {}\n{self}", self.verdict),
        }
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy;
        for (number, Attempt { request, answer, verdict }) in (1..).zip(&self.attempts) {
            writeln!(f, "delivery {number}: {} ?{}\n{}", request.method, request.query, text(&request.message))?;
            match answer {
                Some(Answer { status, body, after }) => {
                    let shown = match verdict {
                        Verdict::Accepted(reply) => text(&reply.message),
                        _ => text(body),
                    };
                    writeln!(f, "answer after {after:?}: {status}\n{shown}")?;
                }
                None => writeln!(f, "no answer")?,
            }
            writeln!(f, "WeChat {verdict}")?;
        }
        Ok(())
    }
}
