//! Which late evidence matters: keys with a group that holds an anomaly, and the group to recompute for each.
//!
//! Of evidence that comes in, hardly any concerns an incident. Each append asks once, for all its keys, whether it does.
//! A key that stands for one request or trace is always of concern; a worker or an instance lives long and serves many
//! requests, so there it must have happened near an anomaly (see [`BEFORE`], [`AFTER`]).

use std::collections::{BTreeMap, BTreeSet};

use domain::{Key, Kind, Link, StackName};
use jiff::{SignedDuration, Timestamp};
use sqlx::{PgConnection, Row};

use crate::columns::{self, Query, indexed, key_text, time, times};
use crate::evidence::Batch;
use crate::group;
use crate::partitions::Hour;

/// How long before an anomaly of a worker or instance what happened there still belongs to it: the longest time limit that
/// platforms give one request (AWS Lambda's 15 minutes).
pub(crate) const BEFORE: SignedDuration = SignedDuration::from_mins(15);
/// How long after it: the last lines of a worker that was killed, by clocks that differ a little.
pub(crate) const AFTER: SignedDuration = SignedDuration::from_mins(1);

/// The beginning of the minute in which a link was seen: exact enough for [`BEFORE`] and [`AFTER`], and the lines of one
/// request then give one link.
pub(crate) fn minute_of(at: Timestamp) -> Timestamp {
    let at = columns::storable(at);
    Timestamp::from_second(at.as_second().div_euclid(60) * 60).unwrap_or(at)
}

/// Groups, as stack and key.
pub(crate) type Roots = BTreeSet<(String, String)>;

/// The parts of a statement that write [`Anomalies`], which binds `$1` to `$11`; `made_due` says of each group whether it is due by now.
/// One for which something new is watched is: evidence may have come after we read and before anybody could see that it matters.
/// `$condition`: ` where …`, on which they write.
macro_rules! write_sql {
    ($condition:expr) => {
        concat!(
            "written as (
             insert into watched (key, stack, root, hour, at_min, at_max, seen_at)
             select *
             from unnest(
                 $1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[]
             )",
            $condition,
            "
             on conflict (key, stack, root, hour) do update set
                 at_min = least(watched.at_min, excluded.at_min),
                 at_max = greatest(watched.at_max, excluded.at_max),
                 seen_at = greatest(watched.seen_at, excluded.seen_at)
             where excluded.at_min < watched.at_min
                or excluded.at_max > watched.at_max
                or excluded.seen_at > watched.seen_at
             returning stack, root
         ), due as (
             select stack, root, $11::timestamptz as at from written
             union all
             select * from unnest($8::text[], $9::text[], $10::timestamptz[])",
            $condition,
            "
         ), made_due as (
             insert into recomputes (stack, key, due_at)
             select stack, root, min(at)
             from due
             group by stack, root
             returning due_at <= $11 as is_due
         )"
        )
    };
}
pub(crate) use write_sql;

/// Rows of `watched` to be written, and groups to be made due, each at a moment.
#[derive(Default)]
pub(crate) struct Anomalies {
    rows: BTreeMap<Watch, Span>,
    due: BTreeMap<(String, String), Timestamp>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Watch {
    key: String,
    stack: String,
    root: String,
    hour: Hour,
}

#[derive(Clone)]
struct Span {
    at_min: Timestamp,
    at_max: Timestamp,
    seen_at: Timestamp,
}

impl Span {
    fn widen(&mut self, other: &Self) {
        self.at_min = self.at_min.min(other.at_min);
        self.at_max = self.at_max.max(other.at_max);
        self.seen_at = self.seen_at.max(other.seen_at);
    }
}

impl Anomalies {
    /// The anomalies of these batches: each makes its own key due, and has it watched with all that it is linked to.
    pub(crate) fn of(batches: &[&Batch]) -> Self {
        let mut anomalies = Self::default();
        for evidence in batches.iter().flat_map(|batch| &batch.evidence).filter(|evidence| evidence.claim.is_anomalous()) {
            let (stack, received_at) = (indexed(evidence.stack.as_str()), evidence.received_at);
            let at = evidence.claim.at().unwrap_or(received_at);
            let root = key_text(&evidence.claim.key());
            for link in evidence.claim.links() {
                anomalies.add(&stack, &root, key_text(&link.to), at, received_at);
            }
            anomalies.add(&stack, &root, root.clone(), at, received_at);
            anomalies.make_due(&stack, &root, received_at);
        }
        anomalies
    }

