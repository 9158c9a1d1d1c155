//! Generates pushes from bytes, for property tests and fuzzers.
//!
//! ```text
//! sample ── vary ──▶ elements ── xml ──▶ text, in any layout
//!          bytes                 json ─▶ text, in any layout
//! ```
//!
//! The bytes are [`Choices`]. A zero is always the plain choice, so that what shrinks towards zeros becomes readable.

use wechat_events::testing::readers;

/// Bytes as decisions, followed by zeros.
pub struct Choices<'b>(&'b [u8]);

impl<'b> Choices<'b> {
    pub fn new(bytes: &'b [u8]) -> Choices<'b> {
        Choices(bytes)
    }

    fn byte(&mut self) -> u8 {
        match self.0 {
            [first, rest @ ..] => {
                self.0 = rest;
                *first
            }
            [] => 0,
        }
    }

    /// At most 256 of them.
    fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// A node of a push's element tree: an element has a text or elements, never both.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    pub name: String,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    Text(String),
    Elements(Vec<Element>),
}

impl Element {
    fn text(name: &str, text: impl Into<String>) -> Element {
        Element { name: name.to_owned(), content: Content::Text(text.into()) }
    }
}

/// The elements of a document in XML.
pub fn sample(xml: &str) -> Vec<Element> {
    fn below(rest: &mut std::iter::Peekable<std::vec::IntoIter<(u32, String, String)>>, depth: u32) -> Vec<Element> {
        let mut elements = Vec::new();
        while let Some((_, name, value)) = rest.next_if(|(found, ..)| *found == depth) {
            let inner = below(rest, depth + 1);
            let content = if inner.is_empty() { Content::Text(value) } else { Content::Elements(inner) };
            elements.push(Element { name, content });
        }
        elements
    }
    below(&mut readers::tree(xml.trim_start_matches('\u{FEFF}')).unwrap().into_iter().peekable(), 0)
}

/// Depth, name and text of each element: what the readers yield.
pub fn flatten(elements: &[Element]) -> readers::Elements {
    fn append(flat: &mut readers::Elements, elements: &[Element], depth: u32) {
        for element in elements {
            match &element.content {
                Content::Text(text) => flat.push((depth, element.name.clone(), text.clone())),
                Content::Elements(inner) => {
                    flat.push((depth, element.name.clone(), String::new()));
                    append(flat, inner, depth + 1);
                }
            }
        }
    }
    let mut flat = Vec::new();
    append(&mut flat, elements, 0);
    flat
}

/// The texts at each path, in order.
pub fn by_path(elements: &[Element]) -> Vec<(String, Vec<String>)> {
    let mut paths: Vec<(String, Vec<String>)> = Vec::new();
    let mut open: Vec<String> = Vec::new();
    for (depth, name, text) in flatten(elements) {
        open.truncate(depth.try_into().unwrap());
        open.push(name);
        let path = open.join("/");
        match paths.iter_mut().find(|(found, _)| *found == path) {
            Some((_, texts)) => texts.push(text),
            None => paths.push((path, vec![text])),
        }
    }
    paths
}

const NAMES: [&str; 12] =
    ["Extra", "URL", "AgentID", "Encrypt", "item", "Content", "EventKey", "List", "标题", "a-b.c_d", "_", "X9"];

const TEXTS: [&str; 40] = [
    "",
    "7",
    "hello",
    "你好",
    "😀",
    "👨‍👩‍👧",
    " ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\0",
    "\u{8}",
    "\u{10}",
    "\u{1d}",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{FEFF}",
    "\u{FFFD}",
    "\u{FFFE}",
    "\u{FFFF}",
    "\u{10FFFD}",
    "\u{10FFFF}",
    "<",
    ">",
    "&",
    "\"",
    "'",
    "\\",
    "]]>",
    "]]",
    "<![CDATA[",
    "</Content>",
    "<!DOCTYPE xml>",
    "&amp;",
    "&#10;",
    "qrscene_",
    "{\"a\":[null]}",
];

const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "4294967296",
    "23637352235060880123",
    "0.10",
    "23.137466",
    "-0.000001",
    "1e3",
    "1E+400",
    "-0",
    "119.385040",
    "1469066999",
];

/// Anything a user can type, and more.
fn text(choices: &mut Choices<'_>) -> String {
    match choices.below(4) {
        0 => choices.pick(&TEXTS).to_string(),
        1 => choices.pick(&NUMBERS).to_string(),
        2 => format!("{}.{}{}", choices.byte(), choices.byte(), choices.byte()),
        _ => (0..choices.below(6))
            .map(|_| match choices.below(4) {
                0 => {
                    let number = u32::from_le_bytes([choices.byte(), choices.byte(), choices.byte() % 17, 0]);
                    char::from_u32(number).unwrap_or('x').to_string()
                }
                _ => choices.pick(&TEXTS).to_string(),
            })
            .collect(),
    }
}

