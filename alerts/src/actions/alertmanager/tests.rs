use axum::http::StatusCode;
use axum::response::IntoResponse;
use domain::IncidentState;
use serde_json::Value;

use crate::actions::ActionError;
use crate::notification::Notification;
use crate::rules::Rules;
use crate::testing;
use crate::testing::receiver::Receiver;

async fn send(receivers: &[&Receiver], notification: &Notification) -> Result<String, ActionError> {
    testing::install_tls();
    let urls: Vec<_> = receivers.iter().map(|receiver| format!("'http://127.0.0.1:{}/am/'", receiver.port)).collect();
    let file = format!(
        "[[action]]\nname = 'am'\nkind = 'alertmanager'\nurls = [{}]\nopen_for = '5m'\nbearer_token = 't0ken'\nallow_private = true\n",
        urls.join(", ")
    );
    let rules = Rules::parse(&file, "rules.toml").expect("valid");
    let tools = testing::tools(&rules, std::time::Duration::from_mins(1));
    rules.action("am").expect("defined").attempt(notification, &tools).await
}

#[tokio::test]
async fn every_alertmanager_is_told_and_incidents_of_one_problem_are_one_alert() {
    let (one, other) = (Receiver::start().await, Receiver::start().await);
    let mut notification = testing::notification();
    send(&[&one, &other], &notification).await.expect("taken");
    notification.incident.request_id = Some("another".into());
    notification.incident.state = IncidentState::Survived;
    send(&[&one, &other], &notification).await.expect("taken");
    for receiver in [one, other] {
        let received = receiver.received();
        assert_eq!(received[0].header("authorization"), "Bearer t0ken");
        let alerts: Vec<Value> =
            received.iter().map(|request| serde_json::from_slice::<Value>(&request.body).expect("JSON")[0].clone()).collect();
        assert_eq!(alerts[0]["labels"], alerts[1]["labels"]);
        assert_eq!(alerts[0]["labels"]["function"], "checkout");
        assert_eq!((&alerts[0]["endsAt"], &alerts[1]["endsAt"]), (&"2026-11-20T22:28:33.1Z".into(), &"2026-11-20T22:23:33.15Z".into()));
    }
}

#[tokio::test]
async fn one_that_is_away_is_told_later_and_one_that_refuses_never() {
    let (good, bad) = (Receiver::start().await, Receiver::start().await);
    bad.answers(|| StatusCode::SERVICE_UNAVAILABLE.into_response());
    assert!(matches!(send(&[&bad, &good], &testing::notification()).await, Err(ActionError::Retry { .. })));
    assert_eq!(good.received().len(), 1, "the others are told all the same");
    bad.answers(|| StatusCode::BAD_REQUEST.into_response());
    assert!(matches!(send(&[&good, &bad], &testing::hostile_notification()).await, Err(ActionError::GiveUp { .. })));
}
