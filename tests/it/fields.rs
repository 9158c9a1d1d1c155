//! What users type and WeChat passes on: reading it must lose nothing, allow no forgery, and stay cheap.

use std::time::{Duration, Instant};

use wechat_events::{Event, Limits, ParseError, parse_event};

/// A text in WeChat's order, with this for its `Content` as it stands on the wire.
fn text(content: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o_1]]></FromUserName>\
         <CreateTime>1714037059</CreateTime><MsgType><![CDATA[text]]></MsgType><Content>{content}</Content>\
         <MsgId>7</MsgId><Encrypt><![CDATA[sealed]]></Encrypt></xml>"
    )
}

fn parse(body: &str) -> Event<'_> {
    parse_event(body.as_bytes()).unwrap_or_else(|error| panic!("{error}: {body}"))
}

/// What is typed inside a CDATA section that WeChat does not split.
const TYPED: [&str; 15] = [
    "if (a[b[0]]>1) return;",
    "]]>",
    "x]]>",
    "]]>x",
    "]]>]]>",
    "]]]>]",
    "x]",
    "x]]",
    "<![CDATA[x]]>",
    "a <![CDATA[b]]> c <![CDATA[d]]>",
    "<a><![CDATA[x]]></a><b><![CDATA[y]]></b>",
    "x]]><b>y</b>",
    "x]]><b>y</b><![CDATA[",
    "x]]></Contents>",
    "x]]> </ Content>",
];

#[test]
fn a_value_goes_on_to_where_its_own_end_tag_follows() {
    let elements = ["Content", "Title", "Label", "EventKey", "ScanCodeInfo/ScanResult"];
    for (typed, path) in TYPED.iter().flat_map(|typed| elements.map(|path| (typed, path))) {
        let (open, close) = match path.split_once('/') {
            Some((parent, name)) => (format!("<{parent}><{name}>"), format!("</{name}></{parent}>")),
            None => (format!("<{path}>"), format!("</{path}>")),
        };
        for space in ["", "\r\n "] {
            let body = format!(
                "<xml><MsgType><![CDATA[new]]></MsgType>{open}{space}<![CDATA[{typed}]]>{space}{close}<B><![CDATA[b]]></B></xml>"
            );
            let event = parse(&body);
            assert_eq!(event.field(path).as_deref(), Some(*typed), "{body}");
            assert_eq!(event.field("B").as_deref(), Some("b"), "{body}");
            #[cfg(feature = "testing")]
            crate::readers::agree_on(&body);
        }
    }
}

#[cfg(feature = "aes")]
#[test]
fn a_value_goes_on_to_where_its_own_end_tag_follows_also_where_it_was_sealed() {
    use wechat_events::cipher::{EncodingAesKey, seal_with};
    use wechat_events::{Endpoint, Received};

    const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
    let key: EncodingAesKey = KEY.parse().unwrap();
    let endpoint = Endpoint::safe("token", "wx1", KEY).unwrap();
    for typed in TYPED {
        let encrypt = seal_with(&key, "wx1", text(&format!("<![CDATA[{typed}]]>")).as_bytes(), [7; 16]).unwrap();
        let signature = crate::wire::sign(&["token", "1714037059", "486452656", &encrypt]);
        let query = crate::wire::query("token", "1714037059", "486452656");
        let query = format!("{query}&encrypt_type=aes&msg_signature={signature}");
        let body = format!("<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>");
        let Received::Push(push) = endpoint.receive("POST", &query, body.as_bytes(), 1_714_037_059).unwrap() else {
            panic!("{typed}")
        };
        assert_eq!(push.event().unwrap().field("Content").as_deref(), Some(typed));
    }
}

#[test]
fn several_sections_and_bare_text_are_read_as_xml_has_it() {
    for (written, value) in [
        ("<![CDATA[a]]]]><![CDATA[>b]]>", "a]]>b"),
        ("<![CDATA[]]]]><![CDATA[>]]]]><![CDATA[>]]>", "]]>]]>"),
        ("<![CDATA[a]]>b<![CDATA[c]]>", "abc"),
        ("<![CDATA[a]]> tail", "a tail"),
        ("<![CDATA[a]]>&lt;<!-- ]]> --><![CDATA[ b]]>", "a< b"),
        ("<![CDATA[a]]> <![CDATA[b]]>", "ab"),
    ] {
        let body = text(written);
        assert_eq!(parse(&body).field("Content").as_deref(), Some(value), "{body}");
    }
}

