//! Times and numbers as people read them.
//!
//! A moment is shown relative to now, with the exact one in the tooltip and in the document for screen readers; where the
//! exact one is shown, it is in UTC until the reader's own browser puts it into the reader's zone.

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;
use domain::Millis;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// One moment, ready to print: relative, with the exact one in the tooltip and for screen readers.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "parts/moment.html")]
pub struct Moment {
    /// RFC 3339 in UTC, for machines.
    pub iso: String,
    /// `22 Nov 2026, 12:04:02 UTC`.
    pub exact: String,
    /// `12:04:02.123`.
    pub clock: String,
    /// `4 min ago`.
    pub relative: String,
}

// Its template escapes what it prints.
impl HtmlSafe for Moment {}

impl Moment {
    /// The moment `at`, seen at `now`.
    #[must_use]
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        let utc = at.to_zoned(TimeZone::UTC);
        Self {
            iso: at.to_string(),
            exact: utc.strftime("%-d %b %Y, %H:%M:%S UTC").to_string(),
            clock: clock(at),
            relative: relative(at, now),
        }
    }
}

/// The same moment shown exactly; the reader's browser may put it into the reader's zone.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "parts/exact.html")]
pub struct Exact {
    /// The moment.
    pub moment: Moment,
}

/// The same moment as a time of day in UTC, for tables whose rows share a day.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "parts/clock.html")]
pub struct Clock {
    /// The moment.
    pub moment: Moment,
}

impl HtmlSafe for Exact {}
impl HtmlSafe for Clock {}

/// The time of day in UTC with as much of the second as is known: `12:04:02`, `12:04:31.97`.
#[must_use]
pub fn clock(at: Timestamp) -> String {
    let whole = at.to_zoned(TimeZone::UTC).strftime("%H:%M:%S").to_string();
    let millis = at.as_millisecond().rem_euclid(1000);
    if millis == 0 { whole } else { format!("{whole}.{millis:03}") }
}

/// How long ago, in the largest unit that fits; `in 5 s` for a sender whose clock is ahead.
#[must_use]
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(at.as_second());
    let amount = match seconds.unsigned_abs() {
        0..5 => return "just now".to_owned(),
        s @ 5..120 => format!("{s} s"),
        s @ 120..7200 => format!("{} min", s / 60),
        s @ 7200..172_800 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86_400),
    };
    if seconds < 0 { format!("in {amount}") } else { format!("{amount} ago") }
}

/// A whole number with thin groups of thousands: `4,112`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun: `1 incident`, `1,204 incidents`.
#[must_use]
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// The time since the beginning of an axis: `+29.1 s`, `−0.4 s`.
pub struct Offset(pub Millis);

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == Millis::ZERO {
            return f.write_str("0 s");
        }
        if self.0 < Millis::ZERO { write!(f, "−{}", Millis::from_us(-self.0.as_us())) } else { write!(f, "+{}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_moment_is_relative_and_exact() {
        let moment = Moment::new(at("2026-11-22T12:04:31.97Z"), at("2026-11-22T12:09:00Z"));
        assert_eq!(moment.relative, "4 min ago");
        assert_eq!(moment.exact, "22 Nov 2026, 12:04:31 UTC");
        assert_eq!(moment.clock, "12:04:31.970");
        assert_eq!(moment.iso, "2026-11-22T12:04:31.97Z");
    }

    #[test]
    fn a_clock_ahead_of_ours_is_said_as_such() {
        assert_eq!(relative(at("2026-11-22T12:01:00Z"), at("2026-11-22T12:00:00Z")), "in 60 s");
    }

    #[test]
    fn numbers_are_grouped_and_agree_with_their_noun() {
        assert_eq!(count(0), "0");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "incident", "incidents"), "1 incident");
    }
}
