//! Kinds of push by the names that people type, and payments that differ.

use wechat_events::event::{KINDS, KindInfo};
use wechat_events::testing::Draft;

/// How alike two names are at least for one to be offered instead of the other.
const ALIKE: f64 = 0.8;
/// How much less alike than the best a name may be.
const CLOSE: f64 = 0.07;
/// Names that are offered at most.
const OFFERED: usize = 3;

/// The kind of that name on the wire. Upper and lower case tell `LOCATION` from `location`, and do not matter else.
pub fn find(name: &str) -> Option<&'static KindInfo> {
    let find =
        |same: fn(&str, &str) -> bool| KINDS.iter().find(|kind| kind.names().any(|(_, known)| same(known, name)));
    find(|known, name| known == name).or_else(|| find(str::eq_ignore_ascii_case))
}

/// What to say about a name that is not a kind: the names it may stand for.
pub fn unknown(name: &str) -> String {
    let meant = match &*nearest(name, names()) {
        [] => String::new(),
        [name] => format!("; did you mean `{name}`?"),
        [names @ .., last] => format!("; did you mean `{}` or `{last}`?", names.join("`, `")),
    };
    format!("`{name}` is not a kind of push{meant}\n  `wechat-simulator list` shows all kinds")
}

/// Each kind's names, and the name that is offered for it: that on the wire.
fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    KINDS.iter().flat_map(|kind| {
        let on_the_wire = kind.names().map(|(_, name)| (name, name));
        on_the_wire.chain([(kind.variant(), kind.name())])
    })
}

/// What is offered for the names most like this one, the best first. Each candidate is a name and what is offered.
pub fn nearest<'n>(name: &str, candidates: impl Iterator<Item = (&'n str, &'n str)>) -> Vec<&'n str> {
    let letters = |name: &str| name.to_lowercase().replace(['_', '-', ' '], "");
    let name = letters(name);
    let mut ranked: Vec<_> = candidates
        .map(|(candidate, offered)| (strsim::jaro(&name, &letters(candidate)), offered))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    ranked.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    // Names that are much less alike than the best are offered for want of a better one only.
    let best = ranked.first().map_or(ALIKE, |(likeness, _)| *likeness);
    ranked.retain(|(likeness, _)| best - likeness < CLOSE);
    let mut offered = Vec::new();
    for (_, name) in ranked {
        if !offered.contains(&name) && offered.len() < OFFERED {
            offered.push(name);
        }
    }
    offered
}

/// A payment of an order of its own: with what its business key is made of.
pub fn ordered<'w>(draft: Draft<'w>, kind: &KindInfo, open_id: &str, order: &str, time: u64) -> Draft<'w> {
    let payload = format!(r#"{{"OpenId":"{open_id}","OutTradeNo":"{order}","RefundId":"{order}","Env":0}}"#);
    let time = time.to_string();
    let set = [
        ("OutTradeNo", order),
        ("WxRefundId", order),
        ("ComplaintId", order),
        ("BusinessCode", order),
        ("pay_order_id", order),
        ("AppleSubscriptionInfo/SignedTime", &time),
        ("AppleSubscriptionInfo/UnsignedTime", &time),
        ("MiniGame/OrderId", order),
        ("MiniGame/Payload", &payload),
    ];
    set_known(draft, kind, &set)
}

/// With those of these fields that the kind has.
pub fn set_known<'w>(draft: Draft<'w>, kind: &KindInfo, set: &[(&str, &str)]) -> Draft<'w> {
    let fields = kind.fields();
    let set = set.iter().filter(|(path, _)| fields.iter().any(|field| field == path));
    set.fold(draft, |draft, (path, value)| draft.set(path, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_tells_the_two_locations_apart_and_nothing_else() {
        let variant = |name| find(name).map(KindInfo::variant);
        assert_eq!(variant("location"), Some("LocationMessage"));
        assert_eq!(variant("LOCATION"), Some("Location"));
        assert_eq!(variant("sCaN"), Some("Scan"));
        assert_eq!(variant("freepublishjobfinish"), Some("PublishJobFinish"));
        assert_eq!(variant("scann"), None);
    }

    #[test]
    fn a_slip_is_answered_with_the_name_that_was_meant() {
        let offered = |name| nearest(name, names());
        assert_eq!(offered("scann"), ["SCAN"]);
        assert_eq!(offered("lcoation"), ["location", "LOCATION"]);
        assert_eq!(offered("suscribe"), ["subscribe"]);
        assert_eq!(offered("view-miniprogram"), ["view_miniprogram"]);
        assert_eq!(offered("LocationMessage"), ["location"]);
        assert_eq!(offered("blizzard"), [""; 0]);
    }
}
