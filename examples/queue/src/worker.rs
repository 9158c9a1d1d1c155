//! The broker's other side: an entry is handled, its messages are sent, and then it is gone.
//!
//! Whatever fails, the entry stays where it is and is taken up again, by this worker or another.

use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::streams::{StreamAutoClaimOptions, StreamAutoClaimReply, StreamId, StreamReadOptions, StreamReadReply};
use redis::{Client, Commands, Connection, RedisResult, pipe};
use serde_json::Value;
use ureq::Agent;
use wechat_events::event::{Subscribe, Text};
use wechat_events::{Event, Handler, HandlerResult, Reply};

use crate::{Failure, STREAM, variable};

const GROUP: &str = "workers";
/// What cannot be sent, for somebody to look at.
const DEAD: &str = "wechat:dead";
/// For so long after a user's message the API sends him one.
const ANSWERABLE: Duration = Duration::from_secs(48 * 3600);
/// The API is busy, or the access token is over: the same message may be sent later. All other errors are final.
const PASSING: [i64; 4] = [-1, 40001, 40014, 42001];

/// Your account's own code, as in a receiver without a queue. It may take its time, but less than `IDLE_SECONDS`.
struct Shop;

impl Handler for Shop {
    fn subscribe(&self, _: &Event<'_>, _: &Subscribe<'_>) -> HandlerResult {
        Ok(Reply::text("Welcome!"))
    }

    fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        Ok(Reply::text(format!("You said: {}", text.content)))
    }
}

struct Worker {
    broker: Client,
    name: String,
    /// After so many milliseconds an entry is taken over from a worker that has not finished it.
    idle: u64,
    api: Agent,
    /// With its access token, which is good for two hours: where yours comes from, ask there for each message.
    send_url: String,
}

pub fn run(broker: &Client, name: &str) -> Result<(), Failure> {
    let idle: u64 = variable("IDLE_SECONDS").map_or(Ok(30), |seconds| seconds.parse())?;
    let api = Agent::config_builder().timeout_global(Some(Duration::from_secs(5))).build().into();
    let send_url = variable("SEND_URL")?;
    let worker = Worker { broker: broker.clone(), name: name.to_owned(), idle: idle * 1_000, api, send_url };
    loop {
        if let Err(error) = worker.work() {
            eprintln!("{name}: {error}");
        }
        sleep(Duration::from_secs(1));
    }
}

impl Worker {
    /// Ends with the first failure.
    fn work(&self) -> Result<(), Failure> {
        let mut broker = self.broker.get_connection_with_timeout(Duration::from_secs(2))?;
        broker.set_read_timeout(Some(Duration::from_secs(5)))?;
        broker.set_write_timeout(Some(Duration::from_secs(5)))?;
        let created: RedisResult<()> = broker.xgroup_create_mkstream(STREAM, GROUP, "0");
        match created {
            Err(error) if error.code() != Some("BUSYGROUP") => return Err(error.into()),
            _ => println!("{} waits for pushes", self.name),
        }
        let mut from = "0-0".to_owned();
        loop {
            // One at a time, or those behind it would seem to be left.
            let one = StreamAutoClaimOptions::default().count(1);
            let left: StreamAutoClaimReply =
                broker.xautoclaim_options(STREAM, GROUP, &self.name, self.idle, from, one)?;
            from = left.next_stream_id;
            for entry in left.claimed {
                self.finish(&mut broker, &entry)?;
            }
            let one = StreamReadOptions::default().group(GROUP, &self.name).count(1).block(1_000);
            let new: Option<StreamReadReply> = broker.xread_options(&[STREAM], &[">"], &one)?;
            for entry in new.into_iter().flat_map(|new| new.keys).flat_map(|stream| stream.ids) {
                self.finish(&mut broker, &entry)?;
            }
        }
    }

    fn finish(&self, broker: &mut Connection, entry: &StreamId) -> Result<(), Failure> {
        let event: String = entry.get("event").ok_or("an entry without its event")?;
        let added = entry.id.split('-').next().unwrap_or_default().parse().map(Duration::from_millis)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        // How many of its messages are sent, lest they are sent again.
        let sent_of = format!("wechat:sent:{}", entry.id);
        let unsent = if now.saturating_sub(added) > ANSWERABLE {
            Some("older than 48 hours".to_owned())
        } else {
            self.answer(broker, &serde_json::from_str(&event)?, &sent_of)?
        };
        let mut end = pipe();
        end.atomic();
        if let Some(reason) = unsent {
            eprintln!("{}: {reason}, moved to {DEAD}", entry.id);
            end.xadd(DEAD, "*", &[("reason", &reason), ("event", &event)]);
        }
        end.xack(STREAM, GROUP, &[&entry.id]).xdel(STREAM, &[&entry.id]).del(&sent_of);
        Ok(end.exec(broker)?)
    }

    /// Why a message cannot be sent, if one cannot.
    fn answer(&self, broker: &mut Connection, event: &Event<'_>, sent_of: &str) -> Result<Option<String>, Failure> {
        let reply = event.dispatch(&Shop)?;
        let sent: Option<usize> = broker.get(sent_of)?;
        for message in reply.to_custom_messages(&event.from_user).into_iter().skip(sent.unwrap_or(0)) {
            let answer = self.api.post(&self.send_url).content_type("application/json").send(message)?;
            let answer: Value = serde_json::from_reader(answer.into_body().into_reader())?;
            match answer["errcode"].as_i64() {
                Some(0) => broker.incr::<_, _, ()>(sent_of, 1)?,
                Some(code) if PASSING.contains(&code) => return Err(answer.to_string().into()),
                _ => return Ok(Some(answer.to_string())),
            }
        }
        Ok(None)
    }
}
