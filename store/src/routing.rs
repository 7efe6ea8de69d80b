//! From changes to deliveries: what the rules have to know, and what they decide, written all or not.
//!
//! The rules themselves are no part of this crate. They are handed the changes, say what they have to know, are handed
//! that, and answer with what is to be written. Whoever has to know about groups or counts does so under one lock, so that
//! several processes decide one after the other, each on what the one before has written.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::{Connection, Row};

use crate::{Change, Delivery, Lease, ProblemEvent, Silence, Store, StoreError, changes, locks};

mod read;
mod route;
mod write;

/// Rules, as the store sees them.
pub trait Router: Sync {
    /// What the rules remember between the two steps.
    type Matched: Send;

    /// The first step: looks at changes and says what it has to know to decide.
    fn look(&self, changes: &[Change]) -> (Wanted, Self::Matched);

    /// The second step: decides.
    fn plan(&self, changes: &[Change], matched: Self::Matched, known: Known) -> Plan;
}

/// A router that has to know nothing but the change.
impl<F: Fn(&Change) -> Vec<NewDelivery> + Sync> Router for F {
    type Matched = ();

    fn look(&self, _: &[Change]) -> (Wanted, ()) {
        (Wanted::default(), ())
    }

    fn plan(&self, changes: &[Change], (): (), _: Known) -> Plan {
        let deliveries = changes.iter().flat_map(|change| self(change).into_iter().map(|new| (change.id, new)));
        Plan { deliveries: deliveries.collect(), ..Plan::default() }
    }
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
    /// The group it tells of, if its rule groups.
    pub group: Option<String>,
    /// What is told beside the incident.
    pub context: DeliveryContext,
}

/// What is told beside the incident.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeliveryContext {
    /// How bad it is, in the words of the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// What became of the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<ProblemEvent>,
    /// Further incidents of the group that this message tells of.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: u64,
    /// Since when they came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The number that made the rule match, where it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<Volume>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How many incidents there were in some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// At least so many.
    pub count: u64,
    /// Within so many seconds.
    pub window_s: i64,
}

/// What has been told of the incidents that a rule puts together, and what is still to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertGroup {
    /// The caller's digest of rule, action and what they have in common.
    pub key: String,
    /// The rule.
    pub rule: String,
    /// The action.
    pub action: String,
    /// When the latest message was decided on; `None` when none was, or when it was given up.
    pub told_at: Option<Timestamp>,
    /// The delivery of that message.
    pub told_by: Option<String>,
    /// Incidents since that message.
    pub more: u64,
    /// Since when they are counted.
    pub since: Option<Timestamp>,
    /// When a message about them is due; `None` if it waits for another incident.
    pub due_at: Option<Timestamp>,
    /// The latest of them, as a change.
    pub latest_change: i64,
}

impl AlertGroup {
    /// A group of which nothing has been told.
    #[must_use]
    pub fn untold(key: &str, rule: &str, action: &str) -> Self {
        Self {
            key: key.to_owned(),
            rule: rule.to_owned(),
            action: action.to_owned(),
            told_at: None,
            told_by: None,
            more: 0,
            since: None,
            due_at: None,
            latest_change: 0,
        }
    }
}

/// One incident that a rule has matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMatch {
    /// The caller's digest of rule, incident and how much its state says.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// The caller's digest of rule and what the group has in common.
    pub group: Option<String>,
    /// The incident.
    pub incident_id: String,
    /// When it happened.
    pub at: Timestamp,
    /// What kept it from being told.
    pub muted_by: Option<String>,
}

/// That a rule which groups or counts matched an incident, or that something muted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchRow {
    /// The rule.
    pub rule: String,
    /// What kept the incident from being told: `silence 7`, `inhibit` or `time interval` with its name; `None` if nothing did.
    pub muted_by: Option<String>,
    /// When the rule matched.
    pub matched_at: Timestamp,
}

/// A problem that keeps others quiet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inhibition {
    /// The caller's digest of its name and of what they share.
    pub key: String,
    /// Its name in the rules file.
    pub name: String,
    /// The problem that is told.
    pub problem: String,
    /// The incident that began it.
    pub incident_id: String,
    /// How long it holds unless it strikes again.
    pub until: Timestamp,
}

/// Which matches around a moment are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedWindow {
    /// The group of matches.
    pub group: String,
    /// The moment.
    pub at: Timestamp,
    /// So far from it on either side.
    pub within: SignedDuration,
    /// The nearest so many on either side are enough.
    pub most: u32,
}

/// How many matches there were in a window that ends at a moment, and in so many windows before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedRate {
    /// The group of matches.
    pub group: String,
    /// The moment.
    pub at: Timestamp,
    /// The length of the window.
    pub window: SignedDuration,
    /// How many windows before it.
    pub windows_before: u32,
}

/// What the rules have to know to decide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Matches of which it is asked whether there are such.
    pub matches: Vec<String>,
    /// Groups by key.
    pub groups: Vec<String>,
    /// Moments of matches.
    pub windows: Vec<WantedWindow>,
    /// Numbers of matches.
    pub rates: Vec<WantedRate>,
    /// Inhibitions by key.
    pub inhibitions: Vec<String>,
    /// Whether silences matter.
    pub silences: bool,
}

impl Wanted {
    /// Whether what is decided rests on what others decide at the same time.
    fn needs_lock(&self) -> bool {
        !(self.groups.is_empty() && self.windows.is_empty() && self.rates.is_empty() && self.inhibitions.is_empty())
    }
}

/// Matches of a group: when, and which incident.
pub type Moments = BTreeSet<(Timestamp, String)>;

