//! What usually causes a fault.

use wechat_events::event::Takes;
use wechat_events::testing::{Reason, Verdict};

use crate::shown::is_asked_by_wechat;
use crate::wire::Lost;

/// What to look at first, where WeChat is not content with the answer to what takes that; `lost` says why there is no
/// answer, if it is not only late.
pub fn hint_to(takes: Takes, verdict: &Verdict, lost: Option<&Lost>) -> Option<String> {
    let reason = match verdict {
        Verdict::Ignored(reason)
        | Verdict::FaultLine(reason)
        | Verdict::PushedAgain(reason)
        | Verdict::GivenUp(reason)
        | Verdict::Refused(reason) => reason,
        _ => return None,
    };
    if let Some(lost) = lost {
        return lost.hint.clone();
    }
    let is_late = matches!(reason, Reason::Silence | Reason::TooLate { .. });
    match verdict {
        Verdict::Refused(_) if is_late => {
            Some("WeChat waits 5 s: the check of the address needs nothing but the echostr.".to_owned())
        }
        _ if is_late && is_asked_by_wechat(takes) => {
            Some("WeChat waits 3 s. What takes longer is answered with a code other than 0: it comes again.".to_owned())
        }
        _ => hint(reason),
    }
}

/// What to look at first, where WeChat did not take an answer; `None` where the reason says it all.
pub fn hint(reason: &Reason) -> Option<String> {
    let hint = match reason {
        Reason::Silence | Reason::TooLate { .. } => {
            "WeChat waits 5 s. Answer `success` in time, and send what takes longer by the customer-service API."
        }
        Reason::Status { status: 300..=399 } => "A redirect is no answer: use the address that it leads to.",
        Reason::Status { status: 401 | 403 } => {
            "The receiver does not believe that WeChat sent it. Are token, mode, app id and key the same on both sides?"
        }
        Reason::Status { status: 404 } => "Is the path right? WeChat sends to exactly the address that it is given.",
        Reason::Status { status: 405 } => "The address check is a GET, pushes are POSTs: the route has to take both.",
        Reason::Status { status: 411 | 413 } => "The receiver does not take a body of that length.",
        Reason::Status { status: 415 } => "The route has to take bodies of the type text/xml, and read them raw.",
        Reason::Status { status: 400 | 422 } => {
            "The receiver cannot read it. The body has to reach it raw: a form or JSON reader in front would fail."
        }
        Reason::Status { status: 502..=504 } => "That is a proxy's answer: it does not reach the receiver behind it.",
        Reason::Status { status: 500..=599 } => "The receiver failed: its log says at what.",
        Reason::Status { status: 200..=299 } => "WeChat takes the status 200 alone.",
        Reason::Echostr { found, .. } if found.is_empty() => "The answer is empty: the echostr has to be its body.",
        Reason::Echostr { echostr, found } if found == &format!("\"{echostr}\"") => {
            "A framework wrote it as a JSON string: answer plain text."
        }
        Reason::Echostr { echostr, found } if found.trim() == echostr => "White space around it: take it away.",
        Reason::Echostr { found, .. } if found.starts_with('\u{FEFF}') => {
            "A byte order mark stands in front: save the source without one."
        }
        Reason::Echostr { found, .. } if is_page(found) => PAGE,
        Reason::Echostr { .. } => "Answer the parameter echostr of the query as it is, and nothing else.",
        Reason::NotXml { found, .. } if is_page(found) => PAGE,
        Reason::NotXml { found, .. } if matches!(found.trim(), "\"success\"" | "'success'" | "\"\"") => {
            "A framework wrote it as a JSON string: answer plain text, without the quotes."
        }
        Reason::NotXml { found, .. } if found.trim().eq_ignore_ascii_case("success") => {
            "`success` is seven small letters, with nothing around them."
        }
        Reason::NotXml { found, .. } if found.starts_with('\u{1F}') => {
            "It is compressed, which WeChat has not asked for."
        }
        Reason::NotXml { reason, .. } if reason.contains("utf-8") => "It is not in UTF-8, but in GBK perhaps.",
        Reason::NotXml { found, .. } if !found.trim_start().starts_with('<') => {
            "A text by itself is no reply: put it into the XML of a reply, or answer `success`."
        }
        Reason::NotXml { reason, .. } if reason.contains("non-XML character") => {
            "XML has no place for control characters: take them out of what goes into a reply."
        }
        Reason::NotXml { reason, .. }
            if ["never closed", "unexpected end", "expected ']]>'"].iter().any(|it| reason.contains(it)) =>
        {
            "The end is missing: is the Content-Length that of the bytes, not that of the characters?"
        }
        Reason::NotXml { .. } => "Was `&` or `<` written as it is? Values belong in CDATA, with `]]>` split.",
        Reason::ByteOrderMark => "Save the source or the template without one.",
        Reason::Format => "A push in XML is answered in XML, one in JSON in JSON.",
        Reason::Sealed => "The receiver has an AES key. Is it in another mode? See --mode, --app-id and --aes-key.",
        Reason::NotSealed => "Is the receiver in plaintext or compatible mode? See --mode.",
        Reason::SealedSuccess => "Answer `success` as it is in every mode.",
        Reason::MsgSignature => {
            "It is the SHA-1 of token, TimeStamp, Nonce and Encrypt, sorted as texts and joined, in small hex digits."
        }
        Reason::Open(_) => "Are app id and AES key the same on both sides?",
        Reason::TakesNone { .. } => "Answer `success`.",
        Reason::TakesCode { .. } => CODE,
        Reason::TakesOpinion { .. } => {
            "Answer result_code (0: pay back, 1: do not), result_info and evidence, in the push's form."
        }
        Reason::Code { .. } => "The receiver itself says that it is not done: its log may say why. Code 0 ends it.",
        Reason::SealedCode => "Answer a mini game's push in the clear, also in safe mode.",
        Reason::Missing { field: "ErrCode" } => CODE,
        Reason::Root { .. } => "Names of elements are case-sensitive.",
        Reason::Missing { .. } => "It has to be there and not empty, and names of elements are case-sensitive.",
        Reason::Unexpected { field: "ToUserName" | "FromUserName", .. } => {
            "A reply goes back: its ToUserName is the push's FromUserName, and the other way round."
        }
        Reason::Unexpected { field: "CreateTime", .. } => "CreateTime is in seconds since 1970.",
        Reason::TooLong { .. } => "Cut it at a character, or send the rest by the customer-service API.",
        Reason::Articles { .. } => {
            "Answer a message of the follower's with one article, an event with up to eight. Of more, the official page \
             says that the first are shown; it used to say that nothing is."
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

/// What a payment asks for.
pub const CODE: &str = "Answer code 0 once the goods are in the books, in the push's form: \
                        <xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>, \
                        or {\"ErrCode\":0,\"ErrMsg\":\"success\"} to JSON.";

const PAGE: &str = "That is a page for people: an error page, or a proxy or login in front of the receiver.";

fn is_page(body: &str) -> bool {
    let start: String = body.trim_start().chars().take(14).collect::<String>().to_lowercase();
    start.starts_with("<!doctype html") || start.starts_with("<html")
}

#[cfg(test)]
mod tests {
    use wechat_events::testing::{Answer, Verdict, WeChat};

    use super::*;

    /// For an answer to a text in plaintext mode.
    fn of_answer(status: u16, body: impl AsRef<[u8]>) -> Option<String> {
        let wechat = WeChat::plain("token").unwrap();
        let request = wechat.push("text").request(1_700_000_000);
        let Verdict::FaultLine(reason) = wechat.judge(&request, Answer::new(status, body.as_ref())) else { panic!() };
        hint(&reason)
    }

    /// For an answer to the address check, made from the echostr.
    fn of_echo(body: impl Fn(&str) -> String) -> Option<String> {
        let wechat = WeChat::plain("token").unwrap();
        let request = wechat.address_check(1_700_000_000);
        let echostr = request.query.split_once("echostr=").unwrap().1;
        let Verdict::Refused(reason) = wechat.judge(&request, Answer::new(200, body(echostr))) else { panic!() };
        hint(&reason)
    }

    #[test]
    fn each_usual_slip_has_its_own_hint() {
        let quoted = "A framework wrote it as a JSON string: answer plain text, without the quotes.";
        assert_eq!(of_answer(200, r#""success""#).as_deref(), Some(quoted));
        let around = "`success` is seven small letters, with nothing around them.";
        assert_eq!(of_answer(200, "success\n").as_deref(), Some(around));
        assert_eq!(of_answer(200, "<!DOCTYPE html><p>Hello").as_deref(), Some(PAGE));
        let bare = "A text by itself is no reply: put it into the XML of a reply, or answer `success`.";
        assert_eq!(of_answer(200, "hello").as_deref(), Some(bare));
        let raw = "Was `&` or `<` written as it is? Values belong in CDATA, with `]]>` split.";
        assert_eq!(of_answer(200, "<xml><Content>a & b</Content></xml>").as_deref(), Some(raw));
        let route = "The address check is a GET, pushes are POSTs: the route has to take both.";
        assert_eq!(of_answer(405, "").as_deref(), Some(route));
        let case = "Names of elements are case-sensitive.";
        assert_eq!(of_answer(200, "<Xml></Xml>").as_deref(), Some(case));
        let missing = "It has to be there and not empty, and names of elements are case-sensitive.";
        assert_eq!(of_answer(200, "<xml><toUserName>o_1</toUserName></xml>").as_deref(), Some(missing));
        let control = "XML has no place for control characters: take them out of what goes into a reply.";
        assert_eq!(of_answer(200, "<xml><Content>\u{1B}</Content></xml>").as_deref(), Some(control));
        let cut = "The end is missing: is the Content-Length that of the bytes, not that of the characters?";
        for answer in ["<xml><Content>hi</Content>", "<xml><Content>hi</Conte", "<xml><Content><![CDATA[hi"] {
            assert_eq!(of_answer(200, answer).as_deref(), Some(cut), "{answer}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_told_what_they_may_be() {
        let gbk = "It is not in UTF-8, but in GBK perhaps.";
        assert_eq!(of_answer(200, b"<xml><Content>\xC4\xE3\xBA\xC3</Content></xml>").as_deref(), Some(gbk));
        let gzip = "It is compressed, which WeChat has not asked for.";
        assert_eq!(of_answer(200, b"\x1F\x8B\x08\0\0\0\0\0\0\x03").as_deref(), Some(gzip));
    }

    #[test]
    fn what_a_payment_asks_for_is_told() {
        let wechat = WeChat::plain("token").unwrap();
        let of = |name: &str, body: &str| {
            let verdict = wechat.judge(&wechat.push(name).request(1_700_000_000), Answer::new(200, body));
            hint_to(Takes::Code, &verdict, None)
        };
        let goods = "xpay_goods_deliver_notify";
        for body in ["success", "", "<xml><errcode>0</errcode></xml>"] {
            assert_eq!(of(goods, body).as_deref(), Some(CODE), "{body}");
        }
        let code = "The receiver itself says that it is not done: its log may say why. Code 0 ends it.";
        assert_eq!(of(goods, "<xml><ErrCode>-1</ErrCode></xml>").as_deref(), Some(code));
        let form = "A push in XML is answered in XML, one in JSON in JSON.";
        assert_eq!(of(goods, r#"{"ErrCode":0}"#).as_deref(), Some(form));
        let opinion = "Answer result_code (0: pay back, 1: do not), result_info and evidence, in the push's form.";
        assert_eq!(of("xpay_subscribe_ios_refund_query_notify", "success").as_deref(), Some(opinion));
        assert_eq!(of(goods, "<xml><ErrCode>0</ErrCode></xml>"), None);
    }

    #[test]
    fn what_is_late_is_told_what_waits() {
        let late = Reason::Silence;
        let push = hint_to(Takes::Reply, &Verdict::FaultLine(late.clone()), None).unwrap();
        assert!(push.starts_with("WeChat waits 5 s. Answer `success` in time"), "{push}");
        let check = "WeChat waits 5 s: the check of the address needs nothing but the echostr.";
        assert_eq!(hint_to(Takes::Success, &Verdict::Refused(late.clone()), None).as_deref(), Some(check));
        let code = "WeChat waits 3 s. What takes longer is answered with a code other than 0: it comes again.";
        for verdict in [Verdict::PushedAgain(late.clone()), Verdict::GivenUp(late.clone())] {
            assert_eq!(hint_to(Takes::Code, &verdict, None).as_deref(), Some(code));
        }
        assert_eq!(hint_to(Takes::Code, &Verdict::Silent, None), None);
    }

    #[test]
    fn an_echo_that_is_not_alone_is_told_what_is_around_it() {
        let quoted = "A framework wrote it as a JSON string: answer plain text.";
        assert_eq!(of_echo(|echostr| format!("\"{echostr}\"")).as_deref(), Some(quoted));
        let space = "White space around it: take it away.";
        assert_eq!(of_echo(|echostr| format!("{echostr}\n")).as_deref(), Some(space));
        let mark = "A byte order mark stands in front: save the source without one.";
        assert_eq!(of_echo(|echostr| format!("\u{FEFF}{echostr}")).as_deref(), Some(mark));
        let empty = "The answer is empty: the echostr has to be its body.";
        assert_eq!(of_echo(|_| String::new()).as_deref(), Some(empty));
        let other = "Answer the parameter echostr of the query as it is, and nothing else.";
        assert_eq!(of_echo(|_| "success".to_owned()).as_deref(), Some(other));
    }
}
