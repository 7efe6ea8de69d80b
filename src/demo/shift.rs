//! Moves captured traffic to the present: every moment in it by the same amount, each in the way it is written.

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::{SignedDuration, Timestamp};

/// The ways in which the captured lines write a moment, and how long each is as text.
const SHAPES: [(&str, usize); 3] = [("%Y-%m-%dT%H:%M:%S", 19), ("%Y-%m-%d %H:%M:%S", 19), ("%d/%b/%Y:%H:%M:%S", 20)];

/// Moves every moment in `text` by `by`. Fractions of seconds and zones stay as they are.
pub fn shift(text: &str, by: SignedDuration) -> String {
    let mut moved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        moved.push_str(before);
        if let Some(nanos) = epoch_nanos(from) {
            moved.push_str(&(nanos + by.as_nanos()).to_string());
            rest = &from[EPOCH_NANOS_DIGITS..];
            continue;
        }
        match moment(from) {
            Some((shape, length, civil)) => {
                let later = civil.saturating_add(by);
                moved.push_str(&strtime::format(shape, later).unwrap_or_else(|_| from[..length].to_owned()));
                rest = &from[length..];
            }
            None => {
                let end = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
                moved.push_str(&from[..end]);
                rest = &from[end..];
            }
        }
    }
    moved + rest
}

/// By how much to move `text` so that its last moment is `end`; whole seconds, so that fractions stay true.
pub fn until(text: &str, end: Timestamp) -> SignedDuration {
    let mut last = None;
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let from = &rest[at..];
        let (length, found) = moment(from).map_or((1, None), |(_, length, civil)| (length, Some(civil)));
        last = last.max(found);
        rest = &from[length..];
    }
    let Some(last) = last.and_then(|civil| jiff::tz::Offset::UTC.to_timestamp(civil).ok()) else { return SignedDuration::ZERO };
    SignedDuration::from_secs(end.as_second() - last.as_second())
}

/// OpenTelemetry's moments are nanoseconds since 1970, which have 19 digits until the year 2286.
const EPOCH_NANOS_DIGITS: usize = 19;

fn epoch_nanos(text: &str) -> Option<i128> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (digits == EPOCH_NANOS_DIGITS).then(|| text[..digits].parse().ok()).flatten()
}

fn moment(text: &str) -> Option<(&'static str, usize, DateTime)> {
    SHAPES.iter().find_map(|(shape, length)| {
        let civil = DateTime::strptime(shape, text.get(..*length)?).ok()?;
        Some((*shape, *length, civil))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_moves_by_the_same_amount() {
        let text = "2023-12-28T11:04:25.070 app [2023-12-28 11:04:25 +0000] [22/Nov/2026:12:04:00 +0000] 1795406100945574911 pid 1234567";
        let moved = shift(text, SignedDuration::from_hours(24));
        assert_eq!(
            moved,
            "2023-12-29T11:04:25.070 app [2023-12-29 11:04:25 +0000] [23/Nov/2026:12:04:00 +0000] 1795492500945574911 pid 1234567"
        );
    }

    #[test]
    fn the_last_moment_lands_where_it_is_wanted() {
        let end: Timestamp = "2026-11-23T00:00:00Z".parse().expect("a time");
        let by = until("2017-11-20T22:23:29Z … 2017-11-20T22:23:32.998Z", end);
        assert_eq!(shift("2017-11-20T22:23:32.998Z", by), "2026-11-23T00:00:00.998Z");
    }
}
