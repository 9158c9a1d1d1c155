//! Looks up a kind by its name, in a table built from [`KINDS`] at compile time.

use super::kinds::{KINDS, KindInfo, NamedBy};

/// Ignores case, in which WeChat is not consistent.
#[inline]
pub(super) fn find(named_by: NamedBy, name: &str) -> Option<&'static KindInfo> {
    let of_length = BY_LENGTH.get(name.len())?.iter().map_while(Option::as_ref);
    let mut named = of_length.filter(|entry| entry.named_by == named_by);
    let found = named.clone().find(|entry| entry.name == name);
    found.or_else(|| named.find(|entry| entry.name.eq_ignore_ascii_case(name))).map(|entry| entry.kind)
}

/// A name, its element, and its kind.
#[derive(Clone, Copy)]
struct Named {
    named_by: NamedBy,
    name: &'static str,
    kind: &'static KindInfo,
}

/// The names by length, in the order of [`KINDS`], with the usual ones first.
static BY_LENGTH: [[Option<Named>; MOST]; LONGEST + 1] = by_length();

/// Length of the longest name.
const LONGEST: usize = {
    let (mut longest, mut n) = (0, 0);
    while let Some(Named { name, .. }) = nth_name(n) {
        longest = if name.len() > longest { name.len() } else { longest };
        n += 1;
    }
    longest
};

/// Number of names of the most common length.
#[allow(clippy::indexing_slicing, reason = "runs in the compiler")]
const MOST: usize = {
    let mut of_length = [0; LONGEST + 1];
    let (mut most, mut n) = (0, 0);
    while let Some(Named { name, .. }) = nth_name(n) {
        of_length[name.len()] += 1;
        most = if of_length[name.len()] > most { of_length[name.len()] } else { most };
        n += 1;
    }
    most
};

#[allow(clippy::indexing_slicing, reason = "runs in the compiler")]
const fn by_length() -> [[Option<Named>; MOST]; LONGEST + 1] {
    let mut by_length = [[None; MOST]; LONGEST + 1];
    let mut n = 0;
    while let Some(named) = nth_name(n) {
        let of_length = &mut by_length[named.name.len()];
        let mut free = 0;
        while of_length[free].is_some() {
            free += 1;
        }
        of_length[free] = Some(named);
        n += 1;
    }
    by_length
}

/// The nth of all names of all kinds.
#[allow(clippy::indexing_slicing, reason = "runs in the compiler")]
const fn nth_name(mut n: usize) -> Option<Named> {
    let mut kind = 0;
    while kind < KINDS.len() {
        let names = KINDS[kind].names;
        if n < names.len() {
            return Some(Named { named_by: names[n].0, name: names[n].1, kind: &KINDS[kind] });
        }
        n -= names.len();
        kind += 1;
    }
    None
}
