//! A push before it is sent: a sample whose fields can be set.

use std::borrow::Cow;
use std::ops::Range;
use std::time::SystemTime;

use super::{Plan, Request, WeChat};
use crate::event::{Event, KINDS, KindInfo, parse_event};
use crate::fields::{Element, Fields, Limits, Nodes, is_json};
#[cfg(feature = "minigame")]
use crate::pay_event::AppKeys;
#[cfg(feature = "json")]
use crate::reply::JsonString;

/// A push to be sent; made by [`WeChat::push`] and [`WeChat::raw`].
///
/// ```
/// use wechat_events::parse_event;
/// use wechat_events::testing::WeChat;
///
/// let wechat = WeChat::plain("token")?;
/// let draft = wechat.push("scancode_waitmsg").set("ScanCodeInfo/ScanResult", "]]>").set("FromUserName", "o_1");
/// let event = parse_event(&draft.request(1700000000).message).unwrap().into_owned();
/// assert_eq!((&*event.from_user, event.create_time), ("o_1", 1700000000));
/// assert_eq!(event.field("ScanCodeInfo/ScanResult").as_deref(), Some("]]>"));
/// assert_eq!(event.field("ScanCodeInfo/ScanType").as_deref(), Some("qrcode"));
/// # Ok::<(), wechat_events::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is sent before `request` or `deliver`"]
pub struct Draft<'w> {
    wechat: &'w WeChat,
    body: Body,
    nonce: Option<String>,
    now: Option<i64>,
    /// The kind, whose known fields reveal a misspelt path.
    kind: Option<&'static KindInfo>,
    #[cfg(feature = "json")]
    in_json: bool,
    #[cfg(feature = "minigame")]
    app_keys: Option<AppKeys>,
}

#[derive(Debug, Clone)]
enum Body {
    /// Sent unchanged.
    Bytes(Vec<u8>),
    /// Serialized, with the time of sending as CreateTime unless that was set.
    Fields { fields: Vec<Field>, timed: bool },
}

/// An element, in document order, without the root.
#[derive(Debug, Clone)]
struct Field {
    depth: u32,
    name: String,
    value: String,
    /// Written without CDATA, as WeChat writes most numbers.
    bare: bool,
}

