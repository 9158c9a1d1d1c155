//! Written replies, read back by an XML parser.

use proptest::prelude::*;
use wechat_events::event::{KINDS, Takes};
use wechat_events::reply::{Article, IosRefund, Music, Refused, TransferCustomerService, Video};
use wechat_events::{Event, Reply, Str, parse_event};

/// A push of this kind, from `o_1` to `gh_1`.
fn push(named_by: &str, name: &str) -> Event<'static> {
    let name = match named_by {
        "Event" => format!("<MsgType>event</MsgType><Event>{name}</Event>"),
        _ => format!("<{named_by}>{name}</{named_by}>"),
    };
    let body = format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>1</CreateTime>{name}\
         <Content>hi</Content><EventKey>k</EventKey></xml>"
    );
    parse_event(body.as_bytes()).unwrap().into_owned()
}

fn message() -> Event<'static> {
    push("MsgType", "text")
}

/// Every element with a text, as path and text.
fn read(xml: &str) -> Vec<(String, String)> {
    let document = roxmltree::Document::parse(xml).unwrap_or_else(|error| panic!("{error}: {xml}"));
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "xml");
    let leaves =
        root.descendants().filter(|node| node.is_element() && !node.children().any(|child| child.is_element()));
    leaves
        .map(|leaf| {
            let mut path: Vec<_> = leaf
                .ancestors()
                .filter(|node| node.is_element() && *node != root)
                .map(|node| node.tag_name().name().to_owned())
                .collect();
            path.reverse();
            // roxmltree makes one text of neighbouring CDATA sections and references.
            (path.join("/"), leaf.text().unwrap_or_default().to_owned())
        })
        .collect()
}

/// Characters that XML 1.0 forbids, by its production `Char`.
fn less_forbidden(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(u32::from(*c), 0x9 | 0xA | 0xD | 0x20..=0xD7FF | 0xE000..=0xFFFD | 0x10000..))
        .collect()
}

