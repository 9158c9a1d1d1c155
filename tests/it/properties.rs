//! Properties of every possible push, of every kind, in every layout.

use std::cell::Cell;
use std::fmt::Debug;
use std::fs;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use wechat_events::event::KINDS;
use wechat_events::testing::readers;
use wechat_events::{Event, parse_event};

use crate::generate::{Choices, Element, by_path, damage, disguise, flatten, sample, typed, vary, xml};
use crate::{files, snake};

/// Tries pushes derived from a kind's fixtures. `PROPTEST_CASES=20000` tries more of them.
fn for_every_kind(property: impl Fn(&[Element], &mut Choices<'_>) -> Result<(), TestCaseError>) {
    let files = files("pushes", "xml");
    let usual = Config::default();
    let cases = 1 + 2 * usual.cases / u32::try_from(KINDS.len()).unwrap();
    for kind in KINDS {
        let kind = snake(kind.variant());
        let samples: Vec<_> = files
            .iter()
            .filter(|(name, _)| name.split('.').next() == Some(&kind))
            .map(|(_, path)| sample(&String::from_utf8_lossy(&fs::read(path).unwrap())))
            .collect();
        let config = Config { cases, failure_persistence: None, max_shrink_iters: 2000, ..usual.clone() };
        let bytes = vec(any::<u8>(), 0..800);
        let tried = TestRunner::new(config).run(&bytes, |bytes| {
            let mut choices = Choices::new(&bytes);
            let sample = choices.pick(&samples.iter().collect::<Vec<_>>());
            property(sample, &mut choices)
        });
        match tried {
            Ok(()) => {}
            Err(TestError::Fail(reason, bytes)) => panic!("{kind}: {reason}\nby the choices {bytes:?}"),
            Err(error) => panic!("{kind}: {error}"),
        }
    }
}

fn same<T: PartialEq + Debug>(found: T, expected: T, of: &str) -> Result<(), TestCaseError> {
    if found == expected {
        return Ok(());
    }
    Err(TestCaseError::fail(format!("found {found:#?}\nexpected {expected:#?}\nof {of:?}")))
}

fn parse(body: &str) -> Result<Event<'_>, TestCaseError> {
    parse_event(body.as_bytes()).map_err(|error| TestCaseError::fail(format!("{error}, {body:?}")))
}

/// Every element comes back, and no other at its path.
fn has_all(event: &Event<'_>, elements: &[Element], of: &str) -> Result<(), TestCaseError> {
    for (path, texts) in by_path(elements) {
        same(event.fields(&path).collect::<Vec<_>>(), texts.iter().map(Into::into).collect(), of)?;
    }
    Ok(())
}

/// Both are equal: the event, its bytes, and the fields read from them.
fn same_push(found: &Event<'_>, expected: &Event<'_>, path: &str) -> Result<(), TestCaseError> {
    let of = String::from_utf8_lossy(expected.body());
    same(found, expected, &of)?;
    same(found.body(), expected.body(), &of)?;
    same(found.dedup_key(), expected.dedup_key(), &of)?;
    same(found.field(path), expected.field(path), &of)?;
    same(found.field(path).is_some(), true, &of)
}

#[test]
fn a_push_with_a_type_is_an_event_with_every_element() {
    for_every_kind(|sample, choices| {
        let elements = vary(sample, choices);
        let body = xml(&elements, choices);
        has_all(&parse(&body)?, &elements, &body)
    });
}

#[test]
fn case_order_and_extra_elements_change_nothing() {
    for_every_kind(|sample, choices| {
        let usual = xml(sample, &mut Choices::new(&[]));
        let disguised = xml(&disguise(sample, choices), choices);
        same(parse(&disguised)?, parse(&usual)?, &disguised)
    });
}

#[test]
fn the_owned_event_is_the_borrowed_one() {
    for_every_kind(|sample, choices| {
        let elements = vary(sample, choices);
        let body = xml(&elements, choices);
        let event = parse(&body)?;
        same_push(&event.clone().into_owned(), &event, &elements[0].name)
    });
}

#[test]
fn both_readers_of_xml_read_what_was_written() {
    let (documents, flat) = (Cell::new(0), Cell::new(0));
    for_every_kind(|sample, choices| {
        let elements = vary(sample, choices);
        let body = xml(&elements, choices);
        documents.set(documents.get() + 1);
        same(readers::tree(&body), Ok(flatten(&elements)), &body)?;
        if let Some(found) = readers::flat(&body) {
            flat.set(flat.get() + 1);
            same(found, flatten(&elements), &body)?;
        }
        Ok(())
    });
    let (documents, flat) = (documents.get(), flat.get());
    assert!(flat > documents / 8, "only {flat} of {documents} were of WeChat's dialect");
}

