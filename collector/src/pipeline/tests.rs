mod bursts;
mod equivalence;

use domain::{Claim, Instance, Kind, ManualClock, RequestId, SourceName, StackName};
use sqlx::PgPool;

use super::*;

struct Bench {
    pipeline: Pipeline,
    store: Store,
    stop: CancellationToken,
}

fn start(pool: PgPool, options: PipelineOptions, fold: fn(&[Evidence], Timestamp) -> Folded) -> Bench {
    let (store, stop) = (Store::from_pool(pool), CancellationToken::new());
    let clock = Arc::new(ManualClock::new("2026-11-22T12:05:06Z".parse().expect("a time")));
    let pipeline = Pipeline::start(store.clone(), clock, options, &Registry::new(), fold, stop.clone()).expect("a new registry");
    Bench { pipeline, store, stop }
}

fn batch(request_id: &str, kind: Kind) -> Batch {
    let received_at = "2026-11-22T12:05:06Z".parse().expect("a time");
    let mut claim = Claim::new(kind, "watchdog", request_id);
    claim.request_id = Some(RequestId::from(request_id));
    let (stack, source) = (StackName::default(), SourceName::from("test"));
    let evidence = vec![Evidence { stack: stack.clone(), source: source.clone(), received_at, origin: None, claim }];
    let digest = *blake3::hash(format!("{request_id} {kind:?}").as_bytes()).as_bytes();
    Batch { digest, stack, source, format: "watchdog".to_owned(), received_at, bytes: 1, evidence, ignored: 0, rejected: Vec::new() }
}

async fn stored(store: &Store, request_id: &str) -> usize {
    let record = store.request(None, &RequestId::from(request_id)).await.expect("the database is there");
    record.map_or(0, |record| record.evidence.len())
}

