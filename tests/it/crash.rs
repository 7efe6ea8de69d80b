//! `kill -9` at the worst moments: what was acknowledged is not lost, and nobody is told under another identity.

use serde_json::json;

use crate::support::{Database, Launch, Receivers, eventually, report, request_id};

/// A daemon that gives a dead one's deliveries up for claiming after a short time.
fn launch(database: &Database, receivers: &Receivers) -> Launch {
    Launch::on(database)
        .rules(&receivers.rules())
        .with("OVERRUN__ALERTS__ATTEMPT_TIMEOUT_MS", "2000")
        .with("OVERRUN__ALERTS__LEASE_MS", "2500")
        .with("OVERRUN__ALERTS__POLL_INTERVAL_MS", "100")
}

#[tokio::test]
async fn killed_between_incident_and_delivery_it_delivers_after_the_next_start() {
    let (database, receivers) = (Database::create().await, Receivers::with_tls());
    let daemon = launch(&database, &receivers).start().await;
    let id = request_id(41);
    daemon.push("lambda_text", &report(&id)).await;
    let incident = daemon.incident(&id, |incident| incident["state"] == "confirmed").await;
    daemon.kill();

    let (mut webhook, mut mailbox) = (receivers.open_webhook(&json!([])).await, receivers.open_mailbox().await);
    let daemon = launch(&database, &receivers).start().await;
    let (said, mail) = (webhook.next().await, mailbox.next().await);
    assert_eq!((&said["refused"], &said["event"]["data"]["id"]), (&json!(null), &incident["id"]));
    let text = mail["text"].as_str().expect("text");
    assert!(text.lines().next().is_some_and(|line| line.contains(incident["summary"].as_str().expect("text"))), "{text}");
    daemon.stop().await;
}

#[tokio::test]
async fn killed_in_the_middle_of_a_delivery_it_repeats_it_under_the_same_identity() {
    let (database, receivers) = (Database::create().await, Receivers::plain());
    let mut webhook = receivers.open_webhook(&json!(["hold"])).await;
    let daemon = launch(&database, &receivers).start().await;
    daemon.push("lambda_text", &report(&request_id(42))).await;
    // The receiver has it, and the daemon will never know.
    let first = webhook.next().await;
    daemon.kill();
    let daemon = launch(&database, &receivers).start().await;
    let repeat = webhook.next().await;
    assert_eq!(repeat["refused"], json!(null));
    assert_eq!(repeat["headers"]["webhook-id"], first["headers"]["webhook-id"]);
    assert_eq!(repeat["event"], first["event"], "the same event, to the letter");
    let pool = database.pool().await;
    let delivered = "select count(*) from deliveries where action = 'inbox' and state = 'delivered'";
    eventually("the delivery is done", async || {
        let count: i64 = sqlx::query_scalar(delivered).fetch_one(&pool).await.expect("a count");
        (count == 1).then_some(())
    })
    .await;
    daemon.stop().await;
}

#[tokio::test]
async fn killed_right_after_it_acknowledged_evidence_it_makes_the_incident_after_the_next_start() {
    let database = Database::create().await;
    let daemon = Launch::on(&database).start().await;
    // Evidence can be stored, but no incident: as if it died before it came to that.
    let pool = database.pool().await;
    let mut blocker = pool.begin().await.expect("the database is there");
    sqlx::query("lock table incidents in access exclusive mode").execute(&mut *blocker).await.expect("locked");
    let id = request_id(43);
    daemon.push("lambda_text", &report(&id)).await;
    daemon.kill();
    blocker.rollback().await.expect("unlocked");
    let incidents: i64 = sqlx::query_scalar("select count(*) from incidents").fetch_one(&pool).await.expect("a count");
    assert_eq!(incidents, 0);
    let daemon = Launch::on(&database).start().await;
    let incident = daemon.incident(&id, |_| true).await;
    assert_eq!(incident["state"], "confirmed");
    daemon.stop().await;
}
