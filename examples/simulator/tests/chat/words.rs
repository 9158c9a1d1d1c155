//! The words of the page.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use wechat_events::event::KINDS;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    en: String,
    zh: String,
}

fn page() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/chat/page"))
}

fn read(name: &str) -> String {
    fs::read_to_string(page().join(name)).unwrap()
}

fn words() -> BTreeMap<String, Words> {
    let text = read("words.json");
    let words: BTreeMap<String, Words> = serde_json::from_str(&text).unwrap();
    assert_eq!(text.lines().count() - 2, words.len(), "a line each, and no name twice");
    words
}

/// The names by which the page asks for words: of `t('name')`, `t(condition ? 'one' : 'other')` and, with all that begin
/// so, of `` t(`group.${…}`) ``; and in HTML of `data-text="name"` and its like.
fn used(words: &BTreeMap<String, Words>) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for file in fs::read_dir(page()).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let text = if name.ends_with(".js") || name.ends_with(".html") { read(&name) } else { continue };
        for mark in ["data-text=\"", "data-label=\"", "data-title=\""] {
            used.extend(text.split(mark).skip(1).map(|behind| behind.split('"').next().unwrap().to_owned()));
        }
        for (place, call) in text.match_indices("t(") {
            if text[..place].ends_with(|before: char| before.is_alphanumeric() || before == '.' || before == '_') {
                continue;
            }
            let argument = text[place + call.len()..].split([',', ')']).next().unwrap();
            if let Some(dynamic) = argument.strip_prefix('`') {
                let begin = dynamic.split("${").next().unwrap();
                used.extend(words.keys().filter(|name| name.starts_with(begin)).cloned());
            }
            used.extend(argument.split('\'').skip(1).step_by(2).map(str::to_owned));
        }
    }
    used
}

/// The values that go into a text, by their names in braces.
fn values(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).map(|behind| behind.split('}').next().unwrap()).collect()
}

#[test]
fn every_word_is_there_in_both_languages_and_used() {
    let words = words();
    assert_eq!(used(&words), words.keys().cloned().collect());
    for (name, Words { en, zh }) in &words {
        assert!(!en.is_empty() && !zh.is_empty(), "{name}");
        assert_eq!(values(en), values(zh), "{name}");
        let is_chinese = |text: &str| text.chars().any(|character| ('\u{4E00}'..='\u{9FFF}').contains(&character));
        assert_eq!((is_chinese(en), is_chinese(zh)), (false, true), "{name}");
    }
}

#[test]
fn what_the_server_names_has_words() {
    let words = words();
    let groups = KINDS.iter().map(|kind| format!("group.{:?}", kind.group()));
    let takes = ["reply", "success", "code", "opinion"].map(|takes| format!("takes.{takes}"));
    let modes = ["plain", "compatible", "safe"].map(|mode| format!("mode.{mode}"));
    let named: BTreeSet<_> = groups.chain(takes).chain(modes).collect();
    let dynamic = |name: &&String| name.contains('.');
    assert_eq!(named, words.keys().filter(dynamic).cloned().collect());
}