#[test]
fn a_list_of_equal_elements_stays_one_even_where_a_value_is_no_xml() {
    let body = "<xml><MsgType>new</MsgType><L><N><![CDATA[1]]>]]></N></L><L><N><![CDATA[2]]></N></L></xml>";
    let event = parse(body);
    assert_eq!(event.fields("L/N").collect::<Vec<_>>(), ["1]]>", "2"]);
}

#[test]
fn a_pasted_push_is_the_text_that_it_is() {
    let pasted = text("<![CDATA[hi]]>");
    for typed in [
        &*pasted,
        "<Content><![CDATA[hi]]></Content>",
        "</xml><Content><![CDATA[]]></Content></xml>",
        "]]></Content></xml>",
        "]]></Content><MsgId>1</MsgId><Encrypt><![CDATA[",
        "]]></Content><!--",
        "<!DOCTYPE a><Content><![CDATA[]]></Content><!DOCTYPE a>",
    ] {
        let body = text(&format!("<![CDATA[{typed}]]>"));
        let event = parse(&body);
        assert_eq!(event.field("Content").as_deref(), Some(typed));
        assert_eq!((&*event.to_user, &*event.from_user, event.msg_id().as_deref()), ("gh_1", "o_1", Some("7")));
    }
}

/// What a user types to close the value and open it again.
const FORGED: &str = "<ToUserName>gh_2</ToUserName><FromUserName><![CDATA[o_2]]></FromUserName><CreateTime>1</CreateTime>\
     <MsgType>event</MsgType><Event>subscribe</Event><InfoType>authorized</InfoType><MsgId>1</MsgId>\
     <Encrypt>forged</Encrypt><bizmsgmenuid>101</bizmsgmenuid>";

#[test]
fn no_element_of_the_header_can_be_typed() {
    let honest = text("<![CDATA[hi]]>");
    let forged = text(&format!("<![CDATA[hi]]></Content>{FORGED}<Content><![CDATA[x]]>"));
    for body in [&honest, &forged, &forged.replace("gh_1", "gh_1&amp;").replace("gh_1&amp;", "gh_1")] {
        let event = parse(body);
        assert_eq!((&*event.to_user, &*event.from_user, event.create_time), ("gh_1", "o_1", 1_714_037_059));
        assert_eq!((event.name(), event.field("Content").as_deref()), ("text", Some("hi")));
        assert_eq!((event.msg_id().as_deref(), event.field("Encrypt").as_deref()), (Some("7"), Some("sealed")));
        let wechat_events::Kind::Text(text) = &event.kind else { panic!("{event:?}") };
        assert_eq!(text.msg_id.as_deref(), Some("7"));
        assert_eq!(text.bizmsgmenuid.is_some(), *body != honest, "what is no header is the user's to forge");
    }
    // By the other reader.
    let event = forged.replace("</xml>", "<!-- --></xml>");
    assert_eq!(parse(&event), parse(&forged));
    assert_eq!(parse(&event).msg_id().as_deref(), Some("7"));
    // The key covers all but Encrypt, so it matters which Encrypt that is.
    let retry = forged.replace("sealed", "sealed anew");
    assert_eq!(parse(&forged).dedup_key(), parse(&retry).dedup_key());
}

#[test]
fn no_element_of_an_events_header_can_be_typed() {
    let body = format!(
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o_1]]></FromUserName>\
         <CreateTime>1714037059</CreateTime><MsgType><![CDATA[event]]></MsgType>\
         <Event><![CDATA[scancode_waitmsg]]></Event><EventKey><![CDATA[k]]></EventKey>\
         <ScanCodeInfo><ScanType><![CDATA[qrcode]]></ScanType>\
         <ScanResult><![CDATA[1]]></ScanResult></ScanCodeInfo>{FORGED}<EventKey>2</EventKey>\
         <ScanCodeInfo><ScanResult><![CDATA[x]]></ScanResult></ScanCodeInfo></xml>"
    );
    let event = parse(&body);
    assert_eq!((&*event.to_user, &*event.from_user, event.create_time), ("gh_1", "o_1", 1_714_037_059));
    assert_eq!((event.name(), event.field("EventKey").as_deref()), ("scancode_waitmsg", Some("k")));
}

