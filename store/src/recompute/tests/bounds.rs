//! Of a group that grew to its bounds only what its root stands for is told, and all of it is told by somebody.

use std::collections::BTreeSet;

use domain::{Claim, Evidence, Folded, Instance, Key, Kind, RequestId, StackName, TraceId};
use jiff::Timestamp;
use sqlx::PgPool;

use super::{append, incidents};
use crate::Store;
use crate::testing::{at, changes, fold, line, settle, timeout, worker};

/// How many requests of the chain overran.
const OVERRAN: usize = 8;

/// Requests that overran, each of which shares a trace with the next, and many beside them that did not: together more than a group may
/// hold. The further on, the more is known.
fn chain() -> Vec<Claim> {
    let of = |trace: usize, claim: Claim| Claim { trace_id: TraceId::parse(&format!("{:032x}", trace + 1)), ..claim };
    let overran = |number: usize| {
        let id = format!("r{number}");
        let beside = (0..40 + number).map(move |other| of(number, line(&format!("s{number}-{other}"), 0, "beside it")));
        let more = (0..number).map(|count| line(&id, 0, &format!("{count} more")));
        let own: Vec<Claim> =
            [of(number, timeout(&id, 0)), of(number + 1, line(&id, 0, "calls the next"))].into_iter().chain(more).collect();
        own.into_iter().chain(beside)
    };
    (0..OVERRAN).flat_map(overran).collect()
}

/// What each incident of the chain has to say: what its own group holds.
async fn by_themselves(store: &Store) -> Vec<String> {
    let mut said = Vec::new();
    for number in 0..OVERRAN {
        let root = Key::Request(RequestId::from(format!("r{number}").as_str()));
        let group = store.load_group(&StackName::default(), &root).await.unwrap();
        said.push(format!("{root}: {} claims", group.len()));
    }
    said
}

