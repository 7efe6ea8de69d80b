//! What changed about incidents: written with them, looked at once by the rules, whoever of several processes does it.

use domain::{Incident, IncidentState};
use jiff::Timestamp;
use sqlx::postgres::{PgListener, PgRow};
use sqlx::{Connection, PgConnection, Row};

use crate::columns::{self, indexed, time, times, without_nul};
use crate::{Store, StoreError, incident_row, locks};

/// The channel on which changes are announced; see [`Store::listen`].
const CHANNEL: &str = "overrun_changes";

/// What happened to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// It was not known before.
    Opened,
    /// More is known about it, in the same state.
    Updated,
    /// Its state is another.
    StateChanged,
}

impl ChangeKind {
    /// The word used in SQL and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Updated => "updated",
            Self::StateChanged => "state_changed",
        }
    }

    fn from_word(word: &str) -> Result<Self, StoreError> {
        [Self::Opened, Self::Updated, Self::StateChanged]
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or_else(|| StoreError::UnknownWord { column: "kind", found: word.to_owned() })
    }
}

/// One change of one incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// In order of entry.
    pub id: i64,
    /// When it changed.
    pub at: Timestamp,
    /// What happened.
    pub kind: ChangeKind,
    /// The state before; `None` when opened.
    pub previous_state: Option<IncidentState>,
    /// The incident as it is after this change.
    pub incident: Incident,
}

/// A delivery to be made because of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// The caller's digest of incident change, rule and action. A delivery of that ID that exists already is left alone.
    pub id: String,
    /// The rule that matched.
    pub rule: String,
    /// The action it goes to.
    pub action: String,
    /// When to make the first attempt.
    pub due_at: Timestamp,
    /// The group it belongs to, if one message about that is enough for a while.
    pub quiet: Option<Quiet>,
}

/// A group of deliveries of which only the first is made for some time. One that was parked does not count: it told nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// The caller's digest of rule, action and what the group has in common.
    pub group: String,
    /// The delivery is not written if the group has another one since this moment.
    pub since: Timestamp,
}

impl Store {
    /// Hands changes that no rule has seen to `route`, in order, and writes the deliveries that it answers with, all in one
    /// transaction. Returns how many changes there were.
    ///
    /// # Errors
    /// When the database does not answer; then no change counts as seen.
    pub async fn route_changes(
        &self,
        now: Timestamp,
        limit: u32,
        route: impl Fn(&Change) -> Vec<NewDelivery> + Send + Sync,
    ) -> Result<u64, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        let rows = sqlx::query(
            "select id, at, kind, previous_state, incident::text as incident
             from incident_changes
             where routed_at is null
             order by id
             limit $1
             for update skip locked",
        )
        .bind(i64::from(limit))
        .fetch_all(&mut *transaction)
        .await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let mut routed = Vec::with_capacity(rows.len());
        for row in &rows {
            let change = change(row)?;
            let deliveries = route(&change);
            routed.push((change, row.try_get::<&str, _>("incident")?, deliveries));
        }
        if routed.iter().any(|(_, _, deliveries)| deliveries.iter().any(|delivery| delivery.quiet.is_some())) {
            locks::groups(&mut transaction).await?;
        }
        for (change, json, deliveries) in &routed {
            write_deliveries(&mut transaction, change, json, deliveries, now).await?;
        }
        let ids: Vec<i64> = routed.iter().map(|(change, ..)| change.id).collect();
        sqlx::query("update incident_changes set routed_at = $2 where id = any($1)")
            .bind(&ids)
            .bind(time(now))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(ids.len() as u64)
    }

    /// Listens for changes. Takes one connection for itself.
    ///
    /// # Errors
    /// When no connection comes about.
    pub async fn listen(&self) -> Result<Listener, StoreError> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Listener(listener))
    }
}

