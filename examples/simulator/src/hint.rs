//! What usually causes a fault, and what to do about it.

use wechat_events::event::Takes;
use wechat_events::testing::{Reason, Verdict};

use crate::shown::is_asked_by_wechat;
use crate::wire::Lost;
use crate::words::Words;

/// What to look at first, where WeChat does not accept the answer to such a push, or the user sees nothing; `lost` says
/// why there is no answer, if it is not only late.
pub fn hint_to(takes: Takes, verdict: &Verdict, lost: Option<&Lost>) -> Option<Words> {
    let reason = match verdict {
        Verdict::Ignored(reason)
        | Verdict::FaultLine(reason)
        | Verdict::PushedAgain(reason)
        | Verdict::GivenUp(reason)
        | Verdict::Refused(reason) => reason,
        Verdict::Silent if takes == Takes::Reply => return Some(NO_REPLY),
        _ => return None,
    };
    if let Some(lost) = lost {
        return lost.hint.clone();
    }
    let is_late = matches!(reason, Reason::Silence | Reason::TooLate { .. });
    match verdict {
        Verdict::Refused(_) if is_late => Some(Words::new(
            "WeChat waits 5 s. Answering the address check takes nothing but its echostr.",
            "微信只等 5 秒。验证服务器地址时，只需原样返回 echostr。",
        )),
        _ if is_late && is_asked_by_wechat(takes) => Some(Words::new(
            "WeChat waits 3 s. If the work takes longer, return a code other than 0: the push comes again.",
            "微信只等 3 秒。来不及处理就先返回非 0 的错误码，微信会再次推送。",
        )),
        _ => hint(reason),
    }
}

/// What to look at first, where WeChat does not accept an answer; `None` where the reason says it all.
pub fn hint(reason: &Reason) -> Option<Words> {
    Some(match reason {
        Reason::Silence | Reason::TooLate { .. } => Words::new(
            "WeChat waits 5 s. Return `success` in time, and send a slow answer through the customer-service API.",
            "微信只等 5 秒。先及时返回 `success`，慢的回复用客服消息接口发送。",
        ),
        Reason::Status { status } => of_status(*status)?,
        Reason::Echostr { echostr, found } => of_echo(echostr, found),
        Reason::NotXml { found, reason } => of_body(found, reason),
        Reason::ByteOrderMark => {
            Words::new("Save the source file or the template without one.", "把源文件或模板保存为不带 BOM 的格式。")
        }
        Reason::Format => Words::new(
            "Answer a push in XML with XML, and one in JSON with JSON.",
            "XML 推送用 XML 回复，JSON 推送用 JSON 回复。",
        ),
        Reason::Sealed => Words::new(
            "The receiver has an AES key. Is it in another mode? See --mode, --app-id and --aes-key.",
            "服务端配置了 EncodingAESKey，是不是用了别的模式？见 --mode、--app-id 和 --aes-key。",
        ),
        Reason::NotSealed => Words::new(
            "Is the receiver in plaintext or compatible mode? See --mode.",
            "服务端是不是明文模式或兼容模式？见 --mode。",
        ),
        Reason::SealedSuccess => {
            Words::new("Return `success` unencrypted in every mode.", "不论哪种模式，`success` 都不加密，直接返回。")
        }
        Reason::MsgSignature => Words::new(
            "It is the SHA-1 of token, TimeStamp, Nonce and Encrypt, sorted as strings and joined, in lower-case hex.",
            "将 Token、TimeStamp、Nonce、Encrypt 按字典序排序后拼接，取 SHA-1 的小写十六进制。",
        ),
        Reason::Open(_) => {
            Words::new("Are app id and AES key the same on both sides?", "两边的 AppID 和 EncodingAESKey 是否一致？")
        }
        Reason::TakesNone { .. } => Words::new("Return `success`.", "返回 `success`。"),
        Reason::TakesCode { .. } | Reason::Missing { field: "ErrCode" } => CODE,
        Reason::TakesOpinion { .. } => Words::new(
            "Return result_code (0: refund, 1: do not), result_info and evidence, in the push's format.",
            "按推送的格式返回 result_code（0：同意退款，1：不同意）、result_info 和 evidence。",
        ),
        Reason::Code { .. } => Words::new(
            "The receiver itself says that it is not done: see its log. Code 0 ends the deliveries.",
            "服务端自己说还没处理好：请看它的日志。返回错误码 0，微信就不再推送。",
        ),
        Reason::SealedCode => Words::new(
            "Answer a mini game's push unencrypted, in safe mode too.",
            "小游戏的推送，即使在安全模式下也用明文响应。",
        ),
        Reason::Root { .. } => Words::new("Element names are case-sensitive.", "元素名区分大小写。"),
        Reason::Missing { .. } => Words::new(
            "It must be present and not empty. Element names are case-sensitive.",
            "这个元素必须有，且不能为空。元素名区分大小写。",
        ),
        Reason::Unexpected { field: "ToUserName" | "FromUserName", .. } => Words::new(
            "A reply goes the other way: its ToUserName is the push's FromUserName, and vice versa.",
            "回复的方向相反：ToUserName 填推送的 FromUserName，FromUserName 填推送的 ToUserName。",
        ),
        Reason::Unexpected { field: "CreateTime", .. } => {
            Words::new("CreateTime is in seconds since 1970.", "CreateTime 是 1970 年以来的秒数。")
        }
        Reason::TooLong { .. } => Words::new(
            "Cut it between two characters, or send the rest through the customer-service API.",
            "在两个字符之间截断，或者把剩下的用客服消息接口发送。",
        ),
        Reason::Articles { .. } => Words::new(
            "Reply to a user's message with one article, to an event with up to eight. Of more, the official page says \
             that the first are shown; it used to say that nothing is.",
            "回复用户消息只能有一篇图文，回复事件最多八篇。超出时，官方文档现在说只显示前面的，以前说什么也不显示。",
        ),
        _ => return None,
    })
}

