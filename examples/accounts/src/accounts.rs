//! The accounts: a table in a file, and those of them that somebody has asked for of late.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row};
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use wechat_events::{ConfigError, Endpoint, Webhook, Webhooks};

use crate::Shop;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS accounts (
    name TEXT PRIMARY KEY, token TEXT NOT NULL, app_id TEXT, key TEXT, previous_token TEXT, previous_key TEXT
)";

type Failure = Box<dyn Error + Send + Sync>;

/// Adds an account, or replaces the token and key of one that is there. `sealed` is app id and key.
pub fn add(file: &str, name: &str, token: &str, sealed: Option<(&str, &str)>) -> Result<(), Failure> {
    let (app_id, key) = sealed.unzip();
    // Before it is written down: whether an endpoint can be made of it.
    Credentials {
        token: token.into(),
        app_id: app_id.map(Into::into),
        key: key.map(Into::into),
        ..Credentials::default()
    }
    .endpoint()?;
    let changed = "INSERT INTO accounts (name, token, app_id, key) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name) DO UPDATE
        SET previous_token = token, previous_key = key, token = ?2, app_id = ?3, key = ?4";
    open(file)?.execute(changed, (name, token, app_id, key))?;
    Ok(())
}

/// Removes an account.
pub fn remove(file: &str, name: &str) -> Result<(), Failure> {
    match open(file)?.execute("DELETE FROM accounts WHERE name = ?1", [name])? {
        0 => Err(format!("there is no account {name}").into()),
        _ => Ok(()),
    }
}

fn open(file: &str) -> rusqlite::Result<Connection> {
    let table = Connection::open(file)?;
    table.execute(TABLE, ())?;
    Ok(table)
}

/// A row of the table, without its name.
#[derive(Default)]
struct Credentials {
    token: String,
    app_id: Option<String>,
    key: Option<String>,
    previous_token: Option<String>,
    previous_key: Option<String>,
}

impl Credentials {
    fn read(table: &Connection, name: &str) -> rusqlite::Result<Option<Credentials>> {
        let query = "SELECT token, app_id, key, previous_token, previous_key FROM accounts WHERE name = ?1";
        let credentials = |row: &Row<'_>| {
            Ok(Credentials {
                token: row.get(0)?,
                app_id: row.get(1)?,
                key: row.get(2)?,
                previous_token: row.get(3)?,
                previous_key: row.get(4)?,
            })
        };
        table.prepare_cached(query)?.query_row([name], credentials).optional()
    }

    fn endpoint(self) -> Result<Endpoint, ConfigError> {
        let is_sealed = self.key.is_some();
        let mut endpoint = match (self.app_id, self.key) {
            (Some(app_id), Some(key)) => Endpoint::safe(self.token, app_id, key)?,
            _ => Endpoint::plain(self.token)?,
        };
        if let Some(key) = self.previous_key
            && is_sealed
        {
            endpoint = endpoint.previous_key(key)?;
        }
        if let Some(token) = self.previous_token {
            endpoint = endpoint.previous_token(token)?;
        }
        Ok(endpoint)
    }
}

pub struct Accounts {
    table: Arc<Mutex<Connection>>,
    webhooks: Webhooks,
    /// With the moment in which each was read. No larger than the table: a name that is not there is not kept.
    known: Mutex<HashMap<String, (Instant, Webhook)>>,
}

impl Accounts {
    /// For how long an account is served as it was read.
    pub const KEPT: Duration = Duration::from_secs(60);

    pub fn open(file: &str, webhooks: Webhooks) -> rusqlite::Result<Accounts> {
        Ok(Accounts { table: Arc::new(Mutex::new(open(file)?)), webhooks, known: Mutex::default() })
    }

    /// The account of that name, if there is one.
    pub async fn find(&self, name: &str) -> Result<Option<Webhook>, Failure> {
        if let Some((read, webhook)) = lock(&self.known).get(name)
            && read.elapsed() < Accounts::KEPT
        {
            return Ok(Some(webhook.clone()));
        }
        let (table, asked_for) = (Arc::clone(&self.table), name.to_owned());
        // A file: not on a thread that serves others meanwhile.
        let row = spawn_blocking(move || Credentials::read(&lock(&table), &asked_for)).await??;
        let Some(credentials) = row else {
            lock(&self.known).remove(name);
            return Ok(None);
        };
        let webhook = self.webhooks.account(credentials.endpoint()?, Shop { account: name.to_owned() });
        lock(&self.known).insert(name.to_owned(), (Instant::now(), webhook.clone()));
        Ok(Some(webhook))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
