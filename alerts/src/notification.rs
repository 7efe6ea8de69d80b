//! One message on its way: what every action is given to send.

use domain::Incident;
use jiff::Timestamp;

use crate::text::one_line;

/// Longest verdict, in characters: as much as a subject line or the head of a page can show.
const VERDICT_CHARS_MAX: usize = 240;

/// One incident for one action.
#[derive(Clone, Debug)]
pub(crate) struct Notification {
    /// The delivery's identity: the same for all attempts, so that a receiver can tell a repeat.
    pub delivery_id: String,
    /// The rule that matched.
    pub rule: String,
    /// The incident as it was when the rule matched.
    pub incident: Incident,
    /// The incident's page.
    pub link: String,
    /// When the rule matched.
    pub created_at: Timestamp,
    /// When this attempt is made.
    pub attempted_at: Timestamp,
}

impl Notification {
    /// The verdict in one line, with the function in front: `checkout: gunicorn's worker timeout (30 s) fired`.
    pub(crate) fn verdict(&self) -> String {
        let summary = one_line(&self.incident.summary, VERDICT_CHARS_MAX);
        match self.incident.function.as_ref().map(|function| one_line(function.as_str(), 100)) {
            Some(function) if !function.is_empty() && !summary.starts_with(&format!("{function}: ")) => {
                one_line(&format!("{function}: {summary}"), VERDICT_CHARS_MAX)
            }
            _ => summary,
        }
    }

    /// Where people reach the dashboard.
    pub(crate) fn public_url(&self) -> &str {
        self.link.rsplit_once("/incidents/").map_or(self.link.as_str(), |(base, _)| base)
    }

    /// The page of an incident on the dashboard at `public_url`.
    pub(crate) fn link_to(public_url: &str, incident: &Incident) -> String {
        format!("{}/incidents/{}", public_url.trim_end_matches('/'), incident.id)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing;

    #[test]
    fn the_verdict_begins_with_the_function_once() {
        let mut notification = testing::notification();
        assert_eq!(notification.verdict(), "checkout: gunicorn's worker timeout (30 s) fired");
        notification.incident.summary = "checkout: gunicorn's worker timeout fired".to_owned();
        assert_eq!(notification.verdict(), "checkout: gunicorn's worker timeout fired");
        notification.incident.function = None;
        assert_eq!(notification.verdict(), "checkout: gunicorn's worker timeout fired");
    }

    #[test]
    fn a_verdict_is_one_line_whatever_it_is_made_of() {
        let mut notification = testing::notification();
        notification.incident.function = Some("pay\r\nBcc: all@example.com\u{1b}[2J".into());
        notification.incident.summary = format!("a\nb {}", "x".repeat(1_000));
        let verdict = notification.verdict();
        assert!(verdict.starts_with("pay Bcc: all@example.com [2J: a b xxx"), "{verdict}");
        assert!(verdict.chars().count() <= 240 && !verdict.contains(char::is_control));
    }
}