    /// Has `key` watched for `root` because of an anomaly at `at` that reached us at `seen_at`.
    fn add(&mut self, stack: &str, root: &str, key: String, at: Timestamp, seen_at: Timestamp) {
        self.add_span(stack, root, key, &Span { at_min: at, at_max: at, seen_at });
    }

    /// Has the keys of a group watched because of its anomalies, given by their moments and arrivals. A worker or instance
    /// gets a row for each hour with an anomaly; of a request or trace, all evidence matters at any time.
    pub(crate) fn add_group(
        &mut self,
        stack: &str,
        root: &str,
        keys: &BTreeSet<String>,
        anomalies: impl Iterator<Item = (Timestamp, Timestamp)>,
    ) {
        let mut hours: BTreeMap<Hour, Span> = BTreeMap::new();
        for (at, seen_at) in anomalies {
            let span = Span { at_min: at, at_max: at, seen_at };
            hours.entry(Hour::of(at)).and_modify(|known| known.widen(&span)).or_insert(span);
        }
        let Some(whole) = hours.values().cloned().reduce(|mut whole, span| {
            whole.widen(&span);
            whole
        }) else {
            return;
        };
        for key in keys {
            if group::is_wide_text(key) {
                for span in hours.values() {
                    self.add_span(stack, root, key.clone(), span);
                }
            } else {
                self.add_span(stack, root, key.clone(), &whole);
            }
        }
    }

    /// Makes a group due at a moment, if it is not before.
    pub(crate) fn make_due(&mut self, stack: &str, root: &str, at: Timestamp) {
        let due_at = self.due.entry((stack.to_owned(), root.to_owned())).or_insert(at);
        *due_at = at.min(*due_at);
    }

    fn add_span(&mut self, stack: &str, root: &str, key: String, span: &Span) {
        let watch = Watch { key, stack: stack.to_owned(), root: root.to_owned(), hour: Hour::of(span.at_min) };
        self.rows.entry(watch).and_modify(|known| known.widen(span)).or_insert_with(|| span.clone());
    }

    /// Writes all of it. Returns whether a group is due by now.
    pub(crate) async fn write(&self, connection: &mut PgConnection, now: Timestamp) -> sqlx::Result<bool> {
        if self.rows.is_empty() && self.due.is_empty() {
            return Ok(false);
        }
        let query = sqlx::query(concat!("with ", write_sql!(""), " select coalesce(bool_or(is_due), false) from made_due"));
        self.bind(query, now).fetch_one(connection).await?.try_get(0)
    }

    /// Binds `$1` to `$11` of [`write_sql`]. Sorted, so that two writers do not wait for each other in a circle.
    pub(crate) fn bind<'q>(&'q self, query: Query<'q>, now: Timestamp) -> Query<'q> {
        query
            .bind(self.rows.keys().map(|watch| watch.key.as_str()).collect::<Vec<_>>())
            .bind(self.rows.keys().map(|watch| watch.stack.as_str()).collect::<Vec<_>>())
            .bind(self.rows.keys().map(|watch| watch.root.as_str()).collect::<Vec<_>>())
            .bind(times(self.rows.keys().map(|watch| watch.hour.start())))
            .bind(times(self.rows.values().map(|span| span.at_min)))
            .bind(times(self.rows.values().map(|span| span.at_max)))
            .bind(times(self.rows.values().map(|span| span.seen_at)))
            .bind(self.due.keys().map(|(stack, _)| stack.as_str()).collect::<Vec<_>>())
            .bind(self.due.keys().map(|(_, root)| root.as_str()).collect::<Vec<_>>())
            .bind(times(self.due.values().copied()))
            .bind(time(now))
    }

