//! Where the mailboxes are: in the memory of this process, or in a Redis that several machines share.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::aio::ConnectionManager;
use tokio::time::sleep;

use crate::mailbox::Mailbox;

/// Since the user's last message; then what waits for him is forgotten.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Mailboxes in memory. Some 20 MB, as it usually is; 800 MB if each has as many answers as it takes, all of the longest.
const MOST_USERS: usize = 10_000;

/// Writes the new mailbox, if the old one is still there.
const REPLACE: &str = "if (redis.call('GET', KEYS[1]) or '') == ARGV[1] then
    redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
    return 1
end
return 0";

type Failure = Box<dyn Error + Send + Sync>;

pub enum Mailboxes {
    /// With the time of the last message.
    Memory(Mutex<HashMap<String, (u64, Mailbox)>>),
    Redis(ConnectionManager),
}

impl Mailboxes {
    pub fn in_memory() -> Mailboxes {
        Mailboxes::Memory(Mutex::default())
    }

    pub async fn in_redis(url: &str) -> redis::RedisResult<Mailboxes> {
        Ok(Mailboxes::Redis(redis::Client::open(url)?.get_connection_manager().await?))
    }

    /// Changes a user's mailbox, in one step. In Redis `change` is called again where another machine was quicker.
    pub async fn change<T>(&self, user: &str, mut change: impl FnMut(&mut Mailbox) -> T) -> Result<T, Failure> {
        match self {
            Mailboxes::Memory(all) => {
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                let now = now();
                if all.len() >= MOST_USERS && !all.contains_key(user) {
                    let kept = u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX);
                    all.retain(|_, (at, mailbox)| now < *at + kept && !mailbox.is_forgotten(now));
                    if all.len() >= MOST_USERS {
                        return Err(format!("{MOST_USERS} users wait already").into());
                    }
                }
                let (at, mailbox) = all.entry(user.to_owned()).or_default();
                *at = now;
                Ok(change(mailbox))
            }
            Mailboxes::Redis(connection) => {
                let (mut connection, key) = (connection.clone(), format!("assistant:mailbox:{user}"));
                loop {
                    let found: Option<String> = redis::cmd("GET").arg(&key).query_async(&mut connection).await?;
                    let found = found.unwrap_or_default();
                    let before = if found.is_empty() { Mailbox::default() } else { serde_json::from_str(&found)? };
                    let mut mailbox = before.clone();
                    let changed = change(&mut mailbox);
                    if mailbox == before {
                        return Ok(changed);
                    }
                    let mut replace = redis::cmd("EVAL");
                    replace.arg(REPLACE).arg(1).arg(&key);
                    replace.arg(&found).arg(serde_json::to_string(&mailbox)?).arg(KEPT.as_secs());
                    if replace.query_async(&mut connection).await? {
                        return Ok(changed);
                    }
                }
            }
        }
    }

    /// The same, tried for so long: for what can be repeated, and would else be lost.
    pub async fn surely<T>(
        &self,
        user: &str,
        patience: Duration,
        mut change: impl FnMut(&mut Mailbox) -> T,
    ) -> Result<T, Failure> {
        let until = tokio::time::Instant::now() + patience;
        loop {
            match self.change(user, &mut change).await {
                Err(_) if tokio::time::Instant::now() < until => sleep(Duration::from_millis(200)).await,
                changed => return changed,
            }
        }
    }
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
