//! An incident as Alertmanager sees it: labels, which are the alert's identity, and annotations, which are for people.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::notification::Notification;
use crate::text::one_line;
use crate::view::View;

/// Longest value, in characters.
const CHARS_MAX: usize = 500;

/// What all incidents of one problem have in common; empty values are left out, as Alertmanager does.
pub(in crate::actions) fn of(notification: &Notification) -> BTreeMap<&'static str, String> {
    let incident = &notification.incident;
    let diagnosis = &incident.diagnosis;
    let labels = [
        ("alertname", Some("OverrunIncident")),
        ("stack", Some(incident.stack.as_str())),
        ("function", incident.function.as_ref().map(domain::FunctionName::as_str)),
        ("problem", Some(incident.problem.as_str())),
        ("outcome", Some(incident.outcome.as_str())),
        ("layer", diagnosis.layer.map(domain::Layer::as_str)),
        ("product", diagnosis.product.as_ref().map(domain::Product::as_str)),
        ("cause", Some(diagnosis.cause.id.as_str())),
        ("severity", Some(notification.context.severity.as_deref().unwrap_or("critical"))),
    ];
    cleaned(labels.into_iter().filter_map(|(name, value)| Some((name, value?.to_owned()))))
}

/// What is said to people.
pub(in crate::actions) fn annotations(notification: &Notification) -> BTreeMap<&'static str, String> {
    let view = View::of(notification);
    let parts = [view.reasons.join("; "), view.advice.join(" ")];
    let description = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(". ");
    let request_id = notification.incident.request_id.as_ref().map(ToString::to_string).unwrap_or_default();
    let annotations = [("summary", view.verdict), ("description", description), ("request_id", request_id), ("rule", view.rule)];
    cleaned(annotations)
}

/// When it began: the request, if that is known and not later than the message.
pub(in crate::actions) fn starts_at(notification: &Notification) -> Timestamp {
    notification.incident.started_at.or(notification.incident.ended_at).unwrap_or(notification.created_at).min(notification.created_at)
}

fn cleaned(values: impl IntoIterator<Item = (&'static str, String)>) -> BTreeMap<&'static str, String> {
    let lines = values.into_iter().map(|(name, value)| (name, one_line(&value, CHARS_MAX)));
    lines.filter(|(_, value)| !value.is_empty()).collect()
}
