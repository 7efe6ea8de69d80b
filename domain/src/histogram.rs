//! How often which durations occurred.
//!
//! Buckets grow by the eighth root of two, so that a doubling has eight of them and none is wider than 9.1 %: they begin at
//! 0.1 ms and end at a day. Two histograms are merged by adding them bucket by bucket, on which SQL can be asked to do it.

use crate::Millis;

/// Buckets in one doubling of the duration.
const PER_DOUBLING: f64 = 8.0;
/// Where the first bucket ends and the second begins, in microseconds.
const FIRST_US: f64 = 100.0;

/// Counts of durations, as many as 240 buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Without zeros at the end.
    counts: Vec<u64>,
}

/// One bucket that holds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The shortest duration in it.
    pub from: Millis,
    /// The shortest duration that is no longer in it.
    pub to: Millis,
    /// How many.
    pub count: u64,
}

impl Histogram {
    /// How many buckets there are: 0.1 ms doubled 30 times is a day and a quarter.
    pub const BUCKETS: usize = 240;

    /// The histogram of counts by bucket, the shortest first.
    #[must_use]
    pub fn from_counts(counts: impl IntoIterator<Item = u64>) -> Self {
        let mut histogram = Self::default();
        for (place, count) in counts.into_iter().enumerate() {
            histogram.add_to(place, count);
        }
        histogram
    }

    /// Counts one duration.
    pub fn add(&mut self, duration: Millis) {
        self.add_to(place(duration), 1);
    }

    /// Counts all that `other` counts.
    pub fn merge(&mut self, other: &Self) {
        for (place, count) in other.counts.iter().enumerate() {
            self.add_to(place, *count);
        }
    }

    fn add_to(&mut self, place: usize, count: u64) {
        let place = place.min(Self::BUCKETS - 1);
        if count == 0 {
            return;
        }
        if self.counts.len() <= place {
            self.counts.resize(place + 1, 0);
        }
        self.counts[place] = self.counts[place].saturating_add(count);
    }

    /// Counts by bucket, the shortest first, without zeros at the end.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// How many durations there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The buckets that hold something, the shortest first.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        let held = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        held.map(|(place, count)| Bucket { from: edge(place), to: edge(place + 1), count: *count })
    }

    /// The duration that `share` of all do not exceed, as the upper edge of its bucket; `None` of an empty histogram.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub fn quantile(&self, share: f64) -> Option<Millis> {
        let wanted = share * self.total() as f64;
        let mut sum = 0.0;
        let mut last = None;
        for bucket in self.buckets() {
            sum += bucket.count as f64;
            last = Some(bucket.to);
            if sum >= wanted {
                break;
            }
        }
        last
    }
}

/// The bucket of a duration.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "durations are bounded, and casts of floats saturate"
)]
fn place(duration: Millis) -> usize {
    let ratio = duration.as_us() as f64 / FIRST_US;
    if ratio < 1.0 { 0 } else { (ratio.log2() * PER_DOUBLING) as usize + 1 }
}

/// Where a bucket begins.
#[expect(clippy::cast_precision_loss, reason = "buckets are few")]
fn edge(place: usize) -> Millis {
    match place {
        0 => Millis::ZERO,
        place => Millis::from_ms_f64(FIRST_US / 1000.0 * ((place - 1) as f64 / PER_DOUBLING).exp2()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_lies_in_its_bucket() {
        for us in [0, 99, 100, 109, 110, 200, 1000, 999_999, 3_000_000, 3_600_000_000, 86_400_000_000] {
            let mut histogram = Histogram::default();
            histogram.add(Millis::from_us(us));
            let bucket = histogram.buckets().next().expect("one");
            assert!(bucket.from.as_us() <= us + 1 && us <= bucket.to.as_us() + 1, "{us}: {bucket:?}");
            assert!(us < 200 || bucket.to.as_ms_f64() / bucket.from.as_ms_f64() < 1.1, "{us}: {bucket:?}");
        }
    }

    #[test]
    fn merging_is_adding() {
        let of = |all: &[i64]| {
            let mut histogram = Histogram::default();
            for ms in all {
                histogram.add(Millis::from_ms(*ms));
            }
            histogram
        };
        let mut merged = of(&[1, 10, 100]);
        merged.merge(&of(&[10, 5000]));
        assert_eq!(merged, of(&[1, 10, 10, 100, 5000]));
        assert_eq!((merged.total(), Histogram::from_counts(merged.counts().iter().copied())), (5, merged.clone()));
        assert_eq!(Histogram::default().quantile(0.5), None);
        let median = merged.quantile(0.5).expect("not empty").as_ms_f64();
        assert!((10.0..11.0).contains(&median), "{median}");
    }

    #[test]
    fn nothing_is_too_long() {
        let mut histogram = Histogram::default();
        histogram.add(Millis::from_us(i64::MAX));
        histogram.add(Millis::from_us(-5));
        assert_eq!((histogram.total(), histogram.counts().len()), (2, Histogram::BUCKETS));
    }
}
