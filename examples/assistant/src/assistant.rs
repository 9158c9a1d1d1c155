//! The account's handler: a message puts a question in line, and carries back the piece that stands first.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use wechat_events::event::{Subscribe, Text};
use wechat_events::{AsyncHandler, Event, HandlerResult, Kind, Reply};

use crate::mailbox::{Job, LEASE, Mailbox};
use crate::mailboxes::{Mailboxes, now};
use crate::model::Model;

/// What a user says to see more. Any other message does as well; one that is a text is a question besides.
const MORE: &str = "继续";

/// To see the last piece once more.
const AGAIN: &str = "重发";

const WELCOME: &str = "您好，有什么想问的？答得慢的时候，稍后回复「继续」就能看到；没收到的，回复「重发」再看一次。";
/// To the last delivery, if nothing is there by then.
pub const INTERIM: &str = "还在想，请稍后回复「继续」查看。";
const NOTHING: &str = "没有等您看的回答了，有问题请直接提问。";
const FULL: &str = "前面的回答还没看完，这个问题没有记下。请先回复「继续」看完再问。";
const LONG: &str = "这个问题太长了，请说得短一些。";
const TROUBLE: &str = "抱歉，出了点问题，请稍后再试；没收到的，回复「重发」再看一次。";

/// Bytes of a question. What WeChat lets a user type is shorter.
const LONGEST_QUESTION: usize = 4096;

/// Milliseconds for which a message waits for a piece: its last delivery has been answered by then.
const DELIVERIES: u64 = 15_000;

/// Between two looks at a mailbox, which another machine may have changed.
const LOOK: Duration = Duration::from_millis(200);

/// Questions that the model is at, at a time; others wait.
const AT_ONCE: u32 = 64;

#[derive(Clone)]
pub struct Assistant {
    mailboxes: Arc<Mailboxes>,
    model: Arc<Model>,
    /// A place is kept until the answer is in its mailbox.
    places: Arc<Semaphore>,
}

impl AsyncHandler for Assistant {
    async fn text(&self, event: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        Ok(match text.content.trim() {
            MORE => self.carry(event, None).await,
            AGAIN => self.again(event).await,
            question if question.len() > LONGEST_QUESTION => LONG.into(),
            question => self.carry(event, Some(question)).await,
        })
    }

    async fn subscribe(&self, _: &Event<'_>, _: &Subscribe<'_>) -> HandlerResult {
        Ok(WELCOME.into())
    }

    async fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
        Ok(match event.kind {
            Kind::Image(_) | Kind::Voice(_) | Kind::Video(_) | Kind::ShortVideo(_) => self.carry(event, None).await,
            Kind::LocationMessage(_) | Kind::Link(_) => self.carry(event, None).await,
            _ => Reply::Success,
        })
    }

    /// No delivery has carried the reply: what it holds goes to the next message.
    async fn late(&self, event: &Event<'_>, _: &Reply) -> Result<(), Box<dyn Error + Send + Sync>> {
        let push = event.dedup_key().to_string();
        let patience = Duration::from_secs(60);
        self.mailboxes.surely(&user(event), patience, |mailbox| mailbox.take_back(&push)).await
    }
}

impl Assistant {
    pub fn new(mailboxes: Mailboxes, model: Model) -> Assistant {
        let places = Arc::new(Semaphore::new(AT_ONCE as usize));
        Assistant { mailboxes: Arc::new(mailboxes), model: Arc::new(model), places }
    }

    /// Takes the question, if there is one, and waits for whatever stands first in line.
    async fn carry(&self, event: &Event<'_>, question: Option<&str>) -> Reply {
        let (user, push, came) = (user(event), event.dedup_key().to_string(), now());
        if let Some(question) = question {
            match self.change(&user, |mailbox| mailbox.ask(&push, question)).await {
                Ok(true) => {}
                Ok(false) => return FULL.into(),
                Err(trouble) => return trouble,
            }
        }
        loop {
            let look = self.change(&user, |mailbox| {
                let now = now();
                (mailbox.give(&push, came, now), mailbox.jobs(now), mailbox.is_done(now))
            });
            let (piece, jobs, is_done) = match look.await {
                Ok(found) => found,
                Err(trouble) => return trouble,
            };
            for job in jobs {
                self.think(user.clone(), job);
            }
            match (piece, question) {
                (Some(piece), _) => return piece.into(),
                (None, None) if is_done => return NOTHING.into(),
                // Another message has carried the answer.
                (None, Some(_)) if is_done => return Reply::Success,
                // The push has been answered with the interim reply.
                (None, _) if now() > came + DELIVERIES => return Reply::Success,
                (None, _) => sleep(LOOK).await,
            }
        }
    }

    async fn again(&self, event: &Event<'_>) -> Reply {
        match self.change(&user(event), |mailbox| mailbox.last().map(str::to_owned)).await {
            Ok(last) => last.map_or_else(|| NOTHING.into(), Reply::text),
            Err(trouble) => trouble,
        }
    }

    /// Changes a mailbox, or says what the user is told. WeChat waits meanwhile; what failed half way can be
    /// repeated, since each step knows its push.
    async fn change<T>(&self, user: &str, change: impl FnMut(&mut Mailbox) -> T) -> Result<T, Reply> {
        let changed = self.mailboxes.surely(user, Duration::from_secs(2), change).await;
        changed.map_err(|error| {
            eprintln!("mailbox: {error}");
            TROUBLE.into()
        })
    }

    /// Asks the model, in a task that no delivery waits for.
    fn think(&self, user: String, job: Job) {
        let Assistant { mailboxes, model, places } = self.clone();
        tokio::spawn(async move {
            let answering = async {
                let place = places.acquire().await;
                (place, model.ask(&job.question).await)
            };
            tokio::pin!(answering);
            let (place, answer) = loop {
                tokio::select! {
                    answered = &mut answering => break answered,
                    () = sleep(Duration::from_millis(LEASE / 3)) => {
                        // If it cannot be said now, it can the next time.
                        let _ = mailboxes.change(&user, |mailbox| mailbox.keep(job.number, now())).await;
                    }
                }
            };
            let patience = Duration::from_secs(60);
            let answered = mailboxes.surely(&user, patience, |mailbox| mailbox.answer(job.number, &answer)).await;
            if let Err(error) = answered {
                eprintln!("mailbox: {error}: an answer is lost, and the question asked again");
            }
            drop(place);
        });
    }

    /// Waits for the answers that are still to come, at most so long.
    pub async fn finish(&self, patience: Duration) {
        // Whoever has waited for a place for longer comes first.
        drop(timeout(patience, self.places.acquire_many(AT_ONCE)).await);
    }
}

/// Of an account, since the same OpenID could be another's elsewhere.
fn user(event: &Event<'_>) -> String {
    format!("{}:{}", event.to_user, event.from_user)
}
