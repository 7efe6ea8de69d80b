use axum::http::StatusCode;
use axum::response::IntoResponse;
use domain::{Frame, StackSample};
use serde_json::Value;

use crate::actions::ActionError;
use crate::notification::Notification;
use crate::rules::Rules;
use crate::testing;
use crate::testing::receiver::Receiver;

struct Project {
    receiver: Receiver,
    rules: Rules,
}

impl Project {
    async fn start() -> Self {
        testing::install_tls();
        let receiver = Receiver::start().await;
        let file = format!(
            "[[action]]\nname = 's'\nkind = 'sentry'\nenvironment = 'prod'\nallow_private = true\ndsn = 'http://k3y@127.0.0.1:{}/sub/7'\n",
            receiver.port
        );
        Self { receiver, rules: Rules::parse(&file, "rules.toml").expect("valid") }
    }

    async fn send(&self, notification: &Notification) -> Result<String, ActionError> {
        let tools = testing::tools(&self.rules, std::time::Duration::from_mins(1));
        self.rules.action("s").expect("defined").attempt(notification, &tools).await
    }

    /// The lines of the envelopes that came.
    fn envelopes(&self) -> Vec<Vec<Value>> {
        let lines = |body: &[u8]| {
            body.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_slice(line).expect("JSON")).collect()
        };
        self.receiver.received().iter().map(|request| lines(&request.body)).collect()
    }
}

fn stuck() -> Notification {
    let mut notification = testing::notification();
    let frame = |function: &str, file: &str, line| Frame { function: function.to_owned(), file: Some(file.to_owned()), line: Some(line) };
    let frames = vec![frame("checkout", "/srv/app/app.py", 41), frame("recv", "/usr/lib/python3.11/site-packages/http/client.py", 286)];
    notification.incident.stack_sample = Some(StackSample { at: None, frames });
    notification.incident.original_event = Some("an order".into());
    notification
}

#[tokio::test]
async fn the_envelope_holds_the_verdict_the_stack_and_the_input() {
    let project = Project::start().await;
    project.send(&stuck()).await.expect("taken");
    let request = project.receiver.received().remove(0);
    let auth = request.header("x-sentry-auth");
    assert!(auth.contains("sentry_key=k3y") && auth.contains("sentry_version=7") && auth.contains("sentry_client=overrun/"), "{auth}");
    let envelope = project.envelopes().remove(0);
    assert_eq!(
        (&envelope[0]["event_id"], &envelope[0]["sent_at"]),
        (&"01234567-89ab-cdef-0123-456789abcdef".into(), &"2026-11-20T22:23:33.15Z".into())
    );
    let event = &envelope[2];
    let exception = &event["exception"]["values"][0];
    assert_eq!(
        (&exception["type"], &exception["value"]),
        (&"FunctionTimeout".into(), &"checkout: gunicorn's worker timeout (30 s) fired".into())
    );
    let frames = &exception["stacktrace"]["frames"];
    assert_eq!(
        (&frames[1]["function"], &frames[1]["lineno"], &frames[0]["in_app"], &frames[1]["in_app"]),
        (&"recv".into(), &286.into(), &true.into(), &false.into())
    );
    assert_eq!((&event["platform"], &event["fingerprint"][1]), (&"python".into(), &stuck().incident.problem.as_str().into()));
    assert_eq!(event["contexts"]["trace"]["trace_id"], "6a3f1c209a8fbf0a9c13eafa397c5a3b");
    assert_eq!((&event["tags"]["request_id"], &event["environment"]), (&"6f747a63-ce41-11e7-8cfe-3d61dad3d219".into(), &"prod".into()));
    assert_eq!((&envelope[3]["filename"], &envelope[4]), (&"original-event.json".into(), &"an order".into()));
}

#[tokio::test]
async fn what_is_too_large_is_sent_once_more_without_the_input() {
    let project = Project::start().await;
    project.receiver.answers(|| StatusCode::PAYLOAD_TOO_LARGE.into_response());
    assert!(matches!(project.send(&stuck()).await, Err(ActionError::GiveUp { .. })));
    let lengths: Vec<_> = project.envelopes().iter().map(Vec::len).collect();
    assert_eq!(lengths, [5, 3]);
}

#[tokio::test]
async fn a_rate_limit_is_kept_without_asking_again() {
    let project = Project::start().await;
    project.receiver.answers(|| (StatusCode::TOO_MANY_REQUESTS, [("x-sentry-rate-limits", "60:error:key")]).into_response());
    assert!(matches!(project.send(&stuck()).await, Err(ActionError::Retry { .. })));
    let Err(ActionError::Retry { after: Some(after), .. }) = project.send(&stuck()).await else { panic!("expected a later attempt") };
    assert_eq!((after.as_secs(), project.receiver.received().len()), (60, 1));
    let mut later = stuck();
    later.attempted_at = testing::at("2026-11-20T22:24:34Z");
    project.receiver.answers(|| StatusCode::OK.into_response());
    project.send(&later).await.expect("taken");
}

#[tokio::test]
async fn hostile_text_stays_text() {
    let project = Project::start().await;
    project.send(&testing::hostile_notification()).await.expect("taken");
    let event = project.envelopes().remove(0).remove(2);
    for (_, tag) in event["tags"].as_object().expect("tags") {
        assert!(!tag.as_str().expect("text").contains(char::is_control));
    }
}

#[test]
fn a_dsn_that_is_none_is_refused_without_being_shown() {
    let file = "[[action]]\nname = 's'\nkind = 'sentry'\ndsn = 'hunter2'\n";
    let error = Rules::parse(file, "rules.toml").expect_err("no DSN").to_string();
    assert!(error.contains("rules.toml:4") && error.contains("DSN") && !error.contains("hunter2"), "{error}");
}
