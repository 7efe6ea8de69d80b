//! The daemon says of a log what `overrun explain` says of it: groups are loaded with all that a verdict rests on, in
//! whatever batches the log came.

use std::collections::BTreeMap;
use std::path::Path;

use domain::{Evidence, Instance, Kind, SourceName, StackName};
use jiff::Timestamp;
use sqlx::PgPool;
use store::{Batch, IncidentFilter, Store};

use crate::parse::{Context, Fate, Format};

/// One run for each way in which workers end.
const LOGS: [&str; 11] = [
    "21.2.0-graceful-timeout.log",
    "21.2.0-killed-from-outside.log",
    "21.2.0-sys-exit-in-handler.log",
    "21.2.0-two-workers-time-out.log",
    "22.0.0-sigint-busy.log",
    "23.0.0-graceful-timeout-sync.log",
    "23.0.0-sync.log",
    "24.0.0-killed.log",
    "24.1.1-gthread-graceful.log",
    "27.0.1-sync-merged-request-id.log",
    "27.0.1-worker-failed-to-boot.log",
];

fn later() -> Timestamp {
    "2026-12-24T00:00:00Z".parse().expect("a time")
}

/// The evidence of a log as it reaches the daemon: with the instance that its sender names.
pub(super) fn evidence(stack: &StackName, instance: &str, log: &[u8]) -> Vec<Evidence> {
    let context = Context { instance: Some(Instance::from(instance)), ..Context::default() };
    let items = Format::Auto.parse(log, &context).items.into_iter();
    let claims = items.filter_map(|item| if let Fate::Evidence(claim) = item.fate { Some(*claim) } else { None });
    claims
        .map(|claim| Evidence { stack: stack.clone(), source: SourceName::from("test"), received_at: later(), origin: None, claim })
        .collect()
}

/// Incidents as JSON, by their IDs.
pub(super) async fn stored(store: &Store, stack: &StackName) -> BTreeMap<String, String> {
    let filter = IncidentFilter { stack: Some(stack.clone()), limit: 1000, ..IncidentFilter::default() };
    let found = store.incidents(&filter).await.expect("the database is there");
    found.into_iter().map(|stored| (stored.incident.id.to_string(), serde_json::to_string(&stored.incident).expect("JSON"))).collect()
}

pub(super) fn folded(evidence: &[Evidence]) -> BTreeMap<String, String> {
    let incidents = crate::fold(evidence, later()).incidents;
    incidents.into_iter().map(|incident| (incident.id.to_string(), serde_json::to_string(&incident).expect("JSON"))).collect()
}

pub(super) async fn take(store: &Store, evidence: &[Evidence]) {
    let digest = *blake3::hash(&serde_json::to_vec(evidence).expect("JSON")).as_bytes();
    let (stack, source) = (evidence[0].stack.clone(), evidence[0].source.clone());
    let evidence = evidence.to_vec();
    let batch = Batch {
        digest,
        stack,
        source,
        format: "auto".to_owned(),
        received_at: later(),
        bytes: 1,
        evidence,
        ignored: 0,
        rejected: Vec::new(),
    };
    store.append(&[batch]).await.expect("stored");
    while store.recompute(later(), 16, crate::fold).await.expect("the database is there").groups > 0 {}
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_daemon_says_what_explain_says(pool: PgPool) {
    let store = Store::from_pool(pool);
    for log in LOGS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/gunicorn").join(log);
        let bytes = std::fs::read(path).expect("a fixture");
        let stack = StackName::from(format!("{log} line by line"));
        let in_order = evidence(&stack, "web-1", &bytes);
        let until_stop = in_order.iter().position(|one| one.claim.kind == Kind::ServerStopping).unwrap_or(in_order.len());
        for (index, one) in in_order.iter().enumerate() {
            take(&store, std::slice::from_ref(one)).await;
            // While the server still runs, what is known so far is already told.
            if index + 1 == until_stop {
                assert_eq!(stored(&store, &stack).await, folded(&in_order[..until_stop]), "{stack}, before the stop");
            }
        }
        assert_eq!(stored(&store, &stack).await, folded(&in_order), "{stack}");

        let stack = StackName::from(format!("{log} backwards"));
        let mut backwards = evidence(&stack, "web-1", &bytes);
        backwards.reverse();
        for batch in backwards.chunks(3) {
            take(&store, batch).await;
        }
        assert_eq!(stored(&store, &stack).await, folded(&backwards), "{stack}");
    }
}
