//! Receivers that differ from a good one in one thing, and which checks must say so.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;
use wechat_events::cipher::{self, EncodingAesKey};
use wechat_events::{Endpoint, Webhook};

use crate::receiver::Mode::{Compatible, Plain, Safe};
use crate::receiver::{AES_KEY, APP_ID, Answer, Asked, Framing, Mode, Serve, TOKEN, encrypt, sign, signed};

pub struct Fault {
    pub name: &'static str,
    pub mode: Mode,
    /// Arguments, for the checks that are run.
    pub run: &'static [&'static str],
    /// The checks that fail or warn: these and no others.
    pub fails: &'static [&'static str],
    pub serve: Serve,
}

/// What takes a second or two.
pub const QUICK: &[&str] = &["--skip", "slow,joins,hostile"];
/// Enough where everything is wrong.
pub const FEW: &[&str] = &["--only", "address,answers,kinds-account,end"];
pub const JOINS: &[&str] = &["--only", "joins,end"];
pub const SLOW: &[&str] = &["--only", "slow,end"];
pub const HOSTILE: &[&str] = &["--only", "hostile,end"];

impl Fault {
    /// Has arguments of its own.
    pub fn is_alone(&self) -> bool {
        ![QUICK, FEW, JOINS, SLOW, HOSTILE].contains(&self.run)
    }
}

/// The echostr, whatever it is; none without one.
fn echoed(asked: &Asked) -> Option<Answer> {
    let echostr = asked.parameter("echostr").filter(|_| !asked.is_push())?;
    Some(Answer::new(200, echostr.replace("%3C", "<").replace("%3E", ">")))
}

fn is_signed(asked: &Asked) -> bool {
    let [timestamp, nonce] = ["timestamp", "nonce"].map(|name| asked.parameter(name).unwrap_or_default());
    asked.parameter("signature") == Some(&sign([TOKEN, timestamp, nonce]))
}

/// The query with a nonce and a timestamp that nobody refuses, where those that came are long and rightly signed.
fn of_usual_length(asked: &Asked, plain_too: bool) -> Option<String> {
    let decoded = |name| Some(asked.parameter(name)?.replace("%2B", "+").replace("%2F", "/"));
    let (timestamp, nonce) = (decoded("timestamp")?, decoded("nonce")?);
    let sealed = encrypt(&asked.body).filter(|_| timestamp.len() + nonce.len() > 40)?;
    let right = asked.parameter("msg_signature") == Some(&sign([TOKEN, &timestamp, &nonce, &sealed]))
        && (!plain_too || asked.parameter("signature") == Some(&sign([TOKEN, &timestamp, &nonce])));
    right.then(|| signed("encrypt_type=aes&timestamp=1700000000&nonce=1", Some(&sealed)))
}

fn is_payment(asked: &Asked) -> bool {
    ["xpay_", "minigame_"].iter().any(|begin| asked.field("Event").starts_with(begin))
}

