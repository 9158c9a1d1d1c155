//! XML as it arrives, and what is not XML.

use futures_util::future::join_all;
use wechat_events::testing::{Request, Verdict};

use super::receiver::{Genuine, Receiver, xml};
use super::{ALL, Check, Group, Level, Outcome, SEALED, fail, skip};
use crate::account::{Mode, now};

const SAME: &str = "the same reply as to the usual text; without `echo`, anything WeChat accepts";
const LOST: &str = "the push is lost, or the user sees the fault line";

pub const CHECKS: &[Check] = &[
    must("xml-other-order", "a text whose elements stand in another order", SAME, LOST, |receiver| {
        Box::pin(other_order(receiver))
    }),
    must("xml-extra-elements", "a text with additional elements, some nested", SAME, LOST, |receiver| {
        Box::pin(extra_elements(receiver))
    }),
    must(
        "xml-white-space",
        "a text with white space around CDATA, and none between elements",
        SAME,
        LOST,
        |receiver| Box::pin(white_space(receiver)),
    ),
    Check {
        level: Level::Should,
        ..must("xml-references", "a text without CDATA, with entities and references", SAME, LOST, |receiver| {
            Box::pin(references(receiver))
        })
    },
    Check {
        level: Level::Should,
        ..must(
            "xml-bare-ampersand",
            "texts with a bare & in an element without CDATA: H&M, as in an official sample",
            SAME,
            "the push is lost; which pushes WeChat writes like this is not known",
            |receiver| Box::pin(bare_ampersand(receiver)),
        )
    },
    Check {
        level: Level::Should,
        ..must(
            "xml-unsplit-cdata-end",
            "texts with ]]> inside, at the end, and as a whole CDATA section, exactly as typed",
            SAME,
            "texts with code or XML are lost: WeChat seems not to split ]]> (as another SDK's errors show)",
            |receiver| Box::pin(unsplit_cdata_end(receiver)),
        )
    },
    Check {
        level: Level::Should,
        ..must("xml-declaration", "a text after an XML declaration or a byte order mark", SAME, LOST, |receiver| {
            Box::pin(declaration(receiver))
        })
    },
    must(
        "xml-query",
        "a text with its parameters in another order, one more, and in plain mode encrypt_type=raw",
        SAME,
        LOST,
        |receiver| Box::pin(query(receiver)),
    ),
    must(
        "xml-large-msg-id",
        "two texts whose MsgIds are over 2^53 and one apart",
        SAME,
        "only one of two users gets an answer: the ids are read as floating-point numbers and become equal",
        |receiver| Box::pin(large_msg_id(receiver)),
    ),
    must("xml-odd-msg-id", "texts whose MsgId is not a number, and one without (observed)", SAME, LOST, |receiver| {
        Box::pin(odd_msg_id(receiver))
    }),
    Check {
        level: Level::Should,
        ..must(
            "xml-surrogates",
            "a text with &#55357; in it, which is not a character",
            "anything WeChat accepts",
            "the user sees the fault line; whether WeChat sends it is not known",
            |receiver| Box::pin(surrogates(receiver)),
        )
    },
    Check {
        level: Level::Should,
        ..must(
            "xml-broken-utf8",
            "a text with bytes that are not UTF-8",
            "anything WeChat accepts",
            "the user sees the fault line; whether WeChat sends it is not known",
            |receiver| Box::pin(broken_utf8(receiver)),
        )
    },
    Check {
        level: Level::Should,
        ..must(
            "xml-unreadable",
            "correctly signed and encrypted: text that is not XML, half a push, an HTML page",
            "`success` or an empty body: WeChat sent it, and a retry would not help",
            "an alarm and the fault line, though it is not your fault",
            |receiver| Box::pin(unreadable(receiver)),
        )
    },
    must(
        "xml-empty-body",
        "a correctly signed push with an empty body",
        "any answer with a status below 500",
        "nothing in WeChat; but scanners send it, and each one is an error in your logs",
        |receiver| Box::pin(empty_body(receiver)),
    ),
    Check {
        modes: SEALED,
        ..must(
            "xml-envelope-order",
            "an encrypted text with Encrypt first, white space around it, elements after it",
            SAME,
            LOST,
            |receiver| Box::pin(envelope_order(receiver)),
        )
    },
];

