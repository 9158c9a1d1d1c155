//! The check of the address, as when the console's button is pressed.

use super::receiver::{Exchange, Receiver, altered, parameter, sha1, shortened, with};
use super::{ALL, Check, Group, Level, Outcome, fail};
use crate::account::now;
use wechat_events::testing::Verdict;

const fn check(id: &'static str, level: Level) -> Check {
    Check {
        id,
        group: Group::Address,
        level,
        modes: ALL,
        sends: "",
        passes: "",
        means: "",
        run: |_| Box::pin(async { Ok(String::new()) }),
    }
}

pub const CHECKS: &[Check] = &[
    Check {
        sends: "a signed address check",
        passes: "the echostr alone: no quotes, no newline, no byte order mark",
        means: "the console rejects the address, and blames the token",
        run: |receiver| Box::pin(right(receiver)),
        ..check("address-right", Level::Must)
    },
    Check {
        sends: "the same with digits that no number type keeps: over 2^53, leading zeros",
        passes: "the same digits: an echostr is a string",
        means: "the console rejects the address now and then",
        run: |receiver| Box::pin(digits(receiver)),
        ..check("address-digits", Level::Must)
    },
    Check {
        sends: "signed address checks whose nonce is 9, 1 or 10000000000",
        passes: "the echostr: token, timestamp and nonce are sorted as strings, not as numbers",
        means: "some pushes are refused and others are not, depending on the nonce",
        run: |receiver| Box::pin(sorting(receiver)),
        ..check("address-sorting", Level::Must)
    },
    Check {
        sends: "a signed address check",
        passes: "an answer with Content-Length, not chunked",
        means: "the console rejects the address (observed)",
        run: |receiver| Box::pin(length(receiver)),
        ..check("address-length", Level::Must)
    },
    Check {
        sends: "one whose signature is wrong in one digit, of another nonce, cut short, or made without a token",
        passes: "any answer without the echostr in it, or an error that quotes it",
        means: "the receiver seems to know any token; and what checks nothing here often checks nothing \
                elsewhere",
        run: |receiver| Box::pin(wrong(receiver)),
        ..check("address-wrong-signature", Level::Must)
    },
    Check {
        sends: "one with an echostr and nothing else",
        passes: "any answer without the echostr in it, or an error that quotes it",
        means: "your domain returns whatever anyone sends",
        run: |receiver| Box::pin(unsigned(receiver)),
        ..check("address-unsigned", Level::Must)
    },
    Check {
        sends: "one without a valid signature and with a script as echostr",
        passes: "any answer without the script in it",
        means: "cross-site scripting on your domain (as in CVE-2021-43678)",
        run: |receiver| Box::pin(script(receiver)),
        ..check("address-script", Level::Must)
    },
    Check {
        sends: "a signed one whose echostr was replaced by a script: the signature does not cover it",
        passes: "a refusal, or an answer whose Content-Type no browser renders",
        means: "anyone who captures one signed request can make your domain serve a script",
        run: |receiver| Box::pin(signed_script(receiver)),
        ..check("address-signed-script", Level::Should)
    },
    Check {
        sends: "a signed one whose echostr was replaced by 4000 digits: WeChat's has up to 19",
        passes: "a refusal, or any answer without the echostr in it",
        means: "anyone who captures one signed request can make your domain return any text, at any length",
        run: |receiver| Box::pin(long_echostr(receiver)),
        ..check("address-long-echostr", Level::Should)
    },
    Check {
        sends: "a signed one with an empty echostr, and one without any parameters",
        passes: "any answer with a status below 500",
        means: "nothing in WeChat; but scanners send it, and each one is an error in your logs",
        run: |receiver| Box::pin(bare(receiver)),
        ..check("address-bare", Level::Should)
    },
];

pub async fn right(receiver: &Receiver) -> Outcome {
    confirmed(&receiver.exchange(receiver.wechat.address_check(now())).await)
}

fn confirmed(exchange: &Exchange) -> Outcome {
    match exchange.verdict {
        Verdict::Confirmed => Ok(String::new()),
        _ => fail(exchange.seen()),
    }
}

async fn digits(receiver: &Receiver) -> Outcome {
    receiver.needs_confirmation()?;
    for echostr in ["9007199254740993", "9223372036854775807", "0012345678901234567"] {
        let mut request = receiver.wechat.address_check(now());
        request.query = with(&request.query, "echostr", Some(echostr));
        let exchange = receiver.exchange(request).await;
        match &exchange.came {
            Ok(answered) if answered.status == 200 && answered.body == echostr.as_bytes() => {}
            came => return fail(format!("{} for {echostr}", super::receiver::seen(came))),
        }
    }
    Ok(String::new())
}

async fn sorting(receiver: &Receiver) -> Outcome {
    receiver.needs_confirmation()?;
    for nonce in ["9", "1", "10000000000"] {
        let mut request = receiver.wechat.address_check(now());
        let timestamp = parameter(&request.query, "timestamp").to_owned();
        let signature = sha1([&*receiver.account.token, &*timestamp, nonce]);
        request.query = with(&with(&request.query, "nonce", Some(nonce)), "signature", Some(&signature));
        let exchange = receiver.exchange(request).await;
        if exchange.verdict != Verdict::Confirmed {
            return fail(format!("for the nonce {nonce} and the timestamp {timestamp}: {}", exchange.seen()));
        }
    }
    Ok(String::new())
}

