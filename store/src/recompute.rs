//! Evidence of one group → its incidents and what changed about them, in one transaction.
//!
//! Why a stale result never wins: recomputation of a stack is one at a time ([`locks::recompute_sql`]), and evidence is read
//! after the lock is taken, so whoever writes last has read at least what those before had read. Why none is missed: rows
//! of `recomputes` are written with the evidence or after it, and deleted here before the evidence is read.

use std::collections::BTreeSet;

use domain::{Evidence, Folded, Incident};
use jiff::Timestamp;
use sqlx::{Connection, PgConnection, Row};

use crate::changes::ChangeKind;
use crate::columns::{self, indexed, time};
use crate::group::{self, Group};
use crate::homes::Homes;
use crate::incident_row::NewRow;
use crate::known::{self, Known};
use crate::problems::{self, Touched};
use crate::watched::{self, Anomalies, Roots};
use crate::{Store, StoreError, incident_row, locks, superseded};

/// What one call of [`Store::recompute`] has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Groups that were done.
    pub groups: u64,
    /// Further groups may be due already.
    pub more_may_be_due: bool,
}

impl Store {
    /// Waits until a group may be due because of what this process has stored. What became due by time or by others is found by looking.
    pub async fn group_due(&self) {
        self.wakes.due.notified().await;
    }

    /// Folds groups that are due, as many as `asked_max` rows of `recomputes` ask for, and writes what became of their incidents.
    ///
    /// A fold may also return `None`: it could not be done, a fault of ours. What stands about that group then stays, until
    /// new evidence makes the group due again.
    ///
    /// # Errors
    /// When the database does not answer; then all of them stay due.
    pub async fn recompute<F: Into<Option<Folded>>>(
        &self,
        now: Timestamp,
        asked_max: u32,
        fold: impl Fn(&[Evidence], Timestamp) -> F + Send + Sync,
    ) -> Result<Round, StoreError> {
        let mut connection = self.kept.recompute.take(&self.pool).await?;
        let round = self.round(&mut connection, now, asked_max, fold).await?;
        self.kept.recompute.keep(&self.pool, connection);
        Ok(round)
    }

    async fn round<F: Into<Option<Folded>>>(
        &self,
        connection: &mut PgConnection,
        now: Timestamp,
        asked_max: u32,
        fold: impl Fn(&[Evidence], Timestamp) -> F + Send + Sync,
    ) -> Result<Round, StoreError> {
        let mut transaction = connection.begin().await?;
        let (due, is_all) = claim(&mut transaction, now, asked_max).await?;
        if due.is_empty() {
            transaction.rollback().await?;
            return Ok(Round::default());
        }
        let mut outcome =
            Outcome { now, signature: &self.wakes.signature, problems: Touched::default(), anomalies: Anomalies::default(), changes: 0 };
        for (stack, root) in &due {
            let group = group::load(&mut transaction, stack, root).await?;
            let folded: Option<Folded> = fold(&group.evidence, now).into();
            if let Some(folded) = folded {
                outcome.take(&mut transaction, stack, root, group, folded).await?;
            }
        }
        let again = outcome.write_rest(&mut transaction).await?;
        let committed = transaction.commit().await;
        // Also where the answer was lost: they may be there all the same.
        if outcome.changes > 0 {
            self.wakes.changes.send_replace(());
        }
        committed?;
        Ok(Round { groups: due.len() as u64, more_may_be_due: again || !is_all })
    }

    /// When the next group is due; `None` if none is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_recompute_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let next: Option<jiff_sqlx::Timestamp> = sqlx::query_scalar("select min(due_at) from recomputes").fetch_one(&self.pool).await?;
        Ok(next.map(jiff_sqlx::Timestamp::to_jiff))
    }
}

/// Takes groups that are due and deletes all rows that ask for them, also those of later: folding now answers these, and
/// says anew when to look again. Rows that another process holds are its own. Then waits for the lock on their stacks. Also answers
/// whether these are all that is due.
async fn claim(connection: &mut PgConnection, now: Timestamp, asked_max: u32) -> sqlx::Result<(Roots, bool)> {
    let rows = sqlx::query(concat!(
        "with due as materialized (
             select stack, key
             from recomputes
             where due_at <= $1
             order by due_at, id
             limit $2
             for update skip locked
         ), held as materialized (
             select id
             from recomputes
             where (stack, key) in (select stack, key from due)
             for update skip locked
         ), taken as (
             delete from recomputes
             where id in (select id from held)
             returning stack, key
         ), locked as materialized (
             ",
        locks::recompute_sql!(),
        "
         )
         select stack, key, (select count(*) from due) < $2 as is_all
         from taken
         where (select count(*) from locked) > 0"
    ))
    .bind(time(now))
    .bind(i64::from(asked_max))
    .bind(locks::STACKS)
    .bind(locks::OTHERS)
    .bind(locks::RETENTION)
    .fetch_all(connection)
    .await?;
    let is_all = rows.first().map_or(Ok(true), |row| row.try_get("is_all"))?;
    let roots = rows.iter().map(|row| Ok((row.try_get("stack")?, row.try_get("key")?))).collect::<sqlx::Result<_>>()?;
    Ok((roots, is_all))
}