/// Folds until nothing is due, in so many rounds at most.
async fn settle_within(store: &Store, minute: i64, rounds: usize, fold: impl Fn(&[Evidence], Timestamp) -> Folded + Send + Sync + Copy) {
    for _ in 0..rounds {
        if !store.recompute(at(minute), 10, fold).await.unwrap().more_may_be_due {
            return;
        }
    }
    panic!("groups ask for each other for ever");
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn each_tells_what_its_own_group_holds_and_once(pool: PgPool) {
    let store = Store::from_pool(pool);
    append(&store, 0, chain()).await;
    settle_within(&store, 0, 10, fold).await;
    let said = by_themselves(&store).await;
    assert!(said.iter().collect::<BTreeSet<_>>().len() > 1);
    assert_eq!(incidents(&store).await, said);
    assert_eq!(changes(&store).await.len(), OVERRAN, "each is told once");

    // From every key once more, traces too: nothing is told, and nobody asks for more.
    sqlx::query(
        "insert into recomputes (stack, key, due_at) select distinct stack, key, seen_at from watched where key not like 'request/s%'",
    )
    .execute(store.pool())
    .await
    .unwrap();
    settle_within(&store, 0, 10, fold).await;
    assert_eq!(changes(&store).await, [""; 0]);
    assert_eq!(incidents(&store).await, said);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn the_order_in_which_it_came_changes_nothing(pool: PgPool) {
    let store = Store::from_pool(pool);
    let mut claims = chain();
    claims.reverse();
    // The calls come before, between and after what makes the groups due.
    let (late, early): (Vec<_>, Vec<_>) = claims.into_iter().enumerate().partition(|(index, _)| index % 3 == 0);
    for part in [early, late] {
        append(&store, 0, part.into_iter().map(|(_, claim)| claim)).await;
        settle_within(&store, 0, 10, fold).await;
    }
    let said = by_themselves(&store).await;
    assert_eq!(incidents(&store).await, said);
}

/// Folds as [`fold`] does, and says of request `r1` that the worker took it along.
fn fold_with_victim(evidence: &[Evidence], as_of: Timestamp) -> Folded {
    let mut folded = fold(evidence, as_of);
    let own: Vec<Evidence> = evidence.iter().filter(|one| one.claim.raw == "was running").cloned().collect();
    let Some(mut one) = own.first().cloned() else { return folded };
    if evidence.iter().any(|one| one.claim.kind == Kind::WorkerTimeout) {
        one.claim = Claim { kind: Kind::TimeoutNotice, ..timeout("r1", 14) };
        let summary = format!("{} claims", evidence.len());
        folded
            .incidents
            .extend(fold(&[one], as_of).incidents.into_iter().map(|incident| domain::Incident { summary: summary.clone(), ..incident }));
    }
    folded
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn what_nothing_makes_due_by_itself_is_told_by_its_own_group(pool: PgPool) {
    let store = Store::from_pool(pool);
    let ran = |request: &str, minute, raw: &str| Claim { pid: Some(7), ..line(request, minute, raw) };
    append(&store, 0, (2..600).map(|i| ran(&format!("r{i:03}"), i % 14, "ran there")).chain([ran("r1", 14, "was running")])).await;
    append(&store, 14, [worker(7, Kind::WorkerTimeout, 14)]).await;
    settle_within(&store, 14, 10, fold_with_victim).await;
    let root = Key::Request(RequestId::from("r1"));
    let own = store.load_group(&StackName::default(), &root).await.unwrap().len();
    assert_eq!(incidents(&store).await, [format!("request/r1: {own} claims"), "worker/7/: 256 claims".to_owned()]);
    assert_eq!(changes(&store).await.len(), 2);
}

/// Two that each hold what the other one's group told last, before both grew out of each other's sight.
#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn two_groups_do_not_ask_for_each_other_for_ever(pool: PgPool) {
    let store = Store::from_pool(pool);
    append(&store, 0, [timeout("r1", 0), timeout("r2", 0)]).await;
    settle(&store, 0).await;
    sqlx::query("update incidents set root = case subject when 'request/r1' then 'request/r2' else 'request/r1' end")
        .execute(store.pool())
        .await
        .unwrap();
    append(&store, 1, [timeout("r1", 0), timeout("r2", 0)]).await;
    settle_within(&store, 1, 10, fold).await;
    assert_eq!(incidents(&store).await, ["request/r1: 1 claims", "request/r2: 1 claims"]);
}

/// A line that names no request stands under what it has in common with others; an incident may be about it alone.
#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn an_incident_about_one_line_is_not_lost_with_the_group_that_found_it(pool: PgPool) {
    let store = Store::from_pool(pool);
    let about_lines = |evidence: &[Evidence], as_of: Timestamp| {
        let mut folded = fold(evidence, as_of);
        for incident in &mut folded.incidents {
            let stands = |one: &&Evidence| one.claim.is_anomalous() && one.claim.key().to_string() == incident.subject;
            let line = evidence.iter().find(stands).map(|one| Key::Loose(one.claim.id()).to_string());
            incident.subject = line.unwrap_or_default();
        }
        folded
    };
    let on_host = |claim| Claim { instance: Some(Instance::from("host")), ..claim };
    let stopped = on_host(Claim { kind: Kind::ServerStopped, request_id: None, ..line("", 0, "stopped") });
    append(&store, 0, [stopped, on_host(timeout("r1", 0))]).await;
    settle_within(&store, 0, 10, about_lines).await;
    assert_eq!(incidents(&store).await.len(), 2);
    // Told last by the request's group, which no longer leads there.
    for sql in ["update incidents set root = 'request/r1'", "delete from links", "delete from watched where key <> root"] {
        sqlx::query(sql).execute(store.pool()).await.unwrap();
    }
    append(&store, 0, [line("r1", 0, "late")]).await;
    settle_within(&store, 0, 10, about_lines).await;
    assert_eq!(incidents(&store).await.len(), 2);
}
