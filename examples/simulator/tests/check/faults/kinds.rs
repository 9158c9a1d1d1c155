//! Kinds of push.

use super::Behaviour::{Answers, Hangs};
use super::{FEW, Fault, QUICK, fault};
use crate::receiver::Answer;
use crate::receiver::Mode::{Plain, Safe};

pub const FAULTS: &[Fault] = &[
    fault(
        "knows texts and nothing else",
        Plain,
        QUICK,
        &[
            "kinds-message",
            "kinds-account",
            "kinds-menu",
            "kinds-job",
            "kinds-service",
            "kinds-card",
            "kinds-store",
            "kinds-verification",
            "kinds-platform",
            "kinds-unknown-event",
            "kinds-unknown-message",
            "kinds-unknown-info-type",
            "kinds-other-case",
            "kinds-other-case-same",
            "kinds-missing-fields",
            "kinds-empty-fields",
            "kinds-no-name",
            "json-event",
            "kinds-event-keys",
            "kinds-odd-values",
            "kinds-probe",
            "kinds-repeats",
            "xml-unreadable",
            "xml-empty-body",
        ],
        Answers(|_, asked| {
            (asked.is_push() && !asked.field("MsgType").eq("text")).then(|| Answer::new(500, "no handler"))
        }),
    ),
    fault(
        "compares names with their case",
        Plain,
        QUICK,
        &["kinds-other-case-same"],
        Answers(|_, asked| {
            let text = asked.text();
            ["[scan]", "[click]", "[Subscribe]", "[Event]", "[Text]"]
                .iter()
                .any(|name| text.contains(name))
                .then(|| Answer::new(200, "success"))
        }),
    ),
    fault(
        "fails on names in another case",
        Safe,
        QUICK,
        &["kinds-other-case", "kinds-other-case-same"],
        Answers(|_, asked| {
            let text = asked.text();
            ["[scan]", "[click]", "[Subscribe]", "[Event]", "[Text]"]
                .iter()
                .any(|name| text.contains(name))
                .then(|| Answer::new(500, "no such kind"))
        }),
    ),
    fault(
        "needs every field",
        Plain,
        QUICK,
        &["kinds-missing-fields"],
        Answers(|_, asked| {
            let text = asked.text();
            (text.contains("[CLICK]") && !text.contains("<EventKey>")).then(|| Answer::new(500, "KeyError: 'EventKey'"))
        }),
    ),
    fault(
        "reads an empty number",
        Safe,
        QUICK,
        &["kinds-empty-fields"],
        Answers(|_, asked| {
            asked
                .text()
                .contains("<Latitude><![CDATA[]]></Latitude>")
                .then(|| Answer::new(500, "ValueError: could not convert string to float: ''"))
        }),
    ),
    fault(
        "needs the name of an event",
        Plain,
        QUICK,
        &["kinds-no-name"],
        Answers(|_, asked| {
            let text = asked.text();
            (text.contains("[event]") && !text.contains("<Event>")).then(|| Answer::new(500, "KeyError: 'Event'"))
        }),
    ),
    fault(
        "knows no InfoType",
        Safe,
        QUICK,
        &["kinds-platform", "kinds-unknown-info-type"],
        Answers(|_, asked| asked.text().contains("<InfoType>").then(|| Answer::new(500, "KeyError: 'MsgType'"))),
    ),
    fault(
        "sorts as numbers",
        Plain,
        FEW,
        &["address-sorting"],
        Answers(|_, asked| {
            let [timestamp, nonce] = ["timestamp", "nonce"].map(|name| asked.parameter(name).unwrap_or_default());
            let number = |text: &str| text.parse::<u64>().unwrap_or_default();
            (!asked.is_push() && number(nonce) < 10 && nonce > timestamp).then(|| Answer::new(403, ""))
        }),
    ),
    fault(
        "needs each EventKey to have its prefix",
        Plain,
        QUICK,
        &["kinds-event-keys"],
        Answers(|_, asked| {
            asked.field("EventKey").starts_with("scanbarcode|").then(|| Answer::new(500, "list index out of range"))
        }),
    ),
    fault(
        "a scale is a whole number",
        Safe,
        QUICK,
        &["kinds-odd-values"],
        Answers(|_, asked| {
            asked.field("Scale").contains('.').then(|| Answer::new(500, "ValueError: invalid literal for int()"))
        }),
    ),
    fault(
        "a list has more than one item",
        Plain,
        QUICK,
        &["kinds-repeats"],
        Answers(|_, asked| {
            asked.text().contains("<Count>0</Count>").then(|| Answer::new(500, "'NoneType' object is not iterable"))
        }),
    ),
    fault(
        "fails on the probe of cloud hosting",
        Safe,
        QUICK,
        &["kinds-probe"],
        Answers(|_, asked| {
            asked.text().contains("CheckContainerPath").then(|| Answer::new(500, "KeyError: 'signature'"))
        }),
    ),
    fault(
        "takes parameters by their place",
        Safe,
        QUICK,
        &["xml-query"],
        Answers(|_, asked| {
            (asked.is_push() && !asked.query.is_empty() && !asked.query.starts_with("signature="))
                .then(|| Answer::new(403, ""))
        }),
    ),
    fault(
        "silent on events",
        Plain,
        &["--only", "address,kinds-missing-fields,kinds-empty-fields"],
        &["kinds-missing-fields", "kinds-empty-fields"],
        Hangs(|asked| asked.text().contains("<Event>")),
    ),
];
