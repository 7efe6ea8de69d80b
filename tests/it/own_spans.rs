//! The daemon observes itself: its own spans reach another collector, here a second Overrun.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Daemon, Database, Launch, report, request_id};

#[tokio::test]
async fn its_own_spans_reach_the_collector_that_it_is_given() {
    let (watching, watched) = (Database::create().await, Database::create().await);
    let collector = Daemon::start(&watching).await;
    let daemon = Launch::on(&watched).with("OVERRUN__TELEMETRY__OTLP_ENDPOINT", &collector.ingest).start().await;
    daemon.push("lambda_text", &report(&request_id(121))).await;
    daemon.incident(&request_id(121), |_| true).await;
    // What is left is sent before it ends.
    daemon.stop().await;
    let pool = watching.pool().await;
    let spans: Vec<Value> = sqlx::query_scalar("select claim from evidence where kind = 'span'").fetch_all(&pool).await.expect("rows");
    assert!(!spans.is_empty() && spans.iter().all(|span| span["function"] == "overrun"), "{spans:#?}");
    let names: BTreeSet<&str> = spans.iter().filter_map(|span| span["attributes"]["name"].as_str()).collect();
    assert!(["receive", "commit", "recompute"].iter().all(|name| names.contains(name)), "{names:?}");
    collector.stop().await;
}

#[tokio::test]
async fn a_collector_for_its_spans_that_is_away_does_not_hold_it_up() {
    let database = Database::create().await;
    let daemon = Launch::on(&database).with("OVERRUN__TELEMETRY__OTLP_ENDPOINT", "http://127.0.0.1:1").start().await;
    daemon.push("lambda_text", &report(&request_id(122))).await;
    daemon.incident(&request_id(122), |_| true).await;
    daemon.stop().await;
}
