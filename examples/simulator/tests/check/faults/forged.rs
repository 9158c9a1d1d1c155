//! What is forged.

use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::sleep;
use wechat_events::cipher::{self, EncodingAesKey};
use wechat_events::{Endpoint, Webhook};

use super::Behaviour::{Answers, Changes, Misreads, Serves};
use super::{FEW, FOR_EVER, Fault, QUICK, echoed, fault, is_signed};
use crate::receiver::Mode::{Compatible, Plain, Safe};
use crate::receiver::{AES_KEY, APP_ID, Answer, Asked, TOKEN, encrypt, sign, signed};

pub const FAULTS: &[Fault] = &[
    fault(
        "sends the echostr back without a check",
        Plain,
        QUICK,
        &[
            "address-wrong-signature",
            "address-unsigned",
            "address-script",
            "address-signed-script",
            "address-long-echostr",
        ],
        Answers(|_, asked| echoed(asked).map(|answer| Answer { content_type: "text/html".to_owned(), ..answer })),
    ),
    fault(
        "looks at the signature of an echostr, and not at its form",
        Safe,
        QUICK,
        &["address-long-echostr"],
        Answers(|_, asked| echoed(asked).filter(|_| is_signed(asked))),
    ),
    fault(
        "lets forgers wait",
        Plain,
        &["--only", "address-unsigned,forged-no-signature"],
        &["address-unsigned", "forged-no-signature"],
        Serves(|stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                if answer.status >= 400 {
                    sleep(FOR_EVER).await;
                }
                answer
            })
        }),
    ),
    fault(
        "ends with a fault where parameters are missing",
        Plain,
        QUICK,
        &["address-bare"],
        Answers(|_, asked| {
            (!asked.is_push() && asked.query.is_empty()).then(|| Answer::new(500, "KeyError: 'signature'"))
        }),
    ),
    fault(
        "checks no signature at all",
        Plain,
        QUICK,
        &[
            "address-wrong-signature",
            "address-unsigned",
            "address-script",
            "address-long-echostr",
            "forged-wrong-signature",
            "forged-no-signature",
            "forged-other-parts",
            "forged-empty-token",
        ],
        Serves(|stand, mut asked| {
            Box::pin(async move {
                if let Some(answer) = echoed(&asked) {
                    return answer;
                }
                asked.query = signed(&asked.query, None);
                stand.good(&asked).await
            })
        }),
    ),
    fault(
        "compares as many digits as are given",
        Plain,
        QUICK,
        &["address-wrong-signature", "forged-wrong-signature"],
        Misreads(|asked| {
            let right = signed(&asked.query, None);
            let given = asked.parameter("signature").map(str::to_owned);
            let right_signature = crate::receiver::parameter(&right, "signature").unwrap();
            if given.is_some_and(|given| right_signature.starts_with(&given)) {
                asked.query = right;
            }
        }),
    ),
    fault(
        "checks the signature if there is one",
        Plain,
        QUICK,
        &["address-unsigned", "address-script", "forged-no-signature"],
        Serves(|stand, mut asked| {
            Box::pin(async move {
                if ["signature", "timestamp", "nonce"].iter().any(|name| asked.parameter(name).is_none()) {
                    if let Some(answer) = echoed(&asked) {
                        return answer;
                    }
                    asked.query = signed(&asked.query, None);
                }
                stand.good(&asked).await
            })
        }),
    ),
    fault(
        "knows every signature that it has seen",
        Plain,
        QUICK,
        &["forged-other-parts"],
        Misreads(|asked| {
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
        }),
    ),
    fault(
        "has no token",
        Plain,
        QUICK,
        &["forged-empty-token", "address-wrong-signature"],
        Misreads(|asked| {
            let [timestamp, nonce] = ["timestamp", "nonce"].map(|name| asked.parameter(name).unwrap_or_default());
            if asked.parameter("signature") == Some(&sign([timestamp, nonce])) {
                asked.query = signed(&asked.query, None);
            }
        }),
    ),
    fault(
        "has no token, in safe mode",
        Safe,
        QUICK,
        &["encrypted-empty-token"],
        Misreads(|asked| {
            let [timestamp, nonce] = ["timestamp", "nonce"].map(|name| asked.parameter(name).unwrap_or_default());
            let sealed = encrypt(&asked.body).unwrap_or_default();
            if asked.parameter("msg_signature") == Some(&sign([timestamp, nonce, &sealed])) {
                asked.query = signed(&asked.query, Some(&sealed));
            }
        }),
    ),
    fault(
        "opens without a look at msg_signature",
        Safe,
        QUICK,
        &[
            "encrypted-wrong-signature",
            "encrypted-no-signature",
            "encrypted-other-parts",
            "encrypted-tampered",
            "encrypted-empty-token",
            "encrypted-oracle",
        ],
        Misreads(|asked| {
            if let Some(sealed) = encrypt(&asked.body) {
                asked.query = signed(&asked.query, Some(&sealed));
            }
        }),
    ),
    fault(
        "looks at msg_signature if there is one",
        Safe,
        QUICK,
        &["encrypted-no-signature"],
        Misreads(|asked| {
            if asked.parameter("msg_signature").is_none()
                && let Some(sealed) = encrypt(&asked.body)
            {
                asked.query = signed(&asked.query, Some(&sealed));
            }
        }),
    ),
    fault(
        "late with one refusal",
        Safe,
        &["--only", "encrypted-oracle"],
        &[],
        Serves(|stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                if answer.status >= 400 && stand.count.fetch_add(1, Ordering::SeqCst) == 0 {
                    sleep(FOR_EVER).await;
                }
                answer
            })
        }),
    ),
    fault(
        "opens what is for another app id",
        Safe,
        QUICK,
        &["encrypted-other-app-id"],
        Serves(|stand, asked| {
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
        }),
    ),
    fault(
        "says why a push does not open",
        Safe,
        QUICK,
        &["encrypted-oracle"],
        Changes(|_, asked, answer| {
            let key = EncodingAesKey::new(AES_KEY).unwrap();
            let opened = encrypt(&asked.body).map(|sealed| cipher::open(&key, APP_ID, &sealed));
            match opened {
                Some(Err(error)) if answer.status == 403 => Answer::new(403, error.to_string()),
                _ => answer,
            }
        }),
    ),
    fault(
        "takes a nonce and a timestamp of any length",
        Safe,
        QUICK,
        &["encrypted-splice", "encrypted-long-parts"],
        Misreads(|asked| {
            if let Some(query) = of_usual_length(asked, false) {
                asked.query = query;
            }
        }),
    ),
    fault(
        "takes a nonce and a timestamp of any length, where the plain signature is right too",
        Compatible,
        QUICK,
        &["encrypted-long-parts"],
        Misreads(|asked| {
            if let Some(query) = of_usual_length(asked, true) {
                asked.query = query;
            }
        }),
    ),
    fault(
        "does not know its own seal",
        Safe,
        QUICK,
        &["encrypted-reflection"],
        Changes(|stand, asked, answer| {
            if encrypt(&answer.body).is_none() || answer.body.starts_with(b"{") {
                return answer;
            }
            // Sealed as WeChat seals: 16 bytes that are random, and nothing else.
            let reply = Asked { body: answer.body.clone(), ..asked.clone() }.text();
            let drawn = stand.count.fetch_add(1, Ordering::SeqCst) as u128 + 1;
            stand.written(&reply, Some(drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_be_bytes()))
        }),
    ),
    fault(
        "looks at the timestamp, and not at what is sealed",
        Safe,
        QUICK,
        &["encrypted-exchanged"],
        Answers(|_, asked| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            let timestamp = asked.parameter("timestamp").and_then(|timestamp| timestamp.parse().ok());
            timestamp
                .is_some_and(|timestamp: u64| timestamp.abs_diff(now) > 24 * 60 * 60)
                .then(|| Answer::new(403, "too old"))
        }),
    ),
    fault(
        "reads the fields in the clear",
        Compatible,
        QUICK,
        &[
            "answer-encrypted",
            "encrypted-wrong-signature",
            "encrypted-no-signature",
            "encrypted-tampered",
            "encrypted-other-key",
            "encrypted-other-app-id",
            "downgrade-plain",
            "downgrade-raw",
            "downgrade-mixed",
            "xml-envelope-order",
        ],
        Serves(|stand, asked| {
            Box::pin(async move { stand.plain.call(&asked.method, &asked.query, &asked.body).await.into() })
        }),
    ),
    fault(
        "takes a push for plain if it has no encrypt_type",
        Safe,
        QUICK,
        &["downgrade-plain"],
        Serves(|stand, asked| {
            Box::pin(async move {
                if asked.is_push() && asked.parameter("encrypt_type").is_none() {
                    let answer = stand.plain.call(&asked.method, &asked.query, &asked.body).await;
                    return stand.written(&String::from_utf8_lossy(&answer.body), None);
                }
                stand.good(&asked).await
            })
        }),
    ),
    fault(
        "takes a push for plain if encrypt_type says so",
        Compatible,
        QUICK,
        &["downgrade-raw"],
        Serves(|stand, asked| {
            Box::pin(async move {
                if asked.parameter("encrypt_type").is_some_and(|kind| kind != "aes") {
                    return stand.plain.call(&asked.method, &asked.query, &asked.body).await.into();
                }
                stand.good(&asked).await
            })
        }),
    ),
    fault(
        "fields beside Encrypt win",
        Safe,
        QUICK,
        &["downgrade-mixed"],
        Serves(|stand, asked| {
            Box::pin(async move {
                let answer = stand.good(&asked).await;
                let body = String::from_utf8_lossy(&asked.body).into_owned();
                if answer.status == 200 && body.contains("<Content>") && body.contains("<Encrypt>") {
                    return stand.answer_to(&asked.body).await;
                }
                answer
            })
        }),
    ),
    fault(
        "always the same 16 random bytes",
        Safe,
        QUICK,
        &["answer-encrypted-afresh", "answer-time"],
        Changes(|stand, asked, answer| match asked.field("Content").strip_prefix("echo m") {
            Some(mark)
                if answer.status == 200
                    && !asked.body.starts_with(b"{")
                    && mark.chars().all(|digit| digit.is_ascii_hexdigit() || digit == 'x') =>
            {
                stand.written(&asked.reply(&format!("m{mark}")), Some([7; 16]))
            }
            _ => answer,
        }),
    ),
    fault(
        "replies in the clear",
        Compatible,
        QUICK,
        &["answer-encrypted"],
        Changes(|_, asked, answer| decrypted(asked, answer)),
    ),
    fault(
        "replies in the clear, in safe mode",
        Safe,
        FEW,
        &["answer-text", "kinds-account"],
        Changes(|_, asked, answer| decrypted(asked, answer)),
    ),
];

/// The query with a nonce and a timestamp that nobody refuses, where those that came are long and rightly signed.
fn of_usual_length(asked: &Asked, plain_too: bool) -> Option<String> {
    let decoded = |name| Some(asked.parameter(name)?.replace("%2B", "+").replace("%2F", "/"));
    let (timestamp, nonce) = (decoded("timestamp")?, decoded("nonce")?);
    let sealed = encrypt(&asked.body).filter(|_| timestamp.len() + nonce.len() > 40)?;
    let right = asked.parameter("msg_signature") == Some(&sign([TOKEN, &timestamp, &nonce, &sealed]))
        && (!plain_too || asked.parameter("signature") == Some(&sign([TOKEN, &timestamp, &nonce])));
    right.then(|| signed("encrypt_type=aes&timestamp=1700000000&nonce=1", Some(&sealed)))
}

/// The reply as it was before it was encrypted.
fn decrypted(asked: &Asked, answer: Answer) -> Answer {
    if !asked.is_push() || answer.status != 200 {
        return answer;
    }
    let opened = Asked { body: answer.body.clone(), ..asked.clone() };
    Answer { body: opened.message(), ..answer }
}
