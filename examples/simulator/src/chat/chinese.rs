//! What WeChat makes of an answer, in the Chinese of the page; the English is [`Verdict`]'s own.

use wechat_events::testing::{Reason, Verdict};

use crate::wire::Lost;
use crate::words::Words;

/// A verdict in a line, with its reason; `lost` is why there is no answer, if it was not only late.
pub fn told(verdict: &Verdict, lost: Option<&Lost>) -> Words {
    let because = |found: &Reason| lost.map_or_else(|| reason(found), |lost| lost.reason.zh.clone().into_owned());
    let zh = match verdict {
        Verdict::Accepted(_) => "微信显示这条回复".to_owned(),
        Verdict::Silent => "微信按响应的要求，什么也不显示".to_owned(),
        Verdict::Confirmed => "服务器地址验证通过".to_owned(),
        Verdict::Ignored(reason) => format!("微信忽略这个响应：{}", because(reason)),
        Verdict::PushedAgain(reason) => format!("微信会再次推送：{}", because(reason)),
        Verdict::GivenUp(reason) => format!("微信不再推送：{}", because(reason)),
        Verdict::FaultLine(reason) => format!("微信显示故障提示：{}", because(reason)),
        Verdict::Refused(reason) => format!("服务器地址验证失败：{}", because(reason)),
        _ => verdict.to_string(),
    };
    let en = match lost {
        Some(lost) => verdict.to_string().replace(&Reason::Silence.to_string(), &lost.reason.en),
        None => verdict.to_string(),
    };
    Words::made(format!("WeChat {en}"), zh)
}

fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Silence => "超时未响应".to_owned(),
        Reason::TooLate { after } => format!("响应用了 {after:?}，微信已经断开"),
        Reason::Status { status } => format!("状态码是 {status}，不是 200"),
        Reason::Echostr { echostr, found } => {
            format!("响应体是 `{}`，应当只有 echostr {echostr}", found.escape_debug())
        }
        Reason::NotXml { found, reason } => {
            format!("响应 `{}` 不是 `success`，不为空，也不是 XML：{reason}", found.escape_debug())
        }
        Reason::Root { found } => format!("根元素是 `{}`，不是 `xml`", found.escape_debug()),
        Reason::ByteOrderMark => "开头有字节顺序标记（BOM）".to_owned(),
        Reason::Format => "推送和响应的格式不一致，应当同为 XML 或同为 JSON".to_owned(),
        Reason::Sealed => "回复加密了，而公众号是明文模式".to_owned(),
        Reason::NotSealed => "回复没有加密，而公众号是安全模式".to_owned(),
        Reason::SealedSuccess => "`success` 加密了，只有回复才加密".to_owned(),
        Reason::MsgSignature => "MsgSignature 不正确".to_owned(),
        Reason::Open(error) => format!("Encrypt 无法解密：{error}"),
        Reason::TakesNone { name } => format!("`{name}` 不接受回复"),
        Reason::Code { err_code, err_msg } => format!("错误码 {err_code}：{}", err_msg.escape_debug()),
        Reason::TakesCode { name, found } => {
            format!("`{name}` 应当返回错误码，不是 `{}`", found.escape_debug())
        }
        Reason::TakesOpinion { name, found } => {
            format!("`{name}` 应当返回退款意见，不是 `{}`", found.escape_debug())
        }
        Reason::SealedCode => "响应加密了，而小游戏的响应应当是明文".to_owned(),
        Reason::Missing { field } => format!("{field} 缺失或为空"),
        // In words, what was expected is English.
        Reason::Unexpected { field, found, expected } if expected.starts_with('`') => {
            format!("{field} 是 `{}`，应当是 {expected}", found.escape_debug())
        }
        Reason::Unexpected { field, found, .. } => format!("{field} 不能是 `{}`", found.escape_debug()),
        Reason::TooLong { bytes } => format!("Content 有 {bytes} 字节，超过了上限"),
        Reason::Articles { articles, limit } => format!("{articles} 篇图文，最多 {limit} 篇"),
        _ => reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use wechat_events::testing::{Answer, WeChat};

    use super::*;

    /// Of an answer to a text in plaintext mode.
    fn of_answer(status: u16, body: &str) -> String {
        let wechat = WeChat::plain("token").unwrap();
        let request = wechat.push("text").request(1_700_000_000);
        told(&wechat.judge(&request, Answer::new(status, body)), None).zh.into_owned()
    }

    #[test]
    fn a_verdict_is_told_in_chinese_with_its_reason() {
        assert_eq!(of_answer(200, "success"), "微信按响应的要求，什么也不显示");
        assert_eq!(of_answer(500, ""), "微信显示故障提示：状态码是 500，不是 200");
        assert_eq!(of_answer(200, "{}"), "微信显示故障提示：推送和响应的格式不一致，应当同为 XML 或同为 JSON");
        let reply = "<xml><ToUserName>o_2</ToUserName></xml>";
        let exchanged = of_answer(200, reply);
        assert!(exchanged.starts_with("微信显示故障提示：ToUserName 是 `o_2`，应当是 `"), "{exchanged}");
    }

    #[test]
    fn what_is_lost_is_told_why_in_both_languages() {
        let lost = Lost { reason: Words::new("no answer: reset", "没有响应：reset"), hint: None };
        let told = told(&Verdict::Ignored(Reason::Silence), Some(&lost));
        assert_eq!(
            told,
            Words::new("WeChat ignores the answer: no answer: reset", "微信忽略这个响应：没有响应：reset")
        );
    }
}