/// One statement for both, since each would wait for its own answer.
const WRITE_REST: &str = concat!(
    "with ",
    watched::write_sql!(""),
    ", ",
    problems::write_sql!(),
    "
     select
         (select coalesce(bool_or(is_due), false) from made_due) as is_due,
         (select coalesce(bool_or(may_be_news), false) from touched) as may_be_news"
);

/// What recomputing some groups leads to beyond their incidents.
struct Outcome<'a> {
    now: Timestamp,
    /// Stands in announcements of changes.
    signature: &'a str,
    problems: Touched,
    /// What is watched, and groups to look at again.
    anomalies: Anomalies,
    /// Changes written.
    changes: u64,
}

impl Outcome<'_> {
    /// Writes the incidents of one group.
    async fn take(
        &mut self,
        connection: &mut PgConnection,
        stack: &str,
        root: &str,
        mut group: Group,
        folded: Folded,
    ) -> Result<(), StoreError> {
        let about_root = group.incidents.take();
        let homes = Homes::of(&group);
        let are_all_about = |key: &str| folded.incidents.iter().all(|incident| indexed(&incident.subject) == key);
        let known = match about_root {
            Some(known) if are_all_about(root) => known,
            _ => known::read(connection, stack, root, &homes.subjects(), &folded.incidents).await?,
        };
        let mut elsewhere = BTreeSet::new();
        for incident in &folded.incidents {
            let stands = known.get(incident.id.as_str());
            match homes.home(incident).filter(|home| group.is_truncated && home != root) {
                None => self.write(connection, root, incident, stands).await?,
                Some(home) => {
                    // What comes late to a server concerns the server's group alone, and may say more of its requests.
                    let is_news = || stands.is_none_or(|known| known.json != columns::json(incident));
                    if group::is_wide_text(root) && !group::is_wide_text(&home) && is_news() {
                        self.anomalies.make_due(stack, &home, self.now);
                    }
                    elsewhere.insert(home);
                }
            }
        }
        let current: BTreeSet<&str> = folded.incidents.iter().map(|incident| incident.id.as_str()).collect();
        let (mut gone, mut successors) = (Vec::new(), Vec::new());
        for (id, known) in known.iter().filter(|(id, _)| !current.contains(id.as_str())) {
            let incident = known.incident()?;
            let home = homes.home(&incident);
            if home.as_deref() == Some(root) || (!group.is_truncated && homes.sees(&known.subject)) {
                successors.extend(known::successor(&incident, &folded.incidents).map(|successor| (id.as_str(), successor.id.as_str())));
                gone.push(id.as_str());
                self.problems.left(&known.problem);
            } else {
                elsewhere.extend(home);
            }
        }
        let anomalies = group.evidence.iter().filter(|evidence| evidence.claim.is_anomalous());
        let anomalies: Vec<_> = anomalies.map(|evidence| (group::moment(evidence), evidence.received_at)).collect();
        // One without an anomaly is not watched itself, and so may not ask for others.
        if !anomalies.is_empty() {
            self.anomalies.make_unwatched_due(connection, stack, &elsewhere, self.now).await?;
        }
        superseded::write(connection, successors, self.now).await?;
        if !gone.is_empty() {
            sqlx::query("delete from incidents where id = any($1)").bind(gone).execute(connection).await?;
        }
        if let Some(at) = folded.recheck_at {
            self.anomalies.make_due(stack, root, at);
        }
        self.anomalies.add_group(stack, root, &group.keys, anomalies.into_iter());
        Ok(())
    }

    /// Writes one incident and its change, if there is any.
    async fn write(
        &mut self,
        connection: &mut PgConnection,
        root: &str,
        incident: &Incident,
        known: Option<&Known>,
    ) -> Result<(), StoreError> {
        let json = columns::json(incident);
        let (kind, previous) = match known {
            None => (ChangeKind::Opened, None),
            Some(known) if known.json == json => return Ok(()),
            Some(known) if known.state != incident.state => (ChangeKind::StateChanged, Some(known.state)),
            Some(known) => (ChangeKind::Updated, Some(known.state)),
        };
        let new = NewRow { incident, json: &json, root, kind, previous };
        let change_id = incident_row::write(connection, &new, self.now, self.signature).await?;
        self.changes += 1;
        self.problems.written(incident, known.map(|known| known.problem.as_str()), change_id, self.now);
        Ok(())
    }

    /// Writes what is watched and due, and the problems of the incidents. Returns whether a group is due by now.
    async fn write_rest(&self, connection: &mut PgConnection) -> sqlx::Result<bool> {
        if self.problems.is_empty() {
            return self.anomalies.write(connection, self.now).await;
        }
        let query = self.problems.bind(self.anomalies.bind(sqlx::query(WRITE_REST), self.now));
        let row = query.fetch_one(&mut *connection).await?;
        self.problems.settle(connection, row.try_get("may_be_news")?, self.now).await?;
        row.try_get("is_due")
    }
}

#[cfg(test)]
mod tests;