const fn must(
    id: &'static str,
    sends: &'static str,
    passes: &'static str,
    means: &'static str,
    run: for<'r> fn(&'r Receiver) -> super::Running<'r>,
) -> Check {
    Check { id, group: Group::Xml, level: Level::Must, modes: ALL, sends, passes, means, run }
}

/// The parts of a text that is answered with `mark`.
struct Parts {
    mark: String,
    user: String,
    created: String,
    msg_id: String,
    content: String,
}

impl Parts {
    fn new(receiver: &Receiver) -> Parts {
        let mark = receiver.mark();
        Parts {
            content: format!("echo {mark}"),
            mark,
            user: receiver.user(),
            created: now().to_string(),
            msg_id: receiver.msg_id(),
        }
    }

    fn fields(&self) -> [(&str, &str); 6] {
        [
            ("ToUserName", "gh_ebc88566ca2e"),
            ("FromUserName", &self.user),
            ("CreateTime", &self.created),
            ("MsgType", "text"),
            ("Content", &self.content),
            ("MsgId", &self.msg_id),
        ]
    }
}

/// Sends each form of a text; fails unless each is replied to as the usual form is.
async fn handled(receiver: &Receiver, forms: impl IntoIterator<Item = fn(&Parts) -> Vec<u8>>) -> Outcome {
    receiver.needs_genuine()?;
    let sent = forms.into_iter().map(|form| async move {
        let parts = Parts::new(receiver);
        let mut request = receiver.wechat.raw(form(&parts)).request(now());
        // Whose reply it is does not depend on how the push was written.
        request.message = xml(&parts.fields()).into_bytes();
        (parts.mark, receiver.exchange(request).await)
    });
    for (mark, exchange) in join_all(sent).await {
        same(receiver, &exchange, &mark)?;
    }
    Ok(receiver.unseen())
}

/// Fails unless it was answered as a text is.
fn same(receiver: &Receiver, exchange: &super::receiver::Exchange, mark: &str) -> Outcome {
    let replied = matches!(exchange.verdict, Verdict::Accepted(_));
    let expected = match receiver.genuine {
        _ if receiver.knows.echo => exchange.content().as_deref() == Some(mark),
        Genuine::Reply => replied,
        _ => exchange.is_taken(),
    };
    if expected { Ok(String::new()) } else { fail(format!("for `echo {mark}`: {}", exchange.seen())) }
}

async fn other_order(receiver: &Receiver) -> Outcome {
    let backwards = |parts: &Parts| {
        let mut fields = parts.fields();
        fields.reverse();
        xml(&fields).into_bytes()
    };
    let content_first = |parts: &Parts| {
        let [to, from, created, msg_type, content, msg_id] = parts.fields();
        xml(&[content, msg_type, to, msg_id, from, created]).into_bytes()
    };
    handled(receiver, [backwards as fn(&Parts) -> Vec<u8>, content_first]).await
}

async fn extra_elements(receiver: &Receiver) -> Outcome {
    let forms: [fn(&Parts) -> Vec<u8>; 2] = [
        |parts| {
            let [to, from, created, msg_type, content, msg_id] = parts.fields();
            let url = ("URL", "http://example.com/wechat?a=1&b=2");
            xml(&[url, to, ("AgentID", "1"), from, created, msg_type, ("bizmsgmenuid", "101"), content, msg_id])
                .into_bytes()
        },
        |parts| {
            let usual = xml(&parts.fields());
            let nested = "<Extra><MsgType>event</MsgType><Content>wrong</Content><item/></Extra>";
            usual.replacen("<xml>", &format!("<xml>{nested}"), 1).into_bytes()
        },
    ];
    handled(receiver, forms).await
}

