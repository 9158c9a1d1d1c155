//! `list`: every kind of push.

use serde::Serialize;
use wechat_events::event::{Group, KINDS, KindInfo, Takes};
use wechat_events::parse_event;

use crate::screen::{BOLD, DIM, indented, say};
use crate::{Verdict, kinds};

/// Lists the kinds of push; with names, shows their fields and a sample.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The kinds' names on the wire, such as SCAN. Default: all.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Prints a JSON array with an object for each kind.
    #[arg(long)]
    json: bool,
}

/// A kind, for `--json`.
#[derive(Serialize)]
struct Shown {
    name: &'static str,
    /// The element that holds the name.
    named_by: &'static str,
    /// All of its names, the usual one first.
    names: Vec<&'static str>,
    variant: &'static str,
    group: String,
    takes_reply: bool,
    fields: Vec<String>,
    sample: &'static str,
}

impl Shown {
    fn of(kind: &KindInfo) -> Shown {
        Shown {
            name: kind.name(),
            named_by: kind.named_by(),
            names: names(kind),
            variant: kind.variant(),
            group: format!("{:?}", kind.group()),
            takes_reply: kind.takes_reply(),
            fields: kind.fields(),
            sample: kind.sample(),
        }
    }
}

/// One may be named by two elements.
fn names(kind: &KindInfo) -> Vec<&'static str> {
    let mut names: Vec<_> = kind.names().map(|(_, name)| name).collect();
    names.dedup();
    names
}

pub fn run(options: &Options) -> Verdict {
    let chosen = options.names.iter().map(|name| kinds::find(name).ok_or_else(|| kinds::unknown(name)));
    let chosen: Vec<&KindInfo> = chosen.collect::<Result<_, _>>()?;
    if options.json {
        let kinds = if chosen.is_empty() { KINDS.iter().collect() } else { chosen };
        let shown: Vec<_> = kinds.into_iter().map(Shown::of).collect();
        say(serde_json::to_string_pretty(&shown)?);
    } else if chosen.is_empty() {
        say(table());
    } else {
        let pages: Vec<_> = chosen.into_iter().map(page).collect();
        say(pages.join("\n\n"));
    }
    Ok(true)
}

/// What a group is about; its name alone, where a later version adds one.
fn heading(group: Group) -> String {
    let about = match group {
        Group::Message => "messages from users",
        Group::Account => "follows, scans, locations, menu clicks",
        Group::Menu => "special menu buttons: scan, photo, location",
        Group::Job => "results of messages and publications",
        Group::Service => "customer service, guides, user data",
        Group::Card => "cards, gift cards, invoices, the old shop",
        Group::Store => "stores, Wi-Fi, shake-around, product scan",
        Group::Verification => "account verification",
        Group::Platform => "notices to third-party platforms",
        Group::Review => "review of mini programs run by a platform",
        Group::MiniProgram => "mini programs: content, live rooms, parcels, quotas",
        Group::Trade => "mini programs that sell: orders, settlements, complaints",
        Group::Payment => "virtual payment (answer: a code)",
        Group::MiniGame => "mini games (answer: a code, never encrypted)",
        _ => return format!("{group:?}"),
    };
    format!("{group:?}: {about}")
}

/// All kinds by group.
fn table() -> String {
    let names = |kind: &KindInfo| names(kind).join(", ");
    let width = KINDS.iter().map(|kind| names(kind).len()).max().unwrap_or_default();
    let variants = KINDS.iter().map(|kind| kind.variant().len()).max().unwrap_or_default();
    let mut table = String::new();
    let mut group = None;
    for kind in KINDS {
        if group.replace(kind.group()) != Some(kind.group()) {
            let gap = if table.is_empty() { "" } else { "\n" };
            table.push_str(&format!("{gap}{BOLD}{}{BOLD:#}\n", heading(kind.group())));
        }
        let answer = match kind.takes() {
            Takes::Reply => "a reply",
            Takes::Code => "a code",
            Takes::IosRefund => "an opinion for Apple",
            _ => "`success`",
        };
        let (names, variant) = (names(kind), kind.variant());
        table.push_str(&format!("  {names:width$}  {DIM}{variant:variants$}{DIM:#}  {answer}\n"));
    }
    table
        + &format!(
            "\n{} kinds. `send` takes a name of the first column; `list NAME` shows fields and a sample.",
            KINDS.len()
        )
}

/// One kind: what it is, its fields with the sample's values, and the sample.
fn page(kind: &KindInfo) -> String {
    let answer = match kind.takes() {
        Takes::Reply => "it takes a reply",
        Takes::Code => "it takes a code",
        Takes::IosRefund => "it takes an opinion for Apple",
        _ => "it takes `success`",
    };
    let mut page = format!(
        "{BOLD}{}{BOLD:#}: {} in {}, {} of the group {:?}; {answer}\n\n",
        names(kind).join(", "),
        if kind.names().count() > 1 { "names" } else { "a name" },
        kind.named_by(),
        kind.variant(),
        kind.group(),
    );
    let sample = parse_event(kind.sample().as_bytes()).ok();
    let fields = kind.fields();
    if !fields.is_empty() {
        page.push_str("Fields for --set, with the sample's values\n");
        let width = fields.iter().map(|path| path.len()).max().unwrap_or_default();
        for path in fields {
            let values: Vec<_> = sample.iter().flat_map(|event| event.fields(&path)).collect();
            let value = match &*values {
                [] => "(none)".to_owned(),
                [value] => value.to_string(),
                [value, others @ ..] => format!("{value} (and {} more)", others.len()),
            };
            let path = path.replace('|', " or ");
            page.push_str(format!("  {path:width$}  {value}").trim_end());
            page.push('\n');
        }
        page.push('\n');
    }
    page.push_str("Sample\n");
    page.push_str(&indented(kind.sample(), "  "));
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_says_what_it_is_about() {
        for kind in KINDS {
            assert!(heading(kind.group()).contains(": "), "{:?}", kind.group());
        }
    }

    #[test]
    fn a_kind_named_by_two_elements_is_listed_once() {
        assert_eq!(names(kinds::find("wxa_nickname_audit").unwrap()), ["wxa_nickname_audit"]);
        let published = kinds::find("PUBLISHJOBFINISH").unwrap();
        assert_eq!(names(published), ["PUBLISHJOBFINISH", "FREEPUBLISHJOBFINISH"]);
    }
}
