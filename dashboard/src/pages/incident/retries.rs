//! What became of running a request again.

use jiff::Timestamp;
use store::Retry;

use crate::moment::Moment;
use crate::text::{Sentence, Text};
use crate::words::{self, Chip};

/// The retries of a request, and all of them in one sentence.
pub struct RetriesView {
    /// `Retried once, succeeded in 3.1 s.`
    pub sentence: Sentence,
    pub rows: Vec<RetryView>,
}

/// One retry.
pub struct RetryView {
    pub at: Moment,
    pub rule: Text,
    pub action: Text,
    pub state: Chip,
    pub took: Option<String>,
    pub detail: Text,
}

impl RetriesView {
    /// `None` where nothing was retried.
    pub fn new(retries: &[Retry], now: Timestamp) -> Option<Self> {
        let sentence = words::retried(retries)?;
        let view = |retry: &Retry| RetryView {
            at: Moment::new(retry.begun_at, now),
            rule: Text::name(&retry.rule),
            action: Text::name(&retry.action),
            state: words::retry(retry.state),
            took: retry.took_ms.map(|took| took.to_string()),
            detail: Text::line(&retry.detail, 300),
        };
        Some(Self { sentence: Sentence::new(&sentence), rows: retries.iter().map(view).collect() })
    }
}

#[cfg(test)]
mod tests {
    use domain::Millis;
    use store::RetryState;

    use super::*;

    fn check(states: &[RetryState], expected: Option<&str>) {
        let at: Timestamp = "2026-11-27T12:00:00Z".parse().expect("a time");
        let retry = |state: &RetryState| Retry {
            id: "ovr-1".to_owned(),
            incident_id: "1".to_owned(),
            attempt: 1,
            number: 1,
            rule: "r".to_owned(),
            action: "again".to_owned(),
            state: *state,
            begun_at: at,
            ended_at: None,
            took_ms: Some(Millis::from_ms(3_100)),
            detail: String::new(),
            result_request_id: None,
        };
        assert_eq!(words::retried(&states.iter().map(retry).collect::<Vec<_>>()).as_deref(), expected);
    }

    #[test]
    fn the_latest_result_is_said_first() {
        check(&[], None);
        check(&[RetryState::Succeeded], Some("Retried once, succeeded in 3.1 s."));
        check(&[RetryState::Failed, RetryState::Succeeded], Some("Retried twice, succeeded in 3.1 s."));
        check(&[RetryState::Failed, RetryState::Failed, RetryState::Failed], Some("Retried 3 times, failed after 3.1 s."));
        check(&[RetryState::Accepted], Some("Retried once; its result is not known yet."));
        check(&[RetryState::Unknown], Some("Retried once; nobody can tell whether it ran."));
        check(&[RetryState::NotTaken], Some("Not retried: the other side did not take it."));
    }
}
