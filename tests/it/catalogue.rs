//! The catalogue of what WeChat pushes, `tests/catalogue.txt`, compared with the table of kinds and their records.

use std::collections::{BTreeMap, BTreeSet};

use wechat_events::event::{KINDS, KindInfo, MassSendStatus, TemplateStatus};
use wechat_events::{Event, Kind, parse_event};

/// The fields of each kind, by its names as the catalogue writes them.
type Rows = BTreeMap<String, BTreeSet<String>>;

fn catalogue() -> Rows {
    let mut rows = Rows::new();
    let mut common = BTreeMap::new();
    for line in include_str!("../catalogue.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (names, fields) = line.split_once(':').unwrap();
        let fields = fields.split_whitespace().map(str::to_owned);
        match names.split_once(' ') {
            None => assert!(common.insert(names, fields.collect::<Vec<_>>()).is_none(), "{names} twice"),
            Some((element, _)) => {
                let fields = fields.chain(common.get(element).into_iter().flatten().cloned()).collect();
                assert!(rows.insert(names.to_owned(), fields).is_none(), "{names} twice");
            }
        }
    }
    rows
}

fn names(kind: &KindInfo) -> String {
    kind.names().map(|(element, name)| format!("{element} {name}")).collect::<Vec<_>>().join("|")
}

#[test]
fn every_row_of_the_catalogue_is_a_kind_with_its_fields_and_every_kind_a_row() {
    let kinds: Rows = KINDS.iter().map(|kind| (names(kind), kind.fields().into_iter().collect())).collect();
    let catalogue = catalogue();
    assert_eq!(kinds.len(), KINDS.len(), "a name has two kinds");
    let of_either: BTreeSet<_> = kinds.keys().chain(catalogue.keys()).collect();
    let differing: Vec<_> = of_either
        .into_iter()
        .filter(|name| kinds.get(*name) != catalogue.get(*name))
        .map(|name| format!("{name}\n  kind: {:?}\n  row:  {:?}\n", kinds.get(name), catalogue.get(name)))
        .collect();
    assert!(differing.is_empty(), "{}", differing.concat());
    assert_eq!(kinds.len(), 146);
}

/// A push of that kind in which each of these paths leads to a 1; neighbours with the same parent share it.
fn push(element: &str, name: &str, paths: &[String]) -> Vec<u8> {
    let mut xml = match element {
        "Event" => format!("<xml><MsgType>event</MsgType><Event>{name}</Event>"),
        _ => format!("<xml><{element}>{name}</{element}>"),
    };
    let mut parents: Vec<&str> = Vec::new();
    for path in paths.iter().map(String::as_str).chain([""]) {
        let mut names: Vec<_> = path.split('/').collect();
        let leaf = names.pop().unwrap();
        let shared = parents.iter().zip(&names).take_while(|(one, other)| one == other).count();
        xml.extend(parents.drain(shared..).rev().map(|name| format!("</{name}>")));
        xml.extend(names[shared..].iter().map(|name| format!("<{name}>")));
        parents = names;
        if !leaf.is_empty() {
            xml += &format!("<{leaf}>1</{leaf}>");
        }
    }
    (xml + "</xml>").into_bytes()
}

/// The nth alternative of a path, or the last one if it has fewer.
fn way(path: &str, number: usize) -> String {
    path.split('|').take(number + 1).last().unwrap().to_owned()
}

#[test]
fn every_field_is_read_and_read_by_each_of_its_ways() {
    for kind in KINDS {
        let fields = kind.fields();
        let body = |number, but| {
            let fields = fields.iter().filter(|field| Some(*field) != but);
            push(kind.named_by(), kind.name(), &fields.map(|field| way(field, number)).collect::<Vec<_>>())
        };
        let whole = body(0, None);
        let whole = parse_event(&whole).unwrap();
        assert!(!matches!(whole.kind, Kind::Unknown(_)), "{whole:?}");
        for number in 1..4 {
            assert_eq!(parse_event(&body(number, None)).unwrap().kind, whole.kind, "{} by way {number}", kind.name());
        }
        for field in &fields {
            let without = body(0, Some(field));
            assert_ne!(parse_event(&without).unwrap().kind, whole.kind, "{} does not read {field}", kind.name());
            assert_eq!(whole.field(field).as_deref(), Some("1"), "{field}");
        }
    }
}