fn pairs(elements: &[(&str, &str)]) -> Vec<(String, String)> {
    elements.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn each_reply_is_written_with_its_elements_in_order() {
    let article = |n: u32| {
        Article::new(format!("t{n}"), format!("d{n}"), format!("https://e.com/{n}.jpg"), format!("https://e.com/{n}"))
    };
    let cases: Vec<(Reply, &[(&str, &str)])> = vec![
        (Reply::text("hi & <b>"), &[("MsgType", "text"), ("Content", "hi & <b>")]),
        (Reply::image("m1"), &[("MsgType", "image"), ("Image/MediaId", "m1")]),
        (Reply::voice("m2"), &[("MsgType", "voice"), ("Voice/MediaId", "m2")]),
        (Video::new("m3").into(), &[("MsgType", "video"), ("Video/MediaId", "m3")]),
        (
            Video::new("m3").title("t").description("d").into(),
            &[("MsgType", "video"), ("Video/MediaId", "m3"), ("Video/Title", "t"), ("Video/Description", "d")],
        ),
        (Music::new("m4").into(), &[("MsgType", "music"), ("Music/ThumbMediaId", "m4")]),
        (
            Music::new("m4").title("t").description("d").music_url("u").hq_music_url("h").into(),
            &[
                ("MsgType", "music"),
                ("Music/Title", "t"),
                ("Music/Description", "d"),
                ("Music/MusicUrl", "u"),
                ("Music/HQMusicUrl", "h"),
                ("Music/ThumbMediaId", "m4"),
            ],
        ),
        (
            Reply::news([article(1)]),
            &[
                ("MsgType", "news"),
                ("ArticleCount", "1"),
                ("Articles/item/Title", "t1"),
                ("Articles/item/Description", "d1"),
                ("Articles/item/PicUrl", "https://e.com/1.jpg"),
                ("Articles/item/Url", "https://e.com/1"),
            ],
        ),
        (Reply::transfer_customer_service(), &[("MsgType", "transfer_customer_service")]),
        (
            TransferCustomerService::to("kf1@gh_1").into(),
            &[("MsgType", "transfer_customer_service"), ("TransInfo/KfAccount", "kf1@gh_1")],
        ),
    ];
    for (reply, elements) in cases {
        let written = reply.write(&message(), 1_469_066_999);
        let mut expected = pairs(&[("ToUserName", "o_1"), ("FromUserName", "gh_1"), ("CreateTime", "1469066999")]);
        expected.extend(pairs(elements));
        assert_eq!(read(&written.body), expected, "{reply:?}");
        assert_eq!(written.refused, None, "{reply:?}");
    }
    assert_eq!(Reply::Success.write(&message(), 1).body, "success");
    assert_eq!(Reply::Empty.write(&message(), 1).body, "");
}

#[test]
fn only_kinds_that_take_a_reply_get_one() {
    let takes = [
        "text",
        "image",
        "voice",
        "video",
        "shortvideo",
        "location",
        "link",
        "file",
        "miniprogrampage",
        "device_text",
        "subscribe",
        "SCAN",
        "CLICK",
        "scancode_waitmsg",
        "pic_sysphoto",
        "pic_photo_or_album",
        "pic_weixin",
        "location_select",
    ];
    for kind in KINDS {
        let event = push(kind.named_by(), kind.name());
        let written = Reply::text("hi").write(&event, 1);
        if takes.contains(&kind.name()) {
            assert!(written.body.starts_with("<xml>"), "{kind:?}");
            assert_eq!(written.refused, None, "{kind:?}");
        } else if kind.takes() == Takes::Success {
            assert_eq!(written.body, "success", "{kind:?}");
            assert_eq!(written.refused, Some(Refused::TakesNone { name: kind.name().to_owned() }), "{kind:?}");
        }
    }
    assert!(Reply::text("hi").write(&push("MsgType", "hologram"), 1).body.starts_with("<xml>"), "a new message");
    for named_by in ["Event", "InfoType"] {
        let written = Reply::text("hi").write(&push(named_by, "brand_new"), 1);
        assert_eq!(written.body, "success", "{named_by}");
        assert_eq!(written.refused, Some(Refused::Unknown { name: "brand_new".to_owned() }), "{named_by}");
    }
}

#[test]
fn what_wechat_would_refuse_is_written_as_success_and_says_why() {
    let refused = |reply: &Reply, event: &Event<'_>| {
        let written = reply.write(event, 1);
        assert_eq!(written.body, "success", "{reply:?}");
        written.refused.unwrap().to_string()
    };
    assert_eq!(refused(&Reply::text(""), &message()), "Content is empty: `success` was written");
    assert_eq!(refused(&Reply::text("\u{8}\u{FFFF}"), &message()), "Content is empty: `success` was written");
    assert_eq!(
        refused(&Reply::transfer_customer_service(), &push("Event", "CLICK")),
        "a user can be handed over in answer to a message only, not to `CLICK`"
    );
    assert_eq!(refused(&Reply::text("hi"), &push("Event", "LOCATION")), "WeChat takes no reply to `LOCATION`");
    assert_eq!(
        refused(&Reply::text("hi"), &push("Event", "brand_new")),
        "`brand_new` is not known to this version, nor whether it takes a reply: `success` was written"
    );
    let nobody = parse_event(b"<xml><ToUserName>gh_1</ToUserName><MsgType>text</MsgType><Content>a</Content></xml>");
    assert_eq!(refused(&Reply::text("hi"), &nobody.unwrap()), "the push names no sender or no account");

    for (reply, field) in [
        (Reply::image(""), "MediaId"),
        (Reply::voice("\u{1}"), "MediaId"),
        (Video::new("").title("t").into(), "MediaId"),
        (Music::new("").music_url("u").into(), "ThumbMediaId"),
        (TransferCustomerService::to("\u{8}").into(), "KfAccount"),
    ] {
        assert_eq!(refused(&reply, &message()), format!("{field} is empty: `success` was written"));
    }
    assert_eq!(refused(&Reply::news([]), &push("Event", "CLICK")), "Articles is empty: `success` was written");
}

#[test]
fn a_text_and_nothing_at_all_are_replies() {
    let text = Str::from("hi");
    for reply in ["hi".into(), "hi".to_owned().into(), (&"hi".to_owned()).into(), (&text).into(), text.clone().into()] {
        assert_eq!(Reply::text("hi"), reply);
    }
    assert_eq!(Reply::from(()), Reply::Success);
}

