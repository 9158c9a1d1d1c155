//! The answers of one shard, one behind another: to write the next one touches memory that was touched just now.
//!
//! A heap block for each would lie anywhere; with a full store, where none of them was looked at for seconds, to give
//! one back and to take another cost more than all else that a store does.
//!
//! Where some are wanted much longer than their neighbours, segments are kept for little. When they are twice what is
//! needed, the one of which the least is wanted is emptied into the newest: some microseconds for one push in many.

use std::mem;
use std::ops::Range;

/// Bytes of a segment, but for an answer that is longer.
const SEGMENT: usize = 32 << 10;

/// How many bytes to clear at a time before they are written to. A processor fetches all their lines at once; without
/// this each answer would wait for its own.
const BLOCK: usize = 1 << 10;

/// Where an answer lies.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    /// In which segment, and at which byte of it: in one word, for two halves would be written one by one and read as
    /// one, for which a processor waits until they have reached its cache.
    at: u64,
    length: u32,
}

impl Place {
    pub(super) fn length(self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX)
    }

    fn new(segment: usize, start: usize, length: u32) -> Place {
        let word = |number| u64::try_from(number).unwrap_or(u64::MAX);
        Place { at: word(segment) << 32 | word(start), length }
    }

    fn segment(self) -> usize {
        usize::try_from(self.at >> 32).unwrap_or(usize::MAX)
    }

    fn range(self) -> Range<usize> {
        let start = usize::try_from(self.at & u64::from(u32::MAX)).unwrap_or(usize::MAX);
        start..start.saturating_add(self.length())
    }
}

#[derive(Default)]
pub(super) struct Answers {
    segments: Vec<Segment>,
    /// Of the segments, those with nothing in them.
    empty: Vec<usize>,
    /// Where the next one is written.
    current: usize,
}

#[derive(Default)]
struct Segment {
    bytes: Vec<u8>,
    /// How many of them are written.
    used: usize,
    /// How many of them are written or cleared.
    ready: usize,
    /// Of each answer in it, wanted or not, the number of the push that it was written for.
    pushes: Vec<u32>,
    /// How many of the bytes are wanted.
    live: usize,
}

impl Segment {
    fn read(&self, place: Place) -> &[u8] {
        self.bytes.get(place.range()).unwrap_or_default()
    }

    fn write(&mut self, answer: &[u8]) -> usize {
        let (start, end) = (self.used, self.used + answer.len());
        if end > self.ready {
            let ready = end.next_multiple_of(BLOCK);
            if ready > self.bytes.len() {
                // Not beyond a segment, which is kept.
                let room = end.next_power_of_two().clamp(BLOCK, SEGMENT).max(end);
                self.bytes.reserve_exact(room - self.bytes.len());
                self.bytes.resize(room, 0);
            }
            self.ready = ready.min(self.bytes.len());
            if let Some(ahead) = self.bytes.get_mut(end..self.ready) {
                ahead.fill(0);
            }
        }
        if let Some(room) = self.bytes.get_mut(start..end) {
            room.copy_from_slice(answer);
        }
        self.used = end;
        self.live += answer.len();
        start
    }

    fn clear(&mut self) {
        (self.used, self.ready, self.live) = (0, 0, 0);
        self.pushes.clear();
        if self.bytes.len() > SEGMENT {
            self.bytes = Vec::new();
        }
    }
}

impl Answers {
    /// `push` is the number of its push.
    pub(super) fn write(&mut self, answer: &[u8], push: u32) -> Place {
        let length = u32::try_from(answer.len()).unwrap_or_default();
        if length == 0 {
            return Place::default();
        }
        let fits = |segment: &Segment| segment.used == 0 || segment.used + answer.len() <= SEGMENT;
        if !self.segments.get(self.current).is_some_and(fits) {
            self.current = self.empty.pop().unwrap_or(self.segments.len());
        }
        if self.current == self.segments.len() {
            self.segments.push(Segment::default());
        }
        let Some(segment) = self.segments.get_mut(self.current) else { return Place::default() };
        let start = segment.write(answer);
        segment.pushes.push(push);
        Place::new(self.current, start, length)
    }

    pub(super) fn read(&self, place: Place) -> &[u8] {
        self.segments.get(place.segment()).map_or(&[], |segment| segment.read(place))
    }

    /// An answer that is wanted no longer.
    pub(super) fn forget(&mut self, place: Place) {
        let number = place.segment();
        let Some(segment) = self.segments.get_mut(number).filter(|_| place.length > 0) else { return };
        segment.live = segment.live.saturating_sub(place.length());
        if segment.live > 0 {
            return;
        }
        segment.clear();
        if number != self.current {
            self.empty.push(number);
        }
    }

