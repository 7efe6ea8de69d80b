//! Receivers that fail, hang about or are gone, and what waits for them meanwhile.

use super::*;

/// An incident of a problem of its own.
fn unlike(number: u32) -> Incident {
    Incident { problem: domain::ProblemId::derive(&["unlike", &number.to_string()]), ..another(number) }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_receiver_that_fails_again_and_again_is_left_alone_and_tried_by_one(pool: PgPool) {
    let stage = Stage::set(pool, "").await;
    stage.receiver.answers(|| StatusCode::BAD_GATEWAY.into_response());
    let daemon = stage.daemon(AlertOptions { attempts_concurrent_max: 1, ..options() });
    for number in 0..12 {
        stage.change(&unlike(number)).await;
    }
    let postponed = r#"overrun_alerts_deliveries_total{action_kind="webhook",outcome="postponed"} 7"#;
    until_some(async || stage.metrics().contains(postponed).then_some(())).await;
    assert_eq!(stage.receiver.received().len(), 5);
    // It is counted before it is written. Waiting is no attempt.
    until_some(async || {
        let deliveries = stage.store.deliveries(20).await.expect("read");
        (deliveries.into_iter().filter(|delivery| delivery.attempts == 0).count() == 7).then_some(())
    })
    .await;
    until_some(async || stage.metrics().contains("overrun_alerts_receivers_left_alone 1").then_some(())).await;
    stage.receiver.answers(|| StatusCode::OK.into_response());
    stage.clock.advance(SignedDuration::from_secs(11));
    stage.requests(5 + 12).await;
    daemon.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_receiver_that_is_gone_is_asked_again_when_the_rules_change(pool: PgPool) {
    let stage = Stage::set(pool, "").await;
    stage.receiver.answers(|| StatusCode::GONE.into_response());
    let daemon = stage.daemon(options());
    stage.change(&unlike(0)).await;
    stage.attempts(&unlike(0), 0, 1).await;
    stage.receiver.answers(|| StatusCode::OK.into_response());
    stage.change(&unlike(1)).await;
    let (delivery, attempts) = stage.attempts(&unlike(1), 0, 1).await;
    assert_eq!(delivery.state, DeliveryState::Parked);
    insta::assert_snapshot!(attempts[0].detail, @"`hook` answered 410 Gone and is not asked again before the rules change");
    assert_eq!(stage.receiver.received().len(), 1);

    stage.rules.send_replace(parse(&format!("{}[[rule]]\nname = 'r'\nactions = ['hook']\n", stage.receiver.action("hook"))));
    // A turn that began by the old rules ends by them, and parks what is sent again just then.
    let received = until_some(async || {
        stage.store.replay_parked(&store::ParkedFilter::default(), stage.clock.now()).await.expect("replayed");
        Some(stage.receiver.received()).filter(|received| received.len() == 3)
    })
    .await;
    assert_eq!(received.iter().filter(|again| again.header("webhook-id") == received[0].header("webhook-id")).count(), 2);
    daemon.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_told_of_one_problem_is_told_in_order(pool: PgPool) {
    let stage = Stage::set(pool, "").await;
    stage.receiver.answers(|| StatusCode::BAD_GATEWAY.into_response());
    let daemon = stage.daemon(options());
    for number in 0..4 {
        stage.change(&another(number)).await;
    }
    stage.attempts(&another(0), 0, 1).await;
    stage.change(&unlike(9)).await;
    stage.attempts(&unlike(9), 0, 1).await;
    assert_eq!(stage.receiver.received().len(), 2, "the others wait for the first of their problem");
    stage.receiver.answers(|| StatusCode::OK.into_response());
    stage.clock.advance(SignedDuration::from_secs(7));
    let received = stage.requests(7).await;
    let told = |received: &Received| {
        let event: serde_json::Value = serde_json::from_slice(&received.body).expect("JSON");
        event["data"]["request_id"].as_str().expect("text").to_owned()
    };
    let of_one: Vec<_> = received[2..].iter().map(told).filter(|id| id != "request-9").collect();
    assert_eq!(of_one, ["request-0", "request-1", "request-2", "request-3"]);
    daemon.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_sink_of_the_errors_node_hears_all_errors_of_a_stack_in_order(pool: PgPool) {
    let stage = Stage::set(pool, "").await;
    let action = format!(
        "[[action]]\nname = 'node'\nkind = 'errors_node'\ntarget = {{ http = {{ url = 'http://127.0.0.1:{}/errors', allow_private = true }} }}\n",
        stage.receiver.port
    );
    stage.rules.send_replace(parse(&format!("[[rule]]\nname = 'r'\nactions = ['node']\n{action}")));
    let daemon = stage.daemon(options());
    for number in 0..5 {
        let event = domain::Value::from(serde_json::json!({ "order": number }));
        stage.change(&Incident { original_event: Some(event), ..unlike(number) }).await;
    }
    let received = stage.requests(5).await;
    for (number, received) in received.iter().enumerate() {
        assert_eq!(received.header("content-type"), "application/cloudevents+json; charset=utf-8");
        let event: serde_json::Value = serde_json::from_slice(&received.body).expect("JSON");
        assert_eq!(event["sequence"], domain::sequence_text(i64::try_from(number + 1).expect("few")));
        let data = &event["data"];
        assert_eq!((&data["message"], &data["originalEvent"]["order"]), (&"Function timed out".into(), &number.into()));
        assert_eq!(data["originalRequestId"], format!("request-{number}"));
        assert_eq!(data["overrun"]["diagnosis"]["cause"]["id"], "no_client_timeout");
    }
    daemon.stop().await;
}