fn of_status(status: u16) -> Option<Words> {
    Some(match status {
        200..=299 => Words::new("WeChat accepts no status but 200.", "微信只接受状态码 200。"),
        300..=399 => Words::new(
            "A redirect is not a valid answer: use the address that it leads to.",
            "不能返回重定向：请直接使用重定向后的地址。",
        ),
        401 | 403 => Words::new(
            "The receiver rejects the signature. Are token, mode, app id and key the same on both sides?",
            "服务端拒绝了签名。两边的 Token、加密模式、AppID 和密钥是否一致？",
        ),
        404 => Words::new(
            "Is the path right? WeChat calls exactly the address that it is given.",
            "路径对吗？微信请求的就是所填的地址，一字不差。",
        ),
        405 => Words::new(
            "The address check is a GET, pushes are POSTs: the route must handle both.",
            "验证服务器地址用 GET，推送用 POST：两种方法都要处理。",
        ),
        411 | 413 => Words::new("The receiver rejects a body of that length.", "服务端不接受这个长度的请求体。"),
        415 => Words::new(
            "The route must accept bodies of type text/xml, and read them raw.",
            "路由要接受 text/xml 类型的请求体，并读取原始字节。",
        ),
        400 | 422 => Words::new(
            "The receiver cannot read it. It needs the raw body: a form or JSON extractor in front of it fails.",
            "服务端读不懂这个请求。它需要原始请求体，前面不能有表单或 JSON 解析。",
        ),
        502..=504 => Words::new(
            "A proxy answers: it cannot reach the receiver behind it.",
            "这是代理的响应：代理连不上后面的服务端。",
        ),
        500..=599 => Words::new("The receiver failed: see its log.", "服务端出错了：请看它的日志。"),
        _ => return None,
    })
}

fn of_echo(echostr: &str, found: &str) -> Words {
    match found {
        "" => Words::new("The body is empty: return the echostr in it.", "响应体是空的：请在响应体中返回 echostr。"),
        _ if found == format!("\"{echostr}\"") => Words::new(
            "A framework wrote it as a JSON string: return plain text.",
            "框架把它写成了 JSON 字符串：请返回纯文本。",
        ),
        _ if found.trim() == echostr => Words::new("Remove the white space around it.", "请去掉前后的空白字符。"),
        _ if found.starts_with('\u{FEFF}') => Words::new(
            "It begins with a byte order mark: save the source file without one.",
            "开头有 BOM：请把源文件保存为不带 BOM 的格式。",
        ),
        _ if is_page(found) => PAGE,
        _ => Words::new(
            "Return the query's echostr as it is, and nothing else.",
            "原样返回 query 中的 echostr，不要带任何其他内容。",
        ),
    }
}

