//! Where a push stands, by the hash of its key.
//!
//! Made for pushes that come once and are let go in the order in which they came. A bucket is a line of the
//! processor's cache, and all that a new push needs of the index: to look for it and to put it down touch one line. What
//! is let go is not looked up again: its number is seen to be past when another is put down beside it. In a general
//! table, hashbrown's, each of the two took a line more; behind a busy server to wait for them took 0.2 µs of a push.

/// Entries of a bucket.
const BUCKET: usize = 16;

/// Pushes for each bucket, when the index is full. With so few one bucket in five thousand overflows.
const MEAN: usize = 6;

/// A line of the cache.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Bucket([u32; BUCKET]);

pub(super) struct Index {
    buckets: Vec<Bucket>,
    /// What had no place in its bucket: seldom anything.
    overflow: Vec<Entry>,
    /// The bits of an entry that are a number. The others are taken from the hash.
    mask: u32,
}

#[derive(Clone, Copy)]
struct Entry {
    bucket: usize,
    bits: u32,
}

impl Index {
    /// Numbers go up to `mask`, all of whose bits are ones. Half of it is given to none.
    pub(super) fn new(mask: u32) -> Index {
        Index { buckets: Vec::new(), overflow: Vec::new(), mask }
    }

    /// Of no push.
    fn empty(&self) -> u32 {
        self.mask >> 1
    }

    /// Whether it should have more buckets for so many pushes, of `limit` at most.
    pub(super) fn is_short(&self, pushes: usize, limit: usize) -> bool {
        pushes >= self.buckets.len() * MEAN && self.buckets.len() < limit.div_ceil(MEAN)
    }

    /// Twice the buckets, or `limit` pushes' worth, and nothing in them.
    pub(super) fn grow(&mut self, limit: usize) {
        let buckets = (self.buckets.len() * 2).clamp(1, limit.div_ceil(MEAN).max(1));
        // No more room than that: the last step is less than twice.
        self.buckets = vec![Bucket([self.empty(); BUCKET]); buckets];
        self.overflow.clear();
    }

    fn entry(&self, hash: u64, number: u32) -> Entry {
        let (low, high) = (hash & u64::from(u32::MAX), hash >> 32);
        let buckets = u64::try_from(self.buckets.len()).unwrap_or_default();
        let bucket = usize::try_from(low.wrapping_mul(buckets) >> 32).unwrap_or_default();
        let tag = u32::try_from(high).unwrap_or_default() & !self.mask;
        Entry { bucket, bits: tag | number }
    }

    /// The number of which `is_it` says so, of those that were put down with this hash and some others.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let (wanted, mask, empty) = (self.entry(hash, 0), self.mask, self.empty());
        let bucket = self.buckets.get(wanted.bucket)?;
        let is_it = |bits: &u32| *bits & mask != empty && is_it(*bits & mask);
        let mut like = bucket.which(|bits| bits & !mask == wanted.bits);
        while like != 0 {
            let bits = bucket.at(like);
            if bits.is_some_and(is_it) {
                return bits.map(|bits| bits & mask);
            }
            like &= like - 1;
        }
        let mut over = self.overflow.iter().filter(|entry| entry.bucket == wanted.bucket).map(|entry| &entry.bits);
        over.find(|bits| *bits & !mask == wanted.bits && is_it(bits)).map(|bits| bits & mask)
    }

    /// Puts a number down, in place of one that is past if there is any.
    pub(super) fn insert(&mut self, hash: u64, number: u32, is_past: impl Fn(u32) -> bool) {
        let (entry, mask, empty) = (self.entry(hash, number), self.mask, self.empty());
        let Some(bucket) = self.buckets.get_mut(entry.bucket) else { return };
        // More than half of the places are free: to look at all of them costs more than to stop at the first.
        match bucket.0.iter_mut().find(|bits| **bits & mask == empty || is_past(**bits & mask)) {
            Some(free) => *free = entry.bits,
            None => {
                self.overflow.retain(|entry| !is_past(entry.bits & mask));
                self.overflow.push(entry);
            }
        }
    }

    /// Gives a push another number, or none.
    pub(super) fn replace(&mut self, hash: u64, number: u32, new: Option<u32>) {
        let (old, new) = (self.entry(hash, number), self.entry(hash, new.unwrap_or(self.empty())));
        let Some(bucket) = self.buckets.get_mut(old.bucket) else { return };
        let same = bucket.which(|bits| bits == old.bits);
        let mut over = self.overflow.iter_mut().filter(|entry| entry.bucket == old.bucket).map(|entry| &mut entry.bits);
        if let Some(bits) = bucket.at_mut(same).or_else(|| over.find(|bits| **bits == old.bits)) {
            *bits = new.bits;
        }
    }
}