/// In the form of the push.
fn code(asked: &Asked, code: i64) -> Answer {
    Answer::new(
        200,
        match asked.message().starts_with(b"{") {
            true => format!(r#"{{"ErrCode":{code},"ErrMsg":"no"}}"#),
            false => format!("<xml><ErrCode>{code}</ErrCode><ErrMsg>no</ErrMsg></xml>"),
        },
    )
}

/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(60);

pub const FAULTS: &[Fault] = &[
    // The check of the address, and the form of answers.
    Fault {
        name: "sends the echostr as JSON",
        mode: Plain,
        run: QUICK,
        fails: &["address-right"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                if asked.is_push() || answer.status != 200 {
                    return answer;
                }
                Answer::new(200, format!("\"{}\"", answer.text()))
            })
        },
    },
    Fault {
        name: "a line end behind the echostr",
        mode: Safe,
        run: QUICK,
        fails: &["address-right"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                if asked.is_push() || answer.status != 200 {
                    return answer;
                }
                Answer::new(200, format!("{}\n", answer.text()))
            })
        },
    },
    Fault {
        name: "reads the echostr as a number",
        mode: Plain,
        run: QUICK,
        fails: &["address-digits"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                match answer.text().parse::<u128>() {
                    Ok(number) if !asked.is_push() => Answer::new(200, number.to_string()),
                    _ => answer,
                }
            })
        },
    },
    Fault {
        name: "answers in chunks",
        mode: Plain,
        run: QUICK,
        fails: &["address-length", "answer-length"],
        serve: |stand, asked| Box::pin(async move { Answer { framing: Framing::Chunks, ..stand.good(&asked).await } }),
    },
    Fault {
        name: "answers without a length",
        mode: Safe,
        run: QUICK,
        fails: &["address-length", "answer-length"],
        serve: |stand, asked| Box::pin(async move { Answer { framing: Framing::Close, ..stand.good(&asked).await } }),
    },
    Fault {
        name: "a byte order mark before every answer",
        mode: Plain,
        run: FEW,
        fails: &["address-right", "kinds-account", "answer-text"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                Answer { body: ["\u{FEFF}".as_bytes(), &answer.body].concat(), ..answer }
            })
        },
    },
    Fault {
        name: "success in quotes",
        mode: Plain,
        run: FEW,
        fails: &["kinds-account"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                if answer.body == b"success" { Answer::new(200, "\"success\"") } else { answer }
            })
        },
    },
    Fault {
        name: "seals success too",
        mode: Safe,
        run: FEW,
        fails: &["kinds-account"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                if answer.body != b"success" || !asked.is_push() {
                    return answer;
                }
                let sealed = stand.written("success ", None);
                Answer { body: sealed.body, ..answer }
            })
        },
    },
    Fault {
        name: "serves everything as a page, and every echostr that is signed",
        mode: Plain,
        run: QUICK,
        fails: &["address-signed-script", "address-long-echostr", "answer-content-type"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = match echoed(&asked).filter(|_| is_signed(&asked)) {
                    Some(answer) => answer,
                    None => stand.good(&asked).await,
                };
                Answer { content_type: "text/html; charset=utf-8".to_owned(), ..answer }
            })
        },
    },
    Fault {
        name: "milliseconds",
        mode: Plain,
        run: QUICK,
        fails: &["answer-time"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                Answer { body: answer.text().replace("</CreateTime>", "000</CreateTime>").into(), ..answer }
            })
        },
    },
    Fault {
        name: "the clock of China, read as if it were universal time",
        mode: Plain,
        run: &["--only", "answers"],
        fails: &["answer-time"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                let text = answer.text();
                let Some((front, behind)) = text.split_once("<CreateTime>") else { return answer };
                let (time, behind) = behind.split_once('<').unwrap();
                let time = time.parse::<i64>().unwrap() + 8 * 60 * 60;
                Answer { body: format!("{front}<CreateTime>{time}<{behind}").into(), ..answer }
            })
        },
    },
    Fault {
        name: "status 201",
        mode: Plain,
        run: FEW,
        fails: &["address-right", "kinds-account", "answer-text"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                Answer { status: if answer.status == 200 { 201 } else { answer.status }, ..answer }
            })
        },
    },
    Fault {
        name: "replies to whatever comes",
        mode: Safe,
        run: FEW,
        fails: &["kinds-account"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                if !asked.is_push() || answer.body != b"success" || asked.text().contains("<Content>") {
                    return answer;
                }
                stand.written(&asked.reply("thank you"), None)
            })
        },
    },
    Fault {
        name: "To and From are not exchanged",
        mode: Plain,
        run: FEW,
        fails: &["kinds-account", "answer-text"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                let text = answer.text().replace("ToUserName", "X").replace("FromUserName", "ToUserName");
                Answer { body: text.replace("FromX", "ToUserName").replace('X', "FromUserName").into(), ..answer }
            })
        },
    },
    // What is forged.
    Fault {
        name: "sends the echostr back without a check",
        mode: Plain,
        run: QUICK,
        fails: &[
            "address-wrong-signature",
            "address-unsigned",
            "address-script",
            "address-signed-script",
            "address-long-echostr",
        ],
        serve: |stand, asked| {
            Box::pin(async move {
                match echoed(&asked) {
                    Some(answer) => Answer { content_type: "text/html".to_owned(), ..answer },
                    None => stand.good(&asked).await,
                }
            })
        },
    },
    Fault {
        name: "looks at the signature of an echostr, and not at its form",
        mode: Safe,
        run: QUICK,
        fails: &["address-long-echostr"],
        serve: |stand, asked| {
            Box::pin(async move {
                match echoed(&asked).filter(|_| is_signed(&asked)) {
                    Some(answer) => answer,
                    None => stand.good(&asked).await,
                }
            })
        },
    },
    Fault {
        name: "lets forgers wait",
        mode: Plain,
        run: &["--only", "address-unsigned,forged-no-signature"],
        fails: &["address-unsigned", "forged-no-signature"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                if answer.status >= 400 {
                    sleep(FOR_EVER).await;
                }
                answer
            })
        },
    },
    Fault {
        name: "ends with a fault where parameters are missing",
        mode: Plain,
        run: QUICK,
        fails: &["address-bare"],
        serve: |stand, asked| {
            Box::pin(async move {
                if !asked.is_push() && asked.query.is_empty() {
                    return Answer::new(500, "KeyError: 'signature'");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "checks no signature at all",
        mode: Plain,
        run: QUICK,
        fails: &[
            "address-wrong-signature",
            "address-unsigned",
            "address-script",
            "address-long-echostr",
            "forged-wrong-signature",
            "forged-no-signature",
            "forged-other-parts",
            "forged-empty-token",
        ],
        serve: |stand, mut asked| {
            Box::pin(async move {
                if let Some(answer) = echoed(&asked) {
                    return answer;
                }
                asked.query = signed(&asked.query, None);
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "compares as many digits as are given",
        mode: Plain,
        run: QUICK,
        fails: &["address-wrong-signature", "forged-wrong-signature"],
        serve: |stand, mut asked| {
            Box::pin(async move {
                let right = signed(&asked.query, None);
                let given = asked.parameter("signature").map(str::to_owned);
                let right_signature = crate::receiver::parameter(&right, "signature").unwrap();
                if given.is_some_and(|given| right_signature.starts_with(&given)) {
                    asked.query = right;
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "checks the signature if there is one",
        mode: Plain,
        run: QUICK,
        fails: &["address-unsigned", "address-script", "forged-no-signature"],
        serve: |stand, mut asked| {
            Box::pin(async move {
                if ["signature", "timestamp", "nonce"].iter().any(|name| asked.parameter(name).is_none()) {
                    if let Some(answer) = echoed(&asked) {
                        return answer;
                    }
                    asked.query = signed(&asked.query, None);
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "knows every signature that it has seen",
        mode: Plain,
        run: QUICK,
        fails: &["forged-other-parts"],
        serve: |stand, mut asked| {
            Box::pin(async move {
                // Whatever has the form of one, but for those that are wrong for this very query.
                let signature = asked.parameter("signature").unwrap_or_default().to_owned();
                let bent = ["timestamp", "nonce"].iter().any(|name| {
                    let value = asked.parameter(name).unwrap_or_default();
                    let last = if value.ends_with('0') { ["1", "2"] } else { ["0", "0"] };
                    (0..10).map(|digit| digit.to_string()).chain(last.map(str::to_owned)).any(|last| {
                        let other = format!("{}{last}", &value[..value.len().saturating_sub(1)]);
                        let parts = match *name {
                            "timestamp" => [TOKEN, &other, asked.parameter("nonce").unwrap_or_default()],
                            _ => [TOKEN, asked.parameter("timestamp").unwrap_or_default(), &other],
                        };
                        sign(parts) == signature
                    })
                });
                if asked.is_push() && bent {
                    asked.query = signed(&asked.query, None);
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "has no token",
        mode: Plain,
        run: QUICK,
        fails: &["forged-empty-token", "address-wrong-signature"],
        serve: |stand, mut asked| {
            Box::pin(async move {
                let [timestamp, nonce] = ["timestamp", "nonce"].map(|name| asked.parameter(name).unwrap_or_default());
                if asked.parameter("signature") == Some(&sign([timestamp, nonce])) {
                    asked.query = signed(&asked.query, None);
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "has no token, in safe mode",
        mode: Safe,
        run: QUICK,
        fails: &["sealed-empty-token"],
        serve: |stand, mut asked| {
            Box::pin(async move {
                let [timestamp, nonce] = ["timestamp", "nonce"].map(|name| asked.parameter(name).unwrap_or_default());
                let sealed = encrypt(&asked.body).unwrap_or_default();
                if asked.parameter("msg_signature") == Some(&sign([timestamp, nonce, &sealed])) {
                    asked.query = signed(&asked.query, Some(&sealed));
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "opens without a look at msg_signature",
        mode: Safe,
        run: QUICK,
        fails: &[
            "sealed-wrong-signature",
            "sealed-no-signature",
            "sealed-other-parts",
            "sealed-tampered",
            "sealed-empty-token",
            "sealed-oracle",
        ],
        serve: |stand, mut asked| {
            Box::pin(async move {
                if let Some(sealed) = encrypt(&asked.body) {
                    asked.query = signed(&asked.query, Some(&sealed));
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "looks at msg_signature if there is one",
        mode: Safe,
        run: QUICK,
        fails: &["sealed-no-signature"],
        serve: |stand, mut asked| {
            Box::pin(async move {
                if asked.parameter("msg_signature").is_none()
                    && let Some(sealed) = encrypt(&asked.body)
                {
                    asked.query = signed(&asked.query, Some(&sealed));
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "late with one refusal",
        mode: Safe,
        run: &["--only", "sealed-oracle"],
        fails: &[],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                if answer.status >= 400 && stand.count.fetch_add(1, Ordering::SeqCst) == 0 {
                    sleep(FOR_EVER).await;
                }
                answer
            })
        },
    },
    Fault {
        name: "opens what is for another app id",
        mode: Safe,
        run: QUICK,
        fails: &["sealed-other-app-id"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                if answer.status != 403 {
                    return answer;
                }
                let front = &APP_ID[..APP_ID.len() - 1];
                for app_id in [format!("{front}0"), "wx".to_owned(), format!("{APP_ID}0")] {
                    let other = Endpoint::safe(TOKEN, app_id, AES_KEY).unwrap().on_report(|_| {});
                    let webhook = Webhook::new(other, crate::shop::Shop::default());
                    let answer: Answer = webhook.call(&asked.method, &asked.query, &asked.body).await.into();
                    if answer.status == 200 {
                        return answer;
                    }
                }
                answer
            })
        },
    },
    Fault {
        name: "says why a push does not open",
        mode: Safe,
        run: QUICK,
        fails: &["sealed-oracle"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                let key = EncodingAesKey::new(AES_KEY).unwrap();
                let opened = encrypt(&asked.body).map(|sealed| cipher::open(&key, APP_ID, &sealed));
                match opened {
                    Some(Err(error)) if answer.status == 403 => Answer::new(403, error.to_string()),
                    _ => answer,
                }
            })
        },
    },
    Fault {
        name: "takes a nonce and a timestamp of any length",
        mode: Safe,
        run: QUICK,
        fails: &["sealed-splice", "sealed-long-parts"],
        serve: |stand, mut asked| {
            Box::pin(async move {
                if let Some(query) = of_usual_length(&asked, false) {
                    asked.query = query;
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "takes a nonce and a timestamp of any length, where the plain signature is right too",
        mode: Compatible,
        run: QUICK,
        fails: &["sealed-long-parts"],
        serve: |stand, mut asked| {
            Box::pin(async move {
                if let Some(query) = of_usual_length(&asked, true) {
                    asked.query = query;
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "does not know its own seal",
        mode: Safe,
        run: QUICK,
        fails: &["sealed-reflection"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                if encrypt(&answer.body).is_none() || answer.body.starts_with(b"{") {
                    return answer;
                }
                // Sealed as WeChat seals: 16 bytes that are random, and nothing else.
                let reply = Asked { body: answer.body.clone(), ..asked }.text();
                let drawn = stand.count.fetch_add(1, Ordering::SeqCst) as u128 + 1;
                stand.written(&reply, Some(drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_be_bytes()))
            })
        },
    },
    Fault {
        name: "looks at the timestamp, and not at what is sealed",
        mode: Safe,
        run: QUICK,
        fails: &["sealed-exchanged"],
        serve: |stand, asked| {
            Box::pin(async move {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
                let timestamp = asked.parameter("timestamp").and_then(|timestamp| timestamp.parse().ok());
                if timestamp.is_some_and(|timestamp: u64| timestamp.abs_diff(now) > 24 * 60 * 60) {
                    return Answer::new(403, "too old");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "reads the fields in the clear",
        mode: Compatible,
        run: QUICK,
        fails: &[
            "answer-sealed",
            "sealed-wrong-signature",
            "sealed-no-signature",
            "sealed-tampered",
            "sealed-other-key",
            "sealed-other-app-id",
            "downgrade-plain",
            "downgrade-raw",
            "downgrade-mixed",
            "xml-envelope-order",
        ],
        serve: |stand, asked| {
            Box::pin(async move { stand.plain.call(&asked.method, &asked.query, &asked.body).await.into() })
        },
    },
    Fault {
        name: "takes a push for plain if it has no encrypt_type",
        mode: Safe,
        run: QUICK,
        fails: &["downgrade-plain"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.is_push() && asked.parameter("encrypt_type").is_none() {
                    let answer = stand.plain.call(&asked.method, &asked.query, &asked.body).await;
                    return stand.written(&String::from_utf8_lossy(&answer.body), None);
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "takes a push for plain if encrypt_type says so",
        mode: Compatible,
        run: QUICK,
        fails: &["downgrade-raw"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.parameter("encrypt_type").is_some_and(|kind| kind != "aes") {
                    return stand.plain.call(&asked.method, &asked.query, &asked.body).await.into();
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "fields beside Encrypt win",
        mode: Safe,
        run: QUICK,
        fails: &["downgrade-mixed"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                let body = String::from_utf8_lossy(&asked.body).into_owned();
                if answer.status == 200 && body.contains("<Content>") && body.contains("<Encrypt>") {
                    return stand.answer_to(&asked.body).await;
                }
                answer
            })
        },
    },
    Fault {
        name: "always the same 16 random bytes",
        mode: Safe,
        run: QUICK,
        fails: &["answer-seal-fresh", "answer-time"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                match asked.field("Content").strip_prefix("echo m") {
                    Some(mark)
                        if answer.status == 200
                            && !asked.body.starts_with(b"{")
                            && mark.chars().all(|digit| digit.is_ascii_hexdigit() || digit == 'x') =>
                    {
                        stand.written(&asked.reply(&format!("m{mark}")), Some([7; 16]))
                    }
                    _ => answer,
                }
            })
        },
    },
    Fault {
        name: "replies in the clear",
        mode: Compatible,
        run: QUICK,
        fails: &["answer-sealed"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                if !asked.is_push() || answer.status != 200 {
                    return answer;
                }
                let opened = Asked { body: answer.body.clone(), ..asked };
                Answer { body: opened.message(), ..answer }
            })
        },
    },
    Fault {
        name: "replies in the clear, in safe mode",
        mode: Safe,
        run: FEW,
        fails: &["answer-text", "kinds-account"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                if !asked.is_push() || answer.status != 200 {
                    return answer;
                }
                let opened = Asked { body: answer.body.clone(), ..asked };
                Answer { body: opened.message(), ..answer }
            })
        },
    },
    // Kinds.
    Fault {
        name: "knows texts and nothing else",
        mode: Plain,
        run: QUICK,
        fails: &[
            "kinds-message",
            "kinds-account",
            "kinds-menu",
            "kinds-job",
            "kinds-service",
            "kinds-card",
            "kinds-store",
            "kinds-verification",
            "kinds-platform",
            "kinds-unknown-event",
            "kinds-unknown-message",
            "kinds-unknown-info-type",
            "kinds-other-case",
            "kinds-other-case-same",
            "kinds-missing-fields",
            "kinds-empty-fields",
            "kinds-no-name",
            "json-event",
            "kinds-event-keys",
            "kinds-odd-values",
            "kinds-probe",
            "kinds-repeats",
            "xml-unreadable",
            "xml-empty-body",
        ],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.is_push() && !asked.field("MsgType").eq("text") {
                    return Answer::new(500, "no handler");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "compares names with their case",
        mode: Plain,
        run: QUICK,
        fails: &["kinds-other-case-same"],
        serve: |stand, asked| {
            Box::pin(async move {
                let text = asked.text();
                if ["[scan]", "[click]", "[Subscribe]", "[Event]", "[Text]"].iter().any(|name| text.contains(name)) {
                    return Answer::new(200, "success");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "fails on names in another case",
        mode: Safe,
        run: QUICK,
        fails: &["kinds-other-case", "kinds-other-case-same"],
        serve: |stand, asked| {
            Box::pin(async move {
                let text = asked.text();
                if ["[scan]", "[click]", "[Subscribe]", "[Event]", "[Text]"].iter().any(|name| text.contains(name)) {
                    return Answer::new(500, "no such kind");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "needs every field",
        mode: Plain,
        run: QUICK,
        fails: &["kinds-missing-fields"],
        serve: |stand, asked| {
            Box::pin(async move {
                let text = asked.text();
                if text.contains("[CLICK]") && !text.contains("<EventKey>") {
                    return Answer::new(500, "KeyError: 'EventKey'");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "reads an empty number",
        mode: Safe,
        run: QUICK,
        fails: &["kinds-empty-fields"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.text().contains("<Latitude><![CDATA[]]></Latitude>") {
                    return Answer::new(500, "ValueError: could not convert string to float: ''");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "needs the name of an event",
        mode: Plain,
        run: QUICK,
        fails: &["kinds-no-name"],
        serve: |stand, asked| {
            Box::pin(async move {
                let text = asked.text();
                if text.contains("[event]") && !text.contains("<Event>") {
                    return Answer::new(500, "KeyError: 'Event'");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "knows no InfoType",
        mode: Safe,
        run: QUICK,
        fails: &["kinds-platform", "kinds-unknown-info-type"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.text().contains("<InfoType>") {
                    return Answer::new(500, "KeyError: 'MsgType'");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "sorts as numbers",
        mode: Plain,
        run: FEW,
        fails: &["address-sorting"],
        serve: |stand, asked| {
            Box::pin(async move {
                let [timestamp, nonce] = ["timestamp", "nonce"].map(|name| asked.parameter(name).unwrap_or_default());
                let number = |text: &str| text.parse::<u64>().unwrap_or_default();
                if !asked.is_push() && number(nonce) < 10 && nonce > timestamp {
                    return Answer::new(403, "");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "needs each EventKey to have its prefix",
        mode: Plain,
        run: QUICK,
        fails: &["kinds-event-keys"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.field("EventKey").starts_with("scanbarcode|") {
                    return Answer::new(500, "list index out of range");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "a scale is a whole number",
        mode: Safe,
        run: QUICK,
        fails: &["kinds-odd-values"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.field("Scale").contains('.') {
                    return Answer::new(500, "ValueError: invalid literal for int()");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "a list has more than one item",
        mode: Plain,
        run: QUICK,
        fails: &["kinds-repeats"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.text().contains("<Count>0</Count>") {
                    return Answer::new(500, "'NoneType' object is not iterable");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "fails on the probe of cloud hosting",
        mode: Safe,
        run: QUICK,
        fails: &["kinds-probe"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.text().contains("CheckContainerPath") {
                    return Answer::new(500, "KeyError: 'signature'");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "takes parameters by their place",
        mode: Safe,
        run: QUICK,
        fails: &["xml-query"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.is_push() && !asked.query.is_empty() && !asked.query.starts_with("signature=") {
                    return Answer::new(403, "");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "silent on events",
        mode: Plain,
        run: &["--only", "address,kinds-missing-fields,kinds-empty-fields"],
        fails: &["kinds-missing-fields", "kinds-empty-fields"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.text().contains("<Event>") {
                    sleep(FOR_EVER).await;
                }
                stand.good(&asked).await
            })
        },
    },
    // Texts and XML.
    Fault {
        name: "writes a text as it is",
        mode: Plain,
        run: QUICK,
        fails: &["answer-time", "text-cdata-end", "text-control-characters", "text-long", "text-empty-reply"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                let content = asked.field("Content");
                match content.strip_prefix("echo ") {
                    Some(text) if asked.is_push() && answer.status == 200 && !asked.text().starts_with('{') => {
                        Answer { content_type: "text/xml".to_owned(), ..Answer::new(200, asked.reply(text)) }
                    }
                    _ => answer,
                }
            })
        },
    },
    Fault {
        name: "writes a text without CDATA",
        mode: Plain,
        run: QUICK,
        fails: &["text-cdata-end", "text-markup", "text-envelope"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
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
            })
        },
    },
    Fault {
        name: "looks for a DTD in the words of users",
        mode: Plain,
        run: QUICK,
        fails: &["text-envelope"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.text().contains("<!DOCTYPE xml") {
                    return Answer::new(400, "a DTD");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "keeps characters of three bytes",
        mode: Plain,
        run: QUICK,
        fails: &["text-emoji"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.text().chars().any(|character| character.len_utf8() == 4) {
                    return Answer::new(500, "Incorrect string value: '\\xF0\\x9F\\x98\\x80'");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "parses strictly",
        mode: Plain,
        run: QUICK,
        fails: &["text-control-characters"],
        serve: |stand, asked| {
            Box::pin(async move {
                let forbidden = |character: char| character < ' ' && !['\t', '\n', '\r'].contains(&character);
                if asked.text().contains(forbidden) {
                    return Answer::new(500, "PCDATA invalid Char value 8");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "cuts a text in the middle of a character",
        mode: Plain,
        run: QUICK,
        fails: &["text-long"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                let content = asked.field("Content");
                match content.strip_prefix("echo ") {
                    Some(text) if text.len() > 2048 && text.starts_with('长') => {
                        let cut = String::from_utf8_lossy(&text.as_bytes()[..2000]).into_owned();
                        Answer { content_type: "text/xml".to_owned(), ..Answer::new(200, asked.reply(&cut)) }
                    }
                    _ => answer,
                }
            })
        },
    },
    Fault {
        name: "an empty Content",
        mode: Safe,
        run: QUICK,
        fails: &["text-empty-reply"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                if asked.field("Content") == "echo " { stand.written(&asked.reply(""), None) } else { answer }
            })
        },
    },
    Fault {
        name: "padding to blocks of 16 bytes",
        mode: Safe,
        run: &["--only", "address,text-every-length"],
        fails: &["text-every-length"],
        serve: |stand, asked| {
            Box::pin(async move {
                let padding = 32 - (20 + asked.message().len() + APP_ID.len()) % 32;
                if encrypt(&asked.body).is_some() && padding > 16 {
                    return Answer::new(500, "Invalid padding bytes.");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "takes fields by their place",
        mode: Plain,
        run: QUICK,
        fails: &[
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
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.is_push() && !asked.body.starts_with(b"<xml><ToUserName>") {
                    return Answer::new(500, "no ToUserName");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "looks for fields at any depth",
        mode: Safe,
        run: QUICK,
        fails: &["xml-extra-elements"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.text().contains("<Extra><MsgType>event</MsgType>") {
                    return Answer::new(200, "success");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "reads with a pattern",
        mode: Plain,
        run: QUICK,
        fails: &["xml-white-space", "xml-references"],
        serve: |stand, asked| {
            Box::pin(async move {
                let text = asked.text();
                if asked.is_push() && !text.contains("<MsgType><![CDATA[") && !text.starts_with('{') {
                    return Answer::new(200, "success");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "knows no references",
        mode: Safe,
        run: QUICK,
        fails: &["xml-references", "xml-surrogates"],
        serve: |stand, asked| {
            Box::pin(async move {
                let text = asked.text();
                if text.contains("&#101;") || text.contains(" &#55357;") {
                    return Answer::new(500, "unexpected &");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "an & begins a reference",
        mode: Plain,
        run: QUICK,
        fails: &["xml-bare-ampersand"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.text().contains("H&M") {
                    return Answer::new(500, "EntityRef: expecting ';'");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "CDATA is over at the first ]]>",
        mode: Safe,
        run: QUICK,
        fails: &["xml-unsplit-cdata-end"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.text().contains("]]></Name>]]></Content>") {
                    return Answer::new(500, "element <Content> closed by </Name>");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "expects the root at the first byte",
        mode: Plain,
        run: QUICK,
        fails: &["xml-declaration"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.body.starts_with(b"<?xml") || asked.body.starts_with("\u{FEFF}".as_bytes()) {
                    return Answer::new(500, "Start tag expected");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "reads MsgId as a floating-point number",
        mode: Plain,
        run: QUICK,
        fails: &["xml-large-msg-id", "retry-same-id"],
        serve: |stand, asked| {
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
        },
    },
    Fault {
        name: "needs a MsgId of digits",
        mode: Safe,
        run: QUICK,
        fails: &["xml-odd-msg-id"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.text().contains("echo m") && asked.field("MsgId").parse::<u64>().is_err() {
                    return Answer::new(500, "ValueError: invalid literal for int()");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "takes nothing but UTF-8",
        mode: Plain,
        run: QUICK,
        fails: &["xml-broken-utf8"],
        serve: |stand, asked| {
            Box::pin(async move {
                if str::from_utf8(&asked.body).is_err() {
                    return Answer::new(500, "UnicodeDecodeError");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "refuses what it cannot read",
        mode: Safe,
        run: QUICK,
        fails: &["xml-unreadable"],
        serve: |stand, asked| {
            Box::pin(async move {
                let text = asked.text();
                if asked.is_push() && (!text.trim_end().ends_with('>') || text == "<xml></xml>") {
                    return Answer::new(400, "");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "fails on an empty body",
        mode: Plain,
        run: QUICK,
        fails: &["xml-empty-body"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.is_push() && asked.body.is_empty() {
                    return Answer::new(500, "no root element");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "reads the envelope with a pattern",
        mode: Safe,
        run: QUICK,
        fails: &["xml-envelope-order"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.is_push()
                    && !String::from_utf8_lossy(&asked.body).contains("Encrypt><![CDATA[")
                    && asked.body.starts_with(b"<")
                {
                    return Answer::new(403, "");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "answers JSON with XML",
        mode: Plain,
        run: QUICK,
        fails: &["json-text"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.body.starts_with(b"{") && asked.text().contains("echo m") {
                    return Answer::new(200, asked.reply("hello"));
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "fails on lists in JSON",
        mode: Safe,
        run: QUICK,
        fails: &["json-event"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.text().contains("\"List\":[") {
                    return Answer::new(500, "");
                }
                stand.good(&asked).await
            })
        },
    },
    // Payments.
    Fault {
        name: "answers a payment as any other event",
        mode: Plain,
        run: &["--payments", "--skip", "slow,joins,hostile"],
        fails: &["pay-code", "pay-json", "pay-missing-fields", "pay-unknown", "pay-game"],
        serve: |stand, asked| {
            Box::pin(
                async move { if is_payment(&asked) { Answer::new(200, "success") } else { stand.good(&asked).await } },
            )
        },
    },
    Fault {
        name: "takes four seconds for a payment",
        mode: Plain,
        run: QUICK,
        fails: &["pay-code", "pay-json", "pay-missing-fields", "pay-unknown"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.field("Event").starts_with("xpay_") {
                    sleep(Duration::from_secs(4)).await;
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "knows no order",
        mode: Compatible,
        run: QUICK,
        fails: &["pay-code", "pay-again", "pay-json"],
        serve: |stand, asked| {
            Box::pin(async move {
                match is_payment(&asked) {
                    true => code(&asked, -1),
                    false => stand.good(&asked).await,
                }
            })
        },
    },
    Fault {
        name: "answers success to a payment that was done before",
        mode: Safe,
        run: QUICK,
        fails: &["pay-again", "pay-json"],
        serve: |stand, asked| {
            Box::pin(async move {
                match asked.field("RetryTimes").as_str() {
                    "1" => Answer::new(200, "success"),
                    _ => stand.good(&asked).await,
                }
            })
        },
    },
    Fault {
        name: "fails on a payment that was done before",
        mode: Plain,
        run: QUICK,
        fails: &["pay-again", "pay-json"],
        serve: |stand, asked| {
            Box::pin(async move {
                match asked.field("RetryTimes").as_str() {
                    "1" => code(&asked, 7),
                    _ => stand.good(&asked).await,
                }
            })
        },
    },
    Fault {
        name: "answers payments in XML alone",
        mode: Plain,
        run: QUICK,
        fails: &["pay-json"],
        serve: |stand, asked| {
            Box::pin(async move {
                match is_payment(&asked) && asked.message().starts_with(b"{") {
                    true => Answer::new(200, "<xml><ErrCode>0</ErrCode></xml>"),
                    false => stand.good(&asked).await,
                }
            })
        },
    },
    Fault {
        name: "fails on a payment without its fields",
        mode: Safe,
        run: QUICK,
        fails: &["pay-missing-fields"],
        serve: |stand, asked| {
            Box::pin(async move {
                let keys = ["OutTradeNo", "WxRefundId", "ComplaintId", "BusinessCode"];
                let has_none = || keys.iter().all(|key| asked.field(key).is_empty());
                match asked.field("Event").starts_with("xpay_") && has_none() {
                    true => Answer::new(500, "no order"),
                    false => stand.good(&asked).await,
                }
            })
        },
    },
    Fault {
        name: "knows the payments of today alone",
        mode: Plain,
        run: QUICK,
        fails: &["pay-unknown"],
        serve: |stand, asked| {
            Box::pin(async move {
                match asked.field("Event").contains("brand_new") {
                    true => Answer::new(200, "success"),
                    false => stand.good(&asked).await,
                }
            })
        },
    },
    Fault {
        name: "seals what it answers to a mini game",
        mode: Safe,
        run: QUICK,
        fails: &["pay-game"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                match asked.field("Event").starts_with("minigame_") {
                    true => stand.written(&answer.text(), None),
                    false => answer,
                }
            })
        },
    },
    Fault {
        name: "finds every mini game's signature wrong",
        mode: Plain,
        run: &["--app-key", "app key", "--only", "payments"],
        fails: &["pay-game"],
        serve: |stand, asked| {
            Box::pin(async move {
                match asked.field("Event").starts_with("minigame_") {
                    true => code(&asked, -1),
                    false => stand.good(&asked).await,
                }
            })
        },
    },
    // Retries.
    Fault {
        name: "refuses a nonce that it has seen",
        mode: Plain,
        run: QUICK,
        fails: &["retry-taken"],
        serve: |stand, asked| {
            Box::pin(async move {
                let nonce = asked.parameter("nonce").unwrap_or_default().to_owned();
                if asked.is_push() && stand.kept.lock().unwrap().insert(nonce, String::new()).is_some() {
                    return Answer::new(403, "replayed");
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "remembers nothing",
        mode: Safe,
        run: &["--skip", "slow,hostile"],
        fails: &["answer-time", "retry-once", "joins-once"],
        serve: |stand, asked| Box::pin(async move { stand.forgetful(&asked).await }),
    },
    Fault {
        name: "knows a push by its MsgId",
        mode: Plain,
        run: QUICK,
        fails: &["retry-same-id"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                let (msg_id, user) = (asked.field("MsgId"), asked.field("FromUserName"));
                if msg_id.is_empty() || answer.status != 200 {
                    return answer;
                }
                match stand.kept.lock().unwrap().insert(msg_id, user.clone()) {
                    Some(other) if other != user => Answer::new(200, "success"),
                    _ => answer,
                }
            })
        },
    },
    Fault {
        name: "knows an event by its user and second",
        mode: Safe,
        run: QUICK,
        fails: &["pay-again", "pay-json", "retry-same-second"],
        serve: |stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                let key = format!("{} {}", asked.field("FromUserName"), asked.field("CreateTime"));
                if asked.field("Event").is_empty() || answer.status != 200 {
                    return answer;
                }
                match stand.kept.lock().unwrap().insert(key, asked.text()) {
                    Some(other) if other != asked.text() => Answer::new(200, "success"),
                    _ => answer,
                }
            })
        },
    },
    // Many at once.
    Fault {
        name: "fails where many come at once",
        mode: Plain,
        run: JOINS,
        fails: &["joins-answered"],
        serve: |stand, asked| {
            Box::pin(async move {
                let crowded = stand.count.fetch_add(1, Ordering::SeqCst) > 20 && asked.text().contains("echo m");
                let answer = if crowded { Answer::new(500, "too many clients") } else { stand.good(&asked).await };
                sleep(Duration::from_millis(300)).await;
                stand.count.fetch_sub(1, Ordering::SeqCst);
                answer
            })
        },
    },
    Fault {
        name: "one thread",
        mode: Plain,
        run: JOINS,
        fails: &["joins-others"],
        serve: |stand, asked| {
            Box::pin(async move {
                let _turn = stand.gate.lock().await;
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "remembers nothing, and takes one connection at a time",
        mode: Plain,
        run: &["--only", "joins-once"],
        fails: &["joins-once"],
        serve: |stand, asked| {
            Box::pin(async move {
                stand.one_by_one.store(true, Ordering::SeqCst);
                stand.forgetful(&asked).await
            })
        },
    },
    Fault {
        name: "the first is marked when it is done",
        mode: Safe,
        run: JOINS,
        fails: &["joins-once"],
        serve: |stand, asked| {
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
        },
    },
    // Slow handlers.
    Fault {
        name: "each delivery runs the handler, and waits for it",
        mode: Plain,
        run: SLOW,
        fails: &["slow-second", "slow-third", "slow-late", "slow-kept"],
        serve: |stand, asked| Box::pin(async move { stand.forgetful(&asked).await }),
    },
    Fault {
        name: "seen before, so `success`",
        mode: Safe,
        run: SLOW,
        fails: &["slow-second", "slow-third"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.is_push() && stand.kept.lock().unwrap().insert(asked.text(), String::new()).is_some() {
                    return Answer::new(200, "success");
                }
                stand.forgetful(&asked).await
            })
        },
    },
    Fault {
        name: "forgets after eight seconds",
        mode: Plain,
        run: SLOW,
        fails: &["slow-kept"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.text().contains("[number]") {
                    let key = asked.text();
                    let mut kept = stand.kept.lock().unwrap();
                    let now = stand.begun.elapsed().as_secs_f64();
                    let first = *kept.get(&key).map(|first| first.parse::<f64>().unwrap()).get_or_insert(now);
                    kept.entry(key).or_insert_with(|| now.to_string());
                    if now - first > 8.0 {
                        return Answer {
                            content_type: "text/xml".to_owned(),
                            ..Answer::new(200, asked.reply("again"))
                        };
                    }
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "gives up at four seconds",
        mode: Plain,
        run: SLOW,
        fails: &[],
        serve: |stand, asked| {
            Box::pin(async move {
                tokio::time::timeout(Duration::from_secs(4), stand.good(&asked))
                    .await
                    .unwrap_or_else(|_| Answer::new(200, "success"))
            })
        },
    },
    // Hostile pushes.
    Fault {
        name: "expands every entity",
        mode: Plain,
        run: HOSTILE,
        fails: &["hostile-entities"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.body.windows(4).filter(|four| four == b"&a;&" || four == b"&i;&").count() > 5 {
                    sleep(FOR_EVER).await;
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "answers with what entities expand to",
        mode: Safe,
        run: HOSTILE,
        fails: &["hostile-entities"],
        serve: |stand, asked| {
            Box::pin(async move {
                if String::from_utf8_lossy(&asked.body).contains("&j;") {
                    return Answer::new(200, "a".repeat(2 << 20));
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "fetches entities",
        mode: Safe,
        run: HOSTILE,
        fails: &["hostile-external-entity"],
        serve: |stand, asked| {
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
        },
    },
    Fault {
        name: "reads files",
        mode: Plain,
        run: HOSTILE,
        fails: &["hostile-external-entity"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.text().contains("file:///etc/passwd") {
                    return Answer::new(200, asked.reply("root:x:0:0"));
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "knows entities",
        mode: Plain,
        run: HOSTILE,
        fails: &["hostile-dtd"],
        serve: |stand, asked| {
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
        },
    },
    Fault {
        name: "its stack overflows",
        mode: Plain,
        run: HOSTILE,
        fails: &["hostile-nesting", "still-there"],
        serve: |stand, asked| {
            Box::pin(async move {
                if stand.ended.load(Ordering::SeqCst) || asked.body.windows(9).any(|nine| nine == b"<a><a><a>") {
                    stand.ended.store(true, Ordering::SeqCst);
                    return Answer { framing: Framing::None, ..Answer::new(200, "") };
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "compares each attribute with each",
        mode: Safe,
        run: HOSTILE,
        fails: &["hostile-wide"],
        serve: |stand, asked| {
            Box::pin(async move {
                if String::from_utf8_lossy(&asked.body).contains(" a29999=") {
                    sleep(FOR_EVER).await;
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "computes with all digits",
        mode: Plain,
        run: HOSTILE,
        fails: &["hostile-number"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.text().contains(&"7".repeat(5000)) {
                    sleep(FOR_EVER).await;
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "takes large bodies, and forever",
        mode: Plain,
        run: HOSTILE,
        fails: &["hostile-size"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.body.len() > 1 << 20 {
                    sleep(FOR_EVER).await;
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "takes large bodies",
        mode: Plain,
        run: HOSTILE,
        fails: &["hostile-limit"],
        serve: |stand, mut asked| {
            Box::pin(async move {
                if asked.body.len() > 1 << 20 {
                    let end = asked.body.windows(10).position(|ten| ten == b"</Padding>").unwrap();
                    asked.body = [b"<xml>", &asked.body[end + 10..]].concat();
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "takes half a push for one",
        mode: Plain,
        run: HOSTILE,
        fails: &["hostile-cut-short"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.is_push() && !asked.whole {
                    return Answer::new(200, asked.reply("hello"));
                }
                stand.good(&asked).await
            })
        },
    },
    Fault {
        name: "fails ever after",
        mode: Safe,
        run: HOSTILE,
        fails: &["hostile-size", "still-there"],
        serve: |stand, asked| {
            Box::pin(async move {
                if asked.body.len() > 1 << 20 {
                    stand.count.store(1, Ordering::SeqCst);
                }
                match stand.count.load(Ordering::SeqCst) {
                    0 => stand.good(&asked).await,
                    _ => Answer::new(500, "out of memory"),
                }
            })
        },
    },
    Fault {
        name: "one connection at a time",
        mode: Plain,
        run: HOSTILE,
        fails: &["hostile-idle"],
        serve: |stand, asked| {
            Box::pin(async move {
                stand.one_by_one.store(true, Ordering::SeqCst);
                stand.good(&asked).await
            })
        },
    },
];