#[test]
fn news_is_one_article_in_answer_to_what_a_user_sends_and_eight_else() {
    let eight = Reply::news((0..8).map(|n| Article::new(n.to_string(), "d", "p", "u")));
    for (named_by, name, articles) in [
        ("MsgType", "text", 1),
        ("MsgType", "image", 1),
        ("MsgType", "voice", 1),
        ("MsgType", "video", 1),
        ("MsgType", "news", 1),
        ("MsgType", "location", 1),
        ("MsgType", "link", 8),
        ("MsgType", "file", 8),
        ("Event", "subscribe", 8),
        ("Event", "SCAN", 8),
        ("Event", "CLICK", 8),
    ] {
        let written = eight.write(&push(named_by, name), 1);
        let elements = read(&written.body);
        let count = &elements.iter().find(|(path, _)| path == "ArticleCount").unwrap().1;
        let titles: Vec<_> = elements.iter().filter(|(path, _)| path == "Articles/item/Title").collect();
        assert_eq!((count.as_str(), titles.len()), (articles.to_string().as_str(), articles), "{name}");
        assert_eq!(titles[0].1, "0", "{name}");
        let told = format!("8 articles, WeChat shows 1 in answer to `{name}`: the others were left out");
        assert_eq!(written.refused.map(|refused| refused.to_string()), (articles == 1).then_some(told), "{name}");
    }
}

#[test]
fn of_any_number_of_articles_one_is_written_in_answer_to_a_text() {
    for articles in 1..=8 {
        let news = Reply::news((0..articles).map(|n| Article::new(n.to_string(), "d", "p", "u")));
        for (event, most) in [(message(), 1), (push("MsgType", "TEXT"), 1), (push("Event", "CLICK"), 8)] {
            let written = news.write(&event, 1);
            let elements = read(&written.body);
            let titles: Vec<_> = elements.iter().filter(|(path, _)| path == "Articles/item/Title").collect();
            assert_eq!(titles.len(), articles.min(most), "{articles} to {}", event.name());
            assert!(written.body.contains(&format!("<ArticleCount>{}</ArticleCount>", titles.len())), "{articles}");
            let name = event.name().to_owned();
            let refused = (articles > most).then_some(Refused::TooManyArticles { name, articles, limit: most });
            assert_eq!(written.refused, refused, "{articles} to {}", event.name());
        }
    }
}

#[test]
fn of_more_than_eight_articles_eight_are_written() {
    let news = Reply::news(vec![Article::new("t", "d", "p", "u"); 11]);
    let written = news.write(&push("Event", "CLICK"), 1);
    assert_eq!(read(&written.body).iter().filter(|(path, _)| path == "Articles/item/Title").count(), 8);
    assert!(written.body.contains("<ArticleCount>8</ArticleCount>"));
    for (event, limit) in [(push("Event", "CLICK"), 8), (message(), 1)] {
        let name = event.name().to_owned();
        assert_eq!(news.write(&event, 1).refused, Some(Refused::TooManyArticles { name, articles: 11, limit }));
    }
}

#[test]
fn a_text_with_nothing_to_escape_is_written_without_room_to_spare() {
    for (content, now) in [("hello", 1714037060), ("你好，", 0), ("", 9), ("]]", 10), ("a\u{1}b", 99)] {
        let written = Reply::text(content).write(&message(), now).body;
        // What is left out of a text leaves its room, and an empty text is answered `success`.
        let spare = usize::from(content.contains('\u{1}'));
        assert_eq!(written.capacity() - written.len(), spare, "{written}");
    }
}

#[cfg(any(feature = "json", feature = "testing"))]
fn in_json(kind: &str) -> String {
    format!(r#"{{"ToUserName":"gh_1","FromUserName":"o_1","CreateTime":1,{kind}}}"#)
}

#[cfg(feature = "json")]
fn push_in_json(kind: &str) -> Event<'static> {
    parse_event(in_json(kind).as_bytes()).unwrap().into_owned()
}

