//! JSON: `tests/json/pushes` with the whole resulting event, `tests/json/refused` with the exact error.

#[cfg(not(feature = "json"))]
#[test]
fn a_body_in_json_is_an_error_that_names_the_feature() {
    let named = wechat_events::ParseError::Json;
    assert_eq!(named.to_string(), "the body is JSON: switch on the feature `json` of wechat-events");
    for body in ["{\"MsgType\":\"event\",\"Event\":\"subscribe\"}", " \r\n\t{", "\u{FEFF}{}"] {
        assert_eq!(wechat_events::parse_event(body.as_bytes()), Err(named.clone()), "{body}");
    }
}

#[cfg(feature = "json")]
mod with_the_feature {
    use std::fs;

    use wechat_events::event::Reason;
    use wechat_events::{Kind, Limits, ParseError, parse_event};

    use crate::{expect, files, snake};

    #[test]
    fn every_push_becomes_the_event_beside_it() {
        let mut failures = Vec::new();
        for (name, path) in files("json/pushes", "json") {
            let body = fs::read(&path).unwrap();
            let event = parse_event(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
            let debug = format!("{:?}", event.kind);
            let kind = debug.split(['(', ' ', '{']).next().unwrap();
            assert_eq!(name.split('.').next().unwrap(), snake(kind), "{name} is of another kind");
            failures.extend(expect(&path, "event", &format!("{event:#?}")).err());
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }

    /// Kinds that WeChat mostly sends as JSON: a sample in both formats gives the same event.
    #[test]
    fn what_mini_programs_get_is_the_same_in_both_forms() {
        use wechat_events::event::Group::{MiniGame, MiniProgram, Payment, Review, Trade};
        let mut kinds = std::collections::BTreeSet::new();
        for (name, path) in files("json/pushes", "json") {
            let json = fs::read(&path).unwrap();
            let json = parse_event(&json).unwrap();
            let Some(MiniGame | MiniProgram | Payment | Review | Trade) = json.kind.group() else { continue };
            let xml = fs::read(path.with_extension("xml").to_str().unwrap().replace("/json/", "/")).unwrap();
            assert_eq!(json, parse_event(&xml).unwrap(), "{name}");
            kinds.insert(json.name().to_owned());
        }
        assert_eq!(kinds.len(), 45);
    }

    #[test]
    fn every_refused_body_has_the_error_beside_it() {
        let mut failures = Vec::new();
        for (name, path) in files("json/refused", "json") {
            let error = match parse_event(&fs::read(&path).unwrap()) {
                Ok(event) => panic!("{name} became {event:?}"),
                Err(error) => error,
            };
            failures.extend(expect(&path, "error", &error.to_string()).err());
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }

    #[test]
    fn no_expectation_stands_without_its_body() {
        for (folder, extension) in [("json/pushes", "event"), ("json/refused", "error")] {
            let names = |extension| files(folder, extension).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
            assert_eq!(names(extension), names("json"), "{folder}");
        }
    }

    #[test]
    fn fields_are_read_by_their_paths() {
        let event = parse_event(br#"{"MsgType": "event", "Event": "new", " A": [{"B": 1}, {"B": [2, 3]}], "C": null}"#);
        let event = event.unwrap().into_owned();
        assert_eq!(event.name(), "new");
        assert_eq!(event.field("A/B").as_deref(), Some("1"));
        assert_eq!(event.fields("A/B").collect::<Vec<_>>(), ["1", "2", "3"]);
        assert_eq!(event.fields("A").collect::<Vec<_>>(), ["", ""]);
        assert_eq!(event.field("C"), None);
    }

    #[test]
    fn a_push_for_a_third_party_platform_needs_no_msg_type() {
        let body = br#"{"AppId": "wx1", "CreateTime": 1413192605, "InfoType": "Component_Verify_Ticket",
                        "ComponentVerifyTicket": "ticket@@@1"}"#;
        let event = parse_event(body).unwrap();
        assert_eq!(event.name().to_ascii_lowercase(), "component_verify_ticket");
        assert_eq!((event.to_user.as_ref(), event.from_user.as_ref(), event.create_time), ("", "", 1_413_192_605));
        assert_eq!(event.field("ComponentVerifyTicket").as_deref(), Some("ticket@@@1"));
    }

    #[test]
    fn the_official_sample_of_cloud_hosting_is_there_with_all_its_fields() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/json/pushes/unknown.debug_demo.json");
        let body = fs::read(path).unwrap();
        let event = parse_event(&body).unwrap();
        assert_eq!((event.name(), event.create_time), ("debug_demo", 1_714_112_445));
        assert_eq!(event.field("debug_str").as_deref(), Some("hello world"));
        let Kind::Unknown(unknown) = event.kind else { panic!("{event:?}") };
        assert_eq!(unknown.reason, Reason::NewKind);
    }

    #[test]
    fn limits_are_those_of_xml() {
        let read = |limits: Limits, body: &str| limits.parse_event(body.as_bytes()).map(|event| event.into_owned());
        let limits = Limits::default();
        let nested = r#"{"MsgType": "text", "a": {"b": {"c": 1}}}"#;
        assert!(read(limits.max_depth(3), nested).is_ok());
        let error = ParseError::TooDeep { element: "c".into(), limit: 2 };
        assert_eq!(read(limits.max_depth(2), nested), Err(error));

        let many = r#"{"MsgType": "text", "a": [1, null, [2], {"b": []}]}"#;
        assert!(read(limits.max_elements(4), many).is_ok());
        assert_eq!(read(limits.max_elements(3), many), Err(ParseError::TooManyElements { limit: 3 }));

        let bytes = many.len();
        let error = ParseError::TooLarge { bytes, limit: 20 };
        assert_eq!(read(limits.max_bytes(20), many), Err(error));
    }

    #[test]
    fn nesting_costs_neither_stack_nor_time() {
        let limits = Limits::default().max_depth(u32::MAX).max_elements(u32::MAX).max_bytes(u32::MAX);
        let levels = 100_000;
        let objects = format!(
            r#"{{"MsgType": "text", "Content": "hi"{}{}"#,
            r#", "a": {"b": 1"#.repeat(levels),
            "}".repeat(levels + 1)
        );
        let event = limits.parse_event(objects.as_bytes()).unwrap();
        assert_eq!(event.field("a/a/b").as_deref(), Some("1"));

        let arrays = format!(r#"{{"MsgType": {}"text"{}, "Content": "hi"}}"#, "[".repeat(levels), "]".repeat(levels));
        assert_eq!(parse_event(arrays.as_bytes()).unwrap().name(), "text");
        assert_eq!(
            parse_event("{\"a\":[".repeat(levels).as_bytes()),
            Err(ParseError::TooDeep { element: "a".into(), limit: 16 })
        );
    }
}