impl Bucket {
    /// A bit for each entry of which `is_so`: asked of all, without a way out of the loop, so that a processor looks at
    /// many at a time.
    fn which(&self, is_so: impl Fn(u32) -> bool) -> u32 {
        self.0.iter().rev().fold(0, |found, bits| found << 1 | u32::from(is_so(*bits)))
    }

    /// The first of them.
    fn at(&self, which: u32) -> Option<&u32> {
        self.0.get(usize::try_from(which.trailing_zeros()).ok()?)
    }

    fn at_mut(&mut self, which: u32) -> Option<&mut u32> {
        self.0.get_mut(usize::try_from(which.trailing_zeros()).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: u32 = 0xFFF;

    fn index(limit: usize) -> Index {
        let mut index = Index::new(MASK);
        while index.is_short(limit, limit) {
            index.grow(limit);
        }
        index
    }

    #[test]
    fn a_bucket_holds_sixteen_and_what_comes_after_them_is_found_too() {
        let mut index = index(1);
        assert_eq!(index.buckets.len(), 1);
        let hash = |n: u32| u64::from(n) << 50;
        (0..40).for_each(|n| index.insert(hash(n), n, |_| false));
        assert_eq!(index.overflow.len(), 24);
        assert!((0..40).all(|n| index.find(hash(n), |number| number == n) == Some(n)));
        assert_eq!(index.find(hash(41), |_| true), None);

        index.replace(hash(30), 30, Some(100));
        index.replace(hash(3), 3, None);
        assert_eq!([index.find(hash(30), |_| true), index.find(hash(3), |_| true)], [Some(100), None]);
        // The place of 3 is taken first, then that of one that is past, in the bucket and beside it.
        index.insert(hash(50), 50, |_| false);
        index.insert(hash(51), 51, |number| number == 7);
        assert_eq!(index.overflow.len(), 24);
        index.insert(hash(52), 52, |number| (20..29).contains(&number));
        assert_eq!(index.overflow.len(), 24 - 9 + 1);
        let found = [7, 20, 29, 50, 51, 52].map(|n| index.find(hash(n), |number| number == n));
        assert_eq!(found, [None, None, Some(29), Some(50), Some(51), Some(52)]);
    }

    #[test]
    fn hashes_are_told_apart_by_their_high_bits_and_by_who_asks() {
        let mut index = index(1);
        let (one, other) = (0xABCD_E000_0000_0000, 0xABCD_F000_0000_0000);
        index.insert(one, 1, |_| false);
        index.insert(one, 2, |_| false);
        assert_eq!(index.find(other, |_| true), None);
        assert_eq!(index.find(one, |number| number != 1), Some(2));
        assert_eq!(index.find(one | 0xFFF_FFFF_FFFF, |_| true), Some(1), "bits that no entry has");
    }

    #[test]
    fn it_grows_until_its_limit_leaves_most_of_each_bucket_free() {
        let mut index = Index::new(MASK);
        let mut sizes = vec![];
        for pushes in 0..1000 {
            if index.is_short(pushes, 1000) {
                index.grow(1000);
                sizes.push((pushes, index.buckets.len()));
            }
        }
        assert_eq!(sizes, [(0, 1), (6, 2), (12, 4), (24, 8), (48, 16), (96, 32), (192, 64), (384, 128), (768, 167)]);
    }
}
