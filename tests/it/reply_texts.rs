//! Where a long text is cut, and what stays whole.

use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;
use wechat_events::reply::{Written, split_text};
use wechat_events::{Event, Reply, parse_event};

const LIMIT: usize = 2047;

fn message() -> Event<'static> {
    parse_event(
        b"<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>1</CreateTime>\
          <MsgType>text</MsgType><Content>hi</Content></xml>",
    )
    .unwrap()
}

/// The text that the user sees, and the report about it.
fn shown(text: &str) -> (String, Option<String>) {
    let Written { body, refused, .. } = Reply::text(text).write(&message(), 1);
    let document = roxmltree::Document::parse(&body).unwrap();
    let content = document.descendants().find(|node| node.has_tag_name("Content")).unwrap();
    (content.text().unwrap_or_default().to_owned(), refused.map(|refused| refused.to_string()))
}

#[test]
fn a_reply_keeps_its_text_until_it_is_written() {
    let text = "长".repeat(1000);
    let Reply::Text(reply) = Reply::text(text.as_str()) else { panic!() };
    assert_eq!(reply.content, text);
    let told = "Content is 3000 bytes long, WeChat takes 2047: it was cut, see Reply::to_custom_messages";
    assert_eq!(shown(&text), (format!("{}…", "长".repeat(681)), Some(told.to_owned())));
}

