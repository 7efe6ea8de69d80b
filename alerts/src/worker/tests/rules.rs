//! What rules decide, with their state in the database: groups, numbers, problems, silences, inhibitions.

use store::NewSilence;

use super::*;

/// What each message says: the incident's number of more, and what became of the problem.
async fn said(stage: &Stage, count: usize) -> Vec<serde_json::Value> {
    let received = stage.requests(count).await;
    received
        .iter()
        .map(|received| serde_json::from_slice::<serde_json::Value>(&received.body).expect("JSON")["data"]["alert"].clone())
        .collect()
}

fn wait_until(stage: &Stage, moment: &str) {
    stage.clock.advance(testing::at(moment).duration_since(stage.clock.now()));
}

/// An incident of another function, held up by the same dependency.
fn of_function(name: &str) -> Incident {
    let mut incident = another(name.bytes().map(u32::from).sum());
    incident.function = Some(name.into());
    incident.problem = domain::ProblemId::derive(&[name]);
    incident
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_group_is_told_how_many_more_there_were(pool: PgPool) {
    let stage = Stage::set(pool, "group_by = ['problem']\ngroup_interval = '5m'").await;
    let daemon = stage.daemon(options());
    for number in 0..5 {
        stage.change(&another(number)).await;
        // More of the same is no further incident.
        stage.change(&Incident { summary: "more is known".to_owned(), ..another(number) }).await;
    }
    assert_eq!(stage.deliveries_when_routed().await, 1);
    daemon.stop().await;
    // Whoever is there when the time has come tells of it.
    let stage = Stage { registry: Registry::new(), ..stage };
    let daemon = stage.daemon(options());
    stage.clock.advance(SignedDuration::from_mins(5));
    let said = said(&stage, 2).await;
    assert_eq!((&said[0]["more"], &said[1]["more"]), (&serde_json::Value::Null, &4.into()));
    assert_eq!(said[1]["since"], "2026-11-20T22:24:00Z");
    stage.clock.advance(SignedDuration::from_hours(10));
    stage.change(&another(5)).await;
    stage.requests(3).await;
    daemon.stop().await;
    assert_eq!(stage.receiver.received().len(), 3);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_first_message_of_a_group_may_wait(pool: PgPool) {
    let stage = Stage::set(pool, "group_by = ['function']\ngroup_wait = '30s'").await;
    let daemons = [stage.daemon(options()), Stage { registry: Registry::new(), ..stage.clone() }.daemon(options())];
    stage.change(&another(0)).await;
    stage.change(&another(1)).await;
    stage.clock.advance(SignedDuration::from_secs(29));
    assert_eq!(stage.deliveries_when_routed().await, 0);
    stage.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(said(&stage, 1).await[0]["more"], 1);
    for daemon in daemons {
        daemon.stop().await;
    }
    assert_eq!(stage.receiver.received().len(), 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_threshold_counts_what_happened_within_its_window_however_late_it_comes(pool: PgPool) {
    let stage = Stage::set(pool, "threshold = { count = 3, window = '10m' }\ngroup_by = ['function']").await;
    let daemon = stage.daemon(options());
    let ended = |number: u32, at: &str| Incident { ended_at: Some(testing::at(at)), ..another(number) };
    stage.change(&ended(0, "2026-11-20T10:00:00Z")).await;
    stage.change(&ended(1, "2026-11-20T10:20:00Z")).await;
    stage.change(&ended(2, "2026-11-20T10:09:00Z")).await;
    assert_eq!(stage.deliveries_when_routed().await, 0);
    stage.clock.advance(SignedDuration::from_hours(3));
    stage.change(&ended(3, "2026-11-20T10:05:00Z")).await;
    let said = said(&stage, 1).await.remove(0);
    assert_eq!(said["volume"], serde_json::json!({ "count": 3, "window_s": 600 }));
    daemon.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_escalates_is_told_once(pool: PgPool) {
    let stage = Stage::set(pool, "escalating = { factor = 3, window = '1h', at_least = 4 }").await;
    let daemon = stage.daemon(options());
    let ended = |number: u32, at: Timestamp| Incident { ended_at: Some(at), ..another(number) };
    let now = stage.clock.now();
    // Once an hour is usual.
    for hour in 2..8 {
        stage.change(&ended(u32::try_from(hour).expect("small"), now - SignedDuration::from_hours(hour))).await;
    }
    for number in 100..103 {
        stage.change(&ended(number, now)).await;
    }
    assert_eq!(stage.deliveries_when_routed().await, 0);
    for number in 103..106 {
        stage.change(&ended(number, now)).await;
    }
    assert_eq!(said(&stage, 1).await[0]["volume"], serde_json::json!({ "count": 4, "window_s": 3600 }));
    assert_eq!(stage.deliveries_when_routed().await, 1);
    daemon.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_problem_is_told_when_it_is_new_when_it_is_resolved_and_when_it_is_back(pool: PgPool) {
    let stage = Stage::set(pool, "on = ['new_problem', 'regressed', 'resolved']\nseverity = 'page'\ngroup_by = ['problem']").await;
    let daemon = stage.daemon(options());
    let problem = testing::incident().problem;
    // What is only suspected is no problem yet.
    stage.change(&Incident { state: IncidentState::Suspected, ..another(0) }).await;
    stage.change(&another(0)).await;
    stage.change(&another(1)).await;
    stage.requests(1).await;
    stage.clock.advance(SignedDuration::from_mins(1));
    let now = stage.clock.now();
    assert!(stage.store.resolve_problem(problem.as_str(), "ada", now).await.expect("resolved"));
    stage.requests(2).await;
    stage.clock.advance(SignedDuration::from_mins(1));
    let back = |number| Incident { ended_at: Some(now + SignedDuration::from_secs(30)), ..another(number) };
    stage.change(&back(2)).await;
    stage.change(&back(3)).await;
    let said = said(&stage, 3).await;
    let events: Vec<_> = said.iter().map(|said| said["event"].as_str().expect("text")).collect();
    assert_eq!(events, ["new", "resolved", "regressed"]);
    assert!(said.iter().all(|said| said["severity"] == "page"));
    assert_eq!(stage.deliveries_when_routed().await, 3);
    daemon.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_back_is_told_although_its_group_was_told_lately(pool: PgPool) {
    let stage = Stage::set(pool, "group_by = ['problem']").await;
    let daemon = stage.daemon(options());
    stage.change(&another(0)).await;
    stage.requests(1).await;
    let now = stage.clock.now();
    stage.store.resolve_problem(testing::incident().problem.as_str(), "ada", now).await.expect("resolved");
    stage.change(&Incident { ended_at: Some(now + SignedDuration::from_secs(1)), ..another(1) }).await;
    assert_eq!(said(&stage, 2).await[1]["event"], "regressed");
    daemon.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_silence_holds_what_it_matches_and_what_it_held_is_not_told_late(pool: PgPool) {
    let stage = Stage::set(pool, "").await;
    let daemon = stage.daemon(options());
    let now = stage.clock.now();
    let asked = NewSilence {
        matchers: [("function".to_owned(), "checkout".to_owned())].into(),
        condition: Some("incident.attempt == 1".to_owned()),
        comment: "known".to_owned(),
        created_by: "ada".to_owned(),
        ends_at: Some(now + SignedDuration::from_hours(1)),
    };
    let id = stage.store.add_silence(&asked, now).await.expect("written").expect("room");
    stage.change(&another(0)).await;
    stage.change(&of_function("cart")).await;
    stage.requests(1).await;
    assert_eq!(stage.deliveries_when_routed().await, 1);
    let held = stage.store.silences_of_incident(another(0).id.as_str(), "", now).await.expect("read");
    assert_eq!(held.iter().map(|silence| silence.id).collect::<Vec<_>>(), [id]);
    assert!(stage.metrics().contains("overrun_alerts_muted_total 1"));
    stage.clock.advance(SignedDuration::from_hours(2));
    // What comes late about what was silenced tells nobody; what happens now does.
    stage.change(&Incident { summary: "more is known".to_owned(), ..another(0) }).await;
    stage.change(&another(1)).await;
    stage.requests(2).await;
    assert_eq!(stage.deliveries_when_routed().await, 2);
    daemon.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn fifty_functions_that_wait_for_one_dependency_are_one_page(pool: PgPool) {
    let stage = Stage::set(pool, "[[inhibit]]\nname = 'one page'\nequal = ['diagnosis.cause.target']\nlasts = '10m'").await;
    let daemons = [stage.daemon(options()), Stage { registry: Registry::new(), ..stage.clone() }.daemon(options())];
    for number in 0..50 {
        stage.change(&of_function(&"f".repeat(number + 1))).await;
    }
    assert_eq!(stage.deliveries_when_routed().await, 1);
    let first = stage.store.deliveries(1).await.expect("read").remove(0).incident;
    // The same problem goes on being told, another dependency is another page, and so is what comes when it is over.
    let mut again = of_function(first.function.as_ref().expect("named").as_str());
    again.id = testing::bare_incident().id;
    again.request_id = Some("again".into());
    stage.change(&again).await;
    assert_eq!(stage.deliveries_when_routed().await, 2);
    let mut elsewhere = of_function("other");
    elsewhere.diagnosis.cause.operation = Some("GET stock.internal/items".to_owned());
    stage.change(&elsewhere).await;
    assert_eq!(stage.deliveries_when_routed().await, 3);
    let mut unknown = of_function("nobody knows");
    unknown.diagnosis.cause.operation = None;
    stage.change(&unknown).await;
    assert_eq!(stage.deliveries_when_routed().await, 4, "what is not known is not equal");
    stage.clock.advance(SignedDuration::from_mins(10));
    stage.change(&of_function("late")).await;
    assert_eq!(stage.deliveries_when_routed().await, 5);
    for daemon in daemons {
        daemon.stop().await;
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn outside_its_hours_a_rule_waits_and_in_muted_ones_it_is_silent(pool: PgPool) {
    // The stage's clock says 22:24 on a Friday.
    let hours = "[[time_interval]]\nname = 'office hours'\ntime_zone = 'Europe/Berlin'\ndays = ['monday:friday']\nhours = ['09:00-17:00']\n\
                 [[time_interval]]\nname = 'nights'\nhours = ['22:00-06:00']";
    let stage = Stage::set(pool, &format!("active = ['office hours']\ngroup_by = ['problem']\n{hours}")).await;
    let daemon = stage.daemon(options());
    stage.change(&another(0)).await;
    stage.change(&another(1)).await;
    assert_eq!(stage.deliveries_when_routed().await, 0);
    assert_eq!(stage.store.next_group_at().await.expect("read"), Some(testing::at("2026-11-23T08:00:00Z")));
    wait_until(&stage, "2026-11-23T08:00:00Z");
    assert_eq!(said(&stage, 1).await[0]["more"], 1);
    daemon.stop().await;
    stage.rules.send_replace(parse(&format!(
        "{}[[rule]]\nname = 'r2'\nactions = ['hook']\nmute = ['nights']\n{hours}",
        stage.receiver.action("hook")
    )));
    wait_until(&stage, "2026-11-23T23:00:00Z");
    let stage = Stage { registry: Registry::new(), ..stage };
    let daemon = stage.daemon(options());
    stage.change(&another(3)).await;
    assert_eq!(stage.deliveries_when_routed().await, 1);
    daemon.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_waits_for_hours_is_told_once_and_holds_up_nobody(pool: PgPool) {
    let hours = "active = ['office hours']\n[[time_interval]]\nname = 'office hours'\ndays = ['monday:friday']\nhours = ['09:00-17:00']";
    let stage = Stage::set(pool, hours).await;
    let daemon = stage.daemon(options());
    stage.change(&another(4)).await;
    stage.change(&Incident { summary: "more is known".to_owned(), ..another(4) }).await;
    assert_eq!(stage.deliveries_when_routed().await, 0);
    wait_until(&stage, "2026-11-23T09:00:00Z");
    stage.requests(1).await;
    wait_until(&stage, "2026-11-23T23:00:00Z");
    stage.change(&Incident { summary: "still more is known".to_owned(), ..another(4) }).await;
    assert_eq!(stage.deliveries_when_routed().await, 1);
    assert_eq!(stage.store.next_group_at().await.expect("read"), None);
    daemon.stop().await;
}
