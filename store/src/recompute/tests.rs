//! Incidents follow their evidence, whatever the order, repetition and company in which it comes.

mod bounds;

use std::time::Duration;

use domain::{Claim, ClaimedOutcome, Instance, Key, Kind, RequestId, StackName, TraceId};
use sqlx::{PgPool, Row};

use crate::testing::{at, batch, changes, delivery_to_make, fold, line, number, settle, timeout, worker};
use crate::{Change, IncidentFilter, Round, Store};

/// Subject and summary of every incident, by subject.
async fn incidents(store: &Store) -> Vec<String> {
    let filter = IncidentFilter { limit: 1000, ..IncidentFilter::default() };
    let stored = store.incidents(&filter).await.unwrap();
    let mut said: Vec<_> = stored.iter().map(|stored| format!("{}: {}", stored.incident.subject, stored.incident.summary)).collect();
    said.sort();
    said
}

async fn append(store: &Store, minute: i64, claims: impl IntoIterator<Item = Claim>) {
    store.append(&[batch(minute, claims)]).await.unwrap();
}

fn traced(claim: Claim) -> Claim {
    Claim { trace_id: TraceId::parse("6a3f1c209a8fbf0a9c13eafa397c5a3b"), ..claim }
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn an_incident_and_its_change_are_written_once(pool: PgPool) {
    let store = Store::from_pool(pool.clone());
    append(&store, 0, [line("r1", 0, "start"), timeout("r1", 1)]).await;
    assert_eq!(settle(&store, 1).await, 1);
    assert_eq!(incidents(&store).await, ["request/r1: 2 claims"]);
    assert_eq!(changes(&store).await, ["opened request/r1: 2 claims"]);

    // The same claims again, in another batch: looked at, but nothing is written.
    append(&store, 2, [timeout("r1", 1)]).await;
    assert_eq!(settle(&store, 2).await, 1);
    assert_eq!(changes(&store).await, [""; 0]);
    assert_eq!(number(&pool, "select count(*) from recomputes").await, 0);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn late_evidence_of_the_request_changes_it(pool: PgPool) {
    let store = Store::from_pool(pool);
    append(&store, 0, [timeout("r1", 0), line("r2", 0, "healthy")]).await;
    settle(&store, 0).await;
    append(&store, 500, [line("r1", 0, "late"), line("r2", 500, "late, and nobody waits for it")]).await;
    assert_eq!(settle(&store, 500).await, 1);
    assert_eq!(incidents(&store).await, ["request/r1: 2 claims"]);
    assert_eq!(changes(&store).await, ["opened request/r1: 1 claims", "updated request/r1: 2 claims"]);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn evidence_of_its_trace_reaches_it_from_either_side(pool: PgPool) {
    let store = Store::from_pool(pool);
    let span = |raw| traced(Claim { request_id: None, ..line("", 0, raw) });
    append(&store, 0, [span("before anybody knew the request")]).await;
    append(&store, 0, [timeout("r1", 0)]).await;
    settle(&store, 0).await;
    append(&store, 1, [traced(line("r1", 0, "joins both"))]).await;
    settle(&store, 1).await;
    append(&store, 2, [span("after")]).await;
    append(&store, 3, [traced(line("r2", 0, "another request of the trace"))]).await;
    settle(&store, 3).await;
    append(&store, 4, [line("r2", 0, "late line of that other request")]).await;
    settle(&store, 4).await;
    assert_eq!(incidents(&store).await, ["request/r1: 6 claims"]);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_workers_incident_takes_in_what_ran_there_near_it(pool: PgPool) {
    let store = Store::from_pool(pool);
    let ran = |request_id, minute| Claim { pid: Some(7), ..line(request_id, minute, "ran there") };
    append(&store, 0, [ran("long before", 0), worker(7, Kind::AppLog, 0), worker(7, Kind::WorkerBoot, 0), ran("before", 90)]).await;
    append(&store, 100, [worker(7, Kind::WorkerTimeout, 100)]).await;
    settle(&store, 100).await;
    assert_eq!(incidents(&store).await, ["worker/7/: 3 claims"], "the anomaly, the boot, one request");
    append(&store, 200, [ran("late news of then", 99), line("before", 90, "by its own ID only")]).await;
    assert!(settle(&store, 200).await > 0);
    assert_eq!(incidents(&store).await, ["worker/7/: 5 claims"]);

    let unrelated = batch(200, [ran("long after", 200), worker(7, Kind::AppLog, 200), worker(8, Kind::AppLog, 100)]);
    assert_eq!(store.append(&[unrelated]).await.unwrap().groups_due, 0);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_healthy_request_beside_an_incident_causes_no_work(pool: PgPool) {
    let store = Store::from_pool(pool);
    let on_host = |claim| Claim { instance: Some(Instance::from("host")), ..claim };
    append(&store, 0, [on_host(timeout("r1", 0))]).await;
    settle(&store, 0).await;
    assert_eq!(store.append(&[batch(0, [on_host(line("r2", 0, "healthy"))])]).await.unwrap().groups_due, 0);
    let host_log = Claim { request_id: None, ..on_host(line("", 0, "what the host said then")) };
    assert_eq!(store.append(&[batch(0, [host_log])]).await.unwrap().groups_due, 1);
    settle(&store, 0).await;
    assert_eq!(incidents(&store).await, ["request/r1: 2 claims"]);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_new_state_is_said_with_the_old_one(pool: PgPool) {
    let store = Store::from_pool(pool.clone());
    append(&store, 0, [Claim { outcome: Some(ClaimedOutcome::Crash), ..timeout("r1", 0) }]).await;
    settle(&store, 0).await;
    append(&store, 0, [timeout("r1", 0)]).await;
    settle(&store, 0).await;
    assert_eq!(
        number(&pool, "select count(*) from incident_changes where kind = 'state_changed' and previous_state = 'suspected'").await,
        1
    );
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn what_the_group_no_longer_shows_is_removed(pool: PgPool) {
    let store = Store::from_pool(pool);
    append(&store, 0, [timeout("r1", 0), worker(7, Kind::WorkerTimeout, 0)]).await;
    settle(&store, 0).await;
    assert_eq!(incidents(&store).await.len(), 2);
    append(&store, 1, [timeout("r1", 1)]).await;
    let nothing = |_: &[domain::Evidence], _| domain::Folded::default();
    assert_eq!(store.recompute(at(1), 10, nothing).await.unwrap().groups, 1);
    assert_eq!(incidents(&store).await, ["worker/7/: 1 claims"], "another group's incident stays");
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_fold_that_fails_leaves_what_stands(pool: PgPool) {
    let store = Store::from_pool(pool);
    append(&store, 0, [timeout("r1", 0)]).await;
    settle(&store, 0).await;
    append(&store, 1, [line("r1", 1, "more")]).await;
    let fails = |_: &[domain::Evidence], _| None;
    assert_eq!(store.recompute(at(1), 10, fails).await.unwrap().groups, 1);
    assert_eq!(incidents(&store).await, ["request/r1: 1 claims"]);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_round_says_whether_another_is_worth_while(pool: PgPool) {
    let store = Store::from_pool(pool);
    let round = async || store.recompute(at(0), 2, fold).await.unwrap();
    assert_eq!(round().await, Round { groups: 0, more_may_be_due: false });
    append(&store, 0, [timeout("r1", 0)]).await;
    assert_eq!(round().await, Round { groups: 1, more_may_be_due: false });
    append(&store, 0, [timeout("r2", 0), timeout("r3", 0), timeout("r4", 0)]).await;
    assert_eq!(round().await, Round { groups: 2, more_may_be_due: true });
    assert_eq!(round().await, Round { groups: 1, more_may_be_due: false });
    // The group takes in what nobody has watched for it so far: it is looked at once more.
    append(&store, 0, [traced(line("r5", 0, "of the trace"))]).await;
    append(&store, 0, [traced(timeout("r6", 0))]).await;
    assert_eq!(round().await, Round { groups: 1, more_may_be_due: true });
    assert_eq!(round().await, Round { groups: 1, more_may_be_due: false });
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn what_is_stored_wakes_whoever_folds_it_and_nothing_else_does(pool: PgPool) {
    let store = Store::from_pool(pool);
    let woken = async || tokio::time::timeout(Duration::ZERO, store.group_due()).await.is_ok();
    append(&store, 0, [line("r1", 0, "healthy")]).await;
    assert!(!woken().await);
    append(&store, 0, [timeout("r1", 0)]).await;
    assert!(woken().await);
    settle(&store, 0).await;
    append(&store, 1, [line("r1", 1, "late")]).await;
    assert!(woken().await);
}

/// Each exchange is a wait for the database on the way from an event to its message.
#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn the_way_to_a_message_has_so_many_exchanges(pool: PgPool) {
    let one = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect_with((*pool.connect_options()).clone()).await.unwrap();
    let store = Store::from_pool(one);
    let executed = async || {
        let counted = "select coalesce(sum(generic_plans + custom_plans), 0)::bigint from pg_prepared_statements";
        let row = sqlx::raw_sql(counted).fetch_one(store.pool()).await.unwrap();
        row.get::<i64, _>(0)
    };
    let new = |change: &Change| vec![delivery_to_make(&change.id.to_string(), at(0))];
    // The first makes the tables ready, and its problem known.
    append(&store, 0, [timeout("r1", 0)]).await;
    settle(&store, 0).await;
    store.route_changes(at(0), 10, new, None).await.unwrap();
    let mut marks = vec![executed().await];
    append(&store, 0, [timeout("r2", 0)]).await;
    marks.push(executed().await);
    settle(&store, 0).await;
    marks.push(executed().await);
    store.route_changes(at(0), 10, new, None).await.unwrap();
    marks.push(executed().await);
    let exchanges: Vec<i64> = marks.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(exchanges, [2, 4, 2], "the second of the first when it is stored; the middle ones beside begin and commit");
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn silence_is_looked_at_when_its_time_comes(pool: PgPool) {
    let store = Store::from_pool(pool);
    append(&store, 0, [Claim { kind: Kind::WatchdogArmed, ..line("r1", 0, "armed") }]).await;
    settle(&store, 0).await;
    assert_eq!(store.next_recompute_at().await.unwrap(), Some(at(10)));
    assert_eq!(settle(&store, 9).await, 0);
    append(&store, 9, [line("r1", 9, "more")]).await;
    assert_eq!(settle(&store, 9).await, 1);
    assert_eq!(settle(&store, 10).await, 1, "asked for twice, done once");
    assert_eq!(store.next_recompute_at().await.unwrap(), None);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn many_writers_at_once_agree_with_one(pool: PgPool) {
    let store = Store::from_pool(pool);
    let claims: Vec<Claim> = (0..40)
        .map(|i| {
            let request = format!("r{}", i % 5);
            let claim = if i % 10 == 0 { timeout(&request, i) } else { line(&request, i, &format!("line {i}")) };
            Claim { pid: (i % 3 == 0).then_some(7), ..if i % 7 == 0 { traced(claim) } else { claim } }
        })
        .chain([worker(7, Kind::WorkerTimeout, 20)])
        .collect();
    let appending = claims.chunks(3).map(|part| {
        let (store, batch) = (store.clone(), batch(0, part.to_vec()));
        tokio::spawn(async move {
            store.append(&[batch]).await.unwrap();
            while store.recompute(at(100), 2, fold).await.unwrap().groups > 0 {}
        })
    });
    for task in appending.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    settle(&store, 100).await;
    let together = incidents(&store).await;
    assert_eq!(together.len(), 2, "{together:?}");

    // Folding all of it once more, from every key, changes nothing.
    sqlx::query("insert into recomputes (stack, key, due_at) select distinct stack, key, received_at from evidence")
        .execute(store.pool())
        .await
        .unwrap();
    changes(&store).await;
    settle(&store, 100).await;
    assert_eq!(changes(&store).await, [""; 0]);
    assert_eq!(incidents(&store).await, together);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_crowded_worker_gives_the_nearest_and_is_the_same_every_time(pool: PgPool) {
    let store = Store::from_pool(pool.clone());
    let ran = (0..600).map(|i| Claim { pid: Some(7), ..line(&format!("r{i:03}"), i % 14, "ran there") });
    append(&store, 0, ran).await;
    append(&store, 14, [worker(7, Kind::WorkerTimeout, 14)]).await;
    settle(&store, 14).await;
    let root = Key::Worker { instance: None, pid: 7 };
    let loaded = store.load_group(&StackName::default(), &root).await.unwrap();
    assert_eq!(loaded.len(), 256);
    assert!(loaded.iter().all(|evidence| evidence.claim.at().unwrap() >= at(7)));
    assert_eq!(store.load_group(&StackName::default(), &root).await.unwrap(), loaded);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_wide_trace_gives_a_bounded_group(pool: PgPool) {
    let store = Store::from_pool(pool);
    append(&store, 0, (0..200).map(|i| traced(line(&format!("r{i:03}"), 0, "of the trace")))).await;
    let root = Key::Request(RequestId::from("r150"));
    let loaded = store.load_group(&StackName::default(), &root).await.unwrap();
    assert_eq!(loaded.len(), 65, "64 of the trace, and itself");
}