#[test]
fn a_long_text_is_cut_visibly_at_a_character_within_the_limit() {
    for (text, bytes) in [
        ("a".repeat(2047), 2047),
        ("a".repeat(2048), 2047),
        ("字".repeat(682), 2046),
        ("字".repeat(683), 2046),
        ("😀".repeat(512), 2047),
        (format!("a{}", "😀".repeat(512)), 2044),
    ] {
        let (content, refused) = shown(&text);
        assert_eq!(content.len(), bytes, "{}", text.len());
        match content.strip_suffix('…') {
            Some(kept) => assert!(text.starts_with(kept) && text.len() > LIMIT && refused.is_some()),
            None => assert_eq!((content, refused), (text, None)),
        }
    }
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn a_late_reply_is_whole() {
    use std::error::Error;
    use std::time::Duration;
    use wechat_events::{AsyncHandler, Endpoint, HandlerResult, Webhook};

    struct Slow(tokio::sync::mpsc::UnboundedSender<Vec<String>>);
    impl AsyncHandler for Slow {
        async fn otherwise(&self, _: &Event<'_>) -> HandlerResult {
            tokio::time::sleep(Duration::from_secs(30)).await;
            Ok("长".repeat(1000).into())
        }

        async fn late(&self, event: &Event<'_>, reply: &Reply) -> Result<(), Box<dyn Error + Send + Sync>> {
            Ok(self.0.send(reply.to_custom_messages(&event.from_user))?)
        }
    }
    let (late, mut outbox) = tokio::sync::mpsc::unbounded_channel();
    let webhook = Webhook::new(Endpoint::plain("token").unwrap(), Slow(late));
    let (query, push) = (crate::wire::query("token", "1714037059", "486452656"), message());
    for _ in 0..3 {
        let call = webhook.call("POST", &query, push.body());
        // WeChat hangs up.
        let _ = tokio::time::timeout(Duration::from_secs(5), call).await;
    }
    let messages = outbox.recv().await.unwrap();
    let message = |text: String| format!(r#"{{"touser":"o_1","msgtype":"text","text":{{"content":"{text}"}}}}"#);
    assert_eq!(messages, [message("长".repeat(682)), message("长".repeat(318))]);
}

/// One character to a user, but several in Unicode.
const GRAPHEMES: [&str; 8] = ["e\u{301}\u{323}", "👨‍👩‍👧‍👦", "🇨🇳", "7\u{FE0F}\u{20E3}", "👍🏽", "हि", "각", "\r\n"];

#[test]
fn no_cut_splits_what_a_user_sees_as_one_character() {
    for grapheme in GRAPHEMES {
        for filled in (0..50).map(|bytes| "a".repeat(bytes)) {
            let text = filled.clone() + &grapheme.repeat(3000 / grapheme.len());
            let kept = |text: &str| {
                let graphemes = text.strip_prefix(&filled).unwrap();
                assert_eq!(graphemes.len() % grapheme.len(), 0, "{grapheme:?} behind {}", filled.len());
            };
            kept(shown(&text).0.strip_suffix('…').unwrap());
            kept(split_text(&text).next().unwrap());
        }
    }
}

#[test]
fn no_cut_splits_a_link() {
    for link in [
        r#"<a href="https://e.com/">Menu</a>"#,
        "<A\nhref='weixin://bizmsgmenu?msgmenucontent=1&msgmenuid=1'>一 \n</A>",
        r#"<a data-miniprogram-appid="wx1" data-miniprogram-path="p" href="https://e.com/">Go</a>"#,
    ] {
        for (before, after) in (LIMIT - link.len() - 5..LIMIT + 5).flat_map(|before| [(before, 0), (before, 3000)]) {
            let text = format!("{}{link}{}", "a".repeat(before), "b".repeat(after));
            let pieces = split_text(&text).collect::<Vec<_>>();
            assert_eq!(pieces.concat(), text);
            assert!(pieces.iter().any(|piece| piece.contains(link)), "{before} bytes before {link}");
            let (content, _) = shown(&text);
            assert!(content.contains(link) || !content.contains('<'), "{before}: {content}");
        }
    }
}

#[test]
fn what_only_begins_like_a_link_is_cut_as_any_text() {
    for (text, first) in [
        (format!("<a href=\"x\">{}", "b".repeat(3000)), 2047),
        (format!("<abbr>{}</a>", "b".repeat(2039)), 2047),
        // A link that no piece has room for.
        (format!("a<a href=\"{}\">x</a>", "b".repeat(3000)), 2047),
        (format!("a<a href=\"x\">b</a>{}</a>", "b".repeat(3000)), 2047),
        // A line feed in a link ends nothing.
        (format!("{}<a href=\"x\">\n{}</a>{}", "a".repeat(1500), "b".repeat(400), "c".repeat(400)), 2047),
        (format!("{}\n{}", "a".repeat(2000), "b".repeat(100)), 2001),
        (format!("{}\n{}", "a".repeat(1000), "b".repeat(2000)), 2047),
        // A text that a user sees as one character, too long for any piece.
        (format!("a{}", "\u{301}".repeat(2000)), 2047),
    ] {
        assert_eq!(split_text(&text).next().unwrap().len(), first, "{}", &text[..20]);
        assert_eq!(split_text(&text).collect::<String>(), text);
    }
}

#[test]
fn a_megabyte_of_anything_is_split_in_a_moment() {
    for unit in ["a", "<a ", "<a \n", "</a>", "\n", "\u{301}", "🇨", "<a \n</a>", "👩\u{200D}"] {
        let text = unit.repeat(1_000_000 / unit.len());
        let begun = std::time::Instant::now();
        let pieces = split_text(&text).collect::<Vec<_>>();
        assert!(begun.elapsed().as_secs() < 5, "{unit:?}: {:?}", begun.elapsed());
        assert_eq!(pieces.concat(), text);
    }
}

/// Words, lines, emoji and whole links, none of which fills a piece.
fn long_text() -> impl Strategy<Value = Vec<String>> {
    let grapheme = prop::sample::select(&GRAPHEMES[..]);
    let part = prop_oneof![
        "[a-z ]{1,300}",
        "[字\n<]{1,200}",
        (grapheme, 1..40usize).prop_map(|(grapheme, times)| grapheme.repeat(times)),
        ("[a-z/]{0,300}", "[a-z字\n]{1,100}").prop_map(|(to, label)| format!("<a href=\"{to}\">{label}</a>")),
    ];
    prop::collection::vec(part, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_pieces_of_a_text_are_the_text_with_links_and_graphemes_whole(parts in long_text()) {
        let text = parts.concat();
        let pieces: Vec<_> = split_text(&text).collect();
        prop_assert_eq!(pieces.concat(), text.as_str());
        let mut cuts = Vec::new();
        for piece in &pieces {
            prop_assert!((1..=LIMIT).contains(&piece.len()));
            prop_assert_eq!(&shown(piece).1, &None);
            cuts.push(cuts.last().unwrap_or(&0) + piece.len());
        }
        let boundaries: Vec<_> = text.grapheme_indices(true).map(|(at, _)| at).chain([text.len()]).collect();
        prop_assert!(cuts.iter().all(|cut| boundaries.binary_search(cut).is_ok()));
        let mut at = 0;
        for part in parts {
            let within = cuts.iter().any(|cut| (at + 1..at + part.len()).contains(cut));
            prop_assert!(!(within && part.starts_with("<a ")), "{} at {}", part, at);
            at += part.len();
        }
    }
}
