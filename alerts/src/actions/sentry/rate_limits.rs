//! What Sentry says about how much it takes: `X-Sentry-Rate-Limits: 60:transaction:key, 2700:default;error;security:organization`.
//!
//! Seconds, categories (none means all), scope. Only limits of what we send count: Bugsink names one of a day for transactions in
//! every good answer.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use crate::actions::outgoing;

/// The categories that an event of ours falls under.
const OURS: [&str; 3] = ["error", "default", "attachment"];

/// How long to be silent after a 429 that does not say.
const UNSAID: Duration = Duration::from_mins(1);

/// Until when nothing should be sent; `None` when more is welcome.
pub(super) fn silent_until(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let said = headers.get("x-sentry-rate-limits").and_then(|value| value.to_str().ok());
    let wait = match said {
        Some(limits) => limits.split(',').filter_map(of_ours).max(),
        None if status == StatusCode::TOO_MANY_REQUESTS => Some(outgoing::retry_after(headers, now).unwrap_or(UNSAID)),
        None => None,
    }?;
    let wait = SignedDuration::try_from(wait).ok()?;
    Some(now.saturating_add(wait).unwrap_or(Timestamp::MAX))
}

fn of_ours(limit: &str) -> Option<Duration> {
    let mut parts = limit.trim().split(':');
    let seconds: f64 = parts.next()?.parse().ok()?;
    let categories = parts.next().unwrap_or_default();
    let applies = categories.is_empty() || categories.split(';').any(|category| OURS.contains(&category));
    Duration::try_from_secs_f64(seconds).ok().filter(|_| applies)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    fn check(status: u16, header: Option<(&'static str, &'static str)>, expected: Option<&str>) {
        let headers = header.map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).into_iter().collect();
        let found = silent_until(StatusCode::from_u16(status).expect("a status"), &headers, at("2026-11-27T12:00:00Z"));
        assert_eq!(found, expected.map(at), "{header:?}");
    }

    #[test]
    fn only_limits_of_what_we_send_make_us_silent() {
        let limits = |value| Some(("x-sentry-rate-limits", value));
        check(200, None, None);
        check(200, limits("86400:transaction;span:organization"), None);
        check(200, limits("60:transaction:key, 2700:default;error;security:organization"), Some("2026-11-27T12:45:00Z"));
        check(429, limits("30::key"), Some("2026-11-27T12:00:30Z"));
        check(429, limits("what is this, 5"), Some("2026-11-27T12:00:05Z"));
        check(429, Some(("retry-after", "120")), Some("2026-11-27T12:02:00Z"));
        check(429, None, Some("2026-11-27T12:01:00Z"));
        check(503, Some(("retry-after", "120")), None);
    }
}