/// The elements that name a push's kind.
const NAMING: [&str; 3] = ["MsgType", "Event", "InfoType"];

/// The name of a kind, in some case.
fn recase(text: &str, choices: &mut Choices<'_>) -> String {
    text.chars()
        .map(|c| match choices.below(3) {
            0 => c,
            1 => c.to_ascii_lowercase(),
            _ => c.to_ascii_uppercase(),
        })
        .collect()
}

/// A push that must give the same event: names in other case, extra elements, another order.
///
/// Elements of one name stay in their order, since the first counts.
pub fn disguise(sample: &[Element], choices: &mut Choices<'_>) -> Vec<Element> {
    let is_event = sample.iter().find(|element| element.name == "MsgType").is_some_and(
        |element| matches!(&element.content, Content::Text(text) if text.trim().eq_ignore_ascii_case("event")),
    );
    let mut elements = with_extra(sample, choices, &["Extra", "标题", "_"]);
    let mut seen: Vec<String> = Vec::new();
    for element in &mut elements {
        let first = !seen.contains(&element.name);
        seen.push(element.name.clone());
        let Content::Text(text) = &mut element.content else { continue };
        if first && (element.name != "Event" || is_event) && NAMING.contains(&&*element.name) {
            *text = recase(text, choices);
        }
    }
    reorder(&mut elements, choices);
    elements
}

fn with_extra(elements: &[Element], choices: &mut Choices<'_>, names: &[&str]) -> Vec<Element> {
    let mut all = Vec::new();
    for element in elements {
        if choices.one_in(8) {
            all.push(Element::text(choices.pick(names), text(choices)));
        }
        let content = match &element.content {
            Content::Elements(inner) => Content::Elements(with_extra(inner, choices, names)),
            text => text.clone(),
        };
        all.push(Element { name: element.name.clone(), content });
    }
    all
}

/// Elements of one name keep their order.
fn reorder(elements: &mut [Element], choices: &mut Choices<'_>) {
    for index in 1..elements.len() {
        for at in (index.saturating_sub(choices.below(index + 1)) + 1..=index).rev() {
            if elements[at].name == elements[at - 1].name {
                break;
            }
            elements.swap(at, at - 1);
        }
    }
    for element in elements {
        if let Content::Elements(inner) = &mut element.content {
            reorder(inner, choices);
        }
    }
}

/// A sample with arbitrary oddities. It is still a valid push: it has a MsgType or an InfoType.
pub fn vary(sample: &[Element], choices: &mut Choices<'_>) -> Vec<Element> {
    let mut elements = varied(sample, choices, 0);
    let names_kind = |element: &Element| matches!(&*element.name, "MsgType" | "InfoType");
    if !elements.iter().any(names_kind) {
        elements.extend(sample.iter().find(|element| names_kind(element)).cloned());
    }
    elements
}

fn varied(sample: &[Element], choices: &mut Choices<'_>, depth: usize) -> Vec<Element> {
    let mut elements = Vec::new();
    for element in sample {
        if choices.one_in(10) {
            continue;
        }
        for _ in 0..if choices.one_in(10) { 1 + choices.below(3) } else { 1 } {
            let content = match &element.content {
                Content::Elements(_) if choices.one_in(12) => Content::Text(text(choices)),
                Content::Elements(inner) => Content::Elements(varied(inner, choices, depth + 1)),
                Content::Text(kind) if NAMING.contains(&&*element.name) && !choices.one_in(12) => {
                    Content::Text(recase(kind, choices))
                }
                Content::Text(_) if choices.one_in(3) => Content::Text(text(choices)),
                Content::Text(text) => Content::Text(text.clone()),
            };
            elements.push(Element { name: element.name.clone(), content });
        }
    }
    for _ in 0..choices.below(4) {
        let name = choices.pick(&NAMES);
        let content = if depth < 3 && choices.one_in(6) {
            Content::Elements(varied(sample, choices, depth + 2))
        } else {
            Content::Text(text(choices))
        };
        elements.push(Element { name: name.to_owned(), content });
    }
    for index in 1..elements.len() {
        elements.swap(index, index - choices.below(index + 1));
    }
    elements
}

/// XML that any reader must read as exactly these elements: as WeChat writes it, or using anything XML allows.
pub fn xml(elements: &[Element], choices: &mut Choices<'_>) -> String {
    let plain = !choices.one_in(2);
    let mut writer = Xml { text: String::new(), plain, choices };
    if !plain {
        let declarations =
            ["", "<?xml version=\"1.0\"?>", "<?xml version='1.0' encoding=\"UTF-8\" standalone='yes' ?>"];
        writer.text += writer.choices.pick(&declarations);
    }
    writer.misc();
    let root = writer.choices.pick(&["xml", "XML", "_-.9"]);
    writer.open(root);
    writer.elements(elements);
    writer.close(root);
    writer.misc();
    writer.text
}

