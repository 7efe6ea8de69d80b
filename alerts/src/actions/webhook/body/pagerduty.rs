//! An event of PagerDuty's Events API v2: what overran triggers, what survived resolves.
//!
//! <https://developer.pagerduty.com/docs/send-alert-event>, read 2026-11-27: `summary` holds 1,024 characters, `dedup_key` 255.

use domain::Confidence;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::notification::Notification;
use crate::text::one_line;
use crate::view::View;

const SUMMARY_CHARS_MAX: usize = 1_024;

/// The event.
pub(super) fn event(notification: &Notification, routing_key: &SecretString) -> Value {
    let incident = &notification.incident;
    let view = View::of(notification);
    let key = routing_key.expose_secret();
    // One alert per problem, as in Alertmanager: that it is resolved closes it, whichever incident opened it.
    let dedup_key = incident.problem.as_str();
    if notification.is_over() {
        return json!({ "routing_key": key, "event_action": "resolve", "dedup_key": dedup_key });
    }
    let mut details: Map<String, Value> = view.fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    details.insert("What to change".to_owned(), json!(view.advice));
    details.insert("Why we say so".to_owned(), json!(view.reasons));
    details.insert("Rule".to_owned(), json!(view.rule));
    let function = incident.function.as_ref().map_or("overrun", domain::FunctionName::as_str);
    json!({
        "routing_key": key,
        "event_action": "trigger",
        "dedup_key": dedup_key,
        "client": "Overrun",
        "client_url": notification.link,
        "links": [{ "href": notification.link, "text": "Open the incident" }],
        "payload": {
            "summary": one_line(&view.verdict, SUMMARY_CHARS_MAX),
            "source": one_line(function, 255),
            "severity": severity(notification),
            "timestamp": notification.created_at.to_string(),
            "component": incident.diagnosis.product.as_ref().map(|product| one_line(product.as_str(), 255)),
            "group": one_line(incident.stack.as_str(), 255),
            "class": incident.diagnosis.cause.id,
            "custom_details": details,
        },
    })
}

/// One of the four that PagerDuty knows: the rule's, where it says one, else by how sure we are.
fn severity(notification: &Notification) -> &'static str {
    match notification.context.severity.as_deref() {
        Some("page" | "critical") => "critical",
        Some("error") => "error",
        Some("warning" | "warn") => "warning",
        Some("info") => "info",
        Some(_) | None if notification.incident.diagnosis.confidence == Confidence::Unknown => "error",
        Some(_) | None => "critical",
    }
}

#[cfg(test)]
mod tests {
    use domain::IncidentState;
    use store::ProblemEvent;

    use super::*;
    use crate::testing;

    #[test]
    fn what_overran_triggers_and_what_survived_resolves_the_same_alert() {
        let mut notification = testing::notification();
        let key = SecretString::from("R0UT1NG");
        let trigger = event(&notification, &key);
        assert_eq!((&trigger["event_action"], &trigger["routing_key"]), (&"trigger".into(), &"R0UT1NG".into()));
        assert_eq!(trigger["payload"]["summary"], "checkout: gunicorn's worker timeout (30 s) fired");
        assert_eq!((&trigger["payload"]["severity"], &trigger["payload"]["class"]), (&"critical".into(), &"no_client_timeout".into()));
        notification.incident.state = IncidentState::Survived;
        let resolve = event(&notification, &key);
        assert_eq!((&resolve["event_action"], &resolve["dedup_key"]), (&"resolve".into(), &trigger["dedup_key"]));
        assert_eq!(resolve.as_object().expect("an object").len(), 3);
        let mut resolved = testing::notification();
        resolved.context.event = Some(ProblemEvent::Resolved);
        assert_eq!(event(&resolved, &key), resolve);
    }

    #[test]
    fn the_rules_severity_is_that_of_the_alert() {
        let mut notification = testing::notification();
        for (said, expected) in [("page", "critical"), ("warning", "warning"), ("info", "info"), ("ops-only", "critical")] {
            notification.context.severity = Some(said.to_owned());
            assert_eq!(event(&notification, &SecretString::from("k"))["payload"]["severity"], expected, "{said}");
        }
    }
}
