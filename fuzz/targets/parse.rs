//! Arbitrary bytes as a body: no panic, one result from both readers, and every element within reach.
#![no_main]

use std::borrow::Cow;

use libfuzzer_sys::fuzz_target;
use wechat_events::{parse_event, readers};

/// Paths asked of one event; each reads the body again.
const PATHS: usize = 8;

fuzz_target!(|body: &[u8]| {
    let text = String::from_utf8_lossy(body);
    let tree = readers::tree(&text);
    if let Cow::Borrowed(text) = text
        && let Some(flat) = readers::flat(text)
    {
        assert_eq!(Ok(&flat), tree.as_ref(), "the readers disagree");
    }
    let Ok(event) = parse_event(body) else { return };
    let owned = event.clone().into_owned();
    assert_eq!(owned, event);
    assert_eq!(owned.dedup_key(), event.dedup_key());
    let Ok(elements) = tree else { return };
    for (path, values) in by_path(&elements).iter().take(PATHS) {
        assert_eq!(&owned.fields(path).collect::<Vec<_>>(), values, "{path}");
        assert_eq!(event.field(path).as_deref(), values.first().copied(), "{path}");
    }
});

/// The values at each path, in the document's order.
fn by_path(elements: &readers::Elements) -> Vec<(String, Vec<&str>)> {
    let mut paths: Vec<(String, Vec<&str>)> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for (depth, name, value) in elements {
        names.truncate(usize::try_from(*depth).unwrap());
        names.push(name);
        let path = names.join("/");
        match paths.iter_mut().find(|(known, _)| *known == path) {
            Some((_, values)) => values.push(value),
            None => paths.push((path, vec![value])),
        }
    }
    paths
}
