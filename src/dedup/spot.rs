//! Where a push of a [table](super::table) stands, and the numbers by which others know it: the index, segments of
//! answers, and owners of claims.

/// No slot: an index that no `Vec` has.
pub(super) const NIL: usize = usize::MAX;

/// Where a push stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    /// In the slot with this index.
    Open(usize),
    /// In the log, with this number.
    Settled(u32),
}

/// The numbers by which the index knows spots: those of slots, and above them those of the log.
#[derive(Clone, Copy)]
pub(super) struct Numbers {
    /// The last of a slot, and of the log by itself.
    pub(super) last: u32,
}

impl Numbers {
    /// Of so many pushes. The log has four times their numbers: an entry in the index that is past is written over
    /// before its number is given again, or else takes up its room for a while.
    pub(super) fn of(entries: usize) -> Numbers {
        let entries = u32::try_from(entries).unwrap_or(u32::MAX).clamp(1, MOST);
        Numbers { last: entries.next_power_of_two() * 4 - 1 }
    }

    pub(super) fn mask(self) -> u32 {
        self.last * 2 + 1
    }

    pub(super) fn of_spot(self, spot: Spot) -> u32 {
        match spot {
            Spot::Open(at) => u32::try_from(at).unwrap_or(self.last),
            Spot::Settled(number) => number | (self.last + 1),
        }
    }

    pub(super) fn is_settled(self, number: u32) -> bool {
        number > self.last
    }

    pub(super) fn spot(self, number: u32) -> Spot {
        if self.is_settled(number) {
            Spot::Settled(number & self.last)
        } else {
            Spot::Open(usize::try_from(number).unwrap_or(NIL))
        }
    }
}

/// How many pushes a table has at most, so that numbers leave some bits of an entry for the hash.
pub(super) const MOST: u32 = 1 << 24;

/// Bits of an owner that tell it from others of its push, within the time that this is kept.
const TOKEN: u32 = 43;

/// Bits of an owner that say in which slot its push is; of one in a slot beyond them they say nothing of use.
const SLOT: u32 = 20;

/// The owner with this token of the push in this slot: who ends its run need not look for it. In 63 bits, since a store
/// in front of which this one is puts numbers of its own beside it.
pub(super) fn owner(at: usize, token: u64) -> u128 {
    let slot = u64::try_from(at).unwrap_or(u64::MAX) & ((1 << SLOT) - 1);
    u128::from(slot << TOKEN | token & ((1 << TOKEN) - 1))
}

pub(super) fn slot_of(owner: u128) -> usize {
    usize::try_from(owner >> TOKEN & ((1 << SLOT) - 1)).unwrap_or(NIL)
}
