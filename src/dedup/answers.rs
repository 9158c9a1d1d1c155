//! The answers of one shard, one behind another: to write the next one touches memory that was touched just now.
//!
//! A heap block for each would lie anywhere; with a full store, where none of them was looked at for seconds, to give
//! one back and to take another cost more than all else that a store does.

/// Bytes of a segment, but for an answer that is longer.
const SEGMENT: usize = 32 << 10;

/// Where an answer lies.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    segment: usize,
    start: usize,
    length: usize,
}

impl Place {
    pub(super) fn length(self) -> usize {
        self.length
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
    /// How many of its answers are wanted.
    live: usize,
}

impl Answers {
    pub(super) fn write(&mut self, answer: &[u8]) -> Place {
        if answer.is_empty() {
            return Place::default();
        }
        let fits = |segment: &Segment| segment.bytes.is_empty() || segment.bytes.len() + answer.len() <= SEGMENT;
        if !self.segments.get(self.current).is_some_and(fits) {
            self.current = self.empty.pop().unwrap_or(self.segments.len());
        }
        if self.current == self.segments.len() {
            self.segments.push(Segment::default());
        }
        let Some(segment) = self.segments.get_mut(self.current) else { return Place::default() };
        let (start, length) = (segment.bytes.len(), answer.len());
        if start + length > segment.bytes.capacity() {
            // Not beyond a segment, which is kept.
            let room = (start + length).next_power_of_two().min(SEGMENT).max(start + length);
            segment.bytes.reserve_exact(room - start);
        }
        segment.bytes.extend_from_slice(answer);
        segment.live += 1;
        Place { segment: self.current, start, length }
    }

    pub(super) fn read(&self, place: Place) -> &[u8] {
        let segment = self.segments.get(place.segment);
        segment.and_then(|segment| segment.bytes.get(place.start..place.start + place.length)).unwrap_or_default()
    }

    /// An answer that is wanted no longer.
    pub(super) fn forget(&mut self, place: Place) {
        let Some(segment) = self.segments.get_mut(place.segment).filter(|_| place.length > 0) else { return };
        segment.live = segment.live.saturating_sub(1);
        if segment.live > 0 {
            return;
        }
        segment.bytes.clear();
        if segment.bytes.capacity() > SEGMENT {
            segment.bytes = Vec::new();
        }
        if place.segment != self.current {
            self.empty.push(place.segment);
        }
    }

    /// Whether so few answers are wanted of so many segments that all should be [moved](Answers::moved). `bytes` is the
    /// most that they may come to.
    pub(super) fn is_sparse(&self, bytes: usize) -> bool {
        self.segments.len() - self.empty.len() > 2 * (bytes / SEGMENT + 1)
    }

    /// The wanted answers in segments of their own.
    pub(super) fn moved<'p>(&self, places: impl Iterator<Item = &'p mut Place>) -> Answers {
        let mut moved = Answers::default();
        for place in places {
            *place = moved.write(self.read(*place));
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_until_it_is_forgotten_and_its_room_is_used_again() {
        let mut answers = Answers::default();
        let texts: Vec<Vec<u8>> = (0..300).map(|n| vec![u8::try_from(n % 251).unwrap(); n * 7]).collect();
        let places: Vec<Place> = texts.iter().map(|text| answers.write(text)).collect();
        assert!(places.iter().zip(&texts).all(|(place, text)| answers.read(*place) == text));
        let segments = answers.segments.len();
        assert!(segments > 9 && answers.segments.iter().all(|segment| segment.bytes.capacity() == SEGMENT));

        places.iter().for_each(|place| answers.forget(*place));
        assert_eq!(answers.empty.len(), segments - 1);
        let places: Vec<Place> = texts.iter().map(|text| answers.write(text)).collect();
        assert!(places.iter().zip(&texts).all(|(place, text)| answers.read(*place) == text));
        assert_eq!((answers.segments.len(), answers.empty.len()), (segments, 0));
    }

    #[test]
    fn one_longer_than_a_segment_has_its_own_which_is_given_back() {
        let mut answers = Answers::default();
        let long = answers.write(&[7; 3 * SEGMENT]);
        let short = answers.write(b"success");
        assert_eq!((answers.read(long), answers.read(short)), (&[7; 3 * SEGMENT][..], &b"success"[..]));
        answers.forget(long);
        assert_eq!((answers.segments[0].bytes.capacity(), &*answers.empty), (0, &[0][..]));
    }

    #[test]
    fn few_that_are_wanted_among_many_move_together() {
        let mut answers = Answers::default();
        let places: Vec<Place> = (0u8..100).map(|n| answers.write(&[n; SEGMENT / 4])).collect();
        for (n, place) in places.iter().enumerate() {
            if n % 4 != 0 {
                answers.forget(*place);
            }
        }
        let mut wanted: Vec<Place> = places.into_iter().step_by(4).collect();
        assert!(answers.is_sparse(25 * SEGMENT / 4));
        let moved = answers.moved(wanted.iter_mut());
        assert!(!moved.is_sparse(25 * SEGMENT / 4));
        assert_eq!(moved.segments.len(), 7);
        for (n, place) in (0u8..).zip(&wanted) {
            assert_eq!(moved.read(*place), [4 * n; SEGMENT / 4]);
        }
    }
}