#[test]
fn no_push_of_a_platform_can_be_made_a_users() {
    let body = format!(
        "<xml><AppId>wx1</AppId><CreateTime>1714037059</CreateTime><InfoType>notify_third_fasteregister</InfoType>\
         <appid>wx2</appid><status>0</status><info><name><![CDATA[a]]></name></info>{FORGED}\
         <info><name><![CDATA[b]]></name></info></xml>"
    );
    let event = parse(&body);
    assert_eq!(event.name(), "notify_third_fasteregister");
    assert_eq!((&*event.to_user, &*event.from_user, event.create_time), ("", "", 1_714_037_059));
}

#[test]
fn what_begins_no_reference_is_text_and_a_reference_is_its_character() {
    for (written, value) in [
        ("H&M", "H&M"),
        ("&", "&"),
        ("a&&amp;b&", "a&&b&"),
        ("a &nbsp; b&copy;", "a &nbsp; b&copy;"),
        ("&amp;lt; &lt; &gt; &quot; &apos;", "&lt; < > \" '"),
        ("&#x4f60;&#22909;", "你好"),
        ("&#xD83D;&#xDE00;", "😀"),
        ("&#55357;&#56832;", "😀"),
        ("&#xDBFF;&#xDFFD;", "\u{10FFFD}"),
        ("&#xD83D;a&#xDE00;", "\u{FFFD}a\u{FFFD}"),
        ("&#xD83D;&#xD83D;&#xDE00;", "\u{FFFD}😀"),
        ("a&#8;b&#0;&#x1f;", "a\u{8}b\0\u{1f}"),
        ("&#xFFFE;&#xffff;", "\u{FFFE}\u{FFFF}"),
        (
            "&#x110000; &#99999999999; &#; &#x; &#xg; &#-1; &#+1;",
            "&#x110000; &#99999999999; &#; &#x; &#xg; &#-1; &#+1;",
        ),
        ("&#60;b&#62; &#38;lt;", "<b> &lt;"),
        ("I <3 U, 1 < 2 <", "I <3 U, 1 < 2 <"),
        ("a]]>b", "a]]>b"),
        ("<![CDATA[&amp; &#65;]]>", "&amp; &#65;"),
    ] {
        let body = text(written);
        assert_eq!(parse(&body).field("Content").as_deref(), Some(value), "{body}");
    }
}

#[test]
fn create_time_is_read_in_seconds() {
    for (written, seconds) in [
        ("1714037059", 1_714_037_059),
        (" 1714037059\n", 1_714_037_059),
        ("0", 0),
        ("-1", -1),
        ("1714037059.0", 1_714_037_059),
        ("1714037059.", 1_714_037_059),
        ("1714037059.999", 1_714_037_059),
        ("1714037059123", 1_714_037_059),
        ("1714037059123.5", 1_714_037_059),
        ("1.714037059e9", 1_714_037_059),
        ("1.714037059E+09", 1_714_037_059),
        ("1.714037059123e12", 1_714_037_059),
        ("17140370590e-1", 0),
        // Rounded, perhaps.
        ("1.714e9", 0),
        ("1.7e9", 0),
        ("", 0),
        (".", 0),
        ("e9", 0),
        ("noon", 0),
        ("NaN", 0),
        ("1e400", 0),
        ("1.714037059e99999999999", 0),
        ("99999999999999999999", 0),
        ("1,714,037,059", 0),
    ] {
        let xml = format!("<xml><MsgType>text</MsgType><CreateTime>{written}</CreateTime><Content>a</Content></xml>");
        assert_eq!(parse(&xml).create_time, seconds, "{written}");
    }
    #[cfg(feature = "json")]
    for written in ["1714037059", "1714037059.0", "1.714037059e9", "1714037059123", "\"1714037059\""] {
        let json = format!("{{\"MsgType\":\"text\",\"CreateTime\":{written},\"Content\":\"a\"}}");
        assert_eq!(parse(&json).create_time, 1_714_037_059, "{written}");
    }
}

/// Reads with little stack and in little time, though tests are not optimised and the machine may be busy: in half a
/// second at most on one that is not.
fn read_cheaply(body: String) -> Result<(), ParseError> {
    let started = Instant::now();
    let thread = std::thread::Builder::new().stack_size(192 << 10);
    let read = thread.spawn(move || parse_event(body.as_bytes()).map(drop)).unwrap().join().unwrap();
    let passed = started.elapsed();
    assert!(passed < Duration::from_secs(15), "{passed:?}");
    read
}