/// What is known of what was asked for.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The matches that there are.
    pub matches: HashSet<String>,
    /// Groups by key.
    pub groups: HashMap<String, AlertGroup>,
    /// Matches around the moments asked for, by group.
    pub windows: HashMap<String, Moments>,
    /// Different incidents in the window and before it, by group.
    pub rates: HashMap<String, (u64, u64)>,
    /// Inhibitions by key, those that are over among them.
    pub inhibitions: HashMap<String, Inhibition>,
    /// Silences that have not ended.
    pub silences: Vec<Silence>,
}

/// What the rules decide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Deliveries, each with the change whose incident it tells of.
    pub deliveries: Vec<(i64, NewDelivery)>,
    /// Matches to be remembered.
    pub matches: Vec<NewMatch>,
    /// Groups as they are now.
    pub groups: BTreeMap<String, AlertGroup>,
    /// Inhibitions as they are now.
    pub inhibitions: BTreeMap<String, Inhibition>,
    /// Incidents that a silence holds, with its ID.
    pub silenced: BTreeSet<(String, i64)>,
}

impl Plan {
    /// Whether there is nothing in it but deliveries, each because of its change alone.
    fn is_of_deliveries(&self) -> bool {
        self.matches.is_empty() && self.groups.is_empty() && self.inhibitions.is_empty() && self.silenced.is_empty()
    }
}

/// What became of changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Routed {
    /// How many were taken.
    pub changes: u64,
    /// There may be further ones that no rule has seen.
    pub more_may_wait: bool,
    /// Deliveries that were written and claimed: attempts to be made now.
    pub claimed: Vec<Delivery>,
}

impl Store {
    /// Hands changes that no rule has seen to the rules, in order, and writes what they decide, all of it or nothing. With a
    /// lease, deliveries that can be sent at once are claimed with it.
    ///
    /// # Errors
    /// When the database does not answer; then no change counts as seen.
    pub async fn route_changes<R: Router>(
        &self,
        now: Timestamp,
        limit: u32,
        router: R,
        lease: Option<Lease<'_>>,
    ) -> Result<Routed, StoreError> {
        let mut connection = self.kept.route.take(&self.pool).await?;
        let done = route::run(&mut connection, now, limit, &router, lease).await?;
        self.kept.route.keep(&self.pool, connection);
        Ok(done)
    }

    /// Hands groups of which a message is due to the rules, each with its latest change, and writes what they decide.
    /// Returns how many there were.
    ///
    /// # Errors
    /// When the database does not answer; then all of them stay due.
    pub async fn tell_groups(
        &self,
        now: Timestamp,
        limit: u32,
        plan: impl FnOnce(Vec<(AlertGroup, Change)>, &[Silence]) -> Plan + Send,
    ) -> Result<u64, StoreError> {
        let mut connection = self.pool.acquire().await?;
        // Waited for: such a message bears the number of its change, which must not become another's by a crash.
        let mut transaction = connection.begin().await?;
        locks::groups(&mut transaction).await?;
        let due = read::due_groups(&mut transaction, now, limit).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let count = due.len() as u64;
        let silences = crate::silences::active(&mut transaction, now).await?;
        write::plan(&mut transaction, &[], &plan(due, &silences), now, None).await?;
        transaction.commit().await?;
        Ok(count)
    }

    /// When a message about a group is due next; `None` if none is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_group_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let next: Option<jiff_sqlx::Timestamp> =
            sqlx::query_scalar("select min(due_at) from alert_groups where due_at is not null").fetch_one(&self.pool).await?;
        Ok(next.map(jiff_sqlx::Timestamp::to_jiff))
    }

    /// Forgets what rules and actions remember and no longer need: matches, groups, inhibitions and mails to people that nothing
    /// touched since `oldest`.
    /// Returns how many rows that were.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget_routing(&self, oldest: Timestamp) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        for statement in [
            "delete from rule_matches where matched_at < $1",
            "delete from alert_groups where changed_at < $1 and due_at is null",
            "delete from inhibitions where until < $1",
            "delete from personal_mails where booked_at < $1",
        ] {
            forgotten += sqlx::query(statement).bind(crate::columns::time(oldest)).execute(&self.pool).await?.rows_affected();
        }
        Ok(forgotten)
    }

    /// The rules that matched an incident and keep no delivery for each, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn matches_of(&self, incident_id: &str) -> Result<Vec<MatchRow>, StoreError> {
        // A rule matches an incident at most once in each of three phases.
        const ROWS_MAX: i64 = 300;
        let rows = sqlx::query(
            "select rule, muted_by, matched_at
             from rule_matches
             where incident_id = $1 and rule is not null
             order by matched_at, id
             limit $2",
        )
        .bind(crate::columns::without_nul(incident_id))
        .bind(ROWS_MAX)
        .fetch_all(&self.pool)
        .await?;
        let row = |row: &sqlx::postgres::PgRow| {
            Ok(MatchRow {
                rule: row.try_get("rule")?,
                muted_by: row.try_get("muted_by")?,
                matched_at: row.try_get::<jiff_sqlx::Timestamp, _>("matched_at")?.to_jiff(),
            })
        };
        rows.iter().map(row).collect()
    }

    /// Changes since a moment, oldest first, after the change `after`; for asking what rules would have done.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn changes_since(&self, since: Timestamp, after: i64, limit: u32) -> Result<Vec<Change>, StoreError> {
        let rows = sqlx::query(
            "select id, at, kind, previous_state, problem_event, incident::text as incident
             from incident_changes
             where at >= $1 and id > $2
             order by id
             limit $3",
        )
        .bind(crate::columns::time(since))
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(changes::change).collect()
    }
}

/// A count of ours.
fn number(row: &sqlx::postgres::PgRow, column: &str) -> sqlx::Result<u64> {
    Ok(crate::columns::count(row.try_get(column)?))
}

#[cfg(test)]
mod tests;
