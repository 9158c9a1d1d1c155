//! The shop: its books, and the goods of its users, which change in one transaction.

#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use wechat_events::event::Takes;
use wechat_events::{Event, Handler, HandlerResult, Kind, Reply};

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS books (
        business_key TEXT PRIMARY KEY, event TEXT NOT NULL, push BLOB NOT NULL,
        booked_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
    );
    -- What is bought in the sandbox (env 1) nobody has paid for.
    CREATE TABLE IF NOT EXISTS goods (
        env INTEGER, open_id TEXT, product_id TEXT, quantity INTEGER NOT NULL, PRIMARY KEY (env, open_id, product_id)
    );
";

/// How long another process may keep the file. WeChat waits for 3 s.
const BUSY: Duration = Duration::from_secs(1);

pub struct Shop {
    database: Mutex<Connection>,
}

impl Handler for Shop {
    /// Payments have no methods of their own: all of them come here.
    ///
    /// An `Err` is answered with a code at once, is reported, and comes again.
    fn otherwise(&self, event: &Event<'_>) -> HandlerResult {
        if event.takes() != Takes::Code {
            return Ok(Reply::Success);
        }
        let key = event.business_key().ok_or_else(|| format!("{} has no business key", event.name()))?;
        let bought = Bought::of(event)?;
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let booked = transaction.execute(
            "INSERT INTO books (business_key, event, push) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            (key, event.name(), event.body()),
        )?;
        if booked == 1
            && let Some(bought) = bought
        {
            bought.grant(&transaction)?;
        }
        transaction.commit()?;
        // Code 0: now, or in an earlier delivery, it was done.
        Ok(Reply::Success)
    }
}

impl Shop {
    pub fn open(file: &str) -> rusqlite::Result<Shop> {
        let database = Connection::open(file)?;
        database.busy_timeout(BUSY)?;
        database.execute_batch(TABLES)?;
        Ok(Shop { database: Mutex::new(database) })
    }
}

/// What a user has paid for.
struct Bought<'e> {
    env: i64,
    open_id: &'e str,
    product_id: &'e str,
    quantity: i64,
}

impl<'e> Bought<'e> {
    /// `None` of what is booked only, for a human: refunds, complaints, and whatever else has a business key.
    fn of(event: &'e Event<'_>) -> Result<Option<Bought<'e>>, &'static str> {
        const LACKS: &str = "the order does not say what was bought";
        let (open_id, env, product_id, quantity) = match &event.kind {
            Kind::XpayGoodsDeliverNotify(order) => {
                let goods = order.goods_info.as_ref().ok_or(LACKS)?;
                (&order.open_id, order.env, goods.product_id.as_deref(), goods.quantity)
            }
            Kind::XpayCoinPayNotify(order) => {
                let coins = order.coin_info.as_ref().ok_or(LACKS)?;
                (&order.open_id, order.env, Some("coins"), coins.quantity)
            }
            _ => return Ok(None),
        };
        let (Some(product_id), Some(quantity)) = (product_id, quantity) else { return Err(LACKS) };
        // What Apple takes has no Env, and is live.
        Ok(Some(Bought { env: env.unwrap_or(0), open_id, product_id, quantity }))
    }

    fn grant(&self, transaction: &Transaction<'_>) -> rusqlite::Result<usize> {
        transaction.execute(
            "INSERT INTO goods (env, open_id, product_id, quantity) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT DO UPDATE SET quantity = quantity + excluded.quantity",
            (self.env, self.open_id, self.product_id, self.quantity),
        )
    }
}
