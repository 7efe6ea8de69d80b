//! The dashboard as its readers meet it: over HTTP, against a real database.

mod api;
mod errors;
mod pages;
mod problems;
mod retry;
mod silences;
mod startup;
mod support;
mod visitor;

use std::sync::Arc;

use dashboard::Dashboard;
use domain::ManualClock;
use sqlx::PgPool;
use store::Store;

use crate::support::samples::Sample;
use crate::visitor::Visitor;

/// A dashboard over `samples`, looked at [`support::now`].
async fn visit(pool: &PgPool, samples: &[Sample]) -> Visitor {
    let store = Store::from_pool(pool.clone());
    support::play(&store, samples).await;
    open(store, "http://127.0.0.1:4319").await
}

/// A dashboard that is reached as `public_url`.
async fn open(store: Store, public_url: &str) -> Visitor {
    let registry = prometheus::Registry::new();
    let counter = prometheus::IntCounter::new("overrun_test_things_total", "things").expect("a valid name");
    registry.register(Box::new(counter)).expect("registered once");
    let dashboard = Dashboard {
        store,
        clock: Arc::new(ManualClock::new(support::now())),
        registry,
        ingest_url: "http://127.0.0.1:4318/".to_owned(),
        propose: support::propose,
        startup: support::startup,
        check_silence: support::check_silence,
        retrying: support::retrying(),
        stop: tokio_util::sync::CancellationToken::new(),
        public_url: public_url.to_owned(),
    };
    Visitor::of(dashboard::router(dashboard)).await
}
