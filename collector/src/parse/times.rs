//! The ways in which logs write a moment. All give `None` rather than a guess.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// RFC 3339 and its relatives: `T` or a space between date and time, any number of fraction digits (`.` or `,`), a zone as
/// `Z`, `+00:00`, `+0000` or ` +0000`, or none, which is read as UTC (Fly, Python's `asctime` on servers that run in UTC).
#[must_use]
pub fn rfc3339(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    if bytes.len() < 19 || !matches!(bytes[10], b'T' | b' ') {
        return None;
    }
    let date = date(text.get(..10)?)?;
    let time = time(text.get(11..19)?)?;
    let mut rest = text.get(19..)?;
    let mut nanos: i64 = 0;
    if let Some(fraction) = rest.strip_prefix(['.', ',']) {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return None;
        }
        for place in 0..9 {
            nanos = nanos * 10 + fraction.as_bytes().get(place).filter(|_| place < digits).map_or(0, |b| i64::from(b - b'0'));
        }
        rest = &fraction[digits..];
    }
    let at = at_offset(DateTime::from_parts(date, time), offset(rest.trim_start())?)?;
    at.checked_add(SignedDuration::from_nanos(nanos)).ok()
}

/// The first time that stands somewhere in what a log configuration puts before a line, with or without a zone.
#[must_use]
pub fn within(head: &str) -> Option<Timestamp> {
    let moment = |text: &str| {
        const SHORTEST: usize = "2026-11-22 12:04:32".len();
        let ends = text.char_indices().filter(|(at, c)| *at >= SHORTEST && matches!(c, ' ' | ']' | '\t' | '|')).map(|(at, _)| at);
        ends.chain([text.len()]).take(2).filter_map(|end| rfc3339(&text[..end])).last()
    };
    head.char_indices().filter(|(_, c)| c.is_ascii_digit()).find_map(|(index, _)| moment(&head[index..]))
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The common log format's `22/Nov/2026:12:04:00 +0000`.
#[must_use]
pub fn common_log(text: &str) -> Option<Timestamp> {
    let (moment, zone) = text.split_once(' ')?;
    let bytes = moment.as_bytes();
    if bytes.len() != 20 || bytes[2] != b'/' || bytes[6] != b'/' || bytes[11] != b':' || !moment.is_ascii() {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == &moment[3..6])?;
    let date = Date::new(moment[7..11].parse().ok()?, i8::try_from(month + 1).ok()?, moment[..2].parse().ok()?).ok()?;
    at_offset(DateTime::from_parts(date, time(&moment[12..])?), offset(zone)?)
}

/// Milliseconds since 1970, as CloudWatch gives them; microseconds and nanoseconds are told by their size.
#[must_use]
pub fn epoch(number: i64) -> Option<Timestamp> {
    match number {
        ..0 => None,
        0..100_000_000_000 => Timestamp::from_second(number).ok(),
        100_000_000_000..100_000_000_000_000 => Timestamp::from_millisecond(number).ok(),
        100_000_000_000_000..100_000_000_000_000_000 => Timestamp::from_microsecond(number).ok(),
        _ => Timestamp::from_nanosecond(i128::from(number)).ok(),
    }
}

/// Seconds since 1970 with a fraction, as Fluent Bit gives them: `1770804000.123456`. Read as digits, since a double has too few
/// for nanoseconds; such a number's last digits are its writer's rounding.
#[must_use]
pub fn epoch_seconds(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
    // Ten digits are a moment between 2001 and 2286; anything else under such a key is some other number.
    (whole.len() == 10 && is_number(whole) && is_number(fraction)).then_some(())?;
    let nanos: i64 = format!("{:0<9}", super::cut(fraction, 9)).parse().ok()?;
    Timestamp::from_second(whole.parse().ok()?).ok()?.checked_add(SignedDuration::from_nanos(nanos)).ok()
}

fn date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    (year.len() == 4 && month.len() == 2 && day.len() == 2).then_some(())?;
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

fn time(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    (hour.len() == 2 && minute.len() == 2 && second.len() == 2).then_some(())?;
    // A leap second is read as the second before it: no log we know writes one on purpose.
    let second: i8 = second.parse::<i8>().ok()?.min(59);
    Time::new(hour.parse().ok()?, minute.parse().ok()?, second, 0).ok()
}

/// `Z`, nothing, `+08:00` or `+0800`.
fn offset(text: &str) -> Option<Offset> {
    if text.is_empty() || text == "Z" {
        return Some(Offset::UTC);
    }
    let sign = match text.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text[1..].split_once(':').or_else(|| text[1..].split_at_checked(2))?;
    let number = |digits: &str| (digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse::<i32>().ok())?;
    Offset::from_seconds(sign * (number(hours)? * 3600 + number(minutes)? * 60)).ok()
}

fn at_offset(civil: DateTime, offset: Offset) -> Option<Timestamp> {
    offset.to_timestamp(civil).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(read: Option<Timestamp>, expected: &str) {
        assert_eq!(read.map(|t| t.to_string()).as_deref(), Some(expected));
    }

    #[test]
    fn all_spellings_of_one_moment_agree() {
        for text in [
            "2026-11-22T12:05:06.120Z",
            "2026-11-22 12:05:06.120 +0000",
            "2026-11-22 12:05:06,120",
            "2026-11-22T20:05:06.120+08:00",
            "2026-11-22T12:05:06.120000000+00:00",
        ] {
            check(rfc3339(text), "2026-11-22T12:05:06.12Z");
        }
        check(common_log("22/Nov/2026:20:05:06 +0800"), "2026-11-22T12:05:06Z");
        check(epoch(1_795_348_975_282), "2026-11-22T12:02:55.282Z");
        check(epoch(1_795_348_975_282_614), "2026-11-22T12:02:55.282614Z");
        check(epoch_seconds("1795348975.282614"), "2026-11-22T12:02:55.282614Z");
        check(epoch_seconds("1795348975"), "2026-11-22T12:02:55Z");
        assert_eq!((epoch_seconds("1.5"), epoch_seconds("1e9"), epoch_seconds("17953489752.1")), (None, None, None));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "2026-11-22",
            "2026-13-22T12:05:06Z",
            "2026-11-22T12:05:06Zulu",
            "2026-11-22T12:05:06.Z",
            "äääääääääääääääääää",
            "2026-11-22T12:05:0éZ",
        ] {
            assert_eq!(rfc3339(text), None, "{text}");
        }
        assert_eq!(common_log("22/Foo/2026:20:05:06 +0800"), None);
    }
}
