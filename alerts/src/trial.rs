//! One harmless sample at a real action: whether it arrives, and what it looks like there.

use domain::{Incident, IncidentState, Key, ProblemId, StackName};
use jiff::Timestamp;
use store::DeliveryContext;

use crate::actions::Connections;
use crate::notification::Notification;
use crate::options::AlertOptions;
use crate::rules::Rules;

/// What the sample is about: everybody who reads it sees that nothing overran.
const FUNCTION: &str = "overrun-test";
const SUMMARY: &str = "This is a test of Overrun. Nothing overran";

/// Why a sample did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// There is no such rule or action.
    #[error("{0}")]
    Unknown(String),
    /// Connections cannot be set up.
    #[error("connections could not be set up")]
    Connections(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The other side did not take it.
    #[error("{0}")]
    Refused(String),
}

/// Sends a sample by a rule to one of its actions, once; answers what the other side said.
///
/// # Errors
/// See [`TrialError`].
pub async fn fire(rules: &Rules, rule: &str, action: &str, options: &AlertOptions, now: Timestamp) -> Result<String, TrialError> {
    let targets = rules.actions_of(rule).map_err(TrialError::Unknown)?;
    let known = || targets.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let target = targets.iter().find(|name| *name == action).and_then(|name| rules.action(name));
    let target =
        target.ok_or_else(|| TrialError::Unknown(format!("expected an action of the rule, found `{action}`; it has {}", known())))?;
    let connections = Connections::new(rules, options.http_timeout()).map_err(TrialError::Connections)?;
    let notification = sample(rules, rule, action, options, now);
    let attempted = tokio::time::timeout(options.attempt_timeout(), target.tell(&notification, &connections)).await;
    match attempted {
        Ok(Ok(said)) => Ok(said),
        Ok(Err(error)) => Err(TrialError::Refused(error.detail())),
        Err(_) => Err(TrialError::Refused(format!("expected an end within {:?}, found none", options.attempt_timeout()))),
    }
}

fn sample(rules: &Rules, rule: &str, action: &str, options: &AlertOptions, now: Timestamp) -> Notification {
    let subject = Key::Request(format!("overrun-test-{now}").as_str().into());
    let incident = Incident {
        problem: ProblemId::derive(&[FUNCTION]),
        request_id: Some("overrun-test".into()),
        function: Some(FUNCTION.into()),
        state: IncidentState::Confirmed,
        started_at: Some(now),
        ended_at: Some(now),
        summary: SUMMARY.to_owned(),
        ..Incident::suspected(StackName::default(), &subject, 1)
    };
    let digest = blake3::hash(format!("overrun test {rule} {now}").as_bytes()).to_hex();
    Notification {
        delivery_id: digest[..32].to_owned(),
        rule: rule.to_owned(),
        action: action.to_owned(),
        context: DeliveryContext { severity: rules.severity_of(rule).map(str::to_owned), ..DeliveryContext::default() },
        link: Notification::link_to(&options.public_url, &incident),
        incident,
        created_at: now,
        attempted_at: now,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use axum::response::IntoResponse;

    use super::*;
    use crate::testing;
    use crate::testing::receiver::Receiver;

    #[tokio::test]
    async fn a_sample_says_that_it_is_one() {
        testing::install_tls();
        let receiver = Receiver::start().await;
        let text = format!("{}[[rule]]\nname = 'r'\nactions = ['hook']\nseverity = 'page'", receiver.action("hook"));
        let rules = Rules::parse(&text, "rules.toml").expect("valid");
        let fire = async |rule: &str, action: &str| {
            let options = AlertOptions::default();
            fire(&rules, rule, action, &options, testing::at("2026-11-27T12:00:00Z")).await.map_err(|error| error.to_string())
        };
        assert_eq!(fire("r", "hook").await, Ok("answered 204 No Content".to_owned()));
        let event: serde_json::Value = serde_json::from_slice(&receiver.received()[0].body).expect("JSON");
        assert_eq!((&event["data"]["summary"], &event["data"]["alert"]["severity"]), (&SUMMARY.into(), &"page".into()));
        insta::assert_snapshot!(fire("R", "hook").await.unwrap_err(), @"expected the name of a `[[rule]]`, found `R` (did you mean `r`?); there are `r`");
        insta::assert_snapshot!(fire("r", "pager").await.unwrap_err(), @"expected an action of the rule, found `pager`; it has `hook`");
        receiver.answers(|| StatusCode::GONE.into_response());
        assert!(fire("r", "hook").await.unwrap_err().contains("410"));
    }
}