/// Wakes whoever waits for changes. Announcements made while the connection was lost are not repeated, so look at
/// [`Store::route_changes`] now and then without being woken.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Listener {
    /// Waits until something changed, or may have changed while the connection was lost.
    ///
    /// # Errors
    /// When the connection is lost and cannot be restored.
    pub async fn next(&mut self) -> Result<(), StoreError> {
        // `None`: the connection was lost, announcements with it. Look rather once too often.
        self.0.try_recv().await?;
        Ok(())
    }
}

/// Writes a change of an incident, in the transaction that writes the incident.
pub(crate) async fn write(
    connection: &mut PgConnection,
    kind: ChangeKind,
    previous_state: Option<IncidentState>,
    incident: &Incident,
    json: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query("insert into incident_changes (at, kind, previous_state, incident_id, incident) values ($1, $2, $3, $4, $5::json)")
        .bind(time(now))
        .bind(kind.as_str())
        .bind(previous_state.map(IncidentState::as_str))
        .bind(incident.id.as_str())
        .bind(json)
        .execute(connection)
        .await?;
    Ok(())
}

/// Announces, when the transaction commits, that there are changes.
pub(crate) async fn announce(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("select pg_notify($1, '')").bind(CHANNEL).execute(connection).await?;
    Ok(())
}