    /// Whether there are more than twice the segments that answers of so many bytes need.
    pub(super) fn is_sparse(&self, bytes: usize) -> bool {
        self.segments.len() - self.empty.len() > 2 * (bytes / SEGMENT + 1)
    }

    /// Takes out the segment of which the least is wanted. That is to be written anew, before the segment is
    /// [given back](Answers::give_back).
    pub(super) fn take_sparsest(&mut self) -> Option<Taken> {
        let full =
            self.segments.iter().enumerate().filter(|(number, segment)| segment.live > 0 && *number != self.current);
        let (number, _) = full.min_by_key(|(_, segment)| segment.live)?;
        self.segments.get_mut(number).map(|segment| Taken { number, segment: mem::take(segment) })
    }

    pub(super) fn give_back(&mut self, taken: Taken) {
        let Taken { number, segment: mut given } = taken;
        given.clear();
        if let Some(segment) = self.segments.get_mut(number) {
            *segment = given;
            self.empty.push(number);
        }
    }
}

/// A segment on its way out.
pub(super) struct Taken {
    number: usize,
    segment: Segment,
}

impl Taken {
    /// The numbers of the pushes whose answers may be in it, some of them several times.
    pub(super) fn pushes(&self) -> &[u32] {
        &self.segment.pushes
    }

    pub(super) fn read(&self, place: Place) -> Option<&[u8]> {
        (place.segment() == self.number && place.length > 0).then(|| self.segment.read(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_until_it_is_forgotten_and_its_room_is_used_again() {
        let mut answers = Answers::default();
        let texts: Vec<Vec<u8>> = (0..300).map(|n| vec![u8::try_from(n % 251).unwrap(); n * 7]).collect();
        let places: Vec<Place> = texts.iter().map(|text| answers.write(text, 0)).collect();
        assert!(places.iter().zip(&texts).all(|(place, text)| answers.read(*place) == text));
        let segments = answers.segments.len();
        assert!(segments > 9 && answers.segments.iter().all(|segment| segment.bytes.len() == SEGMENT));

        places.iter().for_each(|place| answers.forget(*place));
        assert_eq!(answers.empty.len(), segments - 1);
        let places: Vec<Place> = texts.iter().map(|text| answers.write(text, 0)).collect();
        assert!(places.iter().zip(&texts).all(|(place, text)| answers.read(*place) == text));
        assert_eq!((answers.segments.len(), answers.empty.len()), (segments, 0));
    }

    #[test]
    fn one_longer_than_a_segment_has_its_own_which_is_given_back() {
        let mut answers = Answers::default();
        let long = answers.write(&[7; 3 * SEGMENT], 0);
        let short = answers.write(b"success", 1);
        assert_eq!((answers.read(long), answers.read(short)), (&[7; 3 * SEGMENT][..], &b"success"[..]));
        answers.forget(long);
        assert_eq!((answers.segments[0].bytes.capacity(), &*answers.empty), (0, &[0][..]));
    }

    #[test]
    fn the_segment_of_which_the_least_is_wanted_is_taken_out_and_used_again() {
        let mut answers = Answers::default();
        let places: Vec<Place> = (0u8..40).map(|n| answers.write(&[n; SEGMENT / 4], n.into())).collect();
        let is_wanted = |n: usize| n.is_multiple_of(4) || n / 4 == 3;
        (0..40).filter(|n| !is_wanted(*n) && *n != 20).for_each(|n| answers.forget(places[n]));
        answers.forget(places[12]);
        // Of the segments 0 to 9 number 3 has three answers, number 5 has two, the others one.
        assert_eq!((answers.is_sparse(4 * SEGMENT), answers.is_sparse(4 * SEGMENT - 1)), (false, true));
        let taken = answers.take_sparsest().unwrap();
        assert_eq!((taken.number, taken.pushes()), (0, &[0, 1, 2, 3][..]));
        assert_eq!((taken.read(places[0]), taken.read(places[4])), (Some(&[0; SEGMENT / 4][..]), None));
        let moved = answers.write(taken.read(places[0]).unwrap(), 0);
        answers.give_back(taken);
        assert_eq!((moved.segment(), answers.read(moved), &*answers.empty), (10, &[0; SEGMENT / 4][..], &[0][..]));
        assert_eq!(answers.write(&[1; SEGMENT], 1).segment(), 0);
    }
}
