//! When to try again: a pure function of the attempt, the receiver's wish and a given jitter.
//!
//! The schedule is the one that Standard Webhooks recommends (spec/standard-webhooks.md, "Deliverability and reliability",
//! read 2026-11-20): at once, then after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h. The last attempt is made
//! about three days after the first.

use std::time::Duration;

/// Waiting time after the first, second, … failed attempt, in seconds.
const AFTER_S: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// How many attempts a delivery gets.
#[expect(clippy::cast_possible_truncation, reason = "ten")]
pub(crate) const ATTEMPTS_MAX: u32 = AFTER_S.len() as u32 + 1;

/// The longest wait that a receiver can ask for with `Retry-After`.
pub(crate) const AFTER_MAX: Duration = Duration::from_hours(24);

/// A share by which a wait is made longer or shorter, in per mille; spreads deliveries that failed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Jitter(i32);

impl Jitter {
    /// The widest deviation to either side.
    const MAX_PERMILLE: i32 = 200;

    /// A jitter of `permille`, held within ±200.
    pub(crate) fn new(permille: i32) -> Self {
        Self(permille.clamp(-Self::MAX_PERMILLE, Self::MAX_PERMILLE))
    }

    /// A jitter by chance.
    pub(crate) fn random() -> Self {
        Self::new(fastrand::i32(-Self::MAX_PERMILLE..=Self::MAX_PERMILLE))
    }
}

/// How long to wait after the failed attempt with this number, counted from 1; `None` when it was the last.
///
/// Never less than what the receiver asked for, unless that is more than [`AFTER_MAX`].
pub(crate) fn after(attempt: u32, retry_after: Option<Duration>, jitter: Jitter) -> Option<Duration> {
    let index = usize::try_from(attempt.max(1) - 1).ok()?;
    let seconds = AFTER_S.get(index)?;
    let permille = u64::try_from(1_000 + jitter.0).expect("jitter is held within 200 of 1000");
    let planned = Duration::from_millis(seconds * permille);
    Some(planned.max(retry_after.unwrap_or_default().min(AFTER_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(attempt: u32, retry_after_s: Option<u64>, permille: i32, expected_ms: Option<u64>) {
        let waited = after(attempt, retry_after_s.map(Duration::from_secs), Jitter::new(permille));
        assert_eq!(waited, expected_ms.map(Duration::from_millis), "attempt {attempt}, jitter {permille}");
    }

    #[test]
    fn the_schedule_is_that_of_standard_webhooks() {
        let seconds: Vec<_> = (1..=ATTEMPTS_MAX).map(|n| after(n, None, Jitter::new(0)).map(|wait| wait.as_secs())).collect();
        let expected = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        assert_eq!(seconds, expected.into_iter().map(Some).chain([None]).collect::<Vec<_>>());
        check(11, None, 0, None);
        check(u32::MAX, Some(5), 0, None);
    }

    #[test]
    fn jitter_moves_a_wait_by_a_fifth_at_most() {
        check(1, None, -200, Some(4_000));
        check(1, None, 200, Some(6_000));
        check(1, None, 9_999, Some(6_000));
        check(2, None, 37, Some(311_100));
        for _ in 0..1_000 {
            let wait = after(3, None, Jitter::random()).expect("third of ten");
            assert!((1_440_000..=2_160_000).contains(&wait.as_millis()), "{wait:?}");
        }
    }

    #[test]
    fn a_receivers_wish_is_kept_up_to_a_day() {
        check(1, Some(120), -200, Some(120_000));
        check(1, Some(1), 0, Some(5_000));
        check(1, Some(10_000_000), 0, Some(86_400_000));
        check(0, None, 0, Some(5_000));
    }
}