struct Xml<'c, 'b> {
    text: String,
    /// In the dialect that WeChat writes.
    plain: bool,
    choices: &'c mut Choices<'b>,
}

const SPACE: [&str; 6] = ["", "\n", " ", "\t", "\r\n", "\n  "];

impl Xml<'_, '_> {
    fn elements(&mut self, elements: &[Element]) {
        for element in elements {
            self.misc();
            let empty = matches!(&element.content, Content::Text(text) if text.is_empty());
            if empty && !self.plain && self.choices.one_in(3) {
                self.text += &format!("<{}{}/>", element.name, self.choices.pick(&SPACE));
                continue;
            }
            self.open(&element.name);
            match &element.content {
                Content::Text(text) => self.value(text),
                Content::Elements(inner) => {
                    self.elements(inner);
                    self.misc();
                }
            }
            self.close(&element.name);
        }
        self.misc();
    }

    fn open(&mut self, name: &str) {
        self.text += &format!("<{name}");
        if !self.plain && self.choices.one_in(4) {
            self.text +=
                self.choices.pick(&[" ", "\n", " a=\"1\"", " b='x > \"y\"'", "\tc = \"]]&gt;&#10;\" ", " 名=''"]);
        }
        self.text.push('>');
    }

    fn close(&mut self, name: &str) {
        let space = if !self.plain && self.choices.one_in(6) { " " } else { "" };
        self.text += &format!("</{name}{space}>");
    }

    /// What may stand between elements.
    fn misc(&mut self) {
        self.text += self.choices.pick(&SPACE);
        if !self.plain && self.choices.one_in(6) {
            self.text += self.choices.pick(&[
                "<!---->",
                "<!-- <a>]]>&b; <![CDATA[ \u{8} -->",
                "<?php <b> ?>",
                "<!-- 注 -->\n<!--2-->",
            ]);
        }
    }

    fn value(&mut self, text: &str) {
        let chars: Vec<char> = text.chars().collect();
        let mut rest = &chars[..];
        // A reader trims white space at the ends of bare text, unless it is written by references.
        let white = |c: char| " \t\n\r".contains(c);
        if self.plain {
            let verbatim = !text.contains(['<', '>', '&', '\r']) && !text.starts_with(white) && !text.ends_with(white);
            if text.is_empty() && self.choices.one_in(2) {
                return;
            }
            if verbatim && self.choices.one_in(2) {
                self.text += &format!("{}{text}{}", self.choices.pick(&SPACE), self.choices.pick(&SPACE));
                return;
            }
        }
        self.text += self.choices.pick(&SPACE);
        loop {
            let split = if self.plain { rest.len() } else { rest.len().saturating_sub(self.choices.below(4)) };
            let (piece, behind) = rest.split_at(split);
            if !self.plain && !piece.is_empty() && self.choices.one_in(2) {
                for (index, &c) in piece.iter().enumerate() {
                    let at_end = index == 0 || index + 1 == piece.len();
                    self.character(c, at_end && white(c));
                }
            } else {
                let piece: String = piece.iter().collect();
                self.text += &format!("<![CDATA[{}]]>", piece.replace("]]>", "]]]]><![CDATA[>"));
            }
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        self.text += self.choices.pick(&SPACE);
    }

    /// A character outside CDATA.
    fn character(&mut self, c: char, by_reference: bool) {
        let number = u32::from(c);
        // A control character cannot be written as a reference, nor a carriage return as itself.
        let referable = matches!(c, '\t' | '\n' | '\r') || number >= 0x20 && !matches!(c, '\u{FFFE}' | '\u{FFFF}');
        let choice = match c {
            '\r' => 3,
            _ if by_reference => 3 + self.choices.below(3),
            _ => self.choices.below(8),
        };
        let written = match (c, choice) {
            (_, 3) if referable => format!("&#x{number:X};"),
            (_, 4) if referable => format!("&#x00{number:x};"),
            (_, 5) if referable => format!("&#{number};"),
            ('<', _) => "&lt;".to_owned(),
            ('>', _) => "&gt;".to_owned(),
            ('&', _) => "&amp;".to_owned(),
            ('"', 6) => "&quot;".to_owned(),
            ('\'', 6) => "&apos;".to_owned(),
            (c, 7) if c != '-' => format!("{c}<!-- -->"),
            (c, _) => c.to_string(),
        };
        self.text += &written;
    }
}

/// What a user might type to attack the reader, or paste.
pub fn typed(pasted: &str, choices: &mut Choices<'_>) -> String {
    const TYPED: [&str; 22] = [
        "]]>",
        "<![CDATA[",
        "</Content>",
        "<Content>",
        "<MsgId>",
        "1",
        "</MsgId>",
        "<Encrypt>",
        "</Encrypt>",
        "<MsgType>event</MsgType>",
        "<InfoType><![CDATA[x]]></InfoType>",
        "<a b='",
        "<!--",
        "-->",
        "<?",
        "?>",
        "<!DOCTYPE a>",
        "</xml>",
        "&",
        " ",
        "]",
        ">",
    ];
    let pieces = choices.below(12);
    (0..pieces).map(|_| if choices.one_in(12) { pasted } else { choices.pick(&TYPED) }).collect()
}

/// A document with up to eight significant characters of XML or JSON missing, moved or added.
pub fn damage(text: &str, choices: &mut Choices<'_>) -> String {
    const MEANT: [&str; 24] = [
        "<",
        ">",
        "/",
        "&",
        ";",
        "]]>",
        "<![CDATA[",
        "<!--",
        "=",
        " ",
        "\u{b}",
        "é",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "null",
        "0",
        "-",
        ".",
    ];
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..choices.below(9) {
        let at = usize::from(choices.byte()) * 256 + usize::from(choices.byte());
        let at = at % (chars.len() + 1);
        let end = (at + choices.below(8)).min(chars.len());
        match choices.below(4) {
            0 => drop(chars.drain(at..end)),
            1 => chars[at..end].reverse(),
            2 => drop(chars.splice(at..at, choices.pick(&MEANT).chars())),
            _ => drop(chars.splice(at..end, choices.pick(&MEANT).chars())),
        }
    }
    chars.into_iter().collect()
}

/// The elements in JSON, those of one name as repeated members or in arrays.
pub fn json(elements: &[Element], choices: &mut Choices<'_>) -> String {
    let mut writer = Json { text: String::new(), choices };
    writer.space();
    writer.object(&elements.iter().collect::<Vec<_>>());
    writer.space();
    writer.text
}

struct Json<'c, 'b> {
    text: String,
    choices: &'c mut Choices<'b>,
}

impl Json<'_, '_> {
    fn space(&mut self) {
        self.text += self.choices.pick(&SPACE);
    }

