//! Serves the pages with made-up requests, for looking at them.
//!
//! ```text
//! DATABASE_URL=postgres://…/an_empty_database cargo run -p dashboard --example preview -- 127.0.0.1:4319 [all|hostile|empty]
//! ```

#[path = "../tests/it/support/mod.rs"]
mod support;

use std::error::Error;
use std::sync::Arc;

use dashboard::Dashboard;
use domain::ManualClock;
use store::{AttemptOutcome, NewDelivery, NewSilence, ProblemFilter, Store};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:4319".to_owned());
    let store = Store::from_pool(sqlx::PgPool::connect(&std::env::var("DATABASE_URL")?).await?);
    store.migrate().await?;
    let now = support::now();
    match arguments.next().as_deref() {
        Some("empty") => {}
        Some("hostile") => support::play(&store, &[support::samples::hostile(now - jiff::SignedDuration::from_mins(5))]).await,
        _ => {
            support::play(&store, &support::samples::all(now)).await;
            tell(&store).await?;
            silence(&store).await?;
        }
    }
    let dashboard = Dashboard {
        store,
        clock: Arc::new(ManualClock::new(now)),
        registry: prometheus::Registry::new(),
        ingest_url: "http://127.0.0.1:4318".to_owned(),
        propose: support::propose,
        startup: support::startup,
        check_silence: support::check_silence,
        retrying: support::retrying(),
        stop: tokio_util::sync::CancellationToken::new(),
        public_url: format!("http://{address}"),
    };
    println!("http://{address}");
    axum::serve(tokio::net::TcpListener::bind(&address).await?, dashboard::router(dashboard)).await?;
    Ok(())
}

/// A silence of one problem, and one of a function.
async fn silence(store: &Store) -> Result<(), Box<dyn Error>> {
    let now = support::now();
    let all = ProblemFilter { states: Vec::new(), stack: None, function: None, before: None, limit: 1 };
    let problem = store.list_problems(&all).await?.remove(0).id;
    let ends = [None, Some(now + jiff::SignedDuration::from_hours(4))];
    for ((name, value), ends_at) in [("problem", problem.as_str()), ("function", "thumbnail")].into_iter().zip(ends) {
        let silence = NewSilence {
            matchers: [(name.to_owned(), value.to_owned())].into(),
            condition: None,
            comment: "the payment provider is being moved".to_owned(),
            created_by: "ada".to_owned(),
            ends_at,
        };
        store.add_silence(&silence, now).await?;
    }
    Ok(())
}

/// Some deliveries, with all that can become of them.
async fn tell(store: &Store) -> Result<(), Box<dyn Error>> {
    let now = support::now();
    let route = |change: &store::Change| {
        vec![NewDelivery {
            id: format!("{:064}", change.id),
            rule: "checkout overran".into(),
            action: "oncall".into(),
            due_at: now,
            group: None,
            context: store::DeliveryContext::default(),
        }]
    };
    store.route_changes(now, 12, route, None).await?;
    let order = store::DeliveryOrder { by_stack: &[], unordered: &["oncall".to_owned()] };
    let lease = store::Lease { now, until: now + jiff::SignedDuration::from_mins(1), limit: 4, order };
    for (n, delivery) in store.claim_deliveries(lease).await?.iter().enumerate() {
        let detail = "503 Service Unavailable".to_owned();
        let outcome = match n % 4 {
            0 => AttemptOutcome::Refused { detail: "410 Gone: this hook was removed".into() },
            1 => AttemptOutcome::Retry { detail, due_at: now + jiff::SignedDuration::from_secs(90) },
            _ => AttemptOutcome::Delivered { detail: "202 Accepted".into() },
        };
        store.finish_attempt(&delivery.id, delivery.attempts, now, domain::Millis::from_ms(41), outcome).await?;
    }
    // The others go one after the other.
    store.claim_deliveries(store::Lease { order: store::DeliveryOrder::default(), ..lease }).await?;
    Ok(())
}