impl<'w> Draft<'w> {
    #[track_caller]
    #[expect(clippy::panic, reason = "a test that misspells is to fail where it does")]
    pub(super) fn of_kind(wechat: &'w WeChat, name: &str) -> Draft<'w> {
        match kind(name) {
            Some(kind) => Draft { kind: Some(kind), ..Draft::of_any(wechat, name) },
            None => panic!("no kind is named `{name}`: event::KINDS lists them, and push_unknown takes any name"),
        }
    }

    pub(super) fn of_any(wechat: &'w WeChat, name: &str) -> Draft<'w> {
        let fields = fields(kind(name).map_or(UNKNOWN, KindInfo::sample)).unwrap_or_default();
        let body = Body::Fields { fields, timed: false };
        let mut draft = Draft::new(wechat, body);
        if let Body::Fields { fields, .. } = &mut draft.body
            && let Some(msg_id) = fields.iter_mut().find(|field| field.name == "MsgId" && field.depth == 0)
        {
            // As long as WeChat's, over 2⁵³.
            msg_id.value = (wechat.draw() >> 9 | 1 << 54).to_string();
        }
        if kind(name).is_none() {
            draft.put("Event", name);
        }
        draft
    }

    pub(super) fn of_bytes(wechat: &'w WeChat, bytes: Vec<u8>) -> Draft<'w> {
        Draft::new(wechat, Body::Bytes(bytes))
    }

    fn new(wechat: &'w WeChat, body: Body) -> Draft<'w> {
        Draft {
            wechat,
            body,
            nonce: None,
            now: None,
            kind: None,
            #[cfg(feature = "json")]
            in_json: false,
            #[cfg(feature = "minigame")]
            app_keys: None,
        }
    }

    pub(super) fn wechat(&self) -> &'w WeChat {
        self.wechat
    }

    pub(super) fn chosen_nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// Sets the text at a path such as `EventKey` or `ScanCodeInfo/ScanResult`.
    ///
    /// Sets the first element at the path, or adds one at the end of its parent. A CreateTime that is set stays;
    /// otherwise it is the time of the first delivery. [Raw](WeChat::raw) XML is parsed and serialized again; other raw
    /// bytes stay as they are.
    ///
    /// # Panics
    /// If the kind does not have the path, such as `"EvenKey"`. For a field that WeChat may add one day, use
    /// [`set_unknown`](Draft::set_unknown).
    #[track_caller]
    pub fn set(self, path: &str, value: &str) -> Draft<'w> {
        self.check(path);
        self.set_unknown(path, value)
    }

    /// [`set`](Draft::set) for any path.
    ///
    /// ```
    /// # use wechat_events::testing::WeChat;
    /// let request = WeChat::plain("token")?.push("text").set_unknown("Mood", "good").request(1700000000);
    /// assert!(request.message.ends_with(b"<Mood><![CDATA[good]]></Mood>\n</xml>"));
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    pub fn set_unknown(mut self, path: &str, value: &str) -> Draft<'w> {
        self.take_apart();
        self.put(path, value);
        if let Body::Fields { timed, .. } = &mut self.body {
            *timed |= path == "CreateTime";
        }
        self
    }

    #[track_caller]
    #[expect(clippy::panic, reason = "a test that misspells is to fail where it does")]
    fn check(&self, path: &str) {
        let Some(kind) = self.kind else { return };
        let of_kind = kind.fields().iter().any(|ways| ways.split('|').any(|way| way == path));
        let in_sample = matches!(&self.body, Body::Fields { fields, .. } if find(fields, path).is_some());
        if !of_kind && !in_sample && !HEADER.contains(&path) {
            panic!("`{}` has no `{path}`, but {}; set_unknown takes any path", kind.name(), kind.fields().join(", "));
        }
    }

    /// Parses raw XML into fields.
    fn take_apart(&mut self) {
        if let Body::Bytes(bytes) = &self.body
            && let Some(fields) = str::from_utf8(bytes).ok().and_then(fields)
        {
            self.body = Body::Fields { fields, timed: true };
        }
    }

    fn put(&mut self, path: &str, value: &str) {
        if let Body::Fields { fields, .. } = &mut self.body {
            put(fields, path, value);
        }
    }

    /// Removes the first element at a path, with all that is in it.
    ///
    /// A sample has all fields that WeChat was seen to send, but not every push has them all. Raw pushes are treated as
    /// in [`set`](Draft::set), and a path that is absent changes nothing.
    ///
    /// # Panics
    /// If the kind does not have the path, as for [`set`](Draft::set).
    ///
    /// ```
    /// # use wechat_events::testing::WeChat;
    /// let wechat = WeChat::plain("token")?;
    /// let without_code = wechat.push("subscribe").set("EventKey", "").without("Ticket").request(1700000000);
    /// assert!(without_code.message.ends_with(b"<EventKey><![CDATA[]]></EventKey>\n</xml>"));
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[track_caller]
    pub fn without(mut self, path: &str) -> Draft<'w> {
        self.check(path);
        self.take_apart();
        if let Body::Fields { fields, .. } = &mut self.body
            && let Some(element) = find(fields, path)
        {
            fields.drain(element);
        }
        self
    }

