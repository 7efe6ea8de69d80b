//! What changed about incidents: written with them, looked at once by the rules, whoever of several processes does it.

use domain::{Incident, IncidentState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgListener, PgRow};
use sqlx::{PgConnection, Row};
use tokio::sync::watch;

use crate::{Store, StoreError, columns, incident_row};

/// The channel on which changes are announced; see [`Store::listen`].
pub(crate) const CHANNEL: &str = "overrun_changes";

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

/// What a change of an incident means for its problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemEvent {
    /// The first incident of it that surely overran.
    New,
    /// It overran after somebody had said that it is resolved.
    Regressed,
    /// Somebody says that it is resolved.
    Resolved,
    /// Somebody takes that back.
    Reopened,
}

impl ProblemEvent {
    /// The word used in SQL and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Regressed => "regressed",
            Self::Resolved => "resolved",
            Self::Reopened => "reopened",
        }
    }

    fn from_word(word: &str) -> Result<Self, StoreError> {
        [Self::New, Self::Regressed, Self::Resolved, Self::Reopened]
            .into_iter()
            .find(|event| event.as_str() == word)
            .ok_or_else(|| StoreError::UnknownWord { column: "problem_event", found: word.to_owned() })
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
    /// What it means for the problem, if anything.
    pub problem_event: Option<ProblemEvent>,
    /// The incident as it is after this change.
    pub incident: Incident,
}

impl Store {
    /// Listens for changes. Takes one connection for itself.
    ///
    /// # Errors
    /// When no connection comes about.
    pub async fn listen(&self) -> Result<Listener, StoreError> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        let here = self.wakes.changes.subscribe();
        listener.listen(CHANNEL).await?;
        Ok(Listener { announced: listener, here, signature: self.wakes.signature.clone() })
    }
}

/// Wakes whoever waits for changes. Announcements made while the connection was lost are not repeated, so look at
/// [`Store::route_changes`] now and then without being woken.
#[derive(Debug)]
pub struct Listener {
    announced: PgListener,
    /// What this process changed itself: told without the way through the database.
    here: watch::Receiver<()>,
    /// What stands in announcements of the same.
    signature: String,
}

impl Listener {
    /// Waits until something changed, or may have changed while the connection was lost.
    ///
    /// # Errors
    /// When the connection is lost and cannot be restored.
    pub async fn next(&mut self) -> Result<(), StoreError> {
        loop {
            tokio::select! {
                // The sender lives in the store, and where that is gone the pool is closed, which the other arm says.
                Ok(()) = self.here.changed() => return Ok(()),
                announced = self.announced.try_recv() => match announced? {
                    Some(announcement) if announcement.payload() == self.signature => {}
                    // `None`: the connection was lost, announcements with it. Look rather once too often.
                    _ => return Ok(()),
                },
            }
        }
    }
}

/// Announces, when the transaction commits, that there are changes.
pub(crate) async fn announce(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("select pg_notify($1, '')").bind(CHANNEL).execute(connection).await?;
    Ok(())
}

/// Reads a row with the columns of a change, the incident as text.
pub(crate) fn change(row: &PgRow) -> Result<Change, StoreError> {
    Ok(Change {
        id: row.try_get("id")?,
        at: row.try_get::<jiff_sqlx::Timestamp, _>("at")?.to_jiff(),
        kind: ChangeKind::from_word(row.try_get("kind")?)?,
        previous_state: row.try_get::<Option<&str>, _>("previous_state")?.map(incident_row::state).transpose()?,
        problem_event: row.try_get::<Option<&str>, _>("problem_event")?.map(ProblemEvent::from_word).transpose()?,
        incident: columns::from_json("incident_changes", row.try_get("incident")?)?,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sqlx::PgPool;

    use super::*;
    use crate::testing::{batch, number, settle, timeout};

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
    async fn a_change_is_told_once_here_and_once_to_other_processes(pool: PgPool) {
        let (here, elsewhere) = (Store::from_pool(pool.clone()), Store::from_pool(pool));
        let mut listeners = [here.listen().await.unwrap(), here.listen().await.unwrap(), elsewhere.listen().await.unwrap()];
        here.append(&[batch(0, [timeout("r1", 0)])]).await.unwrap();
        settle(&here, 0).await;
        for listener in &mut listeners {
            tokio::time::timeout(Duration::from_secs(30), listener.next()).await.unwrap().unwrap();
            let again = tokio::time::timeout(Duration::from_millis(50), listener.next()).await;
            assert!(again.is_err());
        }
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
