//! One message on its way: what every action is given to send.

use domain::{Incident, IncidentState};
use jiff::Timestamp;
use store::{DeliveryContext, ProblemEvent};

use crate::text::{grouped, one_line};

/// Longest verdict, in characters: as much as a subject line or the head of a page can show.
const VERDICT_CHARS_MAX: usize = 240;

/// One incident for one action.
#[derive(Clone, Debug)]
pub(crate) struct Notification {
    /// The delivery's identity: the same for all attempts, so that a receiver can tell a repeat.
    pub delivery_id: String,
    /// The rule that matched.
    pub rule: String,
    /// The action that it goes to.
    pub action: String,
    /// The incident as it was when the rule matched.
    pub incident: Incident,
    /// What is told beside it.
    pub context: DeliveryContext,
    /// The incident's page.
    pub link: String,
    /// When the rule matched.
    pub created_at: Timestamp,
    /// When this attempt is made.
    pub attempted_at: Timestamp,
}

impl Notification {
    /// The verdict in one line: what became of the problem, the function, what fired, how many more there were.
    /// `checkout: gunicorn's worker timeout (30 s) fired (3,412 more since 12:01 UTC)`.
    pub(crate) fn verdict(&self) -> String {
        let before = match self.context.event {
            Some(ProblemEvent::Resolved) => "Resolved: ",
            Some(ProblemEvent::Regressed) => "Back after it was resolved: ",
            Some(ProblemEvent::New | ProblemEvent::Reopened) | None => "",
        };
        let after = self.more().map(|more| format!(" ({more})")).unwrap_or_default();
        let chars_max = VERDICT_CHARS_MAX - before.len() - after.len();
        format!("{before}{}{after}", self.what_fired(chars_max))
    }

    fn what_fired(&self, chars_max: usize) -> String {
        let summary = one_line(&self.incident.summary, chars_max);
        match self.incident.function.as_ref().map(|function| one_line(function.as_str(), 100)) {
            Some(function) if !function.is_empty() && !summary.starts_with(&format!("{function}: ")) => {
                one_line(&format!("{function}: {summary}"), chars_max)
            }
            _ => summary,
        }
    }

    /// `3,412 more since 12:01 UTC`, where there were more.
    fn more(&self) -> Option<String> {
        let number = self.context.more;
        let since = self.context.since.map(|since| {
            let is_today = self.created_at.duration_since(since).as_hours() < 12;
            since.strftime(if is_today { " since %H:%M UTC" } else { " since %Y-%m-%d %H:%M UTC" }).to_string()
        });
        (number > 0).then(|| format!("{} more{}", grouped(number), since.unwrap_or_default()))
    }

    /// Whether it says that something is over, so that what was opened for it can be closed.
    pub(crate) fn is_over(&self) -> bool {
        self.incident.state == IncidentState::Survived || self.context.event == Some(ProblemEvent::Resolved)
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
    use super::*;
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
    fn the_verdict_says_what_became_of_the_problem_and_how_many_more_there_were() {
        let mut notification = testing::notification();
        notification.context.more = 3_412;
        notification.context.since = Some(testing::at("2026-11-20T12:01:30Z"));
        assert_eq!(notification.verdict(), "checkout: gunicorn's worker timeout (30 s) fired (3,412 more since 12:01 UTC)");
        notification.context.since = Some(testing::at("2026-11-19T12:01:30Z"));
        notification.context.event = Some(ProblemEvent::Regressed);
        notification.incident.summary = "x".repeat(1_000);
        let verdict = notification.verdict();
        assert!(verdict.starts_with("Back after it was resolved: checkout: xxx"), "{verdict}");
        assert!(verdict.ends_with("… (3,412 more since 2026-11-19 12:01 UTC)") && verdict.chars().count() <= 240, "{verdict}");
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