    /// Uses this nonce for each delivery, instead of one from the [seed](WeChat::seed).
    pub fn nonce(self, nonce: impl Into<String>) -> Draft<'w> {
        Draft { nonce: Some(nonce.into()), ..self }
    }

    /// Sends the push as JSON, as mini programs and mini games receive it.
    ///
    /// Raw XML is converted, and raw JSON stays as it is.
    ///
    /// ```
    /// # use wechat_events::testing::WeChat;
    /// let request = WeChat::plain("token")?.push("CLICK").set("EventKey", "menu").json().request(1700000000);
    /// assert_eq!(request.content_type, "application/json");
    /// let json = String::from_utf8(request.message).unwrap();
    /// assert!(json.ends_with(r#""CreateTime":1700000000,"MsgType":"event","Event":"CLICK","EventKey":"menu"}"#));
    /// # Ok::<(), wechat_events::ConfigError>(())
    /// ```
    #[cfg(feature = "json")]
    #[cfg_attr(docsrs, doc(cfg(feature = "json")))]
    pub fn json(mut self) -> Draft<'w> {
        self.take_apart();
        Draft { in_json: true, ..self }
    }

    /// Signs a mini game's push: sets the `PayEventSig` that these keys make for its name and payload.
    ///
    /// Uses the key for the payload's own `Env`, at the time of sending. A push without `MiniGame/Payload` and raw JSON
    /// stay as they are.
    ///
    /// ```
    /// use wechat_events::testing::WeChat;
    /// use wechat_events::{AppKeys, parse_event};
    ///
    /// let keys = AppKeys::live("app key")?;
    /// let paid = r#"{"OpenId":"o_1","OutTradeNo":"7","Env":0}"#;
    /// let wechat = WeChat::plain("token")?;
    /// let draft = wechat.push("minigame_h5_goods_deliver_notify").set("MiniGame/Payload", paid).app_keys(&keys);
    /// let message = draft.json().request(1700000000).message;
    /// assert_eq!(parse_event(&message)?.mini_game_payload(&keys)?.unwrap().out_trade_no, "7");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "minigame")]
    #[cfg_attr(docsrs, doc(cfg(feature = "minigame")))]
    pub fn app_keys(mut self, keys: &AppKeys) -> Draft<'w> {
        self.take_apart();
        Draft { app_keys: Some(keys.clone()), ..self }
    }

    /// Sets the time of the first delivery, in seconds since 1970. Default: the system's time.
    ///
    /// For [`send`](Draft::send) and [`respond`](Draft::respond).
    pub fn at(self, now: i64) -> Draft<'w> {
        Draft { now: Some(now), ..self }
    }

    /// The time of the first delivery.
    #[expect(clippy::disallowed_methods, reason = "what is not said is the system's")]
    pub(super) fn now(&self) -> i64 {
        self.now.unwrap_or_else(|| {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        })
    }

    /// The push as one request, sent at `now` in seconds since 1970.
    ///
    /// See [`deliver`](Draft::deliver) for the retries too.
    #[must_use]
    pub fn request(&self, now: i64) -> Request {
        self.wechat.request(&self.message(now), self.nonce.as_deref(), now)
    }

    /// How long WeChat waits for an answer, and when it delivers the push again.
    #[must_use]
    pub fn plan(&self) -> Plan {
        Plan::of(parse_event(&self.message(0)).ok().as_ref())
    }

    #[cfg(feature = "minigame")]
    fn signed(&self, fields: &[Field]) -> Vec<Field> {
        let mut signed = fields.to_vec();
        let text = |path| find(fields, path).and_then(|element| Some(&*fields.get(element.start)?.value));
        if let (Some(keys), Some(name), Some(payload)) = (&self.app_keys, text("Event"), text("MiniGame/Payload")) {
            put(&mut signed, "MiniGame/PayEventSig", &keys.sign(name, payload));
        }
        signed
    }

    fn message(&self, now: i64) -> Cow<'_, [u8]> {
        let (fields, timed) = match &self.body {
            Body::Bytes(bytes) => return Cow::Borrowed(bytes),
            Body::Fields { fields, timed } => (fields, timed),
        };
        let create_time = (!timed).then_some(now);
        #[cfg(feature = "minigame")]
        let fields = &self.signed(fields);
        #[cfg(feature = "json")]
        if self.in_json {
            return Cow::Owned(json(fields, create_time).into_bytes());
        }
        Cow::Owned(write(fields, create_time).into_bytes())
    }
}

/// The kind with that name, or else one whose name differs only in case.
fn kind(name: &str) -> Option<&'static KindInfo> {
    let find =
        |same: fn(&str, &str) -> bool| KINDS.iter().find(|kind| kind.names().any(|(_, known)| same(known, name)));
    find(|known, name| known == name).or_else(|| find(str::eq_ignore_ascii_case))
}