    fn object(&mut self, elements: &[&Element]) {
        self.text.push('{');
        let mut rest = elements.to_vec();
        let mut comma = "";
        while let [first, ..] = rest[..] {
            self.text += comma;
            comma = ",";
            self.space();
            if self.choices.one_in(10) {
                let nothing = self.choices.pick(&["null", "[]", "[null, [ ]]"]);
                self.text += &format!("\"{}\":{nothing},", first.name);
            }
            let gather = self.choices.one_in(2);
            let mut together = vec![first];
            rest.remove(0);
            if gather {
                together.extend(rest.extract_if(.., |element| element.name == first.name));
            }
            let padding = self.choices.pick(&["", "", "", " ", "\t"]);
            self.string(&format!("{padding}{}{padding}", first.name));
            self.space();
            self.text.push(':');
            self.space();
            if let [only] = together[..]
                && !self.choices.one_in(6)
            {
                self.value(only);
            } else {
                self.array(&together);
            }
        }
        self.space();
        self.text.push('}');
    }

    fn array(&mut self, items: &[&Element]) {
        self.text.push('[');
        for (index, item) in items.iter().enumerate() {
            self.text += if index > 0 { "," } else { "" };
            self.space();
            match self.choices.below(8) {
                6 => self.array(&[item]),
                7 => {
                    self.text += "null , ";
                    self.value(item);
                }
                _ => self.value(item),
            }
            self.space();
        }
        self.text.push(']');
    }

    fn value(&mut self, element: &Element) {
        match &element.content {
            Content::Elements(inner) => self.object(&inner.iter().collect::<Vec<_>>()),
            Content::Text(text) => {
                let digits =
                    text.len() < 40 && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
                let bare =
                    NUMBERS.contains(&&**text) || digits && !text.is_empty() || text == "true" || text == "false";
                match self.choices.below(3) {
                    1 | 2 if bare => self.text += text,
                    1 if text.is_empty() => self.text += "{ }",
                    _ => self.string(text),
                }
            }
        }
    }

    fn string(&mut self, text: &str) {
        self.text.push('"');
        for c in text.chars() {
            let written = match (c, self.choices.below(8)) {
                (c, 6) => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
                ('"' | '\\', _) => format!("\\{c}"),
                ('/', 7) => "\\/".to_owned(),
                ('\n', 7) => "\\n".to_owned(),
                ('\r', 7) => "\\r".to_owned(),
                ('\t', 7) => "\\t".to_owned(),
                ('\u{8}', 7) => "\\b".to_owned(),
                // Control characters too: they are not allowed, but WeChat writes them.
                (c, _) => c.to_string(),
            };
            self.text += &written;
        }
        self.text.push('"');
    }
}
