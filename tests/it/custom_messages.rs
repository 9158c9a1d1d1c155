//! Replies as bodies for the customer-service API.

use proptest::prelude::*;
use serde_json::{Value, json};
use wechat_events::Reply;
use wechat_events::reply::{Article, IosRefund, Music, TransferCustomerService, Video, split_text};

use crate::replies::{any_reply, hostile};

#[test]
fn each_reply_is_the_message_on_the_apis_page() {
    let article = |n: u8| Article::new(format!("t{n}"), "d", "p", "u");
    let message = |rest: &str| format!(r#"{{"touser":"o_1",{rest}}}"#);
    for (reply, expected) in [
        (Reply::text("\"你好\"\n\\"), vec![r#""msgtype":"text","text":{"content":"\"你好\"\n\\"}"#]),
        (Reply::image("m"), vec![r#""msgtype":"image","image":{"media_id":"m"}"#]),
        (Reply::voice("m"), vec![r#""msgtype":"voice","voice":{"media_id":"m"}"#]),
        (Video::new("m").into(), vec![r#""msgtype":"video","video":{"media_id":"m"}"#]),
        (
            Video::new("m").title("t").description("d").into(),
            vec![r#""msgtype":"video","video":{"media_id":"m","title":"t","description":"d"}"#],
        ),
        (Music::new("m").into(), vec![r#""msgtype":"music","music":{"thumb_media_id":"m"}"#]),
        (
            Music::new("m").title("t").description("d").music_url("u").hq_music_url("h").into(),
            vec![concat!(
                r#""msgtype":"music","music":{"title":"t","description":"d","musicurl":"u","hqmusicurl":"h","#,
                r#""thumb_media_id":"m"}"#
            )],
        ),
        (
            Reply::news([article(1), article(2)]),
            vec![
                r#""msgtype":"news","news":{"articles":[{"title":"t1","description":"d","url":"u","picurl":"p"}]}"#,
                r#""msgtype":"news","news":{"articles":[{"title":"t2","description":"d","url":"u","picurl":"p"}]}"#,
            ],
        ),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|rest| message(&rest.replace('\n', "\\n"))).collect();
        assert_eq!(reply.to_custom_messages("o_1"), expected, "{reply:?}");
    }
}

#[test]
fn what_the_api_has_no_message_for_is_none() {
    for reply in [
        Reply::Success,
        Reply::Empty,
        Reply::transfer_customer_service(),
        TransferCustomerService::to("kf2001@gh_1").into(),
        Reply::TransferBizAiIvr,
        Reply::code(0, "success"),
        IosRefund::agree("", "e").into(),
        Reply::raw("<xml/>"),
        Reply::text(""),
        Reply::text("\u{8}"),
        Reply::image(""),
        Reply::voice(""),
        Video::new("").title("t").into(),
        Music::new("").title("t").into(),
        Reply::news([]),
    ] {
        assert_eq!(reply.to_custom_messages("o_1"), [""; 0], "{reply:?}");
    }
}

proptest! {
    #[test]
    fn every_message_is_json_to_the_user(reply in any_reply(), open_id in hostile()) {
        for message in reply.to_custom_messages(&open_id) {
            let message: Value = serde_json::from_str(&message).unwrap();
            prop_assert_eq!(&message["touser"], &json!(open_id));
            prop_assert!(message[message["msgtype"].as_str().unwrap()].is_object());
            prop_assert_eq!(message.as_object().unwrap().len(), 3);
        }
    }

    #[test]
    fn the_texts_of_the_messages_are_the_text(content in hostile(), times in 1..200usize) {
        let content = format!("a{}", content.repeat(times));
        let messages: Vec<Value> = Reply::text(content.as_str())
            .to_custom_messages("o_1")
            .iter()
            .map(|message| serde_json::from_str(message).unwrap())
            .collect();
        let texts: Vec<_> = messages.iter().map(|message| message["text"]["content"].as_str().unwrap()).collect();
        prop_assert_eq!(texts, split_text(&content).collect::<Vec<_>>());
    }
}