/// Elements that any kind may have.
const HEADER: [&str; 9] =
    ["ToUserName", "FromUserName", "CreateTime", "MsgType", "Event", "InfoType", "AppId", "MsgId", "Encrypt"];

/// Parses XML into fields; `None` if it is not XML.
fn fields(xml: &str) -> Option<Vec<Field>> {
    let (mut nodes, mut fields) = (Nodes::new(), Vec::new());
    if !is_json(xml.as_bytes()) {
        take_apart(Fields::read(xml.as_bytes(), &Limits::default(), &mut nodes).ok()?.root(), 0, xml, &mut fields);
        return Some(fields);
    }
    None
}

fn take_apart(parent: Element<'_, '_>, depth: u32, xml: &str, fields: &mut Vec<Field>) {
    for (name, child) in parent.children() {
        let value = child.peek().to_owned();
        let bare = is_bare(&value) && xml.contains(&format!("<{name}>{value}</{name}>"));
        fields.push(Field { depth, name: name.to_owned(), value, bare });
        take_apart(child, depth + 1, xml, fields);
    }
}

/// The range of the first element at a path, with those in it.
fn find(fields: &[Field], path: &str) -> Option<Range<usize>> {
    let mut within = 0..fields.len();
    for (depth, name) in (0..).zip(path.split('/')) {
        let mut candidates = fields.iter().enumerate().take(within.end).skip(within.start);
        let (index, _) = candidates.find(|(_, field)| field.depth == depth && field.name == name)?;
        let deeper = fields.iter().skip(index + 1).take_while(|field| field.depth > depth).count();
        within = index..index + 1 + deeper;
    }
    Some(within)
}

/// Sets the text of the first element at a path, or adds one at the end of its parent.
fn put(fields: &mut Vec<Field>, path: &str, value: &str) {
    // The elements below the one that was reached, and their depth.
    let (mut below, mut depth) = (0..fields.len(), 0);
    let mut reached = None;
    for name in path.split('/') {
        let mut candidates = fields.iter().enumerate().take(below.end).skip(below.start);
        let index = match candidates.find(|(_, field)| field.depth == depth && field.name == name) {
            Some((index, _)) => index,
            None => {
                let added = Field { depth, name: name.to_owned(), value: String::new(), bare: false };
                fields.insert(below.end, added);
                below.end
            }
        };
        let deeper = fields.iter().skip(index + 1).take_while(|field| field.depth > depth).count();
        below = index + 1..index + 1 + deeper;
        depth += 1;
        reached = fields.get_mut(index);
    }
    if let Some(field) = reached {
        value.clone_into(&mut field.value);
        field.bare &= is_bare(value);
    }
}

fn is_bare(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'))
}

fn write(fields: &[Field], create_time: Option<i64>) -> String {
    let mut xml = String::from("<xml>");
    let mut open: Vec<&str> = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        close(&mut xml, &mut open, usize::try_from(field.depth).unwrap_or(usize::MAX));
        xml.extend(["<", &field.name, ">"]);
        open.push(&field.name);
        let is_parent = fields.get(index + 1).is_some_and(|next| next.depth > field.depth);
        match create_time {
            _ if is_parent => {}
            Some(now) if field.depth == 0 && field.name == "CreateTime" => xml.push_str(&now.to_string()),
            _ if field.bare => xml.push_str(&field.value),
            _ => xml.push_str(&cdata(&field.value)),
        }
    }
    close(&mut xml, &mut open, 0);
    xml.push_str("</xml>");
    xml
}

