//! Against a receiver that accepts, refuses, stalls, redirects and talks too much.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use standardwebhooks::Webhook as Verifier;

use crate::actions::ActionError;
use crate::notification::Notification;
use crate::rules::Rules;
use crate::testing;
use crate::testing::receiver::{Receiver, SECRET};

/// How long receivers may take where that is not the point.
const PATIENCE: Duration = Duration::from_mins(1);

async fn send_to(action: &str, notification: &Notification) -> Result<String, ActionError> {
    send_within(PATIENCE, action, notification).await
}

async fn send_within(timeout: Duration, action: &str, notification: &Notification) -> Result<String, ActionError> {
    testing::install_tls();
    let rules = Rules::parse(action, "rules.toml").expect("valid");
    let tools = testing::tools(&rules, timeout);
    rules.action("hook").expect("defined").attempt(notification, &tools).await
}

async fn answered(answer: impl Fn() -> Response + Send + Sync + 'static) -> (Receiver, Result<String, ActionError>) {
    let receiver = Receiver::start().await;
    receiver.answers(answer);
    let result = send_to(&receiver.action("hook"), &testing::notification()).await;
    assert_eq!(receiver.received().len(), 1, "one attempt is one request");
    (receiver, result)
}

fn retry(result: Result<String, ActionError>) -> (Option<Duration>, String) {
    match result {
        Err(error @ ActionError::Retry { after, .. }) => (after, error.detail()),
        other => panic!("expected a later attempt, found {other:?}"),
    }
}

fn given_up(result: Result<String, ActionError>) -> String {
    match result {
        Err(error @ (ActionError::GiveUp { .. } | ActionError::Gone { .. })) => error.detail(),
        other => panic!("expected no later attempt, found {other:?}"),
    }
}

#[tokio::test]
async fn an_accepted_event_is_signed_so_that_the_verifier_takes_it() {
    let receiver = Receiver::start().await;
    let mut notification = testing::notification();
    #[expect(clippy::disallowed_methods, reason = "the verifier compares with the wall clock")]
    let now = Timestamp::now();
    notification.attempted_at = now;
    let detail = send_to(&receiver.action("hook"), &notification).await.expect("accepted");
    assert_eq!(detail, "answered 204 No Content");
    let request = receiver.received().remove(0);
    assert_eq!(request.header("content-type"), "application/cloudevents+json; charset=utf-8");
    assert_eq!(request.header("webhook-id"), notification.delivery_id);
    let verifier = Verifier::new(SECRET).expect("valid");
    verifier.verify(&request.body, &request.headers).expect("the signature holds");
    let mut changed = request.body.to_vec();
    changed[20] ^= 1;
    verifier.verify(&changed, &request.headers).expect_err("a changed body is not ours");
}

#[tokio::test]
async fn during_a_change_of_keys_every_key_verifies() {
    let receiver = Receiver::start().await;
    let other = "whsec_bmV3a2V5bmV3a2V5bmV3a2V5bmV3a2V5";
    let action = receiver.action("hook").replace(SECRET, &format!("{other} {SECRET}"));
    let mut notification = testing::notification();
    #[expect(clippy::disallowed_methods, reason = "the verifier compares with the wall clock")]
    let now = Timestamp::now();
    notification.attempted_at = now;
    send_to(&action, &notification).await.expect("accepted");
    let request = receiver.received().remove(0);
    for key in [SECRET, other] {
        Verifier::new(key).expect("valid").verify(&request.body, &request.headers).expect("the signature holds");
    }
}

#[tokio::test]
async fn a_receiver_that_is_busy_is_asked_again_when_it_says() {
    let (_, result) =
        answered(|| (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "120")], "later\x1b[31m\n please").into_response()).await;
    let (after, detail) = retry(result);
    assert_eq!(after, Some(Duration::from_mins(2)));
    insta::assert_snapshot!(detail, @"`webhook` was not delivered: answered 503 Service Unavailable: later [31m please");
    let date = [("retry-after", "Fri, 20 Nov 2026 22:24:33 GMT")];
    let (_, result) = answered(move || (StatusCode::TOO_MANY_REQUESTS, date).into_response()).await;
    assert_eq!(retry(result).0.map(|after| after.as_secs()), Some(59));
}

#[tokio::test]
async fn what_is_refused_is_not_sent_again() {
    let (_, result) = answered(|| (StatusCode::BAD_REQUEST, "expected an object").into_response()).await;
    insta::assert_snapshot!(given_up(result), @"`webhook` was refused: answered 400 Bad Request: expected an object");
    let (_, result) = answered(|| StatusCode::GONE.into_response()).await;
    insta::assert_snapshot!(given_up(result), @"`webhook` is gone: answered 410 Gone");
}

#[tokio::test]
async fn a_receiver_that_hangs_is_left_in_time() {
    let receiver = Receiver::start().await;
    receiver.hangs();
    let (action, notification) = (receiver.action("hook"), testing::notification());
    let sent = send_within(Duration::from_millis(100), &action, &notification);
    let (after, detail) = retry(tokio::time::timeout(PATIENCE, sent).await.expect("it ends"));
    assert_eq!(after, None);
    insta::assert_snapshot!(detail, @"`webhook` was not delivered: error sending request: operation timed out");
}

#[tokio::test]
async fn nobody_at_home_is_no_reason_to_give_up() {
    let receiver = Receiver::start().await;
    let action = receiver.action("hook").replace(&receiver.port.to_string(), "1");
    let (_, detail) = retry(send_to(&action, &testing::notification()).await);
    assert!(detail.contains("onnection refused") && !detail.contains("secret-path"), "{detail}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let inside = Receiver::start().await;
    let location = format!("http://127.0.0.1:{}/metadata", inside.port);
    let to = location.clone();
    let (_, result) = answered(move || (StatusCode::FOUND, [("location", to.clone())]).into_response()).await;
    insta::assert_snapshot!(retry(result).1, @"`webhook` was not delivered: answered 302 Found: redirects are not followed");
    let (_, result) = answered(move || (StatusCode::PERMANENT_REDIRECT, [("location", location.clone())]).into_response()).await;
    given_up(result);
    assert_eq!(inside.received().len(), 0);
}

#[tokio::test]
async fn an_answer_of_any_size_takes_little() {
    for (status, delivered) in [(StatusCode::OK, true), (StatusCode::INTERNAL_SERVER_ERROR, false)] {
        let (_, result) = answered(move || (status, vec![b'x'; 100 << 20]).into_response()).await;
        assert_eq!(result.is_ok(), delivered);
        if let Err(error) = result {
            assert!(error.detail().len() < 300, "{}", error.detail());
        }
    }
}

#[tokio::test]
async fn an_answer_whose_body_never_ends_has_said_enough() {
    let endless = || axum::body::Body::from_stream(futures_util::stream::pending::<Result<axum::body::Bytes, std::io::Error>>());
    let (_, result) = answered(move || (StatusCode::OK, endless()).into_response()).await;
    assert_eq!(result.expect("the status decides"), "answered 200 OK");
}

#[tokio::test]
async fn a_name_of_a_private_address_can_be_allowed() {
    let receiver = Receiver::start().await;
    let allowed = receiver.action("hook").replace("127.0.0.1", "localhost");
    send_to(&allowed, &testing::notification()).await.expect("allowed");
}
