use sqlx::{Connection, PgConnection, PgPool};

use super::*;
use crate::testing::{at, batch, delivery_to_make, line, number, settle, timeout};
use crate::{ChangeKind, NewSilence, ProblemState};

fn deliver(change: &Change) -> Vec<NewDelivery> {
    let id = format!("{}-pager", change.incident.id);
    vec![delivery_to_make(&id, change.at)]
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_change_is_routed_once_and_delivered_once(pool: PgPool) {
    let store = Store::from_pool(pool.clone());
    store.append(&[batch(0, [timeout("r1", 0)])]).await.unwrap();
    settle(&store, 0).await;
    let (one, two) = tokio::join!(store.route_changes(at(0), 10, deliver, None), store.route_changes(at(0), 10, deliver, None));
    assert_eq!(one.unwrap().changes + two.unwrap().changes, 1);
    // A second change of the same incident: the same delivery.
    store.append(&[batch(1, [line("r1", 0, "late")])]).await.unwrap();
    settle(&store, 1).await;
    assert_eq!(store.route_changes(at(1), 10, deliver, None).await.unwrap().changes, 1);
    assert_eq!(store.route_changes(at(1), 10, deliver, None).await.unwrap().changes, 0);
    assert_eq!(number(&pool, "select count(*) from deliveries").await, 1);
}

/// Does what another process does at that moment: takes all changes that nobody has taken.
fn take_all(pool: &PgPool) {
    let options = (*pool.connect_options()).clone();
    let take = async move {
        let mut another = PgConnection::connect_with(&options).await.unwrap();
        sqlx::query("update incident_changes set routed_at = now() where routed_at is null").execute(&mut another).await.unwrap();
    };
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    std::thread::spawn(move || runtime().block_on(take)).join().unwrap();
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn what_another_process_has_taken_meanwhile_is_left_to_it(pool: PgPool) {
    struct Slow<R>(R, PgPool);
    impl<R: Router> Router for Slow<R> {
        type Matched = R::Matched;

        fn look(&self, changes: &[Change]) -> (Wanted, R::Matched) {
            self.0.look(changes)
        }

        fn plan(&self, changes: &[Change], matched: R::Matched, known: Known) -> Plan {
            take_all(&self.1);
            self.0.plan(changes, matched, known)
        }
    }
    let store = Store::from_pool(pool.clone());
    happen(&store, 0).await;
    assert_eq!(store.route_changes(at(0), 1, Slow(deliver, pool.clone()), None).await.unwrap(), Routed::default());
    happen(&store, 1).await;
    let rules = Grouping { due: None, seen: std::sync::Mutex::default() };
    assert_eq!(store.route_changes(at(1), 1, Slow(&rules, pool.clone()), None).await.unwrap(), Routed::default());
    assert_eq!(number(&pool, "select (select count(*) from deliveries) + (select count(*) from alert_groups)").await, 0);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_rule_sees_changes_in_order_and_as_they_were(pool: PgPool) {
    let store = Store::from_pool(pool);
    for minute in 0..3 {
        store.append(&[batch(minute, [timeout("r1", minute)])]).await.unwrap();
        settle(&store, minute).await;
    }
    let seen = std::sync::Mutex::new(Vec::new());
    let note = |change: &Change| -> Vec<NewDelivery> {
        seen.lock().unwrap().push((change.kind, change.at, change.incident.summary.clone()));
        Vec::new()
    };
    let mut routed = Vec::new();
    for _ in 0..2 {
        let done = store.route_changes(at(3), 2, &note, None).await.unwrap();
        routed.push((done.changes, done.more_may_wait));
    }
    assert_eq!(routed, [(2, true), (1, false)]);
    let expected = [(ChangeKind::Opened, 0), (ChangeKind::Updated, 1), (ChangeKind::Updated, 2)];
    let expected = expected.map(|(kind, minute)| (kind, at(minute), format!("{} claims", minute + 1)));
    assert_eq!(*seen.lock().unwrap(), expected);
}

/// Rules that put everything together, and tell at once or when `due`.
struct Grouping {
    due: Option<Timestamp>,
    seen: std::sync::Mutex<Vec<Known>>,
}

impl Router for &Grouping {
    type Matched = ();

    fn look(&self, changes: &[Change]) -> (Wanted, ()) {
        let wanted = Wanted {
            matches: changes.iter().map(|change| change.incident.id.to_string()).collect(),
            groups: vec!["all".to_owned()],
            windows: changes
                .iter()
                .map(|change| WantedWindow { group: "all".to_owned(), at: change.at, within: SignedDuration::from_mins(10), most: 2 })
                .collect(),
            rates: vec![WantedRate { group: "all".to_owned(), at: at(60), window: SignedDuration::from_mins(10), windows_before: 6 }],
            inhibitions: vec!["i".to_owned()],
            silences: true,
        };
        (wanted, ())
    }

    fn plan(&self, changes: &[Change], (): (), known: Known) -> Plan {
        let change = &changes[0];
        let new = deliver(change).remove(0);
        let group = AlertGroup {
            key: "all".to_owned(),
            rule: "all".to_owned(),
            action: "pager".to_owned(),
            told_at: self.due.is_none().then_some(change.at),
            told_by: self.due.is_none().then(|| new.id.clone()),
            more: 7,
            since: Some(at(0)),
            due_at: self.due,
            latest_change: change.id,
        };
        let inhibition =
            Inhibition { key: "i".to_owned(), name: "n".to_owned(), problem: "p".to_owned(), incident_id: "x".to_owned(), until: at(9) };
        let found = |change: &Change| NewMatch {
            id: change.incident.id.to_string(),
            rule: "all".to_owned(),
            group: Some("all".to_owned()),
            incident_id: change.incident.id.to_string(),
            at: change.at,
            muted_by: None,
        };
        self.seen.lock().unwrap().push(known);
        Plan {
            deliveries: if self.due.is_none() { vec![(change.id, new)] } else { Vec::new() },
            matches: changes.iter().map(found).collect(),
            groups: [("all".to_owned(), group)].into(),
            inhibitions: [("i".to_owned(), inhibition)].into(),
            silenced: [(change.incident.id.to_string(), 1)].into(),
        }
    }
}

fn everything() -> crate::ProblemFilter {
    crate::ProblemFilter { states: Vec::new(), stack: None, function: None, before: None, limit: 1 }
}

async fn happen(store: &Store, minute: i64) {
    store.append(&[batch(minute, [timeout(&format!("r{minute}"), minute)])]).await.unwrap();
    settle(store, minute).await;
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn what_is_decided_is_known_the_next_time(pool: PgPool) {
    let store = Store::from_pool(pool.clone());
    let rules = Grouping { due: None, seen: std::sync::Mutex::default() };
    for minute in [0, 1, 2, 30] {
        happen(&store, minute).await;
        store.route_changes(at(minute), 10, &rules, None).await.unwrap();
    }
    let seen = rules.seen.into_inner().unwrap();
    assert!(seen[0].groups.is_empty() && seen[0].windows.is_empty() && seen[0].rates.is_empty() && seen[0].inhibitions.is_empty());
    let group = &seen[3].groups["all"];
    assert_eq!((group.told_at, group.more, group.due_at), (Some(at(2)), 7, None));
    assert_eq!(seen[2].windows["all"].iter().map(|(at, _)| *at).collect::<Vec<_>>(), [at(0), at(1)]);
    assert!(!seen[3].windows.contains_key("all"), "nothing is so near");
    assert_eq!(seen[2].rates["all"], (0, 2));
    assert_eq!(seen[3].inhibitions["i"].until, at(9));
    assert_eq!(store.next_group_at().await.unwrap(), None);
    let first = store.list_problems(&everything()).await.unwrap().remove(0).latest_incident;
    let rows = store.matches_of(&first).await.unwrap();
    assert_eq!(rows, [MatchRow { rule: "all".to_owned(), muted_by: None, matched_at: at(30) }]);
    assert_eq!(number(&pool, "select count(*) from deliveries where context is not null and group_key is null").await, 4);
    // What was given up told nobody.
    sqlx::query("update deliveries set state = 'parked'").execute(&pool).await.unwrap();
    let rules = Grouping { due: Some(at(50)), seen: std::sync::Mutex::default() };
    happen(&store, 31).await;
    store.route_changes(at(31), 10, &rules, None).await.unwrap();
    assert_eq!(rules.seen.into_inner().unwrap()[0].groups["all"].told_at, None);

    assert_eq!(store.next_group_at().await.unwrap(), Some(at(50)));
    let tell = |due: Vec<(AlertGroup, Change)>, _: &[Silence]| {
        let (group, change) = due.into_iter().next().unwrap();
        assert_eq!(group.latest_change, change.id);
        let told = AlertGroup { due_at: None, ..group };
        Plan { groups: [(told.key.clone(), told)].into(), deliveries: vec![(change.id, deliver(&change).remove(0))], ..Plan::default() }
    };
    assert_eq!(store.tell_groups(at(49), 10, tell).await.unwrap(), 0);
    assert_eq!(store.tell_groups(at(50), 10, tell).await.unwrap(), 1);
    assert_eq!(store.tell_groups(at(51), 10, tell).await.unwrap(), 0);
    assert_eq!(number(&pool, "select count(*) from deliveries").await, 5);
    assert!(store.forget_routing(at(1_000)).await.unwrap() >= 7);
    assert_eq!(number(&pool, "select count(*) from rule_matches").await, 0);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn the_silences_that_hold_are_known(pool: PgPool) {
    let store = Store::from_pool(pool);
    let rules = Grouping { due: None, seen: std::sync::Mutex::default() };
    let silence = |ends_at| NewSilence {
        matchers: BTreeMap::new(),
        condition: None,
        comment: String::new(),
        created_by: "ada".to_owned(),
        ends_at: Some(at(ends_at)),
    };
    for minute in [0, 1, 2] {
        happen(&store, minute).await;
        store.route_changes(at(minute), 10, &rules, None).await.unwrap();
        store.add_silence(&silence(minute + 2), at(minute)).await.unwrap().unwrap();
    }
    let known = rules.seen.into_inner().unwrap().into_iter().map(|known| known.silences.len()).collect::<Vec<_>>();
    assert_eq!(known, [0, 1, 1], "the first has ended when the second holds");
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_change_says_what_it_means_for_its_problem(pool: PgPool) {
    let store = Store::from_pool(pool);
    let events = async |minute| {
        let seen = std::sync::Mutex::new(Vec::new());
        let note = |change: &Change| {
            seen.lock().unwrap().push((change.kind, change.problem_event));
            Vec::<NewDelivery>::new()
        };
        store.route_changes(at(minute), 10, &note, None).await.unwrap();
        seen.into_inner().unwrap()
    };
    happen(&store, 0).await;
    happen(&store, 1).await;
    assert_eq!(events(1).await, [(ChangeKind::Opened, Some(ProblemEvent::New)), (ChangeKind::Opened, None)]);
    let problem = store.list_problems(&everything()).await.unwrap().remove(0).id;
    for minute in [2, 3] {
        assert!(store.resolve_problem(&problem, "ada", at(minute)).await.unwrap());
    }
    assert_eq!(events(3).await, [(ChangeKind::Updated, Some(ProblemEvent::Resolved))], "it is resolved once");
    store.append(&[batch(6, [timeout("r5", 5), timeout("r6", 6)])]).await.unwrap();
    settle(&store, 6).await;
    assert_eq!(events(6).await, [(ChangeKind::Opened, Some(ProblemEvent::Regressed)), (ChangeKind::Opened, None)]);
    assert_eq!(store.problem(&problem).await.unwrap().unwrap().state, ProblemState::Regressed);
    assert!(store.reopen_problem(&problem, at(7)).await.unwrap());
    assert_eq!(events(7).await, [(ChangeKind::Updated, Some(ProblemEvent::Reopened))]);
}