#[cfg(feature = "json")]
#[test]
fn a_push_in_json_is_answered_in_json() {
    let article = |n| Article::new(format!("t{n}"), "", "p", "u");
    let scan = push_in_json(r#""MsgType":"event","Event":"SCAN","EventKey":"7""#);
    for (reply, expected) in [
        (Reply::text("\"]]>\\\n好"), r#""MsgType":"text","Content":"\"]]>\\\n好"}"#),
        (Reply::image("m"), r#""MsgType":"image","Image":{"MediaId":"m"}}"#),
        (Music::new("m").title("t").into(), r#""MsgType":"music","Music":{"Title":"t","ThumbMediaId":"m"}}"#),
        (
            Reply::news([article(1), article(2)]),
            concat!(
                r#""MsgType":"news","ArticleCount":2,"Articles":[{"Title":"t1","Description":"","PicUrl":"p","Url":"u"},"#,
                r#"{"Title":"t2","Description":"","PicUrl":"p","Url":"u"}]}"#
            ),
        ),
    ] {
        let written = reply.write(&scan, 1_469_066_999).body;
        let header = r#"{"ToUserName":"o_1","FromUserName":"gh_1","CreateTime":1469066999,"#;
        assert_eq!(written, format!("{header}{expected}"));
        let _: serde_json::Value = serde_json::from_str(&written).unwrap();
    }
    assert_eq!(Reply::Success.write(&scan, 1).body, "success");
    let view = push_in_json(r#""MsgType":"event","Event":"VIEW","EventKey":"u""#);
    assert_eq!(Reply::text("hi").write(&view, 1).body, "success");
}

/// Words, and sequences that break naive writers.
pub(crate) fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        Just("]]>".to_owned()),
        Just("]]\u{0}>".to_owned()),
        Just("]".to_owned()),
        Just("></Content><MsgType>".to_owned()),
        Just("<![CDATA[".to_owned()),
        Just("\r\n\r\t".to_owned()),
        Just("😀\u{FFFE}\u{FFFF}\u{10FFFD}".to_owned()),
        any::<char>().prop_map(String::from),
        (0u8..0x20).prop_map(|c| char::from(c).to_string()),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// Any reply that a handler can make, except unchecked ones.
pub(crate) fn any_reply() -> impl Strategy<Value = Reply> {
    let text = || {
        let times = prop_oneof![3 => Just(1), 1 => Just(100usize)];
        (hostile(), times).prop_map(|(text, times)| text.repeat(times))
    };
    let option = move || prop::option::of(text());
    let article = (text(), text(), text(), text()).prop_map(|(t, d, p, u)| Article::new(t, d, p, u));
    prop_oneof![
        Just(Reply::Success),
        Just(Reply::Empty),
        Just(Reply::TransferBizAiIvr),
        Just(Reply::transfer_customer_service()),
        text().prop_map(Reply::text),
        text().prop_map(Reply::image),
        text().prop_map(Reply::voice),
        (text(), option(), option()).prop_map(|(id, title, description)| {
            let video = title.into_iter().fold(Video::new(id), Video::title);
            description.into_iter().fold(video, Video::description).into()
        }),
        (text(), option(), option(), option()).prop_map(|(id, title, description, url)| {
            let music = title.into_iter().fold(Music::new(id), Music::title);
            let music = description.into_iter().fold(music, Music::description);
            url.into_iter().fold(music, |music, url| music.music_url(&*url).hq_music_url(url)).into()
        }),
        prop::collection::vec(article, 0..11).prop_map(Reply::news),
        text().prop_map(|account| TransferCustomerService::to(account).into()),
        (-1..2i64, text()).prop_map(|(code, message)| Reply::code(code, message)),
        (text(), text()).prop_map(|(info, evidence)| IosRefund::agree(info, evidence).into()),
        (text(), text()).prop_map(|(info, evidence)| IosRefund::refuse(info, evidence).into()),
    ]
}

/// Half of them take a reply.
#[cfg(feature = "testing")]
fn any_kind() -> impl Strategy<Value = &'static wechat_events::event::KindInfo> {
    let take_one: Vec<_> = KINDS.iter().filter(|kind| kind.takes() == Takes::Reply).collect();
    prop_oneof![prop::sample::select(KINDS.iter().collect::<Vec<_>>()), prop::sample::select(take_one)]
}

#[cfg(feature = "testing")]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_a_handler_returns_users_never_see_the_fault_line(
        reply in any_reply(), kind in any_kind(), json in any::<bool>()
    ) {
        use crate::testing::{NOW, endpoints, serve, wechats};
        use wechat_events::testing::Verdict;

        for (wechat, endpoint) in wechats().iter().zip(endpoints()) {
            let draft = match kind.named_by() {
                _ if !json || cfg!(not(feature = "json")) => wechat.push(kind.name()),
                "Event" => wechat.raw(in_json(&format!(r#""MsgType":"event","Event":"{}""#, kind.name()))),
                named_by => wechat.raw(in_json(&format!(r#""{named_by}":"{}""#, kind.name()))),
            };
            let request = draft.request(NOW);
            let event = parse_event(&request.message).unwrap();
            let refused = reply.write(&event, NOW).refused;
            let verdict = wechat.judge(&request, serve(&endpoint, &request, reply.clone()));
            let asked_again = matches!((&reply, kind.takes()), (Reply::Code(code), Takes::Code) if code.err_code != 0);
            let silent = matches!(reply, Reply::Success | Reply::Empty) || kind.takes() != Takes::Reply;
            let taken = match verdict {
                Verdict::Accepted(_) => true,
                Verdict::Silent => silent || refused.is_some(),
                Verdict::PushedAgain(_) => asked_again,
                // Nobody but the handler has an opinion.
                Verdict::Ignored(_) => kind.takes() == Takes::IosRefund,
                _ => false,
            };
            prop_assert!(taken, "{} to `{}`: {:?}", verdict, kind.name(), refused);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_breaks_out_of_its_element(content in hostile(), title in hostile(), url in hostile()) {
        let event = message();
        let text = Reply::text(content.as_str()).write(&event, 7);
        if less_forbidden(&content).is_empty() {
            prop_assert_eq!(text.body, "success");
        } else {
            let expected = pairs(&[
                ("ToUserName", "o_1"), ("FromUserName", "gh_1"), ("CreateTime", "7"), ("MsgType", "text"),
                ("Content", &less_forbidden(&content)),
            ]);
            prop_assert_eq!(read(&text.body), expected);
        }

        let news = Reply::news([Article::new(&*title, &*content, "p", &*url)]).write(&event, 7);
        let elements = read(&news.body);
        prop_assert_eq!(&elements[5].1, &less_forbidden(&title));
        prop_assert_eq!(&elements[6].1, &less_forbidden(&content));
        prop_assert_eq!(&elements[8].1, &less_forbidden(&url));
        prop_assert_eq!(elements.len(), 9);
    }

    #[cfg(feature = "json")]
    #[test]
    fn no_text_breaks_out_of_its_string(content in hostile(), sender in hostile()) {
        prop_assume!(!less_forbidden(&sender).is_empty() && !less_forbidden(&content).is_empty());
        let mut event = push_in_json(r#""MsgType":"text","Content":"hi""#);
        event.from_user = sender.clone().into();
        let written = Reply::text(content.as_str()).write(&event, 7).body;
        let expected = serde_json::json!({
            "ToUserName": sender, "FromUserName": "gh_1", "CreateTime": 7, "MsgType": "text", "Content": content,
        });
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), expected);
    }

    #[test]
    fn no_sender_breaks_out_of_its_element(sender in hostile(), account in hostile()) {
        prop_assume!(!sender.is_empty() && !account.is_empty());
        let mut event = message();
        event.from_user = sender.clone().into();
        event.to_user = account.clone().into();
        let written = Reply::text("hi").write(&event, 7);
        if less_forbidden(&sender) != sender || less_forbidden(&account) != account {
            // Without the character it would be another user's name.
            prop_assert_eq!(written.refused, Some(Refused::NoSender));
            prop_assert_eq!(written.body, "success");
        } else {
            let elements = read(&written.body);
            prop_assert_eq!(&elements[0].1, &sender);
            prop_assert_eq!(&elements[1].1, &account);
        }
    }
}

#[test]
fn a_hundred_kilobytes_of_cdata_ends_are_written_in_one_article() {
    let title = "]]>".repeat(34_000);
    let reply = Reply::news([Article::new(title.as_str(), "", "", "")]);
    assert_eq!(read(&reply.write(&message(), 1).body)[5].1, title);
}