async fn white_space(receiver: &Receiver) -> Outcome {
    let forms: [fn(&Parts) -> Vec<u8>; 3] = [
        |parts| xml(&parts.fields()).replace("<![CDATA[", " <![CDATA[").replace("]]></", "]]> </").into_bytes(),
        |parts| xml(&parts.fields()).replace('\n', "").into_bytes(),
        |parts| xml(&parts.fields()).replace('\n', "\r\n\t  ").into_bytes(),
    ];
    handled(receiver, forms).await
}

async fn references(receiver: &Receiver) -> Outcome {
    let form: fn(&Parts) -> Vec<u8> = |parts| {
        let bare: String = parts.fields().iter().map(|(name, value)| format!("<{name}>{value}</{name}>")).collect();
        format!("<xml>{}</xml>", bare.replace("echo ", "&#101;cho&#x20;")).into_bytes()
    };
    handled(receiver, [form]).await
}

/// Sends texts whose Content is written like this, with the mark for MARK; fails unless `echo` gives what is meant.
async fn read(receiver: &Receiver, contents: &[(&str, &str)]) -> Outcome {
    receiver.needs_genuine()?;
    let sent = contents.iter().map(|(written, meant)| async move {
        let parts = Parts::new(receiver);
        let usual = xml(&parts.fields());
        let push = usual.replace(&format!("<![CDATA[{}]]>", parts.content), &written.replace("MARK", &parts.mark));
        let mut request = receiver.wechat.raw(push).request(now());
        request.message = usual.into_bytes();
        (meant.replace("MARK", &parts.mark), receiver.exchange(request).await)
    });
    for (meant, exchange) in join_all(sent).await {
        // That a reply is not escaped is for text-cdata-end and text-markup to say: here it shows that the push was read.
        if !exchange.message(receiver).is_some_and(|reply| reply.contains(&meant)) {
            same(receiver, &exchange, &meant)?;
        }
    }
    Ok(receiver.unseen())
}

async fn bare_ampersand(receiver: &Receiver) -> Outcome {
    read(receiver, &[("echo MARK H&M", "MARK H&M"), ("echo &MARK&", "&MARK&")]).await
}

async fn unsplit_cdata_end(receiver: &Receiver) -> Outcome {
    let contents = [
        ("<![CDATA[echo MARK if (a[b[0]]>1) return;]]>", "MARK if (a[b[0]]>1) return;"),
        ("<![CDATA[echo MARK]]>]]>", "MARK]]>"),
        ("<![CDATA[echo <Name><![CDATA[MARK]]></Name>]]>", "<Name><![CDATA[MARK]]></Name>"),
    ];
    read(receiver, &contents).await
}

async fn declaration(receiver: &Receiver) -> Outcome {
    let forms: [fn(&Parts) -> Vec<u8>; 2] = [
        |parts| format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", xml(&parts.fields())).into_bytes(),
        |parts| format!("\u{FEFF}{}", xml(&parts.fields())).into_bytes(),
    ];
    handled(receiver, forms).await
}

async fn query(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    let backwards = |query: &str| query.rsplit('&').collect::<Vec<_>>().join("&");
    let more = |query: &str| match receiver.mode {
        Mode::Plain => format!("a=1&{query}&encrypt_type=raw"),
        Mode::Compatible | Mode::Safe => format!("a=1&{query}&b"),
    };
    for change in [&backwards as &(dyn Fn(&str) -> String + Sync), &more] {
        let mark = receiver.mark();
        let mut request = receiver.text(&format!("echo {mark}")).request(now());
        request.query = change(&request.query);
        same(receiver, &receiver.exchange(request).await, &mark)?;
    }
    Ok(receiver.unseen())
}

async fn large_msg_id(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    // 2⁵⁴ and more, in steps of which a double knows every fourth.
    let first = 1 << 54 | receiver.number() << 3;
    let mut came = Vec::new();
    for msg_id in [first, first + 1] {
        let parts = Parts { msg_id: msg_id.to_string(), ..Parts::new(receiver) };
        let exchange = receiver.exchange(receiver.wechat.raw(xml(&parts.fields())).request(now())).await;
        came.push((parts.mark, exchange));
    }
    for (mark, exchange) in &came {
        same(receiver, exchange, mark)?;
    }
    Ok(receiver.unseen())
}

