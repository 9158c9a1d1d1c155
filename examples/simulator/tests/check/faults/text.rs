//! Texts and XML.

use super::Behaviour::{Answers, Changes, Serves};
use super::{Fault, QUICK, fault};
use crate::receiver::Mode::{Plain, Safe};
use crate::receiver::{APP_ID, Answer, encrypt};

pub const FAULTS: &[Fault] = &[
    fault(
        "writes a text as it is",
        Plain,
        QUICK,
        &["answer-time", "text-cdata-end", "text-control-characters", "text-long", "text-empty-reply"],
        Changes(|_, asked, answer| {
            let content = asked.field("Content");
            match content.strip_prefix("echo ") {
                Some(text) if asked.is_push() && answer.status == 200 && !asked.text().starts_with('{') => {
                    Answer { content_type: "text/xml".to_owned(), ..Answer::new(200, asked.reply(text)) }
                }
                _ => answer,
            }
        }),
    ),
    fault(
        "writes a text without CDATA",
        Plain,
        QUICK,
        &["text-cdata-end", "text-markup", "text-envelope"],
        Changes(|_, asked, answer| {
            let content = asked.field("Content");
            match content.strip_prefix("echo ") {
                Some(text)
                    if answer.status == 200 && text.contains(['<', '&']) && !asked.text().contains("Padding") =>
                {
                    let reply = asked.reply("mark").replace("<![CDATA[mark]]>", text);
                    Answer { content_type: "text/xml".to_owned(), ..Answer::new(200, reply) }
                }
                _ => answer,
            }
        }),
    ),
    fault(
        "looks for a DTD in the words of users",
        Plain,
        QUICK,
        &["text-envelope"],
        Answers(|_, asked| asked.text().contains("<!DOCTYPE xml").then(|| Answer::new(400, "a DTD"))),
    ),
    fault(
        "keeps characters of three bytes",
        Plain,
        QUICK,
        &["text-emoji"],
        Answers(|_, asked| {
            asked
                .text()
                .chars()
                .any(|character| character.len_utf8() == 4)
                .then(|| Answer::new(500, "Incorrect string value: '\\xF0\\x9F\\x98\\x80'"))
        }),
    ),
    fault(
        "parses strictly",
        Plain,
        QUICK,
        &["text-control-characters"],
        Answers(|_, asked| {
            let forbidden = |character: char| character < ' ' && !['\t', '\n', '\r'].contains(&character);
            asked.text().contains(forbidden).then(|| Answer::new(500, "PCDATA invalid Char value 8"))
        }),
    ),
    fault(
        "cuts a text in the middle of a character",
        Plain,
        QUICK,
        &["text-long"],
        Changes(|_, asked, answer| {
            let content = asked.field("Content");
            match content.strip_prefix("echo ") {
                Some(text) if text.len() > 2048 && text.starts_with('长') => {
                    let cut = String::from_utf8_lossy(&text.as_bytes()[..2000]).into_owned();
                    Answer { content_type: "text/xml".to_owned(), ..Answer::new(200, asked.reply(&cut)) }
                }
                _ => answer,
            }
        }),
    ),
    fault(
        "an empty Content",
        Safe,
        QUICK,
        &["text-empty-reply"],
        Changes(
            |stand, asked, answer| {
                if asked.field("Content") == "echo " { stand.written(&asked.reply(""), None) } else { answer }
            },
        ),
    ),
    fault(
        "padding to blocks of 16 bytes",
        Safe,
        &["--only", "address,text-every-length"],
        &["text-every-length"],
        Answers(|_, asked| {
            let padding = 32 - (20 + asked.message().len() + APP_ID.len()) % 32;
            (encrypt(&asked.body).is_some() && padding > 16).then(|| Answer::new(500, "Invalid padding bytes."))
        }),
    ),
    fault(
        "takes fields by their place",
        Plain,
        QUICK,
        &[
            "pay-game",
            "kinds-probe",
            "kinds-platform",
            "kinds-unknown-info-type",
            "xml-other-order",
            "xml-extra-elements",
            "xml-declaration",
            "xml-unreadable",
            "xml-empty-body",
        ],
        Answers(|_, asked| {
            (asked.is_push() && !asked.body.starts_with(b"<xml><ToUserName>"))
                .then(|| Answer::new(500, "no ToUserName"))
        }),
    ),
    fault(
        "looks for fields at any depth",
        Safe,
        QUICK,
        &["xml-extra-elements"],
        Answers(|_, asked| {
            asked.text().contains("<Extra><MsgType>event</MsgType>").then(|| Answer::new(200, "success"))
        }),
    ),
    fault(
        "reads with a pattern",
        Plain,
        QUICK,
        &["xml-white-space", "xml-references"],
        Answers(|_, asked| {
            let text = asked.text();
            (asked.is_push() && !text.contains("<MsgType><![CDATA[") && !text.starts_with('{'))
                .then(|| Answer::new(200, "success"))
        }),
    ),
    fault(
        "knows no references",
        Safe,
        QUICK,
        &["xml-references", "xml-surrogates"],
        Answers(|_, asked| {
            let text = asked.text();
            (text.contains("&#101;") || text.contains(" &#55357;")).then(|| Answer::new(500, "unexpected &"))
        }),
    ),
    fault(
        "an & begins a reference",
        Plain,
        QUICK,
        &["xml-bare-ampersand"],
        Answers(|_, asked| asked.text().contains("H&M").then(|| Answer::new(500, "EntityRef: expecting ';'"))),
    ),
    fault(
        "CDATA is over at the first ]]>",
        Safe,
        QUICK,
        &["xml-unsplit-cdata-end"],
        Answers(|_, asked| {
            asked
                .text()
                .contains("]]></Name>]]></Content>")
                .then(|| Answer::new(500, "element <Content> closed by </Name>"))
        }),
    ),
    fault(
        "expects the root at the first byte",
        Plain,
        QUICK,
        &["xml-declaration"],
        Answers(|_, asked| {
            (asked.body.starts_with(b"<?xml") || asked.body.starts_with("\u{FEFF}".as_bytes()))
                .then(|| Answer::new(500, "Start tag expected"))
        }),
    ),
    fault(
        "reads MsgId as a floating-point number",
        Plain,
        QUICK,
        &["xml-large-msg-id", "retry-same-id"],
        Serves(|stand, asked| {
            Box::pin(async move {
                let msg_id = asked.field("MsgId").parse::<u64>().unwrap_or_default();
                let answer = stand.good(&asked).await;
                let key = format!("{}", msg_id as f64);
                let mut kept = stand.kept.lock().unwrap();
                match kept.insert(key, asked.field("FromUserName")) {
                    Some(other) if msg_id > 0 && other != asked.field("FromUserName") => Answer::new(200, "success"),
                    _ => answer,
                }
            })
        }),
    ),
    fault(
        "needs a MsgId of digits",
        Safe,
        QUICK,
        &["xml-odd-msg-id"],
        Answers(|_, asked| {
            (asked.text().contains("echo m") && asked.field("MsgId").parse::<u64>().is_err())
                .then(|| Answer::new(500, "ValueError: invalid literal for int()"))
        }),
    ),
    fault(
        "takes nothing but UTF-8",
        Plain,
        QUICK,
        &["xml-broken-utf8"],
        Answers(|_, asked| str::from_utf8(&asked.body).is_err().then(|| Answer::new(500, "UnicodeDecodeError"))),
    ),
    fault(
        "refuses what it cannot read",
        Safe,
        QUICK,
        &["xml-unreadable"],
        Answers(|_, asked| {
            let text = asked.text();
            (asked.is_push() && (!text.trim_end().ends_with('>') || text == "<xml></xml>"))
                .then(|| Answer::new(400, ""))
        }),
    ),
    fault(
        "fails on an empty body",
        Plain,
        QUICK,
        &["xml-empty-body"],
        Answers(|_, asked| (asked.is_push() && asked.body.is_empty()).then(|| Answer::new(500, "no root element"))),
    ),
    fault(
        "reads the envelope with a pattern",
        Safe,
        QUICK,
        &["xml-envelope-order"],
        Answers(|_, asked| {
            if asked.is_push()
                && !String::from_utf8_lossy(&asked.body).contains("Encrypt><![CDATA[")
                && asked.body.starts_with(b"<")
            {
                return Some(Answer::new(403, ""));
            }
            None
        }),
    ),
    fault(
        "answers JSON with XML",
        Plain,
        QUICK,
        &["json-text"],
        Answers(|_, asked| {
            (asked.body.starts_with(b"{") && asked.text().contains("echo m"))
                .then(|| Answer::new(200, asked.reply("hello")))
        }),
    ),
    fault(
        "fails on lists in JSON",
        Safe,
        QUICK,
        &["json-event"],
        Answers(|_, asked| asked.text().contains("\"List\":[").then(|| Answer::new(500, ""))),
    ),
];
