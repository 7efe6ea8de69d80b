//! What the tests of this crate share: a little evidence, and a fold simple enough to know its result by heart.

use std::collections::BTreeSet;

use domain::{
    Cause, Claim, ClaimedOutcome, Diagnosis, Evidence, Fired, Folded, FunctionName, Incident, IncidentState, Kind, KnownFrom, Layer,
    Millis, ProblemId, RequestId, SourceName, StackName,
};
use jiff::Timestamp;
use sqlx::{ConnectOptions, PgConnection, PgPool};

use crate::incident_row::{self, NewRow};
use crate::{Batch, Change, ChangeKind, DeliveryContext, DeliveryOrder, Lease, NewDelivery, Store, StoreOptions, columns};

/// `minute` minutes after the beginning of the tests' time.
pub(crate) fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + minute * 60).unwrap()
}

/// A claim about a request that happened at `minute`.
pub(crate) fn line(request_id: &str, minute: i64, raw: &str) -> Claim {
    Claim { request_id: Some(RequestId::from(request_id)), observed_at: Some(at(minute)), ..Claim::new(Kind::AppLog, "test", raw) }
}

/// The same, saying that it timed out.
pub(crate) fn timeout(request_id: &str, minute: i64) -> Claim {
    Claim { kind: Kind::TimeoutNotice, outcome: Some(ClaimedOutcome::Timeout), ..line(request_id, minute, "Task timed out") }
}

/// A claim about a worker, which names no request.
pub(crate) fn worker(pid: u32, kind: Kind, minute: i64) -> Claim {
    Claim { pid: Some(pid), observed_at: Some(at(minute)), ..Claim::new(kind, "gunicorn", "worker") }
}

/// A batch of these claims, arrived at `minute`, with a digest of what is in it.
pub(crate) fn batch(minute: i64, claims: impl IntoIterator<Item = Claim>) -> Batch {
    let (stack, source) = (StackName::default(), SourceName::from("tests"));
    let evidence: Vec<Evidence> = claims
        .into_iter()
        .map(|claim| Evidence { stack: stack.clone(), source: source.clone(), received_at: at(minute), origin: None, claim })
        .collect();
    let digest = blake3::hash(&serde_json::to_vec(&evidence).unwrap()).into();
    Batch { digest, stack, source, format: "test".to_owned(), received_at: at(minute), bytes: 100, evidence, ignored: 0, rejected: vec![] }
}

/// One incident for each key with an anomaly; its summary counts the different claims of the whole group. An armed watchdog
/// asks to be looked at 10 minutes later.
pub(crate) fn fold(evidence: &[Evidence], as_of: Timestamp) -> Folded {
    let claims: BTreeSet<&Claim> = evidence.iter().map(|evidence| &evidence.claim).collect();
    let anomalous = evidence.iter().filter(|evidence| evidence.claim.is_anomalous());
    let subjects: BTreeSet<_> = anomalous.map(|evidence| (evidence.stack.clone(), evidence.claim.key())).collect();
    let armed_at = claims.iter().filter(|claim| claim.kind == Kind::WatchdogArmed).filter_map(|claim| claim.at()).max();
    let incidents = subjects.iter().map(|(stack, subject)| {
        let own = || claims.iter().filter(|claim| claim.key() == *subject);
        let is_confirmed = own().any(|claim| claim.outcome == Some(ClaimedOutcome::Timeout));
        Incident {
            started_at: own().filter_map(|claim| claim.at()).min(),
            ended_at: own().filter_map(|claim| claim.at()).max(),
            request_id: own().find_map(|claim| claim.request_id.clone()),
            trace_id: own().find_map(|claim| claim.trace_id.clone()),
            function: own().find_map(|claim| claim.function.clone()),
            state: if is_confirmed { IncidentState::Confirmed } else { IncidentState::Suspected },
            ..incident(stack, &subject.to_string(), &format!("{} claims", claims.len()))
        }
    });
    Folded { incidents: incidents.collect(), recheck_at: armed_at.map(|at| Millis::from_ms(600_000).after(at)).filter(|at| *at > as_of) }
}

/// An incident with something in every column that is searched.
pub(crate) fn incident(stack: &StackName, subject: &str, summary: &str) -> Incident {
    let fired = Fired { setting: "Timeout".to_owned(), value_ms: Some(Millis::from_ms(3000)), known_from: KnownFrom::Claimed, place: None };
    let key = domain::Key::Instance(domain::Instance::from(subject));
    Incident {
        subject: subject.to_owned(),
        problem: ProblemId::derive(&["checkout", "platform"]),
        function: Some(FunctionName::from("checkout")),
        state: IncidentState::Confirmed,
        elapsed_ms: Some(Millis::from_us(3_001_520)),
        summary: summary.to_owned(),
        diagnosis: Diagnosis { layer: Some(Layer::Platform), limit: Some(fired), cause: Cause::default(), ..Diagnosis::default() },
        ..Incident::suspected(stack.clone(), &key, 1)
    }
}

/// Writes an incident that came to be known at `minute`.
pub(crate) async fn write(connection: &mut PgConnection, incident: &Incident, minute: i64) {
    let json = columns::json(incident);
    let new = NewRow { incident, json: &json, root: &incident.subject, kind: ChangeKind::Opened, previous: None };
    incident_row::write(connection, &new, at(minute), "").await.unwrap();
}

/// Recomputes until nothing is due at `minute`; returns how many groups were done.
pub(crate) async fn settle(store: &Store, minute: i64) -> u64 {
    let mut done = 0;
    loop {
        let round = store.recompute(at(minute), 10, fold).await.unwrap();
        done += round.groups;
        if !round.more_may_be_due {
            return done;
        }
    }
}

/// A delivery that the rule `all` makes to the action `pager`.
pub(crate) fn delivery_to_make(id: &str, due_at: Timestamp) -> NewDelivery {
    NewDelivery {
        id: id.to_owned(),
        rule: "all".to_owned(),
        action: "pager".to_owned(),
        due_at,
        group: None,
        context: DeliveryContext::default(),
    }
}

/// A lease of what is due at `minute`, until `until`.
pub(crate) fn lease_at(minute: i64, until: i64) -> Lease<'static> {
    Lease { now: at(minute), until: at(until), limit: 10, order: DeliveryOrder::default() }
}

/// The changes that no rule has seen, in words; they count as seen afterwards.
pub(crate) async fn changes(store: &Store) -> Vec<String> {
    let seen = std::sync::Mutex::new(Vec::new());
    let note = |change: &Change| {
        let text = format!("{} {}: {}", change.kind.as_str(), change.incident.subject, change.incident.summary);
        seen.lock().unwrap().push(text);
        Vec::<NewDelivery>::new()
    };
    store.route_changes(at(0), 1000, &note, None).await.unwrap();
    seen.into_inner().unwrap()
}

/// A store with connections of its own to that database, as a daemon makes them.
pub(crate) async fn connected(pool: &PgPool, connections_max: u32) -> Store {
    let url = (*pool.connect_options()).clone().to_url_lossy().to_string();
    Store::connect(&StoreOptions { url: url.into(), connections_max }).await.unwrap()
}

/// One number from the database.
pub(crate) async fn number(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}
