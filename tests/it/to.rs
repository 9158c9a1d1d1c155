//! `Event::to`: any push as the user's own struct, and the errors.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use wechat_events::{Event, parse_event};

/// A push with these elements, in XML.
fn push(elements: &str) -> Event<'static> {
    let body = format!("<xml><MsgType>event</MsgType><Event>own</Event>{elements}</xml>");
    parse_event(body.as_bytes()).unwrap().into_owned()
}

fn reads<T: DeserializeOwned + PartialEq + Debug>(elements: &str, expected: T) {
    assert_eq!(push(elements).to::<T>().as_ref(), Ok(&expected), "{elements}");
}

fn fails<T: DeserializeOwned + Debug>(elements: &str, expected: &str) {
    assert_eq!(push(elements).to::<T>().unwrap_err().to_string(), expected, "{elements}");
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Order {
    id: String,
    paid: bool,
    fee: i64,
    rate: f64,
    state: State,
    attach: Option<String>,
    #[serde(default)]
    goods: Vec<Goods>,
    buyer: Option<Buyer>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    New,
    #[serde(other)]
    Other,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Goods {
    name: String,
    count: u8,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Buyer {
    tag: Vec<u32>,
}

#[test]
fn nested_and_repeated_elements_numbers_and_enums_in_xml() {
    reads(
        "<Goods><name>a</name><count>1</count></Goods><Id><![CDATA[ 7\u{8} ]]></Id><Paid>TRUE</Paid><Fee> -5 </Fee>\
         <Rate>0.5</Rate><Goods><count>2</count><name>&amp;</name><more/></Goods><State>new</State><Attach></Attach>\
         <Buyer><tag>1</tag><x/><tag>2</tag></Buyer><Buyer><tag>3</tag></Buyer>",
        Order {
            id: " 7\u{8} ".to_owned(),
            paid: true,
            fee: -5,
            rate: 0.5,
            state: State::New,
            attach: None,
            goods: vec![Goods { name: "a".to_owned(), count: 1 }, Goods { name: "&".to_owned(), count: 2 }],
            buyer: Some(Buyer { tag: vec![1, 2] }),
        },
    );
}

#[cfg(feature = "json")]
#[test]
fn the_same_in_json_with_one_item_as_an_object_or_a_list() {
    let order = |goods: &str| {
        let body = format!(
            r#"{{"MsgType":"event","Event":"own"," Id":"7","Paid":"0","Fee":9007199254740993,"Rate":"1e1","State":"sold",
                "Attach":null,"Goods":{goods},"Buyer":{{"tag":[4]}}}}"#
        );
        parse_event(body.as_bytes()).unwrap().to::<Order>().unwrap()
    };
    let one = order(r#"{"name":"a","count":"1"}"#);
    assert_eq!((one.paid, one.fee, one.rate, one.attach.clone()), (false, 9_007_199_254_740_993, 10.0, None));
    assert_eq!((&one.state, &one.buyer), (&State::Other, &Some(Buyer { tag: vec![4] })));
    assert_eq!(one, order(r#"[{"name":"a","count":1}]"#));
    assert_eq!(order("[]").goods, []);
}

#[test]
fn every_number_reads_to_its_bounds_and_no_further() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct One<T> {
        n: T,
    }
    fn bounds<T: DeserializeOwned + PartialEq + Debug + std::fmt::Display>(least: T, most: T) {
        for n in [least, most] {
            reads(&format!("<n>{n}</n>"), One { n });
        }
        fails::<One<T>>(
            "<n>9999999999999999999999999999999999999999</n>",
            &format!(
                "n: invalid value: string \"9999999999999999999999999999999999999999\", expected {}",
                std::any::type_name::<T>()
            ),
        );
    }
    bounds(i8::MIN, i8::MAX);
    bounds(i16::MIN, i16::MAX);
    bounds(i32::MIN, i32::MAX);
    bounds(i64::MIN, i64::MAX);
    bounds(i128::MIN, i128::MAX);
    bounds(u8::MIN, u8::MAX);
    bounds(u16::MIN, u16::MAX);
    bounds(u32::MIN, u32::MAX);
    bounds(u64::MIN, u64::MAX);
    bounds(u128::MIN, u128::MAX);
    reads("<n>1.5</n>", One { n: 1.5_f32 });
    reads("<n>x</n>", One { n: 'x' });
    reads("<n>x</n>", One { n: () });
    reads("<n>1</n><n>2</n>", One { n: (1, 2) });
}

#[test]
fn an_error_names_the_path_and_what_was_found() {
    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "never read")]
    struct Deep {
        a: A,
    }
    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "never read")]
    struct A {
        b: Vec<Goods>,
    }
    fails::<Deep>("", "missing field `a`");
    fails::<Deep>("<a/>", "a: missing field `b`");
    fails::<Deep>("<a><b><name>x</name></b></a>", "a.b[0]: missing field `count`");
    fails::<Deep>(
        "<a><b><name>x</name><count>256</count></b></a>",
        r#"a.b[0].count: invalid value: string "256", expected u8"#,
    );
    fails::<BTreeMap<String, bool>>("", r#"MsgType: invalid value: string "event", expected a boolean"#);
    #[derive(Debug, Deserialize)]
    enum Strict {
        A,
    }
    fails::<BTreeMap<String, Strict>>("", "MsgType: unknown variant `event`, expected `A`");
}

#[test]
fn without_a_type_a_push_is_texts_maps_and_lists() {
    let value: serde_json::Value = push("<a><b>1</b><b>2</b><c/></a><d>x</d>").to().unwrap();
    assert_eq!(
        value,
        serde_json::json!({"MsgType": "event", "Event": "own", "a": {"b": ["1", "2"], "c": ""}, "d": "x"})
    );
}

#[test]
fn nesting_that_its_limits_allow_does_not_exhaust_the_stack() {
    let body = format!(
        "<xml><MsgType>event</MsgType><Event>own</Event>{}{}</xml>",
        "<a>".repeat(20_000),
        "</a>".repeat(20_000)
    );
    let limits = wechat_events::Limits::default().max_depth(u32::MAX).max_elements(u32::MAX);
    let event = limits.parse_event(body.as_bytes()).unwrap();
    let read = std::thread::scope(|scope| {
        let small = std::thread::Builder::new().stack_size(512 << 10);
        small.spawn_scoped(scope, || event.to::<serde_json::Value>().map(drop)).unwrap().join().unwrap()
    });
    assert_eq!(read, Ok(()));
    assert!(serde_json::to_string(&event).unwrap().len() < 300_000);
}
