//! Arbitrary bytes as a body: no panic, one result from both readers, and every element reachable. The same as a text
//! that a user typed.
#![no_main]

use std::borrow::Cow;

use libfuzzer_sys::fuzz_target;
use wechat_events::parse_event;
use wechat_events::testing::readers;

/// Paths to look up in one event; each lookup reads the body again.
const PATHS: usize = 8;

fuzz_target!(|body: &[u8]| {
    let text = String::from_utf8_lossy(body);
    let tree = readers::tree(&text);
    if let Cow::Borrowed(text) = text
        && let Some(flat) = readers::flat(text)
    {
        assert_eq!(Ok(&flat), tree.as_ref(), "the readers disagree");
    }
    typed(&text);
    let Ok(event) = parse_event(body) else { return };
    let owned = event.clone().into_owned();
    assert_eq!(owned, event);
    assert_eq!(owned.dedup_key(), event.dedup_key());
    let Ok(elements) = tree.or_else(|_| readers::json(&text)) else { return };
    for (path, values) in by_path(&elements).iter().take(PATHS) {
        assert_eq!(&owned.fields(path).collect::<Vec<_>>(), values, "{path}");
        let counts = if matches!(&**path, "MsgId" | "Encrypt") { values.last() } else { values.first() };
        assert_eq!(event.field(path).as_deref(), counts.copied(), "{path}");
    }
});

/// Whatever a user types, the message is read, and its header is WeChat's.
fn typed(text: &str) {
    let body = format!(
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o_1]]></FromUserName>\
         <CreateTime>1714037059</CreateTime><MsgType><![CDATA[text]]></MsgType>\
         <Content><![CDATA[{text}]]></Content><MsgId>7</MsgId><Encrypt><![CDATA[sealed]]></Encrypt></xml>"
    );
    let event = parse_event(body.as_bytes()).unwrap();
    let header = (&*event.to_user, &*event.from_user, event.create_time, event.name());
    assert_eq!(header, ("gh_1", "o_1", 1_714_037_059, "text"), "{body}");
    assert_eq!(event.msg_id().as_deref(), Some("7"), "{body}");
    assert_eq!(event.field("Encrypt").as_deref(), Some("sealed"), "{body}");
    if !text.contains("</Content") && !text.contains("<![CDATA[") {
        assert_eq!(event.field("Content").as_deref(), Some(text), "{body}");
    }
}

/// The values at each path, in the document's order.
fn by_path(elements: &readers::Elements) -> Vec<(String, Vec<&str>)> {
    let mut paths: Vec<(String, Vec<&str>)> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for (depth, name, value) in elements {
        names.truncate(usize::try_from(*depth).unwrap());
        names.push(name);
        // In JSON a name may contain a path's separators: no path can reach it.
        if names.iter().any(|name| name.contains(['/', '|'])) {
            continue;
        }
        let path = names.join("/");
        match paths.iter_mut().find(|(known, _)| *known == path) {
            Some((_, values)) => values.push(value),
            None => paths.push((path, vec![value])),
        }
    }
    paths
}
