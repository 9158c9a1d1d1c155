//! Hostile pushes.

use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Behaviour::{Answers, Hangs, Misreads, Serves};
use super::{Fault, HOSTILE, fault};
use crate::receiver::Mode::{Plain, Safe};
use crate::receiver::{Answer, Framing};

pub const FAULTS: &[Fault] = &[
    fault(
        "expands every entity",
        Plain,
        HOSTILE,
        &["hostile-entities"],
        Hangs(|asked| asked.body.windows(4).filter(|four| four == b"&a;&" || four == b"&i;&").count() > 5),
    ),
    fault(
        "answers with what entities expand to",
        Safe,
        HOSTILE,
        &["hostile-entities"],
        Answers(|_, asked| {
            String::from_utf8_lossy(&asked.body).contains("&j;").then(|| Answer::new(200, "a".repeat(2 << 20)))
        }),
    ),
    fault(
        "fetches entities",
        Safe,
        HOSTILE,
        &["hostile-external-entity"],
        Serves(|stand, asked| {
            Box::pin(async move {
                let text = asked.text();
                if let Some((_, behind)) = text.split_once("<!ENTITY a SYSTEM \"http://")
                    && let Some((address, _)) = behind.split_once('/')
                    && let Ok(mut stream) = TcpStream::connect(address).await
                {
                    stream.write_all(b"GET /entity HTTP/1.0\r\n\r\n").await.unwrap();
                    let _ = stream.read(&mut [0; 64]).await;
                }
                stand.good(&asked).await
            })
        }),
    ),
    fault(
        "reads files",
        Plain,
        HOSTILE,
        &["hostile-external-entity"],
        Answers(|_, asked| {
            asked.text().contains("file:///etc/passwd").then(|| Answer::new(200, asked.reply("root:x:0:0")))
        }),
    ),
    fault(
        "knows entities",
        Plain,
        HOSTILE,
        &["hostile-dtd"],
        Serves(|stand, asked| {
            Box::pin(async move {
                let text = asked.text();
                match text.split_once("<!ENTITY a \"m") {
                    Some((_, behind)) => {
                        let (entity, _) = behind.split_once('"').unwrap();
                        let (_, document) = behind.split_once("]>").unwrap();
                        stand.answer_to(document.replace("&a;", &format!("m{entity}")).as_bytes()).await
                    }
                    None => stand.good(&asked).await,
                }
            })
        }),
    ),
    fault(
        "its stack overflows",
        Plain,
        HOSTILE,
        &["hostile-nesting", "still-there"],
        Answers(|stand, asked| {
            if stand.ended.load(Ordering::SeqCst) || asked.body.windows(9).any(|nine| nine == b"<a><a><a>") {
                stand.ended.store(true, Ordering::SeqCst);
                return Some(Answer { framing: Framing::None, ..Answer::new(200, "") });
            }
            None
        }),
    ),
    fault(
        "compares each attribute with each",
        Safe,
        HOSTILE,
        &["hostile-wide"],
        Hangs(|asked| String::from_utf8_lossy(&asked.body).contains(" a29999=")),
    ),
    fault(
        "computes with all digits",
        Plain,
        HOSTILE,
        &["hostile-number"],
        Hangs(|asked| asked.text().contains(&"7".repeat(5000))),
    ),
    fault(
        "takes large bodies, and forever",
        Plain,
        HOSTILE,
        &["hostile-size"],
        Hangs(|asked| asked.body.len() > 1 << 20),
    ),
    fault(
        "takes large bodies",
        Plain,
        HOSTILE,
        &["hostile-limit"],
        Misreads(|asked| {
            if asked.body.len() > 1 << 20 {
                let end = asked.body.windows(10).position(|ten| ten == b"</Padding>").unwrap();
                asked.body = [b"<xml>", &asked.body[end + 10..]].concat();
            }
        }),
    ),
    fault(
        "takes half a push for one",
        Plain,
        HOSTILE,
        &["hostile-cut-short"],
        Answers(|_, asked| (asked.is_push() && !asked.whole).then(|| Answer::new(200, asked.reply("hello")))),
    ),
    fault(
        "fails ever after",
        Safe,
        HOSTILE,
        &["hostile-size", "still-there"],
        Serves(|stand, asked| {
            Box::pin(async move {
                if asked.body.len() > 1 << 20 {
                    stand.count.store(1, Ordering::SeqCst);
                }
                match stand.count.load(Ordering::SeqCst) {
                    0 => stand.good(&asked).await,
                    _ => Answer::new(500, "out of memory"),
                }
            })
        }),
    ),
    fault(
        "one connection at a time",
        Plain,
        HOSTILE,
        &["hostile-idle"],
        Answers(|stand, _| {
            stand.one_by_one.store(true, Ordering::SeqCst);
            None
        }),
    ),
];