/// Elements of one depth and what is in them, as JSON: those of one name become one member.
#[cfg(feature = "json")]
fn json(fields: &[Field], create_time: Option<i64>) -> String {
    let mut members: Vec<(&str, Vec<String>)> = Vec::new();
    let mut rest = fields;
    while let Some((field, behind)) = rest.split_first() {
        let deeper = behind.iter().take_while(|inner| inner.depth > field.depth).count();
        let (inner, behind) = behind.split_at_checked(deeper).unwrap_or_default();
        let is_number = field.bare && field.value.parse::<i64>().is_ok_and(|number| number.to_string() == field.value);
        let value = match create_time {
            _ if !inner.is_empty() => json(inner, None),
            Some(now) if field.name == "CreateTime" => now.to_string(),
            _ if is_number => field.value.clone(),
            _ => format!("\"{}\"", JsonString(&field.value)),
        };
        match members.iter_mut().find(|(name, _)| *name == field.name) {
            Some((_, values)) => values.push(value),
            None => members.push((&field.name, vec![value])),
        }
        rest = behind;
    }
    let members = members.iter().map(|(name, values)| match &**values {
        [value] => format!(r#""{}":{value}"#, JsonString(name)),
        values => format!(r#""{}":[{}]"#, JsonString(name), values.join(",")),
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// A payment as it is retried after so many deliveries: `RetryTimes` is counted up, if it has that.
pub(super) fn counted(wechat: &WeChat, message: &[u8], deliveries: usize) -> Vec<u8> {
    let times = |event: Event<'_>| event.field("RetryTimes")?.trim().parse::<usize>().ok();
    let Some(times) = parse_event(message).ok().and_then(times) else { return message.to_vec() };
    let times = times.saturating_add(deliveries).to_string();
    if is_json(message) {
        return counted_in_json(message, &times).unwrap_or_else(|| message.to_vec());
    }
    wechat.raw(message).set_unknown("RetryTimes", &times).message(0).into_owned()
}

/// Within a text the quotes would be escaped, so the first match is the member's name.
fn counted_in_json(message: &[u8], times: &str) -> Option<Vec<u8>> {
    let (before, behind) = str::from_utf8(message).ok()?.split_once(r#""RetryTimes""#)?;
    let number = behind.trim_start_matches(|c: char| c.is_ascii_whitespace() || matches!(c, ':' | '"'));
    let between = behind.strip_suffix(number)?;
    let rest = number.trim_start_matches(|c: char| c.is_ascii_digit());
    Some(format!(r#"{before}"RetryTimes"{between}{times}{rest}"#).into_bytes())
}

/// Closes the open elements, except so many.
fn close(xml: &mut String, open: &mut Vec<&str>, depth: usize) {
    for name in open.drain(depth.min(open.len())..).rev() {
        xml.extend(["</", name, ">"]);
    }
    if depth == 0 && !xml.ends_with("<xml>") {
        xml.push('\n');
    }
}

/// Writes a text like WeChat: control characters unchanged.
pub(super) fn cdata(text: &str) -> String {
    format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
}

/// A sample of an unknown event.
const UNKNOWN: &str = "<xml><ToUserName><![CDATA[gh_ebc88566ca2e]]></ToUserName>\n\
                       <FromUserName><![CDATA[oqi1rLPx-bJ18oxc49j8USAghBVe]]></FromUserName>\n\
                       <CreateTime>0</CreateTime>\n<MsgType><![CDATA[event]]></MsgType>\n\
                       <Event><![CDATA[]]></Event>\n</xml>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_sample_and_a_draft_of_it_is_of_that_kind() {
        let wechat = WeChat::plain("token").unwrap();
        for kind in KINDS {
            let draft = wechat.push(kind.name());
            let message = draft.request(1_700_000_000).message;
            let event = crate::parse_event(&message).unwrap();
            let found = format!("{:?}", event.kind);
            assert!(found.starts_with(&format!("{}(", kind.variant())), "{kind:?} became {found}");
        }
    }

    #[test]
    fn an_element_goes_with_all_that_is_in_it_and_with_no_other() {
        let wechat = WeChat::plain("token").unwrap();
        let draft = wechat.raw("<xml><A>1</A><B><C>2</C><C>3</C></B><D>4</D></xml>");
        let left = |path| String::from_utf8(draft.clone().without(path).request(0).message).unwrap();
        assert_eq!(left("B"), "<xml><A>1</A>\n<D>4</D>\n</xml>");
        assert_eq!(left("B/C"), "<xml><A>1</A>\n<B><C>3</C></B>\n<D>4</D>\n</xml>");
        assert_eq!(left("C"), left("B/A"));
        assert_eq!(left("C"), "<xml><A>1</A>\n<B><C>2</C><C>3</C></B>\n<D>4</D>\n</xml>");
    }
}
