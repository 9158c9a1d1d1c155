//! The address check, and the form of answers.

use super::Behaviour::{Changes, Serves};
use super::{FEW, Fault, QUICK, echoed, fault, is_signed};
use crate::receiver::Mode::{Plain, Safe};
use crate::receiver::{Answer, Framing};

pub const FAULTS: &[Fault] = &[
    fault(
        "sends the echostr as JSON",
        Plain,
        QUICK,
        &["address-right"],
        Changes(|_, asked, answer| {
            if asked.is_push() || answer.status != 200 {
                return answer;
            }
            Answer::new(200, format!("\"{}\"", answer.text()))
        }),
    ),
    fault(
        "a line end behind the echostr",
        Safe,
        QUICK,
        &["address-right"],
        Changes(|_, asked, answer| {
            if asked.is_push() || answer.status != 200 {
                return answer;
            }
            Answer::new(200, format!("{}\n", answer.text()))
        }),
    ),
    fault(
        "reads the echostr as a number",
        Plain,
        QUICK,
        &["address-digits"],
        Changes(|_, asked, answer| match answer.text().parse::<u128>() {
            Ok(number) if !asked.is_push() => Answer::new(200, number.to_string()),
            _ => answer,
        }),
    ),
    fault(
        "answers in chunks",
        Plain,
        QUICK,
        &["address-length", "answer-length"],
        Changes(|_, _, answer| Answer { framing: Framing::Chunks, ..answer }),
    ),
    fault(
        "answers without a length",
        Safe,
        QUICK,
        &["address-length", "answer-length"],
        Changes(|_, _, answer| Answer { framing: Framing::Close, ..answer }),
    ),
    fault(
        "a byte order mark before every answer",
        Plain,
        FEW,
        &["address-right", "kinds-account", "answer-text"],
        Changes(|_, _, answer| Answer { body: ["\u{FEFF}".as_bytes(), &answer.body].concat(), ..answer }),
    ),
    fault(
        "success in quotes",
        Plain,
        FEW,
        &["kinds-account"],
        Changes(|_, _, answer| if answer.body == b"success" { Answer::new(200, "\"success\"") } else { answer }),
    ),
    fault(
        "seals success too",
        Safe,
        FEW,
        &["kinds-account"],
        Changes(|stand, asked, answer| {
            if answer.body != b"success" || !asked.is_push() {
                return answer;
            }
            let sealed = stand.written("success ", None);
            Answer { body: sealed.body, ..answer }
        }),
    ),
    fault(
        "serves everything as a page, and every echostr that is signed",
        Plain,
        QUICK,
        &["address-signed-script", "address-long-echostr", "answer-content-type"],
        Serves(|stand, asked| {
            Box::pin(async move {
                let answer = match echoed(&asked).filter(|_| is_signed(&asked)) {
                    Some(answer) => answer,
                    None => stand.good(&asked).await,
                };
                Answer { content_type: "text/html; charset=utf-8".to_owned(), ..answer }
            })
        }),
    ),
    fault(
        "milliseconds",
        Plain,
        QUICK,
        &["answer-time"],
        Changes(|_, _, answer| Answer {
            body: answer.text().replace("</CreateTime>", "000</CreateTime>").into(),
            ..answer
        }),
    ),
    fault(
        "the clock of China, read as if it were universal time",
        Plain,
        &["--only", "answers"],
        &["answer-time"],
        Changes(|_, _, answer| {
            let text = answer.text();
            let Some((front, behind)) = text.split_once("<CreateTime>") else { return answer };
            let (time, behind) = behind.split_once('<').unwrap();
            let time = time.parse::<i64>().unwrap() + 8 * 60 * 60;
            Answer { body: format!("{front}<CreateTime>{time}<{behind}").into(), ..answer }
        }),
    ),
    fault(
        "status 201",
        Plain,
        FEW,
        &["address-right", "kinds-account", "answer-text"],
        Changes(|_, _, answer| Answer { status: if answer.status == 200 { 201 } else { answer.status }, ..answer }),
    ),
    fault(
        "replies to whatever comes",
        Safe,
        FEW,
        &["kinds-account"],
        Changes(|stand, asked, answer| {
            if !asked.is_push() || answer.body != b"success" || asked.text().contains("<Content>") {
                return answer;
            }
            stand.written(&asked.reply("thank you"), None)
        }),
    ),
    fault(
        "To and From are not exchanged",
        Plain,
        FEW,
        &["kinds-account", "answer-text"],
        Changes(|_, _, answer| {
            let text = answer.text().replace("ToUserName", "X").replace("FromUserName", "ToUserName");
            Answer { body: text.replace("FromX", "ToUserName").replace('X', "FromUserName").into(), ..answer }
        }),
    ),
];
