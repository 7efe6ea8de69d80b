use domain::{Evidence, Folded, Millis, ProblemId, StackName};
use sqlx::PgPool;

use super::*;
use crate::testing::{at, batch, incident, number, settle, timeout};

/// What the fold says about the group of `r1` and the like, decided by the test.
async fn fold_to(store: &Store, request: &str, minute: i64, incidents: Vec<Incident>) {
    store.append(&[batch(minute, [timeout(request, minute)])]).await.unwrap();
    let fold = |evidence: &[Evidence], _: Timestamp| {
        let is_here = evidence.iter().any(|one| one.claim.request_id.as_ref().is_some_and(|id| id.as_str() == request));
        Folded { incidents: if is_here { incidents.clone() } else { Vec::new() }, recheck_at: None }
    };
    while store.recompute(at(minute), 10, fold).await.unwrap().groups > 0 {}
}

fn of(request: &str, problem: &str, minute: i64) -> Incident {
    let subject = format!("request/{request}");
    Incident {
        problem: ProblemId::derive(&[problem]),
        ended_at: Some(at(minute)),
        elapsed_ms: Some(Millis::from_ms(1000 + minute)),
        ..incident(&StackName::default(), &subject, &format!("{request} ran out of time"))
    }
}

fn id(problem: &str) -> String {
    ProblemId::derive(&[problem]).as_str().to_owned()
}

fn all() -> ProblemFilter {
    ProblemFilter { states: Vec::new(), stack: None, function: None, before: None, limit: 50 }
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_problem_counts_its_incidents(pool: PgPool) {
    let store = Store::from_pool(pool);
    assert_eq!(store.list_problems(&all()).await.unwrap(), []);
    assert_eq!(store.problem("nothing\0").await.unwrap(), None);
    fold_to(&store, "r1", 3, vec![of("r1", "slow", 3)]).await;
    fold_to(&store, "r2", 9, vec![of("r2", "slow", 9)]).await;
    fold_to(&store, "r3", 5, vec![of("r3", "other", 5)]).await;
    // The same again changes nothing.
    fold_to(&store, "r1", 3, vec![of("r1", "slow", 3)]).await;
    let slow = store.problem(&id("slow")).await.unwrap().unwrap();
    assert_eq!((slow.incidents, slow.first_at, slow.last_at), (2, at(3), at(9)));
    assert_eq!((slow.summary.as_str(), slow.state, slow.function.as_deref()), ("r2 ran out of time", ProblemState::Open, Some("checkout")));
    let listed: Vec<_> = store.list_problems(&all()).await.unwrap().into_iter().map(|problem| problem.id).collect();
    assert_eq!(listed, [id("slow"), id("other")]);
    let next = ProblemFilter { before: Some((at(9), id("slow"))), ..all() };
    assert_eq!(store.list_problems(&next).await.unwrap().len(), 1);
    for filter in [ProblemFilter { stack: Some("shop".into()), ..all() }, ProblemFilter { function: Some("cart".into()), ..all() }] {
        assert_eq!(store.list_problems(&filter).await.unwrap(), [], "{filter:?}");
    }
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn an_incident_that_is_seen_otherwise_leaves_its_problem(pool: PgPool) {
    let store = Store::from_pool(pool.clone());
    fold_to(&store, "r1", 3, vec![of("r1", "unknown", 3)]).await;
    fold_to(&store, "r1", 3, vec![of("r1", "slow", 3)]).await;
    let ids: Vec<_> = store.list_problems(&all()).await.unwrap().into_iter().map(|problem| (problem.id, problem.incidents)).collect();
    assert_eq!(ids, [(id("slow"), 1)]);
    fold_to(&store, "r1", 3, Vec::new()).await;
    assert_eq!(number(&pool, "select count(*) from problems").await, 0);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_problem_is_resolved_and_comes_back(pool: PgPool) {
    let store = Store::from_pool(pool);
    fold_to(&store, "r1", 3, vec![of("r1", "slow", 3)]).await;
    assert!(!store.resolve_problem("nothing", "ada", at(10)).await.unwrap());
    assert!(store.resolve_problem(&id("slow"), "ada", at(10)).await.unwrap());
    let state = async || store.problem(&id("slow")).await.unwrap().unwrap().state;
    // News of what happened before, and what was only suspected or survived, is no return.
    fold_to(&store, "r2", 9, vec![of("r2", "slow", 9)]).await;
    fold_to(&store, "r3", 11, vec![Incident { state: IncidentState::Suspected, ..of("r3", "slow", 11) }]).await;
    assert_eq!(state().await, ProblemState::Resolved);
    assert_eq!(store.list_problems(&ProblemFilter { states: vec![ProblemState::Open], ..all() }).await.unwrap(), []);
    fold_to(&store, "r3", 11, vec![of("r3", "slow", 11)]).await;
    let back = store.problem(&id("slow")).await.unwrap().unwrap();
    assert_eq!((back.state, back.regressed_at, back.incidents), (ProblemState::Regressed, Some(at(11)), 3));
    assert_eq!((back.resolved_at, back.resolved_by.as_deref()), (Some(at(10)), Some("ada")));
    assert!(store.reopen_problem(&id("slow"), at(12)).await.unwrap());
    assert_eq!(state().await, ProblemState::Open);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_problem_shows_trend_releases_and_telling_incidents(pool: PgPool) {
    let store = Store::from_pool(pool);
    for (request, minute, release) in [("r1", 0, None), ("r2", 59, Some("1.2")), ("r3", 30, Some("1.2"))] {
        let slowest = if request == "r3" { 9000 } else { 1000 };
        let told = Incident {
            release: release.map(str::to_owned),
            version: Some("7".to_owned()).filter(|_| release.is_none()),
            elapsed_ms: Some(Millis::from_ms(slowest)),
            ..of(request, "slow", minute)
        };
        fold_to(&store, request, minute, vec![told]).await;
    }
    assert_eq!(store.problem_trend(&id("slow"), at(0), at(60), 6).await.unwrap(), [1, 0, 0, 1, 0, 1]);
    assert_eq!(store.problem_trend(&id("slow"), at(0), at(0), 2).await.unwrap(), [0, 0]);
    let releases: Vec<_> =
        store.problem_releases(&id("slow"), 9).await.unwrap().into_iter().map(|row| (row.release, row.incidents)).collect();
    assert_eq!(releases, [(Some("1.2".to_owned()), 2), (Some("7".to_owned()), 1)]);
    let telling: Vec<_> = store.incidents_of_problem(&id("slow"), 1).await.unwrap().into_iter().map(|one| one.incident.summary).collect();
    assert_eq!(telling, ["r1 ran out of time", "r3 ran out of time", "r2 ran out of time"]);
    settle(&store, 60).await;
}