#[test]
fn both_readers_of_xml_agree_on_what_is_broken() {
    for_every_kind(|sample, choices| {
        let elements = vary(sample, choices);
        let whole = xml(&elements, choices);
        let body = damage(&whole, choices);
        let by_tree = readers::tree(&body);
        match readers::flat(&body) {
            Some(by_flat) => same(by_tree, Ok(by_flat), &body),
            None => Ok(()),
        }
    });
}

#[test]
fn whatever_a_user_types_is_read_and_the_header_is_wechats() {
    for_every_kind(|sample, choices| {
        let elements = vary(sample, choices);
        let pasted = xml(&elements, choices);
        let typed = typed(&pasted, choices);
        let body = format!(
            "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o_1]]></FromUserName>\
             <CreateTime>1714037059</CreateTime><MsgType><![CDATA[text]]></MsgType>\
             <Content><![CDATA[{typed}]]></Content><MsgId>7</MsgId><Encrypt><![CDATA[sealed]]></Encrypt></xml>"
        );
        let event = parse(&body)?;
        let header = (&*event.to_user, &*event.from_user, event.create_time, event.name());
        same(header, ("gh_1", "o_1", 1_714_037_059, "text"), &body)?;
        same(event.msg_id().as_deref(), Some("7"), &body)?;
        same(event.field("Encrypt").as_deref(), Some("sealed"), &body)?;
        if !typed.contains("</Content") && !typed.contains("<![CDATA[") {
            same(event.field("Content").as_deref(), Some(&*typed), &body)?;
        }
        match readers::flat(&body) {
            Some(by_flat) => same(readers::tree(&body), Ok(by_flat), &body),
            None => Ok(()),
        }
    });
}

#[test]
fn a_judge_refuses_as_not_xml_what_a_strict_parser_refuses() {
    use wechat_events::testing::{Answer, Reason, Verdict, WeChat};

    let wechat = WeChat::plain("token").unwrap();
    let request = wechat.push("text").request(1_714_037_059);
    let found = [const { Cell::new(0) }; 4];
    for_every_kind(|sample, choices| {
        let elements = vary(sample, choices);
        let whole = xml(&elements, choices);
        let damaged = damage(&whole, choices);
        for body in [whole, damaged] {
            let not_xml = match wechat.judge(&request, Answer::new(200, &*body)) {
                Verdict::FaultLine(Reason::NotXml { reason, .. }) => Some(reason),
                Verdict::FaultLine(Reason::ByteOrderMark | Reason::Format) => continue,
                _ => None,
            };
            let index = 2 * usize::from(readers::flat(&body).is_some()) + usize::from(not_xml.is_some());
            found[index].update(|count| count + 1);
            same(not_xml, roxmltree::Document::parse(&body).err().map(|error| error.to_string()), &body)?;
        }
        Ok(())
    });
    let found = found.map(Cell::into_inner);
    assert!(found.iter().all(|count| *count > 10), "too few of a sort: {found:?}");
}

#[cfg(feature = "json")]
#[test]
fn serde_json_agrees_on_what_is_json() {
    for_every_kind(|sample, choices| {
        let elements = vary(sample, choices);
        let whole = crate::generate::json(&elements, choices);
        // Control characters are where the two differ, and mean to.
        let body = damage(&whole, choices).replace(|c: char| c.is_ascii_control(), " ");
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok();
        same(readers::json(&body).is_ok(), is_json && body.trim_start().starts_with('{'), &body)
    });
}

#[cfg(feature = "json")]
#[test]
fn xml_and_json_of_one_push_are_equal_events() {
    for_every_kind(|sample, choices| {
        let elements = vary(sample, choices);
        let body = xml(&elements, choices);
        let json = crate::generate::json(&elements, choices);
        let (by_xml, by_json) = (parse(&body)?, parse(&json)?);
        same(&by_json, &by_xml, &json)?;
        has_all(&by_json, &elements, &json)
    });
}

#[cfg(feature = "serde")]
#[test]
fn what_was_serialized_comes_back_whole() {
    for_every_kind(|sample, choices| {
        let elements = vary(sample, choices);
        let body = match choices.pick(&["xml", "json"]) {
            #[cfg(feature = "json")]
            "json" => crate::generate::json(&elements, choices),
            _ => xml(&elements, choices),
        };
        let event = parse(&body)?;
        let text = serde_json::to_string(&event).unwrap();
        let bytes = postcard::to_stdvec(&event).unwrap();
        for back in [serde_json::from_str::<Event<'_>>(&text).unwrap(), postcard::from_bytes(&bytes).unwrap()] {
            same_push(&back, &event, &elements[0].name)?;
        }
        Ok(())
    });
}
