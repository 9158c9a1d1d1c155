//! Accounts that come, change and go while others are served.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::advance;
use wechat_events::testing::{Answer, Verdict, WeChat};

use super::*;
use crate::accounts::{add, remove};

const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const APP_ID: &str = "wx5823bf96d3bd56c7";

/// A file of its own, which is removed at the end.
struct File(String);

impl File {
    fn new(name: &str) -> File {
        let file = env::temp_dir().join(format!("wechat-events-accounts-{}-{name}.db", std::process::id()));
        File(file.into_os_string().into_string().unwrap())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

/// What a user of the account sees, or the status.
async fn say(accounts: &Accounts, name: &str, wechat: &WeChat) -> String {
    let Some(webhook) = accounts.find(name).await.unwrap() else { return "no such account".to_owned() };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let request = wechat.push("text").set("Content", "hi").request(now.try_into().unwrap());
    let response = webhook.call(request.method, &request.query, &request.body).await;
    match wechat.judge(&request, Answer::new(response.status, response.body)) {
        verdict @ Verdict::Accepted(_) => verdict.field("Content").unwrap(),
        _ => response.status.to_string(),
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_added_is_there_at_once_and_what_is_changed_or_removed_within_a_minute() {
    let file = File::new("changes");
    let accounts = Accounts::open(&file.0, Webhooks::builder().build()).unwrap();
    let first = WeChat::plain("first").unwrap().seed(1);
    assert_eq!(say(&accounts, "shop", &first).await, "no such account");
    add(&file.0, "shop", "first", None).unwrap();
    assert_eq!(say(&accounts, "shop", &first).await, "shop heard: hi");

    // Into safe mode, with another token.
    add(&file.0, "shop", "second", Some((APP_ID, KEY))).unwrap();
    let second = WeChat::safe("second", APP_ID, KEY).unwrap().seed(2);
    assert_eq!(say(&accounts, "shop", &second).await, "403");
    advance(Accounts::KEPT).await;
    assert_eq!(say(&accounts, "shop", &second).await, "shop heard: hi");
    // The console is changed last, so that what it sent before still comes in.
    let previous = WeChat::safe("first", APP_ID, KEY).unwrap().seed(3);
    assert_eq!(say(&accounts, "shop", &previous).await, "shop heard: hi");

    add(&file.0, "shop", "third", Some((APP_ID, &KEY.replace('j', "k")))).unwrap();
    advance(Accounts::KEPT).await;
    assert_eq!(say(&accounts, "shop", &second).await, "shop heard: hi");
    assert_eq!(say(&accounts, "shop", &previous).await, "403");

    remove(&file.0, "shop").unwrap();
    assert_eq!(say(&accounts, "shop", &second).await, "shop heard: hi");
    advance(Accounts::KEPT).await;
    assert_eq!(say(&accounts, "shop", &second).await, "no such account");
}

#[test]
fn what_is_no_account_is_refused_before_it_is_written_down() {
    let file = File::new("refused");
    let error = |added: Result<(), Box<dyn Error + Send + Sync>>| added.unwrap_err().to_string();
    assert_eq!(error(add(&file.0, "shop", "", None)), "the token is empty");
    let short = error(add(&file.0, "shop", "token", Some((APP_ID, &KEY[1..]))));
    assert_eq!(short, "EncodingAESKey is 42 characters long, WeChat's have 43");
    assert_eq!(error(remove(&file.0, "shop")), "there is no account shop");
}