async fn write_deliveries(
    connection: &mut PgConnection,
    change: &Change,
    json: &str,
    deliveries: &[NewDelivery],
    now: Timestamp,
) -> sqlx::Result<()> {
    if deliveries.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into deliveries (id, change_id, incident_id, rule, action, incident, state, attempts, due_at, created_at, group_key)
         select id, $5, $6, rule, action, $7::json, 'pending', 0, due_at, $8, group_key
         from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $9::text[], $10::timestamptz[])
             as given (id, rule, action, due_at, group_key, quiet_since)
         where not exists (
             select 1
             from deliveries as earlier
             where earlier.group_key = given.group_key and earlier.created_at > quiet_since and earlier.state <> 'parked'
         )
         on conflict (id) do nothing",
    )
    .bind(deliveries.iter().map(|delivery| indexed(&delivery.id).into_owned()).collect::<Vec<_>>())
    .bind(deliveries.iter().map(|delivery| without_nul(&delivery.rule).into_owned()).collect::<Vec<_>>())
    .bind(deliveries.iter().map(|delivery| without_nul(&delivery.action).into_owned()).collect::<Vec<_>>())
    .bind(times(deliveries.iter().map(|delivery| delivery.due_at)))
    .bind(change.id)
    .bind(change.incident.id.as_str())
    .bind(json)
    .bind(time(now))
    .bind(deliveries.iter().map(|delivery| delivery.quiet.as_ref().map(|quiet| indexed(&quiet.group).into_owned())).collect::<Vec<_>>())
    .bind(deliveries.iter().map(|delivery| columns::maybe_time(delivery.quiet.as_ref().map(|quiet| quiet.since))).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

fn change(row: &PgRow) -> Result<Change, StoreError> {
    Ok(Change {
        id: row.try_get("id")?,
        at: row.try_get::<jiff_sqlx::Timestamp, _>("at")?.to_jiff(),
        kind: ChangeKind::from_word(row.try_get("kind")?)?,
        previous_state: row.try_get::<Option<&str>, _>("previous_state")?.map(incident_row::state).transpose()?,
        incident: columns::from_json("incident_changes", row.try_get("incident")?)?,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sqlx::PgPool;

    use super::*;
    use crate::testing::{at, batch, line, number, settle, timeout};

    fn deliver(change: &Change) -> Vec<NewDelivery> {
        let id = format!("{}-pager", change.incident.id);
        vec![NewDelivery { id, rule: "all".to_owned(), action: "pager".to_owned(), due_at: change.at, quiet: None }]
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_change_is_routed_once_and_delivered_once(pool: PgPool) {
        let store = Store::from_pool(pool.clone());
        store.append(&[batch(0, [timeout("r1", 0)])]).await.unwrap();
        settle(&store, 0).await;
        let (one, two) = tokio::join!(store.route_changes(at(0), 10, deliver), store.route_changes(at(0), 10, deliver));
        assert_eq!(one.unwrap() + two.unwrap(), 1);
        // A second change of the same incident: the same delivery.
        store.append(&[batch(1, [line("r1", 0, "late")])]).await.unwrap();
        settle(&store, 1).await;
        assert_eq!(store.route_changes(at(1), 10, deliver).await.unwrap(), 1);
        assert_eq!(store.route_changes(at(1), 10, deliver).await.unwrap(), 0);
        assert_eq!(number(&pool, "select count(*) from deliveries").await, 1);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn of_a_group_one_is_delivered_until_it_may_be_told_again(pool: PgPool) {
        let store = Store::from_pool(pool.clone());
        let route = async |minute: i64, since: i64| {
            let request = format!("r{minute}");
            store.append(&[batch(minute, [timeout(&request, minute)])]).await.unwrap();
            settle(&store, minute).await;
            let group = |change: &Change| Some(Quiet { group: change.incident.problem.as_str().to_owned(), since: at(since) });
            let grouped = |change: &Change| deliver(change).into_iter().map(|new| NewDelivery { quiet: group(change), ..new }).collect();
            store.route_changes(at(minute), 10, grouped).await.unwrap();
            number(&pool, "select count(*) from deliveries").await
        };
        assert_eq!(route(1, -9).await, 1);
        assert_eq!(route(2, -8).await, 1);
        assert_eq!(route(11, 1).await, 2, "the first was ten minutes ago");
        // What was given up told nobody.
        sqlx::query("update deliveries set state = 'parked'").execute(&pool).await.unwrap();
        assert_eq!(route(12, 2).await, 3);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_rule_sees_changes_in_order_and_as_they_were(pool: PgPool) {
        let store = Store::from_pool(pool);
        for minute in 0..3 {
            store.append(&[batch(minute, [timeout("r1", minute)])]).await.unwrap();
            settle(&store, minute).await;
        }
        let seen = std::sync::Mutex::new(Vec::new());
        let note = |change: &Change| {
            seen.lock().unwrap().push((change.kind, change.at, change.incident.summary.clone()));
            Vec::new()
        };
        assert_eq!(store.route_changes(at(3), 2, note).await.unwrap(), 2);
        assert_eq!(store.route_changes(at(3), 2, note).await.unwrap(), 1);
        let expected = [(ChangeKind::Opened, 0), (ChangeKind::Updated, 1), (ChangeKind::Updated, 2)];
        let expected = expected.map(|(kind, minute)| (kind, at(minute), format!("{} claims", minute + 1)));
        assert_eq!(*seen.lock().unwrap(), expected);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_listener_wakes(pool: PgPool) {
        let store = Store::from_pool(pool);
        let mut listener = store.listen().await.unwrap();
        let quiet = tokio::time::timeout(Duration::from_millis(50), listener.next()).await;
        assert!(quiet.is_err());
        store.append(&[batch(0, [timeout("r1", 0)])]).await.unwrap();
        settle(&store, 0).await;
        tokio::time::timeout(Duration::from_secs(30), listener.next()).await.unwrap().unwrap();
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_listener_that_lost_its_connection_wakes_too(pool: PgPool) {
        let store = Store::from_pool(pool.clone());
        let mut listener = store.listen().await.unwrap();
        let killed = number(
            &pool,
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid() and query ilike 'listen%'",
        );
        assert_eq!(killed.await, 1);
        tokio::time::timeout(Duration::from_secs(30), listener.next()).await.unwrap().unwrap();
        store.append(&[batch(0, [timeout("r1", 0)])]).await.unwrap();
        settle(&store, 0).await;
        tokio::time::timeout(Duration::from_secs(30), listener.next()).await.unwrap().unwrap();
    }
}
