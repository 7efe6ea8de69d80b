//! Durations as logs print them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration in milliseconds with microsecond resolution, kept as an integer so that it compares exactly.
///
/// In JSON it is a number of milliseconds, with a fraction where there is one: `3001.52`. Negative values occur: a timer
/// that outlived its request reports negative time left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(i64);

impl Millis {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// The longest duration, some 35 years; longer ones saturate. Up to here a number of milliseconds with a fraction, as
    /// JSON holds it, gives back the very microsecond.
    const US_MAX: i64 = 1 << 50;

    /// Whole milliseconds.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        Self::from_us(ms.saturating_mul(1000))
    }

    /// Microseconds.
    #[must_use]
    pub const fn from_us(us: i64) -> Self {
        if us > Self::US_MAX {
            Self(Self::US_MAX)
        } else if us < -Self::US_MAX {
            Self(-Self::US_MAX)
        } else {
            Self(us)
        }
    }

    /// Fractional milliseconds, rounded to the microsecond; out-of-range values saturate, `NaN` is zero.
    #[must_use]
    pub fn from_ms_f64(ms: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "float-to-int casts saturate, which is what is wanted")]
        let us = (ms * 1000.0).round() as i64;
        Self::from_us(us)
    }

    /// A decimal number of milliseconds as text, such as `3001.52`. Digits beyond the microsecond are cut.
    #[must_use]
    pub fn parse_ms(text: &str) -> Option<Self> {
        Self::parse_scaled(text, 3)
    }

    /// A decimal number of seconds as text, such as `3.00`.
    #[must_use]
    pub fn parse_seconds(text: &str) -> Option<Self> {
        Self::parse_scaled(text, 6)
    }

    /// Reads `digits[.digits]` as an integer scaled by ten to the power `scale`.
    fn parse_scaled(text: &str, scale: usize) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let (negative, whole) = whole.strip_prefix('-').map_or((false, whole), |rest| (true, rest));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || whole.len() > 12 || !digits(whole) || !digits(fraction) {
            return None;
        }
        let mut value: i64 = whole.parse().ok()?;
        for place in 0..scale {
            let digit = fraction.as_bytes().get(place).map_or(0, |b| i64::from(b - b'0'));
            value = value.checked_mul(10)?.checked_add(digit)?;
        }
        Some(Self::from_us(if negative { -value } else { value }))
    }

    /// Whole microseconds.
    #[must_use]
    pub const fn as_us(self) -> i64 {
        self.0
    }

    /// Milliseconds with a fraction.
    #[must_use]
    pub fn as_ms_f64(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "exact: durations are bounded")]
        let us = self.0 as f64;
        us / 1000.0
    }

    /// Whole milliseconds, rounded down.
    #[must_use]
    pub const fn as_ms(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The sum; saturates.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self::from_us(self.0.saturating_add(other.0))
    }

    /// The difference; saturates, may be negative.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self::from_us(self.0.saturating_sub(other.0))
    }

    /// Rounded down to whole seconds, as Lambda's limits are.
    #[must_use]
    pub const fn floor_seconds(self) -> Self {
        Self(self.0.div_euclid(1_000_000) * 1_000_000)
    }

    /// The time from `start` to `end`; negative when `end` is earlier.
    #[must_use]
    pub fn between(start: jiff::Timestamp, end: jiff::Timestamp) -> Self {
        Self::from_us(end.as_microsecond().saturating_sub(start.as_microsecond()))
    }

    /// The moment this long after `start`.
    #[must_use]
    pub fn after(self, start: jiff::Timestamp) -> jiff::Timestamp {
        start.saturating_add(jiff::SignedDuration::from_micros(self.0)).unwrap_or(start)
    }

    /// The moment this long before `end`.
    #[must_use]
    pub fn before(self, end: jiff::Timestamp) -> jiff::Timestamp {
        Self(self.0.saturating_neg()).after(end)
    }
}

/// As people say it: `850 ms`, `3 s`, `3.02 s`, `2 min`, `1 h 30 min`.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        // Two decimals, less the zeros at their end.
        let mut decimals = |unit: u64, name: &str| match (us / unit, us % unit * 100 / unit) {
            (whole, 0) => write!(f, "{sign}{whole} {name}"),
            (whole, part) if part % 10 == 0 => write!(f, "{sign}{whole}.{} {name}", part / 10),
            (whole, part) => write!(f, "{sign}{whole}.{part:02} {name}"),
        };
        match us {
            0..1_000_000 => decimals(1000, "ms"),
            1_000_000..120_000_000 => decimals(1_000_000, "s"),
            _ => {
                let seconds = us / 1_000_000;
                let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
                let text: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n} {unit}")).collect();
                write!(f, "{sign}{}", text.join(" "))
            }
        }
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 1000 == 0 { serializer.serialize_i64(self.0 / 1000) } else { serializer.serialize_f64(self.as_ms_f64()) }
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::from_ms_f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_exactly() {
        assert_eq!(Millis::parse_ms("3001.52"), Some(Millis::from_us(3_001_520)));
        assert_eq!(Millis::parse_seconds("3.00"), Some(Millis::from_ms(3000)));
        assert_eq!(Millis::parse_ms("-1.5"), Some(Millis::from_us(-1500)));
        for bad in ["", ".", "1.2.3", "three", "1e9", "9999999999999"] {
            assert_eq!(Millis::parse_ms(bad), None, "{bad}");
        }
    }

    #[test]
    fn people_read_it_with_the_unit_that_fits() {
        let said = |us| Millis::from_us(us).to_string();
        assert_eq!(said(850_000), "850 ms");
        assert_eq!(said(3_000_000), "3 s");
        assert_eq!(said(3_001_520), "3 s");
        assert_eq!(said(29_130_000), "29.13 s");
        assert_eq!(said(900_000_000), "15 min");
        assert_eq!(said(5_400_000_000), "1 h 30 min");
    }

    #[test]
    fn whatever_is_written_is_read_back_to_the_microsecond() {
        for us in [0, 1, -1, 999, 1_000_001, Millis::US_MAX - 1, Millis::US_MAX / 3, i64::MAX, i64::MIN] {
            let duration = Millis::from_us(us);
            let written = serde_json::to_string(&duration).expect("number");
            assert_eq!(serde_json::from_str::<Millis>(&written).expect("number"), duration, "{written}");
        }
        assert_eq!(Millis::from_ms_f64(f64::INFINITY), Millis::from_us(i64::MAX));
    }

    #[test]
    fn json_is_a_number_of_milliseconds() {
        assert_eq!(serde_json::to_string(&Millis::from_us(3_001_520)).expect("number"), "3001.52");
        assert_eq!(serde_json::to_string(&Millis::from_ms(3000)).expect("number"), "3000");
        assert_eq!(serde_json::from_str::<Millis>("3001.52").expect("number"), Millis::from_us(3_001_520));
    }
}