async fn length(receiver: &Receiver) -> Outcome {
    let exchange = receiver.exchange(receiver.wechat.address_check(now())).await;
    has_length(&exchange)
}

/// Fails unless the length of the answer stands in its head.
pub fn has_length(exchange: &Exchange) -> Outcome {
    let Ok(answered) = &exchange.came else { return fail(exchange.seen()) };
    match answered.headers.get("transfer-encoding") {
        Some(encoding) => fail(format!("Transfer-Encoding: {}", encoding.to_str().unwrap_or_default())),
        None if !answered.has_length() => fail("no Content-Length"),
        None => Ok(String::new()),
    }
}

async fn wrong(receiver: &Receiver) -> Outcome {
    let genuine = receiver.wechat.address_check(now());
    let query = &genuine.query;
    let signature = parameter(query, "signature");
    let nobodys = sha1([parameter(query, "timestamp"), parameter(query, "nonce")]);
    let other_nonce = altered(parameter(query, "nonce"));
    let forged = [
        with(query, "signature", Some(&altered(signature))),
        with(query, "nonce", Some(&other_nonce)),
        with(query, "signature", signature.get(..8)),
        with(query, "signature", Some("")),
        with(query, "signature", Some(&nobodys)),
    ];
    for query in forged {
        not_confirmed(receiver, query).await?;
    }
    Ok(String::new())
}

/// Fails if the echostr comes back as if it were confirmed: an error page may quote it.
async fn not_confirmed(receiver: &Receiver, query: String) -> Outcome {
    not_echoed(receiver, query, 400).await
}

/// Fails if the echostr comes back with a status below this.
async fn not_echoed(receiver: &Receiver, query: String, below: u16) -> Outcome {
    let mut request = receiver.wechat.address_check(now());
    request.query = query;
    let exchange = receiver.answer_to_forged(request).await?;
    let echostr = decoded(parameter(&exchange.request.query, "echostr"));
    match &exchange.came {
        Ok(answered) if answered.status < below && String::from_utf8_lossy(&answered.body).contains(&echostr) => {
            let query = shortened(&exchange.request.query);
            fail(format!("{} for ?{query}", super::receiver::seen(&exchange.came)))
        }
        _ => Ok(String::new()),
    }
}

const SCRIPT: &str = "<script>alert(1)</script>";
const ENCODED: &str = "%3Cscript%3Ealert(1)%3C/script%3E";

fn decoded(echostr: &str) -> String {
    echostr.replace(ENCODED, SCRIPT)
}

async fn unsigned(receiver: &Receiver) -> Outcome {
    let query = receiver.wechat.address_check(now()).query;
    let echostr = parameter(&query, "echostr");
    not_confirmed(receiver, format!("echostr={echostr}")).await?;
    not_confirmed(receiver, with(&query, "signature", None)).await
}

async fn script(receiver: &Receiver) -> Outcome {
    not_echoed(receiver, format!("echostr={ENCODED}"), u16::MAX).await?;
    let query = receiver.wechat.address_check(now()).query;
    let query = with(&query, "signature", Some(&altered(parameter(&query, "signature"))));
    not_echoed(receiver, with(&query, "echostr", Some(ENCODED)), u16::MAX).await
}

async fn signed_script(receiver: &Receiver) -> Outcome {
    let mut request = receiver.wechat.address_check(now());
    request.query = with(&request.query, "echostr", Some(ENCODED));
    let exchange = receiver.answer_to_forged(request).await?;
    let Ok(answered) = &exchange.came else { return Ok(String::new()) };
    if !String::from_utf8_lossy(&answered.body).contains(SCRIPT) {
        return Ok(String::new());
    }
    let header = |name| answered.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let content_type = header("content-type").to_ascii_lowercase();
    let never_sniffed = header("x-content-type-options").eq_ignore_ascii_case("nosniff");
    match content_type.split(';').next().unwrap_or_default().trim() {
        "text/plain" | "application/octet-stream" | "application/json" => Ok(String::new()),
        "" if never_sniffed => Ok(String::new()),
        "" => fail("it comes back without a Content-Type, and browsers guess"),
        content_type => fail(format!("it comes back as {content_type}")),
    }
}

async fn long_echostr(receiver: &Receiver) -> Outcome {
    let query = receiver.wechat.address_check(now()).query;
    not_confirmed(receiver, with(&query, "echostr", Some(&"7".repeat(4000)))).await
}

async fn bare(receiver: &Receiver) -> Outcome {
    let signed = receiver.wechat.address_check(now());
    let empty = with(&signed.query, "echostr", Some(""));
    for query in [empty, String::new()] {
        let mut request = signed.clone();
        request.query = query;
        let exchange = receiver.exchange(request).await;
        match &exchange.came {
            Ok(answered) if answered.status < 500 => {}
            came => return fail(format!("{} for ?{}", super::receiver::seen(came), exchange.request.query)),
        }
    }
    Ok(String::new())
}
