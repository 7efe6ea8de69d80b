//! What a message to people says, ready to be printed: the same in mails and in chats.

use domain::{Advice, Citation, Fired, Millis};
use jiff::Timestamp;
use store::{ProblemEvent, Volume};

use crate::notification::Notification;
use crate::text::{grouped, lines, one_line};

/// Longest value of one field, in characters.
const FIELD_CHARS_MAX: usize = 300;

/// Longest sentence of an argument or an advice, in characters.
const SENTENCE_CHARS_MAX: usize = 1_000;

/// Longest line of evidence shown, in characters.
const LINE_CHARS_MAX: usize = 2_000;

/// Most reasons, advice or lines shown; the rest is on the incident's page.
const ENTRIES_MAX: usize = 10;

/// Everything as it is printed. Control characters are gone; HTML is the template's work.
pub(crate) struct View {
    /// The verdict, the first thing that is read.
    pub verdict: String,
    /// What is known, by name.
    pub fields: Vec<(&'static str, String)>,
    /// Why we say so.
    pub reasons: Vec<String>,
    /// What to change.
    pub advice: Vec<String>,
    /// Lines that prove it.
    pub evidence: Vec<Line>,
    /// The incident's page.
    pub link: String,
    /// The rule that matched.
    pub rule: String,
}

/// One line of evidence.
pub(crate) struct Line {
    /// When, or empty.
    pub at: String,
    /// The format it was read from.
    pub format: String,
    /// As it was received.
    pub text: String,
}

impl View {
    /// What is to be said of it.
    pub(crate) fn of(notification: &Notification) -> Self {
        let diagnosis = &notification.incident.diagnosis;
        Self {
            verdict: notification.verdict(),
            fields: fields(notification),
            reasons: diagnosis.reasons.iter().take(ENTRIES_MAX).map(|reason| one_line(&reason.text, SENTENCE_CHARS_MAX)).collect(),
            advice: diagnosis.advice.iter().take(ENTRIES_MAX).map(advice).collect(),
            evidence: diagnosis.evidence.iter().take(ENTRIES_MAX).map(line).collect(),
            link: notification.link.clone(),
            rule: one_line(&notification.rule, FIELD_CHARS_MAX),
        }
    }
}

/// What is known, by name; what is not known is left out.
fn fields(notification: &Notification) -> Vec<(&'static str, String)> {
    let (incident, context) = (&notification.incident, &notification.context);
    let diagnosis = &incident.diagnosis;
    let in_flight = diagnosis.cause.operation.as_ref().map(|operation| match diagnosis.cause.waited_ms {
        Some(waited) => format!("{operation}, {waited}"),
        None => operation.clone(),
    });
    let found = [
        ("In flight", in_flight),
        ("Request", incident.request_id.as_ref().map(ToString::to_string)),
        ("Function", incident.function.as_ref().map(ToString::to_string)),
        ("Stack", Some(incident.stack.to_string())),
        ("Instance", incident.instance.as_ref().map(ToString::to_string)),
        ("Limit", diagnosis.limit.as_ref().map(|fired| limit(fired, diagnosis.product.as_ref()))),
        ("Began", incident.started_at.map(moment)),
        ("Ended", incident.ended_at.map(moment)),
        ("Elapsed", incident.elapsed_ms.map(|elapsed| elapsed.to_string())),
        ("State", Some(format!("{}, {}", incident.state.as_str(), incident.outcome.as_str()))),
        ("Severity", context.severity.clone()),
        ("How many", context.volume.map(how_many)),
        ("Problem", context.event.map(|event| became(event).to_owned())),
        ("Confidence", Some(diagnosis.confidence.as_str().to_owned())),
    ];
    let cleaned = found.into_iter().filter_map(|(name, value)| Some((name, one_line(&value?, FIELD_CHARS_MAX))));
    cleaned.filter(|(_, value)| !value.is_empty()).collect()
}

/// `5 or more within 10 min`.
fn how_many(volume: Volume) -> String {
    format!("{} or more within {}", grouped(volume.count), Millis::from_ms(volume.window_s.saturating_mul(1_000)))
}

fn became(event: ProblemEvent) -> &'static str {
    match event {
        ProblemEvent::New => "new",
        ProblemEvent::Regressed => "back after it was resolved",
        ProblemEvent::Resolved => "resolved",
        ProblemEvent::Reopened => "open again",
    }
}

/// `gunicorn --timeout = 30 s (learned), set in Procfile`.
fn limit(fired: &Fired, product: Option<&domain::Product>) -> String {
    let product = product.map(|product| format!("{} ", product.title())).unwrap_or_default();
    let value = fired.value_ms.map(|value| format!(" = {value}")).unwrap_or_default();
    let place = fired.place.as_ref().map(|place| format!(", set in {place}")).unwrap_or_default();
    format!("{product}{}{value} ({}){place}", fired.setting, fired.known_from.as_str())
}

/// The advice, and the change in short where it is one.
fn advice(advice: &Advice) -> String {
    let mut parts = vec![advice.text.clone()];
    if let (Some(setting), Some(to)) = (&advice.setting, &advice.to) {
        let from = advice.from.as_ref().map(|from| format!("{from} → ")).unwrap_or_default();
        let place = advice.place.as_ref().map(|place| format!(" in {place}")).unwrap_or_default();
        parts.push(format!("({setting}: {from}{to}{place})"));
    }
    one_line(&parts.join(" "), SENTENCE_CHARS_MAX)
}

fn line(citation: &Citation) -> Line {
    Line {
        at: citation.at.map(moment).unwrap_or_default(),
        format: one_line(&citation.format, FIELD_CHARS_MAX),
        text: lines(&citation.text, LINE_CHARS_MAX),
    }
}

/// `2026-11-20 22:23:32.998 UTC`.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string()
}
