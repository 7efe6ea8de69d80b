//! Rules that ask how many: so many in a time, or far more than before.
//!
//! What counts is when incidents happened, not when they came: a window is full as soon as one can be laid over them, so
//! evidence that comes late or out of order leads to the same.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use store::{Moments, Volume, WantedRate, WantedWindow};
use toml::Spanned;

use crate::settings::{self, Fault};

/// Most incidents that a threshold may ask for: that many are read for each incident.
const COUNT_MAX: u32 = 1_000;

/// The longest window of a threshold; matches are kept a little longer than that.
const WINDOW_MAX: SignedDuration = SignedDuration::from_hours(24);

/// The longest window of a rate, and how many of them before it are the past that it is held against.
const RATE_WINDOW_MAX: SignedDuration = SignedDuration::from_hours(6);
const WINDOWS_BEFORE: u32 = 24;

/// Incidents in the window below which nothing escalates, when the rule does not say.
const AT_LEAST: u32 = 10;

/// `threshold = { count = 5, window = "10m" }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ThresholdTable {
    count: Spanned<u32>,
    window: Spanned<String>,
}

/// `escalating = { factor = 3, window = "1h", at_least = 10 }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EscalatingTable {
    factor: Spanned<f64>,
    window: Spanned<String>,
    at_least: Option<Spanned<u32>>,
}

/// So many incidents of a group within some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Threshold {
    pub count: u32,
    pub window: SignedDuration,
}

/// Many more incidents of a group in the last window than in those before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Escalating {
    pub factor: f64,
    pub window: SignedDuration,
    pub at_least: u32,
}

impl Threshold {
    /// Checks the settings.
    pub(super) fn read(table: &ThresholdTable) -> Result<Self, Fault> {
        let count = *table.count.get_ref();
        if !(2..=COUNT_MAX).contains(&count) {
            return Err(Fault::of(&table.count, format!("expected 2 to {COUNT_MAX} incidents, found {count}")));
        }
        Ok(Self { count, window: window(&table.window, WINDOW_MAX)? })
    }

    /// What has to be known about the matches of a group around a moment.
    pub(super) fn wanted(self, group: String, at: Timestamp) -> WantedWindow {
        WantedWindow { group, at, within: self.window, most: self.count }
    }

    /// Whether a window can be laid over the moment in which there are enough. The incident at that moment is among them.
    pub(super) fn is_reached(self, moments: &Moments, at: Timestamp) -> bool {
        let mut seen = BTreeSet::new();
        let near = moments.iter().filter(|(moment, _)| moment.duration_since(at).abs() <= self.window);
        let times: Vec<Timestamp> = near.filter(|(_, incident)| seen.insert(incident)).map(|(moment, _)| *moment).collect();
        times.windows(self.count as usize).any(|window| {
            let (first, last) = (window[0], window[window.len() - 1]);
            first <= at && at <= last && last.duration_since(first) <= self.window
        })
    }

    /// For the message.
    pub(super) fn volume(self) -> Volume {
        Volume { count: u64::from(self.count), window_s: self.window.as_secs() }
    }
}

impl Escalating {
    /// Checks the settings.
    pub(super) fn read(table: &EscalatingTable) -> Result<Self, Fault> {
        let factor = *table.factor.get_ref();
        if !(1.1..=1_000.0).contains(&factor) {
            return Err(Fault::of(&table.factor, format!("expected a factor of 1.1 to 1000, found {factor}")));
        }
        let at_least = match &table.at_least {
            None => AT_LEAST,
            Some(found) if *found.get_ref() < 2 => {
                return Err(Fault::of(found, format!("expected at least 2 incidents, found {}", found.get_ref())));
            }
            Some(found) => *found.get_ref(),
        };
        Ok(Self { factor, window: window(&table.window, RATE_WINDOW_MAX)?, at_least })
    }

    /// What has to be known about the matches of a group.
    pub(super) fn wanted(self, group: String, at: Timestamp) -> WantedRate {
        WantedRate { group, at, window: self.window, windows_before: WINDOWS_BEFORE }
    }