    /// Makes those of these groups due now that nobody has looked at yet. A group is watched from its first look on, so
    /// that no two groups ask for each other in turn, for ever.
    pub(crate) async fn make_unwatched_due(
        &mut self,
        connection: &mut PgConnection,
        stack: &str,
        roots: &BTreeSet<String>,
        now: Timestamp,
    ) -> sqlx::Result<()> {
        if roots.is_empty() {
            return Ok(());
        }
        let unwatched: Vec<String> = sqlx::query_scalar(
            "select root
             from unnest($2::text[]) as asked (root)
             where not exists (
                 select from watched where watched.key = asked.root and watched.stack = $1 and watched.root = asked.root
             )",
        )
        .bind(stack)
        .bind(roots.iter().map(String::as_str).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
        for root in &unwatched {
            self.make_due(stack, root, now);
        }
        Ok(())
    }

    /// The groups that it makes due by itself.
    pub(crate) fn into_roots(self) -> Roots {
        self.due.into_keys().collect()
    }
}

/// What an append brought, by the keys under which it may matter to somebody.
#[derive(Default)]
pub(crate) struct Seen(BTreeMap<Sight, (Timestamp, Timestamp)>);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Sight {
    stack: String,
    key: String,
    /// It matters only near an anomaly.
    timed: bool,
    /// It matters only to anomalies of that very key: a healthy request of a worker concerns the worker's own incident, but
    /// not that of another request there.
    rooted: bool,
}

impl Seen {
    /// Notes one piece of evidence.
    pub(crate) fn add(&mut self, stack: &StackName, kind: Kind, key: &Key, links: &[Link], at: Timestamp) {
        for link in links {
            let wide = group::is_wide(&link.to);
            self.note(stack, &link.to, wide, wide, minute_of(at));
        }
        if !matches!(key, Key::Loose(_)) {
            self.note(stack, key, group::is_wide(key) && group::is_momentary(kind), false, at);
        }
    }

    fn note(&mut self, stack: &StackName, key: &Key, timed: bool, rooted: bool, at: Timestamp) {
        let sight = Sight { stack: indexed(stack.as_str()).into_owned(), key: key_text(key), timed, rooted };
        let span = self.0.entry(sight).or_insert((at, at));
        *span = (span.0.min(at), span.1.max(at));
    }

    /// Makes all groups due that this evidence concerns, but for those that were made due together with it.
    /// Returns how many.
    pub(crate) async fn make_due(&self, connection: &mut PgConnection, queued: &Roots, now: Timestamp) -> sqlx::Result<u64> {
        if self.0.is_empty() {
            return Ok(0);
        }
        let reach = |at: Timestamp, by: SignedDuration| time(at.saturating_add(by).unwrap_or(at));
        let made = sqlx::query(
            "insert into recomputes (stack, key, due_at)
             select distinct watched.stack, watched.root, $7::timestamptz
             from unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::boolean[], $6::boolean[])
                 as seen (stack, key, reaches_from, reaches_to, timed, rooted)
             join watched on watched.key = seen.key and watched.stack = seen.stack
             where (not seen.timed or (watched.at_max >= seen.reaches_from and watched.at_min <= seen.reaches_to))
               and (not seen.rooted or watched.root = watched.key)
               and not exists (
                   select from unnest($8::text[], $9::text[]) as queued (stack, root)
                   where queued.stack = watched.stack and queued.root = watched.root
               )",
        )
        .bind(self.0.keys().map(|sight| sight.stack.as_str()).collect::<Vec<_>>())
        .bind(self.0.keys().map(|sight| sight.key.as_str()).collect::<Vec<_>>())
        // An anomaly at t takes in [t − BEFORE, t + AFTER]; seen from the evidence that is [at − AFTER, at + BEFORE].
        .bind(self.0.values().map(|span| reach(span.0, -AFTER)).collect::<Vec<_>>())
        .bind(self.0.values().map(|span| reach(span.1, BEFORE)).collect::<Vec<_>>())
        .bind(self.0.keys().map(|sight| sight.timed).collect::<Vec<_>>())
        .bind(self.0.keys().map(|sight| sight.rooted).collect::<Vec<_>>())
        .bind(time(now))
        .bind(queued.iter().map(|(stack, _)| stack.as_str()).collect::<Vec<_>>())
        .bind(queued.iter().map(|(_, root)| root.as_str()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
        Ok(made.rows_affected())
    }
}
