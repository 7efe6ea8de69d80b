//! What Alertmanager posts to its webhooks, version 4, for receivers that were made for it.
//!
//! <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>, read 2026-11-27; an end that is not known yet is
//! Go's zero time.

use serde_json::{Value, json};

use crate::actions::alertmanager::labels;
use crate::notification::Notification;

/// Go's zero time: "has not ended".
const NOT_ENDED: &str = "0001-01-01T00:00:00Z";

/// The message: a group of one alert.
pub(super) fn message(notification: &Notification) -> Value {
    let incident = &notification.incident;
    let resolved = notification.is_over();
    let status = if resolved { "resolved" } else { "firing" };
    let (labels, annotations) = (labels::of(notification), labels::annotations(notification));
    json!({
        "version": "4",
        "groupKey": format!("{{}}:{{problem=\"{}\"}}", incident.problem.as_str()),
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "overrun",
        "groupLabels": { "problem": incident.problem.as_str() },
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": notification.public_url(),
        "alerts": [{
            "status": status,
            "labels": labels,
            "annotations": annotations,
            "startsAt": labels::starts_at(notification).to_string(),
            "endsAt": if resolved { notification.created_at.to_string() } else { NOT_ENDED.to_owned() },
            "generatorURL": notification.link,
            "fingerprint": incident.problem.as_str(),
        }],
    })
}

#[cfg(test)]
mod tests {
    use domain::IncidentState;

    use super::*;
    use crate::testing;

    #[test]
    fn an_incident_fires_and_what_survived_is_resolved() {
        let mut notification = testing::notification();
        let firing = message(&notification);
        assert_eq!((&firing["status"], &firing["alerts"][0]["endsAt"]), (&"firing".into(), &NOT_ENDED.into()));
        assert_eq!(firing["alerts"][0]["startsAt"], "2026-11-20T22:23:02.99Z");
        assert_eq!(firing["alerts"][0]["annotations"]["summary"], "checkout: gunicorn's worker timeout (30 s) fired");
        assert_eq!(firing["externalURL"], "https://overrun.example.com");
        notification.incident.state = IncidentState::Survived;
        let resolved = message(&notification);
        assert_eq!((&resolved["status"], &resolved["alerts"][0]["status"]), (&"resolved".into(), &"resolved".into()));
        assert_eq!(resolved["alerts"][0]["endsAt"], "2026-11-20T22:23:33.1Z");
    }
}
