//! The CloudEvent: an envelope around the incident in the shape of the API (design.md §6).

use domain::Incident;
use serde_json::{Value, json};

use crate::incident_data;
use crate::notification::Notification;
use crate::text::one_line;

/// Longest subject, in characters.
const SUBJECT_CHARS_MAX: usize = 1_000;

/// The event.
pub(super) fn event(notification: &Notification) -> Value {
    let incident = &notification.incident;
    json!({
        "specversion": "1.0",
        "id": notification.delivery_id,
        "type": "dev.overrun.incident.v1",
        "source": format!("urn:overrun:stack:{}", percent_encoded(incident.stack.as_str())),
        "subject": subject(incident),
        "time": notification.created_at.to_string(),
        "datacontenttype": "application/json",
        "data": incident_data::data(notification),
    })
}

/// The function, else the request, else what the incident is about. The attribute may hold no control characters.
fn subject(incident: &Incident) -> String {
    let function = incident.function.as_ref().map(domain::FunctionName::as_str);
    let request = incident.request_id.as_ref().map(domain::RequestId::as_str);
    let cleaned = [function, request, Some(&incident.subject)].into_iter().flatten().map(|text| one_line(text, SUBJECT_CHARS_MAX));
    cleaned.into_iter().find(|text| !text.is_empty()).unwrap_or_else(|| incident.id.to_string())
}

/// Text as part of a URN (RFC 8141): what is not plain becomes `%XX`.
fn percent_encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_event_is_the_incident_in_an_envelope() {
        let event = event(&testing::notification());
        let mut envelope = event.clone();
        let data = envelope.as_object_mut().expect("an object").remove("data").expect("data");
        insta::assert_json_snapshot!(envelope, @r##"
        {
          "datacontenttype": "application/json",
          "id": "0123456789abcdef0123456789abcdef",
          "source": "urn:overrun:stack:default",
          "specversion": "1.0",
          "subject": "checkout",
          "time": "2026-11-20T22:23:33.1Z",
          "type": "dev.overrun.incident.v1"
        }
        "##);
        let keys: Vec<_> = data.as_object().expect("an object").keys().map(String::as_str).collect();
        insta::assert_snapshot!(keys.join(" "), @"alert attempt diagnosis elapsed_ms ended_at function id instance link outcome pid platform problem request_id rule stack started_at state subject summary trace_id");
        assert_eq!(data["rule"], "checkout overran");
        assert_eq!(data["link"], testing::notification().link);
        assert_eq!(data["diagnosis"]["limit"]["value_ms"], 30_000);
    }

    #[test]
    fn hostile_text_stays_inside_its_string() {
        let body = event(&testing::hostile_notification()).to_string();
        assert!(!body.contains(char::is_control), "everything is escaped");
        let event: Value = serde_json::from_str(&body).expect("JSON");
        insta::assert_snapshot!(event["subject"].as_str().expect("text"), @r##"function Bcc: victim@example.com <script>alert("function")</script> ]0;x"##);
        assert!(event["source"].as_str().expect("text").bytes().all(|b| b.is_ascii_graphic()));
        assert_eq!(event["data"]["stack"], testing::hostile_notification().incident.stack.as_str());
    }

    #[test]
    fn a_huge_incident_makes_a_bounded_event() {
        let mut notification = testing::notification();
        let diagnosis = &mut notification.incident.diagnosis;
        diagnosis.evidence[0].text = "ä".repeat(10_000);
        diagnosis.evidence = vec![diagnosis.evidence[0].clone(); 500];
        notification.incident.original_event = Some(domain::Value::from("x".repeat(60_000)));
        assert!(event(&notification).to_string().len() < 64 * 1_024);
    }

    #[test]
    fn an_incident_without_names_still_has_a_subject() {
        let mut notification = testing::notification();
        notification.incident = testing::bare_incident();
        assert_eq!(subject(&notification.incident), "worker/9/");
    }
}
