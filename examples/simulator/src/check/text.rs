//! What users type.

use futures_util::future::join_all;

use super::receiver::{Receiver, shortened};
use super::{ALL, Check, Group, Level, Outcome, SEALED, fail};
use crate::account::now;

const SAME: &str = "the same text as the reply's content; without `echo`, anything WeChat accepts";
const FAULT_LINE: &str = "the user sees the fault line (该公众号提供的服务出现故障), and you get an alarm";

pub const CHECKS: &[Check] = &[
    check(
        "text-cdata-end",
        "`echo` with ]]> followed by elements",
        SAME,
        "users can write elements into your replies, or see the fault line",
        |receiver| {
            Box::pin(echoes(
                receiver,
                &["a]]>b", "]]>", "]]></Content><MsgType><![CDATA[image]]></MsgType><Content><![CDATA[x", "]]]]>>"],
            ))
        },
    ),
    check("text-markup", "`echo` with < > & \" ' and entities", SAME, FAULT_LINE, |receiver| {
        Box::pin(echoes(receiver, &["<a href=\"x\">&amp; & '\"</a>", "&#0;&lt;&nbsp;", "<!-- a -->", "1 < 2"]))
    }),
    check(
        "text-envelope",
        "`echo` with <Encrypt>, <!DOCTYPE>, <MsgType> as plain words",
        SAME,
        "a user's words are read as part of the push's structure",
        |receiver| {
            Box::pin(echoes(
                receiver,
                &[
                    "<Encrypt>abc</Encrypt>",
                    "<!DOCTYPE xml [<!ENTITY a \"b\">]>&a;",
                    "<MsgType>event</MsgType><Event>subscribe</Event>",
                    "{\"Encrypt\":\"abc\"}",
                ],
            ))
        },
    ),
    check(
        "text-emoji",
        "`echo` with emoji, Chinese, and the placeholder of an unsupported sticker",
        SAME,
        FAULT_LINE,
        |receiver| Box::pin(echoes(receiver, &["😀👨‍👩‍👧‍👦é", "中文，繁體字 𠮷", "【收到不支持的消息类型，暂无法显示】"])),
    ),
    check(
        "text-control-characters",
        "`echo` with each control character, raw as users type them",
        "a well-formed reply without it or with a substitute; without `echo`, anything WeChat accepts",
        "one character, which anyone can type, shows the fault line; or the push is lost",
        |receiver| Box::pin(control_characters(receiver)),
    ),
    check(
        "text-long",
        "`echo` with 1000 Chinese characters, 3000 bytes",
        "a reply of at most 2048 bytes, cut between two characters, or none",
        FAULT_LINE,
        |receiver| Box::pin(long(receiver)),
    ),
    check(
        "text-empty-reply",
        "`echo` with nothing after it, and an empty text",
        "`success`, an empty body, or a reply that is not empty",
        "an empty Content shows the fault line",
        |receiver| Box::pin(empty(receiver)),
    ),
    Check {
        modes: SEALED,
        ..check(
            "text-every-length",
            "`echo` in 32 lengths: WeChat pads to blocks of 32 bytes",
            SAME,
            "half of all pushes cannot be decrypted: the padding is checked as if blocks had 16 bytes",
            |receiver| Box::pin(every_length(receiver)),
        )
    },
];

const fn check(
    id: &'static str,
    sends: &'static str,
    passes: &'static str,
    means: &'static str,
    run: for<'r> fn(&'r Receiver) -> super::Running<'r>,
) -> Check {
    Check { id, group: Group::Text, level: Level::Must, modes: ALL, sends, passes, means, run }
}

/// Fails unless each text comes back.
async fn echoes<T: AsRef<str>>(receiver: &Receiver, texts: &[T]) -> Outcome {
    receiver.needs_genuine()?;
    let texts = texts.iter().map(AsRef::as_ref);
    let sent = texts.clone().map(|text| receiver.exchange(receiver.text(&format!("echo {text}")).request(now())));
    for (exchange, text) in join_all(sent).await.iter().zip(texts) {
        if !exchange.is_taken() || (receiver.knows.echo && exchange.content().as_deref() != Some(text)) {
            return fail(format!("for `{}`: {}", shortened(text), exchange.seen()));
        }
    }
    Ok(receiver.unseen())
}

async fn control_characters(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    let layout = ['\t', '\n', '\r'];
    let characters =
        ('\0'..' ').filter(|character| !layout.contains(character)).chain(['\u{7F}', '\u{FFFE}', '\u{FFFF}']);
    let sent = characters.map(|character| async move {
        let mark = receiver.mark();
        let exchange = receiver.exchange(receiver.text(&format!("echo {mark}{character}{mark}")).request(now())).await;
        (character, mark, exchange)
    });
    for (character, mark, exchange) in join_all(sent).await {
        let content = exchange.content();
        let came_back = content.as_ref().is_some_and(|content| content.starts_with(&mark) && content.ends_with(&mark));
        if !exchange.is_taken() || (receiver.knows.echo && !came_back) {
            return fail(format!("for U+{:04X}: {}", u32::from(character), exchange.seen()));
        }
    }
    Ok(receiver.unseen())
}

async fn long(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    let text = "长".repeat(1000);
    let exchange = receiver.takes(receiver.text(&format!("echo {text}")).request(now())).await?;
    match exchange.content() {
        Some(content) if receiver.knows.echo && content.contains(char::REPLACEMENT_CHARACTER) => {
            fail(format!("a character was cut in two: {}", exchange.seen()))
        }
        _ => Ok(receiver.unseen()),
    }
}

async fn empty(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    for text in ["echo ", ""] {
        receiver.takes(receiver.text(text).request(now())).await?;
    }
    Ok(receiver.unseen())
}

async fn every_length(receiver: &Receiver) -> Outcome {
    let texts: Vec<String> = (1..=32).map(|length| "x".repeat(length)).collect();
    echoes(receiver, &texts).await
}