#[test]
fn what_passes_a_limit_costs_neither_stack_nor_time() {
    let too_deep = |element: &str| Err(ParseError::TooDeep { element: element.to_owned(), limit: 16 });
    assert_eq!(read_cheaply("<a>".repeat(16_390)), too_deep("a"));
    assert_eq!(read_cheaply("<a b='>'>".repeat(110_000)), too_deep("a"));
    assert_eq!(
        read_cheaply(format!("<x>{}", "<a/>".repeat(250_000))),
        Err(ParseError::TooManyElements { limit: 4096 })
    );
    let attributes = format!("<x {}/>", "a=''".repeat(250_000));
    assert_eq!(read_cheaply(attributes), Err(ParseError::TooManyAttributes { limit: 256 }));
}

#[test]
fn looking_for_the_end_of_a_value_costs_time_in_proportion() {
    let full = |piece: &str| piece.repeat(300_000 / piece.len());
    for middle in [
        full("<![CDATA["),
        full("<![CDATA[]]>"),
        full("]]>"),
        full("<![CDATA[]]><!---->"),
        full("]]><![CDATA["),
        full("<![CDATA[]]></b>"),
        full("<![CDATA[]]>]]></b>"),
        full("<![CDATA[]]>< "),
        full("]]> "),
        full("<![CDATA[]]>&"),
        full("&#xD83D;"),
        full("&#xD83D;&#xDE00;"),
        full("<"),
        full("&"),
        full("\u{8}"),
        (0..2000).map(|n| format!("<a{n}><![CDATA[{}]]><b/></a{n}>", "]]>".repeat(60))).collect(),
        (0..4000).map(|n| format!("<a{n}><![CDATA[]]><![CDATA[]]>]]></a{n}>")).collect(),
    ] {
        for (before, behind) in [("<xml><MsgType>a</MsgType><c>", "</c></xml>"), ("<xml><c><![CDATA[", "]]></c></xml>")]
        {
            // Whether it is one does not matter.
            let _ = read_cheaply(format!("{before}{middle}{behind}"));
        }
    }
}

#[test]
fn a_limit_counts_every_element_and_every_level_in_both_readers() {
    let body = text("<![CDATA[hi]]>");
    for body in [body.clone(), body.replace("</xml>", "<!-- --></xml>")] {
        let read = |limits: Limits| limits.parse_event(body.as_bytes()).map(drop);
        for elements in 0..7 {
            let error = Err(ParseError::TooManyElements { limit: elements });
            assert_eq!(read(Limits::default().max_elements(elements)), error, "{body}");
        }
        assert_eq!(read(Limits::default().max_elements(7)), Ok(()));
        let error = Err(ParseError::TooDeep { element: "ToUserName".to_owned(), limit: 0 });
        assert_eq!(read(Limits::default().max_depth(0)), error);
        assert_eq!(read(Limits::default().max_depth(1)), Ok(()));
    }
}

#[test]
fn a_second_element_of_a_name_may_have_what_the_first_lacks() {
    let body = "<xml><MsgType>event</MsgType><Event>new</Event><A><C>1</C></A><A><B>2</B></A><A><B>3</B></A></xml>";
    assert_eq!(parse(body).field("A/B").as_deref(), Some("2"));
    assert_eq!(parse(body).field("A/D|A/B").as_deref(), Some("2"));
    assert_eq!(parse(body).field("A/D"), None);
}

#[test]
fn an_error_names_its_place_once_and_where_it_is() {
    for (body, error) in [
        ("<xml>\n<a b='1' b='2'/></xml>", "not XML: attribute 'b' is already defined at line 2, column 10"),
        ("<xml>\n\n  <a></b></xml>", "not XML: expected 'a' tag, not 'b' at line 3, column 6"),
        // After a rewritten part.
        (
            "<xml>&#10;&amp;&nbsp;<![CDATA[a\u{8}]]><!-- c -->\u{8}</y></xml>",
            "not XML: expected 'xml' tag, not 'y' at line 1, column 47",
        ),
        (
            "<xml><a><![CDATA[\n]]>]]></a>\r\n\u{10FFFD}😀</y></xml>",
            "not XML: expected 'xml' tag, not 'y' at line 3, column 3",
        ),
        ("<xml><a", "not XML: the root node was opened but never closed at line 1, column 8"),
    ] {
        assert_eq!(parse_event(body.as_bytes()).unwrap_err().to_string(), error, "{body}");
    }
}