fn of_body(found: &str, reason: &str) -> Words {
    match found.trim() {
        _ if is_page(found) => PAGE,
        "\"success\"" | "'success'" | "\"\"" => Words::new(
            "A framework wrote it as a JSON string: return plain text, without the quotes.",
            "框架把它写成了 JSON 字符串：请返回纯文本，不要带引号。",
        ),
        word if word.eq_ignore_ascii_case("success") => Words::new(
            "`success` is seven lower-case letters, with nothing around them.",
            "`success` 是七个小写字母，前后不能有任何内容。",
        ),
        _ if found.starts_with('\u{1F}') => {
            Words::new("It is compressed, which WeChat did not ask for.", "响应被压缩了，而微信没有要求压缩。")
        }
        _ if reason.contains("utf-8") => Words::new("It is not UTF-8. Is it GBK?", "不是 UTF-8 编码，会不会是 GBK？"),
        text if !text.starts_with('<') => Words::new(
            "Bare text is not a reply: wrap it in the XML of a reply, or return `success`.",
            "直接返回文字不是有效的回复：请写成回复的 XML，或者返回 `success`。",
        ),
        _ if reason.contains("non-XML character") => Words::new(
            "XML allows no control characters: remove them from what goes into a reply.",
            "XML 不允许控制字符：请从回复的内容中去掉。",
        ),
        _ if ["never closed", "unexpected end", "expected ']]>'"].iter().any(|it| reason.contains(it)) => Words::new(
            "The end is missing. Does Content-Length count bytes, not characters?",
            "结尾不完整。Content-Length 是不是按字符数算的？应当按字节数算。",
        ),
        _ => Words::new(
            "Was `&` or `<` written unescaped? Put values in CDATA, and split `]]>`.",
            "是不是有没转义的 `&` 或 `<`？请把值放进 CDATA，并拆开其中的 `]]>`。",
        ),
    }
}

/// Why the user sees nothing, though a reply to the push would be shown.
pub const NO_REPLY: Words = Words::new(
    "The receiver returned `success` or an empty body, so the user sees nothing. To answer, return a reply, such as \
     <xml>…<MsgType>text</MsgType><Content>hello</Content></xml>.",
    "服务端返回了 `success` 或空响应，所以用户什么也看不到。要回复用户，请返回回复的 XML，例如 \
     <xml>…<MsgType>text</MsgType><Content>你好</Content></xml>。",
);

/// What a payment asks for.
pub const CODE: Words = Words::new(
    "Return code 0 once the goods are booked, in the push's format: \
     <xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>, \
     or {\"ErrCode\":0,\"ErrMsg\":\"success\"} to JSON.",
    "发货入账之后按推送的格式返回错误码 0：\
     <xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>，\
     JSON 推送返回 {\"ErrCode\":0,\"ErrMsg\":\"success\"}。",
);