async fn incidents(store: &Store, request_id: &str) -> usize {
    let record = store.request(None, &RequestId::from(request_id)).await.expect("the database is there");
    record.map_or(0, |record| record.incidents.len())
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_acknowledged_is_stored(pool: PgPool) {
    let bench = start(pool, PipelineOptions::default(), crate::fold);
    bench.pipeline.submit(vec![batch("a", Kind::WatchdogClosed), batch("b", Kind::WatchdogClosed)]).await.expect("taken");
    assert_eq!((stored(&bench.store, "a").await, stored(&bench.store, "b").await), (1, 1));
    bench.pipeline.submit(vec![batch("a", Kind::WatchdogClosed)]).await.expect("a repetition is no fault");
    assert_eq!((stored(&bench.store, "a").await, bench.pipeline.metrics().batches_repeated.get()), (1, 1));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_full_queue_refuses_and_loses_nothing(pool: PgPool) {
    let options = PipelineOptions { queue_items_max: 1, commit_rows_max: 1, committers: 1, ..PipelineOptions::default() };
    let bench = start(pool.clone(), options, crate::fold);
    bench.pipeline.submit(vec![batch("first", Kind::WatchdogClosed)]).await.expect("taken");
    let mut blocker = pool.begin().await.expect("the database is there");
    sqlx::query("lock table evidence in access exclusive mode").execute(&mut *blocker).await.expect("locked");
    let submit = |id: &'static str| {
        let pipeline = bench.pipeline.clone();
        tokio::spawn(async move { pipeline.submit(vec![batch(id, Kind::WatchdogClosed)]).await })
    };
    let being_stored = submit("a");
    let waits =
        "select count(*) from pg_locks join pg_database on pg_database.oid = database where not granted and datname = current_database()";
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(&pool).await.expect("a count") == 0 {}
    let queued = submit("b");
    while bench.pipeline.metrics().queue_items.get() < 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.pipeline.submit(vec![batch("c", Kind::WatchdogClosed)]).await, Err(NotTaken::QueueFull));
    blocker.rollback().await.expect("unlocked");
    assert_eq!((being_stored.await.expect("no panic"), queued.await.expect("no panic")), (Ok(()), Ok(())));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_store_that_is_away_is_said_so(pool: PgPool) {
    let bench = start(pool.clone(), PipelineOptions::default(), crate::fold);
    pool.close().await;
    assert_eq!(bench.pipeline.submit(vec![batch("a", Kind::WatchdogClosed)]).await, Err(NotTaken::StoreAway));
    assert_eq!(bench.pipeline.metrics().commits.with_label_values(&["unavailable"]).get(), 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_batch_that_cannot_be_stored_does_not_sink_its_neighbours(pool: PgPool) {
    let bench = start(pool, PipelineOptions::default(), crate::fold);
    let mut bad = batch("bad", Kind::WatchdogClosed);
    // Before the first year that Postgres knows.
    (bad.received_at, bad.evidence[0].received_at) = (Timestamp::MIN, Timestamp::MIN);
    let (jobs, outcomes): (Vec<_>, Vec<_>) = [batch("a", Kind::WatchdogClosed), bad, batch("b", Kind::WatchdogClosed)]
        .into_iter()
        .map(|batch| {
            let (done, outcome) = oneshot::channel();
            (Job { batches: vec![batch], done }, outcome)
        })
        .unzip();
    commit::commit(&bench.pipeline.0, jobs).await;
    let mut said = Vec::new();
    for outcome in outcomes {
        said.push(outcome.await.expect("an answer"));
    }
    assert_eq!(said, [Ok(()), Err(NotTaken::Failed), Ok(())]);
    assert_eq!((stored(&bench.store, "a").await, stored(&bench.store, "b").await), (1, 1));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stop_refuses_the_new_and_finishes_the_old(pool: PgPool) {
    let bench = start(pool, PipelineOptions { commit_rows_max: 1, ..PipelineOptions::default() }, crate::fold);
    let waiting: Vec<_> = (0..20)
        .map(|n| {
            let pipeline = bench.pipeline.clone();
            tokio::spawn(async move { pipeline.submit(vec![batch(&format!("r{n}"), Kind::WatchdogFired)]).await })
        })
        .collect();
    while bench.pipeline.metrics().queue_items.get() == 0 && waiting.iter().any(|task| !task.is_finished()) {
        tokio::task::yield_now().await;
    }
    bench.stop.cancel();
    let mut taken = 0;
    for (n, task) in waiting.into_iter().enumerate() {
        match task.await.expect("no panic") {
            Ok(()) => {
                taken += 1;
                assert_eq!(stored(&bench.store, &format!("r{n}")).await, 1);
            }
            Err(refused) => assert_eq!(refused, NotTaken::Stopping),
        }
    }
    bench.pipeline.finished().await;
    let folded: i64 = sqlx::query_scalar("select count(*) from incidents").fetch_one(bench.store.pool()).await.expect("a count");
    assert_eq!(folded, taken, "what was taken is folded before the end");
    assert_eq!(bench.pipeline.submit(vec![batch("late", Kind::WatchdogFired)]).await, Err(NotTaken::Stopping));
}

fn panics_on_poison(evidence: &[Evidence], at: Timestamp) -> Folded {
    assert!(evidence.iter().all(|evidence| evidence.claim.instance != Some(Instance::from("poison"))), "poison");
    crate::fold(evidence, at)
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_panic_in_the_fold_leaves_incidents_and_loop_alive(pool: PgPool) {
    let bench = start(pool, PipelineOptions::default(), panics_on_poison);
    let until = async |request_id: &str| while incidents(&bench.store, request_id).await == 0 {};
    bench.pipeline.submit(vec![batch("a", Kind::WatchdogFired)]).await.expect("taken");
    until("a").await;
    let mut poison = batch("a", Kind::WatchdogNearMiss);
    poison.evidence[0].claim.instance = Some(Instance::from("poison"));
    bench.pipeline.submit(vec![poison]).await.expect("taken");
    while bench.pipeline.metrics().panics.with_label_values(&["fold"]).get() == 0 {
        tokio::task::yield_now().await;
    }
    bench.pipeline.submit(vec![batch("b", Kind::WatchdogFired)]).await.expect("taken");
    until("b").await;
    assert_eq!(incidents(&bench.store, "a").await, 1, "what was known about it stays");
}

#[test]
fn commits_keep_to_their_bound() {
    let sized = |rows: usize| {
        let mut batch = batch("a", Kind::AppLog);
        batch.evidence = vec![batch.evidence[0].clone(); rows];
        batch
    };
    let batches: Vec<_> = [3, 4, 5, 20, 1, 0].into_iter().map(sized).collect();
    assert_eq!(commit::ranges(&batches, 10), [0..2, 2..3, 3..4, 4..6]);
}

#[test]
fn misspelt_settings_fail_by_name() {
    let error = serde_json::from_str::<PipelineOptions>(r#"{"queue_item_max": 1}"#).expect_err("misspelt").to_string();
    assert!(error.contains("queue_item_max"), "{error}");
}