#[test]
fn every_kind_is_found_by_each_of_its_names_in_any_case() {
    for kind in KINDS {
        for (element, name) in kind.names() {
            for name in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
                let body = push(element, &name, &[]);
                let event = parse_event(&body).unwrap();
                assert_eq!(event.info().map(KindInfo::variant), Some(kind.variant()), "{element} {name}");
                assert_eq!(event.name(), kind.name());
            }
        }
    }
}

#[test]
fn no_name_is_found_under_another_element_or_at_an_unheard_of_length() {
    let long = "x".repeat(300);
    // As long as the longest, and one letter longer.
    let longest = KINDS.iter().flat_map(KindInfo::names).map(|(_, name)| name.len()).max().unwrap();
    let longer = "x".repeat(longest + 1);
    for (element, name) in [
        ("Event", "text"),
        ("MsgType", "SCAN"),
        ("InfoType", "SCAN"),
        ("Event", ""),
        ("Event", &long),
        ("Event", &longer),
    ] {
        let body = push(element, name, &[]);
        assert_eq!(parse_event(&body).unwrap().info().map(KindInfo::variant), None, "{element} {name}");
    }
}

#[test]
fn the_page_of_the_module_lists_every_kind_by_its_group() {
    let page = include_str!("../../src/event/kinds.md");
    let mut rows = page.lines().skip(2);
    for kinds in KINDS.chunk_by(|one, other| one.group() == other.group()) {
        let group = format!("{:?}", kinds[0].group());
        let links: Vec<_> = kinds.iter().map(|kind| format!("[`{}`]", kind.variant())).collect();
        let (begins, ends) = (format!("| [`{group}`](Group::{group}): "), format!(" | {} |", links.join(" ")));
        let row = rows.next().unwrap_or_default();
        assert!(row.starts_with(&begins) && row.ends_with(&ends), "{row}\nis to be\n{begins}…{ends}");
    }
    assert_eq!(rows.next(), None);
}

#[test]
fn a_text_of_which_wechat_documents_the_values_comes_back_to_the_letter() {
    let status = |name: &str, status: &str| {
        let body = format!("<xml><MsgType>event</MsgType><Event>{name}</Event><Status>{status}</Status></xml>");
        parse_event(body.as_bytes()).unwrap().into_owned().kind
    };
    for (text, expected) in [
        ("success", TemplateStatus::Success),
        ("failed:user block", TemplateStatus::UserBlock),
        ("failed: system failed", TemplateStatus::SystemFailed),
        ("failed:system failed", TemplateStatus::Other("failed:system failed".into())),
        ("Success", TemplateStatus::Other("Success".into())),
        ("", TemplateStatus::Other("".into())),
    ] {
        let Kind::TemplateSendJobFinish(job) = status("TEMPLATESENDJOBFINISH", text) else { panic!("{text}") };
        assert_eq!(job.status.as_ref().map(TemplateStatus::as_str), Some(text));
        assert_eq!(job.status, Some(expected));
    }
    let Kind::MassSendJobFinish(job) = status("MASSSENDJOBFINISH", "err(20013)") else { panic!() };
    assert_eq!(job.status, Some(MassSendStatus::Copyright));
    assert_eq!(job.status.unwrap().to_string(), "err(20013)");
}

#[test]
fn an_event_stays_as_large_as_a_usual_body() {
    // Because of `RetailRefundNotify`, thirteen texts and four numbers. Boxing such rare kinds would save 200 bytes and
    // cost an allocation and a pattern through a Box; parsing writes the kind in place whatever its size, and the
    // usual kinds are read no slower than when this was 416.
    assert!(size_of::<Event<'_>>() <= 504, "{}", size_of::<Event<'_>>());
}