async fn odd_msg_id(receiver: &Receiver) -> Outcome {
    let forms: [fn(&Parts) -> Vec<u8>; 3] = [
        |parts| {
            let [to, from, created, msg_type, content, _] = parts.fields();
            let msg_id = format!("49d72d67-b5d9-{}_1555684067", parts.msg_id);
            xml(&[to, from, created, msg_type, content, ("MsgId", &msg_id)]).into_bytes()
        },
        |parts| {
            let [to, from, created, msg_type, content, _] = parts.fields();
            xml(&[to, from, created, msg_type, content, ("MsgId", &format!("CAEQ{}+/=", parts.msg_id))]).into_bytes()
        },
        |parts| {
            let [to, from, created, msg_type, content, _] = parts.fields();
            xml(&[to, from, created, msg_type, content]).into_bytes()
        },
    ];
    handled(receiver, forms).await
}

async fn surrogates(receiver: &Receiver) -> Outcome {
    let parts = Parts::new(receiver);
    let push = xml(&parts.fields())
        .replace(&format!("<![CDATA[{}]]>", parts.content), &format!("{} &#55357;&#56832; &#xD83D;", parts.content));
    let mut request = receiver.wechat.raw(push).request(now());
    request.message = xml(&parts.fields()).into_bytes();
    receiver.takes(request).await.map(|_| String::new())
}

async fn broken_utf8(receiver: &Receiver) -> Outcome {
    let parts = Parts::new(receiver);
    let usual = xml(&parts.fields());
    let (front, behind) = usual.split_once(&parts.mark).unwrap_or_default();
    let push = [front.as_bytes(), b"\xff\xfe\xe4\xbd", behind.as_bytes()].concat();
    let mut request = receiver.wechat.raw(push).request(now());
    request.message = usual.clone().into_bytes();
    receiver.takes(request).await.map(|_| String::new())
}

async fn unreadable(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    let usual = xml(&Parts::new(receiver).fields());
    let half = usual.split_at(usual.len() / 2).0;
    for push in ["hello", half, "<!DOCTYPE html><html><body><p>Bad Gateway<br></body></html>", "<xml></xml>"] {
        // In compatible mode WeChat writes an envelope that can be read, whatever it encrypts.
        let wechat = if receiver.mode == Mode::Plain { &receiver.wechat } else { &receiver.safe };
        let exchange = receiver.exchange(wechat.raw(push).request(now())).await;
        if !matches!(exchange.verdict, Verdict::Silent) {
            return fail(format!("for `{}`: {}", super::receiver::shortened(push), exchange.seen()));
        }
    }
    Ok(String::new())
}

async fn empty_body(receiver: &Receiver) -> Outcome {
    let mut request: Request = receiver.text("").request(now());
    request.body.clear();
    let exchange = receiver.exchange(request).await;
    match &exchange.came {
        Ok(answered) if answered.status < 500 => Ok(String::new()),
        _ => fail(exchange.seen()),
    }
}

async fn envelope_order(receiver: &Receiver) -> Outcome {
    receiver.needs_genuine()?;
    for (before, behind) in [("", "<AgentID>1</AgentID>"), ("<URL><![CDATA[http://example.com/]]></URL>\n", "")] {
        let mark = receiver.mark();
        let mut request = receiver.text(&format!("echo {mark}")).request(now());
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let Some((_, encrypt)) = body.split_once("<Encrypt>") else { return skip("nothing is encrypted") };
        let encrypt = encrypt.split("</Encrypt>").next().unwrap_or_default();
        let envelope = format!(
            "<xml>{before}<Encrypt> {encrypt} </Encrypt>{behind}<ToUserName><![CDATA[gh_ebc88566ca2e]]></ToUserName></xml>"
        );
        request.body = envelope.into_bytes();
        same(receiver, &receiver.exchange(request).await, &mark)?;
    }
    Ok(receiver.unseen())
}
