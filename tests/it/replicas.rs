//! Several daemons on one Postgres are one: who heard what, and in which order, makes no difference.

use serde_json::Value;

use crate::support::{Answer, Daemon, Database, eventually, fixture};

const REQUEST: &str = "5a8d443a-13b3-4ebb-ba23-4f774cedbd89";

/// What a sender sends at once.
struct Piece {
    path: &'static str,
    content_type: &'static str,
    body: String,
}

/// Everything that was recorded of one request, line by line, as its different sources would send it.
fn pieces() -> Vec<Piece> {
    let piece = |path, content_type| move |body: &str| Piece { path, content_type, body: body.to_owned() };
    let (watchdog, traces, log) =
        (fixture("lambda_rie/watchdog.jsonl"), fixture("lambda_rie/traces.jsonl"), fixture("lambda_rie/function.log"));
    let mut pieces: Vec<Piece> = watchdog.lines().take(1).map(piece("/v1/watchdog", "application/json")).collect();
    pieces.extend(traces.lines().take(1).map(piece("/v1/traces", "application/json")));
    pieces.extend(log.lines().filter(|line| line.contains(REQUEST)).map(piece("/v1/push/auto", "text/plain")));
    assert_eq!(pieces.len(), 5);
    pieces
}

async fn post(daemon: &Daemon, piece: &Piece) -> Answer {
    daemon.post(piece.path, piece.content_type, piece.body.clone()).await
}

/// The request's incident, without what tells when we came to know of it.
async fn incident(daemon: &Daemon) -> Option<Value> {
    let request = daemon.request(REQUEST).await?;
    let mut incident = request["incidents"].as_array()?.first()?.clone();
    let fields = incident.as_object_mut().expect("an object");
    assert!(fields.remove("first_seen_at").is_some() && fields.remove("changed_at").is_some());
    Some(incident)
}

/// What one daemon makes of it.
async fn alone() -> Value {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    for piece in pieces() {
        post(&daemon, &piece).await;
    }
    let whole = |incident: &Value| incident["state"] == "confirmed" && incident["diagnosis"]["cause"]["id"] == "no_client_timeout";
    let incident = eventually("the verdict of one daemon", async || incident(&daemon).await.filter(whole)).await;
    daemon.stop().await;
    incident
}

async fn agree(daemons: &[Daemon; 2], expected: &Value) {
    for daemon in daemons {
        let mut last = None;
        let look = async || {
            last = incident(daemon).await;
            (last.as_ref() == Some(expected)).then_some(())
        };
        eventually("the same verdict as that of one daemon", look).await;
    }
}

#[tokio::test]
async fn two_daemons_make_of_split_evidence_what_one_makes_of_it() {
    let expected = alone().await;
    assert_eq!(expected["summary"].as_str(), Some(SUMMARY));
    let (forward, mut backward) = (pieces(), pieces());
    backward.reverse();
    for pieces in [forward, backward] {
        let database = Database::create().await;
        let daemons = [Daemon::start(&database).await, Daemon::start(&database).await];
        for (number, piece) in pieces.iter().enumerate() {
            let answer = post(&daemons[number % 2], piece).await;
            assert!((200..300).contains(&answer.status), "{answer:?}");
        }
        agree(&daemons, &expected).await;
        // Once more, each to the other one.
        for (number, piece) in pieces.iter().enumerate() {
            post(&daemons[(number + 1) % 2], piece).await;
        }
        agree(&daemons, &expected).await;
        let pool = database.pool().await;
        let incidents: i64 = sqlx::query_scalar("select count(*) from incidents").fetch_one(&pool).await.expect("a count");
        assert_eq!(incidents, 1);
    }
}

#[tokio::test]
async fn two_daemons_that_hear_everything_at_once_agree() {
    let expected = alone().await;
    let database = Database::create().await;
    let daemons = [Daemon::start(&database).await, Daemon::start(&database).await];
    let pieces = pieces();
    let both = daemons.iter().flat_map(|daemon| pieces.iter().map(move |piece| post(daemon, piece)));
    for answer in futures_util::future::join_all(both).await {
        assert!((200..300).contains(&answer.status), "{answer:?}");
    }
    agree(&daemons, &expected).await;
}

const SUMMARY: &str =
    "AWS Lambda's function timeout (3 s) fired; 2.52 s went into POST payments.internal/charge, which has no client timeout";
