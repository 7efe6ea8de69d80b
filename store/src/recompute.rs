//! Evidence of one group → its incidents and what changed about them, in one transaction.
//!
//! Why a stale result never wins: recomputation of a stack is one at a time ([`locks::recompute`]), and evidence is read
//! after the lock is taken, so whoever writes last has read at least what those before had read. Why none is missed: rows
//! of `recomputes` are written with the evidence or after it, and deleted here before the evidence is read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{Evidence, Folded, Incident, IncidentState};
use jiff::Timestamp;
use sqlx::{Connection, PgConnection, Row};

use crate::changes::{self, ChangeKind};
use crate::columns::{self, time};
use crate::group::{self, Group};
use crate::problems::Touched;
use crate::watched::{Anomalies, Roots};
use crate::{Store, StoreError, begin_by_keys, errors, incident_row, locks};

impl Store {
    /// Folds at most `groups_max` groups that are due and writes what became of their incidents. Returns how many groups
    /// were done; 0 means that nothing is due.
    ///
    /// A fold may also return `None`: it could not be done, a fault of ours. What stands about that group then stays, until
    /// new evidence makes the group due again.
    ///
    /// # Errors
    /// When the database does not answer; then all of them stay due.
    pub async fn recompute<F: Into<Option<Folded>>>(
        &self,
        now: Timestamp,
        groups_max: u32,
        fold: impl Fn(&[Evidence], Timestamp) -> F + Send + Sync,
    ) -> Result<u64, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin_with(begin_by_keys!()).await?;
        let due = claim(&mut transaction, now, groups_max).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let stacks: BTreeSet<&String> = due.iter().map(|(stack, _)| stack).collect();
        locks::recompute(&mut transaction, &stacks.into_iter().cloned().collect::<Vec<_>>()).await?;
        let mut outcome = Outcome { now, problems: Touched::default(), anomalies: Anomalies::default(), again: BTreeMap::new() };
        for (stack, root) in &due {
            let group = group::load(&mut transaction, stack, root).await?;
            let folded: Option<Folded> = fold(&group.evidence, now).into();
            if let Some(folded) = folded {
                outcome.take(&mut transaction, stack, root, &group, folded).await?;
            }
        }
        outcome.finish(&mut transaction).await?;
        transaction.commit().await?;
        Ok(due.len() as u64)
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
/// says anew when to look again. Rows that another process holds are its own.
async fn claim(connection: &mut PgConnection, now: Timestamp, groups_max: u32) -> sqlx::Result<Roots> {
    let rows = sqlx::query(
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
         )
         delete from recomputes
         where id in (select id from held)
         returning stack, key",
    )
    .bind(time(now))
    .bind(i64::from(groups_max))
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// What recomputing some groups leads to beyond their incidents.
struct Outcome {
    now: Timestamp,
    problems: Touched,
    anomalies: Anomalies,
    /// Groups to look at again, and when.
    again: BTreeMap<(String, String), Timestamp>,
}

impl Outcome {
    /// Writes the incidents of one group.
    async fn take(
        &mut self,
        connection: &mut PgConnection,
        stack: &str,
        root: &str,
        group: &Group,
        folded: Folded,
    ) -> Result<(), StoreError> {
        let known = known(connection, stack, root, group, &folded.incidents).await?;
        for incident in &folded.incidents {
            self.write(connection, root, incident, known.get(incident.id.as_str())).await?;
        }
        let current: BTreeSet<&str> = folded.incidents.iter().map(|incident| incident.id.as_str()).collect();
        let mut superseded = Vec::new();
        for (id, known) in known.iter().filter(|(id, _)| !current.contains(id.as_str())) {
            if known.subject == root || (!group.is_truncated && group.keys.contains(&known.subject)) {
                superseded.push(id.as_str());
                self.problems.left(&known.problem);
            } else {
                // This group no longer shows it, but not all of the group was looked at. Its own group decides.
                self.look_again(stack, &known.subject, self.now);
            }
        }
        if !superseded.is_empty() {
            sqlx::query("delete from incidents where id = any($1)").bind(superseded).execute(connection).await?;
        }
        if let Some(at) = folded.recheck_at {
            self.look_again(stack, root, at);
        }
        let anomalies = group.evidence.iter().filter(|evidence| evidence.claim.is_anomalous());
        self.anomalies.add_group(stack, root, &group.keys, anomalies.map(|evidence| (group::moment(evidence), evidence.received_at)));
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
        incident_row::write(connection, incident, &json, root, self.now).await?;
        let change_id = changes::write(connection, kind, previous, incident, &json, self.now).await?;
        errors::write(connection, change_id, incident, self.now).await?;
        self.problems.written(incident, known.map(|known| known.problem.as_str()), change_id, self.now);
        Ok(())
    }

    fn look_again(&mut self, stack: &str, root: &str, at: Timestamp) {
        let due_at = self.again.entry((stack.to_owned(), root.to_owned())).or_insert(at);
        *due_at = at.min(*due_at);
    }

    /// Writes the rest. A group of which something new is watched is looked at once more: evidence may have come after we
    /// read and before anybody could see that it matters.
    async fn finish(mut self, connection: &mut PgConnection) -> Result<(), StoreError> {
        for (stack, root) in self.anomalies.watch(connection).await? {
            self.look_again(&stack, &root, self.now);
        }
        if !self.again.is_empty() {
            sqlx::query("insert into recomputes (stack, key, due_at) select * from unnest($1::text[], $2::text[], $3::timestamptz[])")
                .bind(self.again.keys().map(|(stack, _)| stack.as_str()).collect::<Vec<_>>())
                .bind(self.again.keys().map(|(_, root)| root.as_str()).collect::<Vec<_>>())
                .bind(columns::times(self.again.values().copied()))
                .execute(&mut *connection)
                .await?;
        }
        Ok(self.problems.write(connection, self.now).await?)
    }
}

/// An incident as it stands.
struct Known {
    subject: String,
    problem: String,
    state: IncidentState,
    json: String,
}

/// The incidents that a group may confirm, change or supersede, by ID.
async fn known(
    connection: &mut PgConnection,
    stack: &str,
    root: &str,
    group: &Group,
    incidents: &[Incident],
) -> Result<HashMap<String, Known>, StoreError> {
    let rows = sqlx::query(
        "select id, subject, problem, state, incident::text as incident
         from incidents
         where stack = $1 and (subject = any($2) or root = $3)
         union
         select id, subject, problem, state, incident::text as incident
         from incidents
         where id = any($4)",
    )
    .bind(stack)
    .bind(group.keys.iter().map(String::as_str).collect::<Vec<_>>())
    .bind(root)
    .bind(incidents.iter().map(|incident| incident.id.as_str()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let mut known = HashMap::with_capacity(rows.len());
    for row in rows {
        let state = incident_row::state(row.try_get("state")?)?;
        let known_as = Known { subject: row.try_get("subject")?, problem: row.try_get("problem")?, state, json: row.try_get("incident")? };
        known.insert(row.try_get("id")?, known_as);
    }
    Ok(known)
}

#[cfg(test)]
mod tests;