    /// How many of these are in the window that ends with the latest of them.
    pub(super) fn recent(self, moments: &Moments) -> u64 {
        let Some((latest, _)) = moments.last() else { return 0 };
        moments.iter().filter(|(at, _)| latest.duration_since(*at) < self.window).count() as u64
    }

    /// Whether `recent` incidents in the window are that many more than `earlier` in those before it. What never happened
    /// before does not escalate: it is new.
    #[expect(clippy::cast_precision_loss, reason = "counts of incidents are far below 2^52")]
    pub(super) fn is_reached(self, recent: u64, earlier: u64) -> bool {
        let usual = earlier as f64 / f64::from(WINDOWS_BEFORE);
        earlier > 0 && recent >= u64::from(self.at_least) && recent as f64 >= self.factor * usual
    }

    /// For the message.
    pub(super) fn volume(self, recent: u64) -> Volume {
        Volume { count: recent, window_s: self.window.as_secs() }
    }
}

fn window(text: &Spanned<String>, longest: SignedDuration) -> Result<SignedDuration, Fault> {
    match settings::duration(text)? {
        found if found >= SignedDuration::from_secs(1) && found <= longest => Ok(found),
        _ => Err(Fault::of(text, format!("expected at least 1 s and at most {longest:#}, found \"{}\"", text.get_ref()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("near 1970")
    }

    fn moments(seconds: &[i64]) -> Moments {
        seconds.iter().map(|second| (at(*second), second.to_string())).collect()
    }

    #[test]
    fn a_threshold_is_reached_where_a_window_can_be_laid_over_enough() {
        let threshold = Threshold { count: 3, window: SignedDuration::from_secs(10) };
        for (seconds, second, expected) in [
            ([0, 5].as_slice(), 5, false),
            (&[0, 5, 10], 10, true),
            (&[0, 5, 11], 11, false),
            (&[0, 5, 10], 5, true),
            (&[0, 9, 18], 9, false),
            (&[0, 2, 4, 100], 100, false),
            (&[100, 102, 104], 100, true),
        ] {
            assert_eq!(threshold.is_reached(&moments(seconds), at(second)), expected, "{seconds:?} {second}");
        }
        let twice: Moments = [1, 2, 3].map(|second| (at(second), "the same".to_owned())).into();
        assert!(!threshold.is_reached(&twice, at(2)), "one incident counts once");
    }

    #[test]
    fn it_does_not_matter_in_which_order_incidents_come() {
        let threshold = Threshold { count: 3, window: SignedDuration::from_secs(4) };
        // Some incident of every arrangement reaches it or none does, whichever comes last.
        for pattern in 0_u32..1 << 9 {
            let seconds: Vec<i64> = (0..9).filter(|second| pattern & (1 << second) != 0).collect();
            let all = moments(&seconds);
            let expected = seconds.windows(3).any(|window| window[2] - window[0] <= 4);
            let forward = seconds.iter().enumerate().any(|(n, second)| threshold.is_reached(&moments(&seconds[..=n]), at(*second)));
            let backward = seconds.iter().enumerate().any(|(n, second)| threshold.is_reached(&moments(&seconds[n..]), at(*second)));
            let whole = seconds.iter().any(|second| threshold.is_reached(&all, at(*second)));
            assert_eq!((forward, backward, whole), (expected, expected, expected), "{seconds:?}");
        }
    }

    #[test]
    fn what_escalates_was_there_before_and_is_much_more_now() {
        let escalating = Escalating { factor: 3.0, window: SignedDuration::from_hours(1), at_least: 10 };
        for (recent, earlier, expected) in [(10, 1, true), (9, 1, false), (10, 0, false), (10, 72, true), (10, 96, false), (12, 96, true)] {
            assert_eq!(escalating.is_reached(recent, earlier), expected, "{recent} {earlier}");
        }
    }
}
