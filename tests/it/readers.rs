//! The readers, each by itself and compared with one another.

use std::fs;
use std::hint::black_box;

use allocation_counter::measure;
use wechat_events::parse_event;
use wechat_events::testing::readers;

use crate::files;

/// Checks that both XML readers give one result; returns whether both read it.
pub fn agree_on(body: &str) -> bool {
    let Some(flat) = readers::flat(body) else { return false };
    assert_eq!(Ok(flat), readers::tree(body), "{body}");
    true
}

#[test]
fn both_readers_agree_on_every_fixture_that_both_read() {
    let mut both = 0;
    for (_, path) in files("pushes", "xml").into_iter().chain(files("refused", "xml")) {
        let body = fs::read(&path).unwrap();
        let Ok(text) = std::str::from_utf8(&body) else { continue };
        both += usize::from(agree_on(text));
    }
    assert!(both > 60, "only {both} are of WeChat's dialect");
}

/// Depth, name and value, as the readers yield them.
fn elements(expected: &[(u32, &str, &str)]) -> readers::Elements {
    expected.iter().map(|&(depth, name, value)| (depth, name.to_owned(), value.to_owned())).collect()
}

#[test]
fn the_reader_of_wechats_dialect_takes_brackets_at_the_end_of_a_value() {
    for value in ["a]", "a]]", "]", "]]", "]]]]]", "a]]]b]]", "a] ]]", "]>]"] {
        for padding in ["", "twelve bytes", "some more bytes than memchr is begun without"] {
            let body = format!("<xml><a><![CDATA[{padding}{value}]]></a></xml>");
            let expected = format!("{padding}{value}");
            assert_eq!(readers::flat(&body), Some(elements(&[(0, "a", &expected)])), "{body}");
        }
    }
}

#[test]
fn the_reader_of_wechats_dialect_leaves_a_carriage_return_in_bare_text_to_the_other() {
    for (bare, value) in [("a\r\nb", "a\nb"), ("a\rb", "a\nb")] {
        let body = format!("<xml><a>{bare}</a></xml>");
        assert_eq!(readers::flat(&body), None, "{body:?}");
        assert_eq!(readers::tree(&body), Ok(elements(&[(0, "a", value)])), "{body:?}");
    }
    let body = "<xml><a>\r\na\r\n</a></xml>";
    assert_eq!(readers::flat(body), Some(elements(&[(0, "a", "a")])));
}

#[cfg(feature = "json")]
#[test]
fn members_become_the_elements_of_the_same_push_in_xml() {
    let json = r#"{"Count": 2, "PicList": {"item": [{"Md5": "a"}, {"Md5": "b"}]}, "PicList": [{"item": {}}, "c"]}"#;
    let xml = "<xml><Count>2</Count><PicList><item><Md5>a</Md5></item><item><Md5>b</Md5></item></PicList>\
               <PicList><item/></PicList><PicList>c</PicList></xml>";
    assert_eq!(readers::json(json), readers::tree(xml));
}

#[cfg(feature = "json")]
#[test]
fn arrays_within_arrays_are_one() {
    let found = readers::json(r#"{"a": [1, [2, [], [{"b": [[3]]}, null]], 4], "c": [[]]}"#);
    let items = [(0, "a", "1"), (0, "a", "2"), (0, "a", ""), (1, "b", "3"), (0, "a", "4")];
    assert_eq!(found, Ok(elements(&items)));
}

#[cfg(feature = "json")]
#[test]
fn numbers_keep_the_text_that_stands_there() {
    let found = readers::json(r#"{"a": [0.10, 1e3, -0, 18446744073709551616, 1E+400, "1"], "b":7}"#);
    let texts = ["0.10", "1e3", "-0", "18446744073709551616", "1E+400", "1"];
    let mut expected: Vec<_> = texts.map(|text| (0, "a", text)).into();
    expected.push((0, "b", "7"));
    assert_eq!(found, Ok(elements(&expected)));
}

#[test]
fn a_push_in_wechats_dialect_without_repeated_parts_is_read_without_allocating() {
    let mut counted = 0;
    for (name, path) in files("pushes", "xml") {
        let body = fs::read(path).unwrap();
        let Ok(text) = std::str::from_utf8(&body) else { continue };
        let event = parse_event(&body).unwrap();
        let repeats = format!("{:?}", event.kind).contains('[');
        if readers::flat(text).is_some() && !repeats {
            let count = measure(|| drop(black_box(parse_event(&body)))).count_total;
            assert_eq!(count, 0, "{name}");
            counted += 1;
        }
    }
    assert!(counted > 50, "{counted}");
}
