//! Retries, many deliveries at once, and slow handlers.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::sleep;

use super::Behaviour::{Answers, Changes, Serves};
use super::{Fault, JOINS, QUICK, SLOW, fault};
use crate::receiver::Answer;
use crate::receiver::Mode::{Plain, Safe};

pub const FAULTS: &[Fault] = &[
    // Retries.
    fault(
        "refuses a nonce that it has seen",
        Plain,
        QUICK,
        &["retry-taken"],
        Answers(|stand, asked| {
            let nonce = asked.parameter("nonce").unwrap_or_default().to_owned();
            (asked.is_push() && stand.kept.lock().unwrap().insert(nonce, String::new()).is_some())
                .then(|| Answer::new(403, "replayed"))
        }),
    ),
    fault(
        "remembers nothing",
        Safe,
        &["--skip", "slow,hostile"],
        &["answer-time", "retry-once", "joins-once"],
        Serves(|stand, asked| Box::pin(async move { stand.forgetful(&asked).await })),
    ),
    fault(
        "knows a push by its MsgId",
        Plain,
        QUICK,
        &["retry-same-id"],
        Changes(|stand, asked, answer| {
            let (msg_id, user) = (asked.field("MsgId"), asked.field("FromUserName"));
            if msg_id.is_empty() || answer.status != 200 {
                return answer;
            }
            match stand.kept.lock().unwrap().insert(msg_id, user.clone()) {
                Some(other) if other != user => Answer::new(200, "success"),
                _ => answer,
            }
        }),
    ),
    fault(
        "knows an event by its user and second",
        Safe,
        QUICK,
        &["pay-again", "pay-json", "retry-same-second"],
        Changes(|stand, asked, answer| {
            let key = format!("{} {}", asked.field("FromUserName"), asked.field("CreateTime"));
            if asked.field("Event").is_empty() || answer.status != 200 {
                return answer;
            }
            match stand.kept.lock().unwrap().insert(key, asked.text()) {
                Some(other) if other != asked.text() => Answer::new(200, "success"),
                _ => answer,
            }
        }),
    ),
    // Many at once.
    fault(
        "fails where many come at once",
        Plain,
        JOINS,
        &["joins-answered"],
        Serves(|stand, asked| {
            Box::pin(async move {
                let crowded = stand.count.fetch_add(1, Ordering::SeqCst) > 20 && asked.text().contains("echo m");
                let answer = if crowded { Answer::new(500, "too many clients") } else { stand.good(&asked).await };
                sleep(Duration::from_millis(300)).await;
                stand.count.fetch_sub(1, Ordering::SeqCst);
                answer
            })
        }),
    ),
    fault(
        "one thread",
        Plain,
        JOINS,
        &["joins-others"],
        Serves(|stand, asked| {
            Box::pin(async move {
                let _turn = stand.gate.lock().await;
                stand.good(&asked).await
            })
        }),
    ),
    fault(
        "remembers nothing, and takes one connection at a time",
        Plain,
        &["--only", "joins-once"],
        &["joins-once"],
        Serves(|stand, asked| {
            Box::pin(async move {
                stand.one_by_one.store(true, Ordering::SeqCst);
                stand.forgetful(&asked).await
            })
        }),
    ),
    fault(
        "the first is marked when it is done",
        Safe,
        JOINS,
        &["joins-once"],
        Serves(|stand, asked| {
            Box::pin(async move {
                let key = asked.text();
                let kept = stand.kept.lock().unwrap().get(&key).cloned();
                if kept.is_some() && asked.is_push() {
                    return Answer::new(200, "success");
                }
                let answer = stand.forgetful(&asked).await;
                stand.kept.lock().unwrap().insert(key, String::new());
                answer
            })
        }),
    ),
    // Slow handlers.
    fault(
        "each delivery runs the handler, and waits for it",
        Plain,
        SLOW,
        &["slow-second", "slow-third", "slow-late", "slow-kept"],
        Serves(|stand, asked| Box::pin(async move { stand.forgetful(&asked).await })),
    ),
    fault(
        "seen before, so `success`",
        Safe,
        SLOW,
        &["slow-second", "slow-third"],
        Serves(|stand, asked| {
            Box::pin(async move {
                if asked.is_push() && stand.kept.lock().unwrap().insert(asked.text(), String::new()).is_some() {
                    return Answer::new(200, "success");
                }
                stand.forgetful(&asked).await
            })
        }),
    ),
    fault(
        "forgets after eight seconds",
        Plain,
        SLOW,
        &["slow-kept"],
        Answers(|stand, asked| {
            if asked.text().contains("[number]") {
                let key = asked.text();
                let mut kept = stand.kept.lock().unwrap();
                let now = stand.begun.elapsed().as_secs_f64();
                let first = *kept.get(&key).map(|first| first.parse::<f64>().unwrap()).get_or_insert(now);
                kept.entry(key).or_insert_with(|| now.to_string());
                if now - first > 8.0 {
                    return Some(Answer {
                        content_type: "text/xml".to_owned(),
                        ..Answer::new(200, asked.reply("again"))
                    });
                }
            }
            None
        }),
    ),
    fault(
        "gives up at four seconds",
        Plain,
        SLOW,
        &[],
        Serves(|stand, asked| {
            Box::pin(async move {
                tokio::time::timeout(Duration::from_secs(4), stand.good(&asked))
                    .await
                    .unwrap_or_else(|_| Answer::new(200, "success"))
            })
        }),
    ),
];