const PAGE: Words = Words::new(
    "That is an HTML page: an error page, or a proxy or login in front of the receiver.",
    "这是一个 HTML 页面：可能是错误页，也可能是服务端前面的代理或登录页。",
);

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
        Some(hint(&reason)?.to_string())
    }

    /// For an answer to the address check, made from the echostr.
    fn of_echo(body: impl Fn(&str) -> String) -> Option<String> {
        let wechat = WeChat::plain("token").unwrap();
        let request = wechat.address_check(1_700_000_000);
        let echostr = request.query.split_once("echostr=").unwrap().1;
        let Verdict::Refused(reason) = wechat.judge(&request, Answer::new(200, body(echostr))) else { panic!() };
        Some(hint(&reason)?.to_string())
    }

    #[test]
    fn each_usual_slip_has_its_own_hint() {
        let quoted = "A framework wrote it as a JSON string: return plain text, without the quotes.";
        assert_eq!(of_answer(200, r#""success""#).as_deref(), Some(quoted));
        let around = "`success` is seven lower-case letters, with nothing around them.";
        assert_eq!(of_answer(200, "success\n").as_deref(), Some(around));
        assert_eq!(of_answer(200, "<!DOCTYPE html><p>Hello").as_deref(), Some(&*PAGE.en));
        let bare = "Bare text is not a reply: wrap it in the XML of a reply, or return `success`.";
        assert_eq!(of_answer(200, "hello").as_deref(), Some(bare));
        let raw = "Was `&` or `<` written unescaped? Put values in CDATA, and split `]]>`.";
        assert_eq!(of_answer(200, "<xml><Content>a & b</Content></xml>").as_deref(), Some(raw));
        let route = "The address check is a GET, pushes are POSTs: the route must handle both.";
        assert_eq!(of_answer(405, "").as_deref(), Some(route));
        let case = "Element names are case-sensitive.";
        assert_eq!(of_answer(200, "<Xml></Xml>").as_deref(), Some(case));
        let missing = "It must be present and not empty. Element names are case-sensitive.";
        assert_eq!(of_answer(200, "<xml><toUserName>o_1</toUserName></xml>").as_deref(), Some(missing));
        let control = "XML allows no control characters: remove them from what goes into a reply.";
        assert_eq!(of_answer(200, "<xml><Content>\u{1B}</Content></xml>").as_deref(), Some(control));
        let cut = "The end is missing. Does Content-Length count bytes, not characters?";
        for answer in ["<xml><Content>hi</Content>", "<xml><Content>hi</Conte", "<xml><Content><![CDATA[hi"] {
            assert_eq!(of_answer(200, answer).as_deref(), Some(cut), "{answer}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_told_what_they_may_be() {
        let gbk = "It is not UTF-8. Is it GBK?";
        assert_eq!(of_answer(200, b"<xml><Content>\xC4\xE3\xBA\xC3</Content></xml>").as_deref(), Some(gbk));
        let gzip = "It is compressed, which WeChat did not ask for.";
        assert_eq!(of_answer(200, b"\x1F\x8B\x08\0\0\0\0\0\0\x03").as_deref(), Some(gzip));
    }

    #[test]
    fn what_a_payment_asks_for_is_told() {
        let wechat = WeChat::plain("token").unwrap();
        let of = |name: &str, body: &str| {
            let verdict = wechat.judge(&wechat.push(name).request(1_700_000_000), Answer::new(200, body));
            hint_to(Takes::Code, &verdict, None).map(|hint| hint.to_string())
        };
        let goods = "xpay_goods_deliver_notify";
        for body in ["success", "", "<xml><errcode>0</errcode></xml>"] {
            assert_eq!(of(goods, body).as_deref(), Some(&*CODE.en), "{body}");
        }
        let code = "The receiver itself says that it is not done: see its log. Code 0 ends the deliveries.";
        assert_eq!(of(goods, "<xml><ErrCode>-1</ErrCode></xml>").as_deref(), Some(code));
        let form = "Answer a push in XML with XML, and one in JSON with JSON.";
        assert_eq!(of(goods, r#"{"ErrCode":0}"#).as_deref(), Some(form));
        let opinion = "Return result_code (0: refund, 1: do not), result_info and evidence, in the push's format.";
        assert_eq!(of("xpay_subscribe_ios_refund_query_notify", "success").as_deref(), Some(opinion));
        assert_eq!(of(goods, "<xml><ErrCode>0</ErrCode></xml>"), None);
    }

    #[test]
    fn what_is_late_is_told_what_waits() {
        let late = Reason::Silence;
        let hint_to = |takes, verdict: &_| hint_to(takes, verdict, None).map(|hint| hint.to_string());
        let push = hint_to(Takes::Reply, &Verdict::FaultLine(late.clone())).unwrap();
        assert!(push.starts_with("WeChat waits 5 s. Return `success` in time"), "{push}");
        let check = "WeChat waits 5 s. Answering the address check takes nothing but its echostr.";
        assert_eq!(hint_to(Takes::Success, &Verdict::Refused(late.clone())).as_deref(), Some(check));
        let code = "WeChat waits 3 s. If the work takes longer, return a code other than 0: the push comes again.";
        for verdict in [Verdict::PushedAgain(late.clone()), Verdict::GivenUp(late.clone())] {
            assert_eq!(hint_to(Takes::Code, &verdict).as_deref(), Some(code));
        }
        assert_eq!(hint_to(Takes::Code, &Verdict::Silent), None);
    }

    #[test]
    fn success_to_what_takes_a_reply_is_told_why_nothing_appears() {
        assert_eq!(hint_to(Takes::Reply, &Verdict::Silent, None), Some(NO_REPLY));
        assert_eq!(hint_to(Takes::Success, &Verdict::Silent, None), None);
    }

    #[test]
    fn an_echo_that_is_not_alone_is_told_what_is_around_it() {
        let quoted = "A framework wrote it as a JSON string: return plain text.";
        assert_eq!(of_echo(|echostr| format!("\"{echostr}\"")).as_deref(), Some(quoted));
        let space = "Remove the white space around it.";
        assert_eq!(of_echo(|echostr| format!("{echostr}\n")).as_deref(), Some(space));
        let mark = "It begins with a byte order mark: save the source file without one.";
        assert_eq!(of_echo(|echostr| format!("\u{FEFF}{echostr}")).as_deref(), Some(mark));
        let empty = "The body is empty: return the echostr in it.";
        assert_eq!(of_echo(|_| String::new()).as_deref(), Some(empty));
        let other = "Return the query's echostr as it is, and nothing else.";
        assert_eq!(of_echo(|_| "success".to_owned()).as_deref(), Some(other));
    }
}
