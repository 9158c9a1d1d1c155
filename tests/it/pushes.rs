//! The fixtures: `tests/pushes` with the whole resulting event, `tests/refused` with the exact error.

use std::collections::BTreeSet;
use std::fs;

use wechat_events::event::KINDS;
use wechat_events::{Event, Kind, parse_event};

use crate::{expect, files, snake};

/// The name of the kind's variant, as Rust spells it.
fn variant(event: &Event<'_>) -> String {
    let debug = format!("{:?}", event.kind);
    debug.split(['(', ' ', '{']).next().unwrap().to_owned()
}

#[test]
fn every_push_becomes_the_event_beside_it() {
    let failures: Vec<_> = files("pushes", "xml")
        .into_iter()
        .filter_map(|(name, path)| {
            let body = fs::read(&path).unwrap();
            let event = parse_event(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
            expect(&path, "event", &format!("{event:#?}")).err()
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_refused_body_has_the_error_beside_it() {
    let failures: Vec<_> = files("refused", "xml")
        .into_iter()
        .filter_map(|(name, path)| {
            let body = fs::read(&path).unwrap();
            let error = match parse_event(&body) {
                Ok(event) => panic!("{name} became {event:?}"),
                Err(error) => error,
            };
            expect(&path, "error", &error.to_string()).err()
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_kind_has_a_fixture_and_every_fixture_its_kind() {
    let mut of_kinds = BTreeSet::new();
    for (name, path) in files("pushes", "xml") {
        let body = fs::read(&path).unwrap();
        let event = parse_event(&body).unwrap();
        let kind = snake(&variant(&event));
        assert_eq!(name.split('.').next().unwrap(), kind, "{name} is of another kind");
        if name == kind {
            of_kinds.insert(name);
        }
    }
    let kinds: BTreeSet<_> = KINDS.iter().map(|kind| snake(kind.variant())).collect();
    assert_eq!(of_kinds, kinds);
}

#[test]
fn no_expectation_stands_without_its_push() {
    for (folder, extension) in [("pushes", "event"), ("refused", "error")] {
        let expected: Vec<_> = files(folder, extension).into_iter().map(|(name, _)| name).collect();
        let inputs: Vec<_> = files(folder, "xml").into_iter().map(|(name, _)| name).collect();
        assert_eq!(expected, inputs, "{folder}");
    }
}

#[test]
fn the_owned_event_equals_the_borrowed_one_and_keeps_its_fields() {
    for (name, path) in files("pushes", "xml") {
        let body = fs::read(&path).unwrap();
        let event = parse_event(&body).unwrap();
        let owned = event.clone().into_owned();
        assert_eq!(owned, event, "{name}");
        assert_eq!(owned.dedup_key(), event.dedup_key(), "{name}");
        assert_eq!(owned.field("MsgType"), event.field("MsgType"), "{name}");
        assert_eq!(owned.name(), event.name(), "{name}");
    }
}

#[test]
fn scenes_of_both_seeds_come_without_their_prefix() {
    let scene = |name: &str| {
        let (_, path) = files("pushes", "xml").into_iter().find(|(found, _)| found == name).unwrap();
        let body = fs::read(path).unwrap();
        match parse_event(&body).unwrap().kind {
            Kind::Subscribe(subscribe) => subscribe.scene().map(|scene| (scene.to_owned(), subscribe.scene_id())),
            Kind::Scan(scan) => Some((scan.scene().to_owned(), scan.scene_id())),
            kind => panic!("{name}: {kind:?}"),
        }
    };
    let text = |scene: &str, id| Some((scene.to_owned(), id));
    for (name, expected) in [
        ("subscribe.first_seed", None),
        ("subscribe.first_seed_qr_code", text("123123", Some(123_123))),
        ("scan.first_seed", text("SCENE_VALUE", None)),
        ("subscribe.second_seed", None),
        ("subscribe.second_seed_qr_code", text("123123", Some(123_123))),
        ("scan.second_seed", text("123123", Some(123_123))),
        ("subscribe.empty_event_key", None),
        ("subscribe.paid", None),
        ("subscribe.scan_bar_code", None),
        ("subscribe.scan_image", None),
        ("subscribe.prefix_in_scene", text("qrscene_7", None)),
        ("subscribe.white_space", text("door 7 ", None)),
        ("scan.largest_scene_id", text("4294967295", Some(u32::MAX))),
        ("scan.number_over_32_bits", text("4294967296", None)),
        ("scan.leading_zero", text("007", None)),
    ] {
        assert_eq!(scene(name), expected, "{name}");
    }
}

#[test]
fn every_element_of_an_unknown_push_is_there() {
    let body = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pushes/unknown.new_event.xml")).unwrap();
    let event = parse_event(&body).unwrap();
    assert_eq!(event.name(), "brand_new_event");
    assert_eq!(event.field("Parts/Part/Color").as_deref(), Some("red"));
    assert_eq!(event.fields("Parts/Part/Color").collect::<Vec<_>>(), ["red", "blue"]);
    assert_eq!(event.fields("Parts/Part").collect::<Vec<_>>(), ["", ""]);
    assert_eq!(event.field("Color"), None, "a path begins at the root");
    assert_eq!(event.field("Parts/Part/Color/Deep"), None);
    assert_eq!(event.fields("Nothing").count(), 0);
}
