//! The settled pushes of one shard, oldest first: put at the end, let go from the front.
//!
//! These are nearly all that a store holds, and nobody looks at most of them again. One behind another they are written
//! and cleared away in the order of the memory, which a processor foresees. With room that is given and given back they
//! would lie anywhere, and to wait for memory cost more than all else that a store does.

use std::collections::VecDeque;

use super::answers::Place;
use super::hashed::Key;
use super::store::Carrier;

#[derive(Clone, Copy)]
pub(super) struct Record {
    pub(super) key: Key,
    pub(super) first_seen: u64,
    /// When it is forgotten.
    pub(super) until: u64,
    pub(super) answer: Place,
    pub(super) carrier: Carrier,
}

pub(super) struct Log {
    /// `None`: taken out of the middle. There is none at the front.
    records: VecDeque<Option<Record>>,
    /// How many are not `None`.
    pushes: usize,
    /// The number of the first.
    first: u32,
    /// The last number, of which all bits are ones; then they begin anew.
    last: u32,
}

impl Log {
    /// `last` is to be at least twice what is ever in it.
    pub(super) fn new(last: u32) -> Log {
        Log { records: VecDeque::new(), pushes: 0, first: 0, last }
    }

    pub(super) fn len(&self) -> usize {
        self.pushes
    }

    /// The same with the gaps among them.
    pub(super) fn span(&self) -> usize {
        self.records.len()
    }

    /// The number that the next one gets.
    pub(super) fn next(&self) -> u32 {
        self.first.wrapping_add(u32::try_from(self.records.len()).unwrap_or_default()) & self.last
    }

    pub(super) fn push(&mut self, record: Record) {
        self.records.push_back(Some(record));
        self.pushes += 1;
    }

    /// All of them, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Record)> {
        let number = |at: usize| self.first.wrapping_add(u32::try_from(at).unwrap_or_default()) & self.last;
        self.records.iter().enumerate().filter_map(move |(at, record)| Some((number(at), record.as_ref()?)))
    }

    /// Tells whether a number is none of theirs any more.
    pub(super) fn past(&self) -> impl Fn(u32) -> bool + use<> {
        let (first, last) = (self.first, self.last);
        let records = u32::try_from(self.records.len()).unwrap_or(u32::MAX);
        move |number| number.wrapping_sub(first) & last >= records
    }

    /// The oldest, and its number.
    pub(super) fn front(&self) -> Option<(u32, &Record)> {
        self.records.front()?.as_ref().map(|record| (self.first, record))
    }

    fn offset(&self, number: u32) -> usize {
        usize::try_from(number.wrapping_sub(self.first) & self.last).unwrap_or(usize::MAX)
    }

    pub(super) fn get(&self, number: u32) -> Option<&Record> {
        self.records.get(self.offset(number))?.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Record> {
        let offset = self.offset(number);
        self.records.get_mut(offset)?.as_mut()
    }

    pub(super) fn remove(&mut self, number: u32) -> Option<Record> {
        let offset = self.offset(number);
        let removed = self.records.get_mut(offset)?.take();
        while let Some(None) = self.records.front() {
            self.records.pop_front();
            self.first = self.first.wrapping_add(1) & self.last;
        }
        self.pushes -= usize::from(removed.is_some());
        removed
    }

    /// Whether all that is here came after [`next`](Log::next) was `then`.
    pub(super) fn are_after(&self, then: u32) -> bool {
        !(1..=self.records.len()).contains(&self.offset(then))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DedupKey;

    fn record(n: u8) -> Record {
        let key = DedupKey::from_bytes([n; 16]).into();
        Record { key, first_seen: n.into(), until: 0, answer: Place::default(), carrier: Carrier::Late }
    }

    const LAST: u32 = 15;

    #[test]
    fn numbers_stay_with_their_records_and_begin_anew_after_the_last() {
        let mut log = Log { first: LAST - 1, ..Log::new(LAST) };
        let numbers: Vec<u32> = (0..5)
            .map(|n| {
                let number = log.next();
                log.push(record(n));
                number
            })
            .collect();
        assert_eq!(numbers, [LAST - 1, LAST, 0, 1, 2]);
        let seen = |log: &Log| -> Vec<Option<u64>> {
            numbers.iter().map(|number| log.get(*number).map(|record| record.first_seen)).collect()
        };
        assert_eq!(seen(&log), [Some(0), Some(1), Some(2), Some(3), Some(4)]);

        assert_eq!(log.remove(LAST).map(|record| record.first_seen), Some(1));
        assert!(log.remove(LAST).is_none());
        assert_eq!(seen(&log), [Some(0), None, Some(2), Some(3), Some(4)]);
        assert_eq!(log.front().map(|(number, _)| number), Some(LAST - 1));
        log.remove(LAST - 1);
        assert_eq!(log.front().map(|(number, record)| (number, record.first_seen)), Some((0, 2)));
        log.get_mut(1).unwrap().until = 7;
        assert_eq!((log.get(1).unwrap().until, log.next(), log.get(3).is_none()), (7, 3, true));
        assert_eq!(
            (log.len(), log.iter().map(|(number, record)| (number, record.first_seen)).collect()),
            (3, vec![(0, 2), (1, 3), (2, 4)])
        );
        assert_eq!([LAST, 0, 2, 3].map(log.past()), [true, false, false, true]);
    }

    #[test]
    fn what_came_before_the_first_is_older_than_it() {
        let mut log = Log::new(LAST);
        (0..4).for_each(|n| log.push(record(n)));
        assert_eq!([0, 1, 3, 4].map(|then| log.are_after(then)), [true, false, false, false]);
        log.remove(0);
        log.remove(1);
        assert_eq!([0, 1, 2, 3, 4].map(|then| log.are_after(then)), [true, true, true, false, false]);
    }
}
