//! Evidence comes in: append only, by binary `copy`, one transaction per call.
//!
//! Postgres is 85–92 % of the cost of taking evidence in (design.md §12), so nothing is looked up or updated per row.
//! What is anomalous leaves a row in `watched` and one in `recomputes` in the same transaction. What is not is checked
//! against `watched` after the commit: of two writers who commit at once, at least one then sees the other.

mod lone;

use std::collections::{BTreeSet, HashSet};

use domain::{Evidence, SourceName, StackName};
use jiff::Timestamp;
use sqlx::{Connection, PgConnection, Row};

use crate::columns::time;
use crate::copy::Column::{Flag, Json, Text, Time};
use crate::copy::{Rows, Table};
use crate::fates::Fates;
use crate::function_minutes::Runs;
use crate::partitions::Hour;
use crate::watched::{Anomalies, Roots, Seen};
use crate::{Store, StoreError, error, fates, function_minutes, nesting, watched};

/// The columns of `evidence`, in the order of [`Encoded`].
macro_rules! evidence_columns {
    () => {
        "evidence (stack, key, received_at, observed_at, kind, source, format, anomalous, origin, claim)"
    };
}
use evidence_columns;

/// The columns of `links`, in the order of [`Encoded`].
macro_rules! links_columns {
    () => {
        "links (stack, from_key, to_key, at, received_at)"
    };
}
use links_columns;

/// How rows of `evidence` are written.
pub(crate) static EVIDENCE: Table = Table {
    copy: concat!("copy ", evidence_columns!(), " from stdin (format binary)"),
    insert: concat!("insert into ", evidence_columns!(), " select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"),
    columns: &[Text, Text, Time, Time, Text, Text, Text, Flag, Json, Json],
};

/// How rows of `links` are written.
pub(crate) static LINKS: Table = Table {
    copy: concat!("copy ", links_columns!(), " from stdin (format binary)"),
    insert: concat!("insert into ", links_columns!(), " select * from unnest($1, $2, $3, $4, $5)"),
    columns: &[Text, Text, Text, Time, Time],
};

/// One request body, parsed.
#[derive(Clone, Debug)]
pub struct Batch {
    /// BLAKE3 of the body and of what it was read as: a repeated batch is recognised by it.
    pub digest: [u8; 32],
    /// The stack of its source.
    pub stack: StackName,
    /// Who sent it.
    pub source: SourceName,
    /// What it was sent as.
    pub format: String,
    /// When it reached us.
    pub received_at: Timestamp,
    /// Size of the body in bytes, after decompression.
    pub bytes: u64,
    /// Its items that are evidence.
    pub evidence: Vec<Evidence>,
    /// How many items say nothing about a request.
    pub ignored: u64,
    /// Items that could not be read.
    pub rejected: Vec<Rejected>,
}

/// An item that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its line in the body, from 1.
    pub line: u64,
    /// What was expected there, and what was found.
    pub reason: String,
    /// The item.
    pub text: String,
}

/// What became of an append.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Rows of evidence written.
    pub evidence: u64,
    /// Batches that were known already; nothing of them was written again.
    pub repeated_batches: u64,
    /// Groups that are due for [`Store::recompute`] because of this append.
    pub groups_due: u64,
}

impl Store {
    /// Stores batches durably, all or none. A batch that is known already changes nothing.
    ///
    /// Keep a call near 2,000 pieces of evidence: larger ones are not faster, and hold locks longer.
    ///
    /// # Errors
    /// When the database does not answer. The same call may then be repeated, whatever became of the first.
    pub async fn append(&self, batches: &[Batch]) -> Result<Appended, StoreError> {
        let encoded = Encoded::new(batches);
        let Some(now) = batches.iter().map(|batch| batch.received_at).max() else { return Ok(Appended::default()) };
        self.ensure_partitions(&encoded.hours, now).await?;
        let mut connection = self.kept.append.take(&self.pool).await?;
        let (mut appended, queued) = match write(&mut connection, batches, &encoded, now).await {
            Err(failed) if error::is_missing_partition(&failed) => {
                // Given back first: there may be no second one.
                drop(connection);
                self.partitions.forget();
                self.ensure_partitions(&encoded.hours, now).await?;
                connection = self.kept.append.take(&self.pool).await?;
                write(&mut connection, batches, &encoded, now).await?
            }
            result => result?,
        };
        // What is surely due need not wait until it is known whether more is.
        if !queued.is_empty() {
            self.wakes.due.notify_one();
        }
        let concerned = encoded.seen.make_due(&mut connection, &queued, now).await?;
        if concerned > 0 {
            self.wakes.due.notify_one();
        }
        self.kept.append.keep(&self.pool, connection);
        appended.groups_due = queued.len() as u64 + concerned;
        Ok(appended)
    }
}

/// All or nothing of it. Also returns the groups that it made due.
async fn write(connection: &mut PgConnection, batches: &[Batch], encoded: &Encoded, now: Timestamp) -> sqlx::Result<(Appended, Roots)> {
    if let [batch] = batches
        && lone::is_fit(batch, encoded)
    {
        return lone::write(connection, batch, encoded, now).await;
    }
    let mut transaction = connection.begin().await?;
    let new = remember(&mut transaction, batches).await?;
    let evidence = encoded.evidence.send(&mut transaction, &EVIDENCE, &encoded.stretches(&new, |end| end.evidence)).await?;
    encoded.links.send(&mut transaction, &LINKS, &encoded.stretches(&new, |end| end.links)).await?;
    let new_batches: Vec<&Batch> = new.iter().map(|index| &batches[*index]).collect();
    let anomalies = Anomalies::of(&new_batches);
    if !new_batches.is_empty() {
        fates::keep_rejects(&mut transaction, &new_batches).await?;
        let (fates, runs) = (Fates::of(&new_batches), Runs::of(&new_batches));
        let query = anomalies.bind(sqlx::query(WRITE_BESIDE), now);
        runs.bind(fates.bind(query)).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok((Appended { evidence, repeated_batches: (batches.len() - new.len()) as u64, groups_due: 0 }, anomalies.into_roots()))
}

/// What is written beside the evidence, in one statement, since each would wait for its own answer.
const WRITE_BESIDE: &str =
    concat!("with ", watched::write_sql!(""), ", ", fates::write_sql!(""), ", ", function_minutes::write_sql!(""), " select");

/// Writes down the digests and returns the indexes of the batches that were not known, each digest once.
async fn remember(connection: &mut PgConnection, batches: &[Batch]) -> sqlx::Result<Vec<usize>> {
    if batches.is_empty() {
        return Ok(Vec::new());
    }
    // Sorted, so that two writers with the same batches do not wait for each other in a circle.
    let rows = sqlx::query(
        "insert into batches (digest, received_at)
         select distinct on (digest) digest, received_at
         from unnest($1::bytea[], $2::timestamptz[]) as given (digest, received_at)
         order by digest
         on conflict do nothing
         returning digest",
    )
    .bind(batches.iter().map(|batch| batch.digest.as_slice()).collect::<Vec<_>>())
    .bind(batches.iter().map(|batch| time(batch.received_at)).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let mut new = HashSet::with_capacity(rows.len());
    for row in &rows {
        new.insert(row.try_get::<&[u8], _>(0)?);
    }
    Ok(batches.iter().enumerate().filter(|(_, batch)| new.remove(batch.digest.as_slice())).map(|(index, _)| index).collect())
}

/// Batches as rows, made before the transaction begins.
#[derive(Default)]
pub(crate) struct Encoded {
    pub(crate) evidence: Rows,
    pub(crate) links: Rows,
    /// The rows of links of the batch at hand: lines of one request say the same.
    links_of_batch: HashSet<Vec<u8>>,
    /// Where the rows of each batch end.
    ends: Vec<End>,
    pub(crate) hours: BTreeSet<Hour>,
    seen: Seen,
}

#[derive(Clone, Copy)]
struct End {
    evidence: usize,
    links: usize,
}

impl Encoded {
    pub(crate) fn new(batches: &[Batch]) -> Self {
        let mut encoded = Self::default();
        for batch in batches {
            for evidence in &batch.evidence {
                encoded.add(evidence);
            }
            encoded.links_of_batch.clear();
            encoded.ends.push(End { evidence: encoded.evidence.position(), links: encoded.links.position() });
        }
        encoded
    }

    fn add(&mut self, evidence: &Evidence) {
        let Evidence { stack, source, received_at, origin, claim } = evidence;
        self.hours.insert(Hour::of(*received_at));
        let (key, at) = (claim.key(), claim.at());
        let rows = &mut self.evidence;
        rows.row(&EVIDENCE);
        rows.indexed(stack.as_str());
        rows.key(&key);
        rows.time(*received_at);
        rows.maybe(at, Rows::time);
        rows.name(&claim.kind);
        rows.text(source.as_str());
        rows.text(&claim.format);
        rows.flag(claim.is_anomalous());
        rows.maybe(origin.as_ref(), Rows::json);
        rows.json(nesting::readable(claim).as_ref());

        let at = at.unwrap_or(*received_at);
        let links = claim.links();
        for link in &links {
            let rows = &mut self.links;
            let start = rows.position();
            rows.row(&LINKS);
            rows.indexed(stack.as_str());
            rows.key(&link.from);
            rows.key(&link.to);
            rows.time(watched::minute_of(at));
            rows.time(*received_at);
            rows.keep_if_new(start, &mut self.links_of_batch);
        }
        self.seen.add(stack, claim.kind, &key, &links, at);
    }

    /// The stretches of rows of these batches, neighbours joined.
    fn stretches(&self, batches: &[usize], pick: fn(&End) -> usize) -> Vec<(usize, usize)> {
        let mut stretches: Vec<(usize, usize)> = Vec::new();
        for index in batches {
            let from = index.checked_sub(1).map_or(0, |before| pick(&self.ends[before]));
            let to = pick(&self.ends[*index]);
            match stretches.last_mut() {
                Some(last) if last.1 == from => last.1 = to,
                _ => stretches.push((from, to)),
            }
        }
        stretches
    }
}

#[cfg(test)]
mod tests {
    use domain::{Claim, ClaimedOutcome, Instance, Key, RequestId, TraceId, Value};
    use sqlx::PgPool;

    use super::*;
    use crate::testing::{at, batch, line, number, settle, timeout};

    async fn load(store: &Store, request_id: &str) -> Vec<Evidence> {
        store.load_group(&StackName::default(), &Key::Request(RequestId::from(request_id))).await.unwrap()
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn what_goes_in_comes_out(pool: PgPool) {
        let store = Store::from_pool(pool);
        let mut claim = timeout("r1", 0).with("memory_mb", 128.0).with("note", "x\\u0000y");
        claim.trace_id = TraceId::parse("6a3f1c209a8fbf0a9c13eafa397c5a3b");
        let mut given = batch(0, [claim, line("r2", 0, "other")]);
        given.evidence[0].origin = Some(domain::Origin { file: "app.log".to_owned(), line: 3 });
        let appended = store.append(std::slice::from_ref(&given)).await.unwrap();
        assert_eq!(appended, Appended { evidence: 2, repeated_batches: 0, groups_due: 1 });
        assert_eq!(load(&store, "r1").await, given.evidence[..1]);
        assert_eq!(load(&store, "r3").await, []);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_repeated_batch_is_counted_once(pool: PgPool) {
        let store = Store::from_pool(pool.clone());
        let (one, two) = (batch(0, [timeout("r1", 0)]), batch(0, [line("r1", 0, "a"), line("r2", 0, "b")]));
        store.append(&[one.clone(), one.clone()]).await.unwrap();
        let again = store.append(&[one.clone(), two, one]).await.unwrap();
        assert_eq!((again.evidence, again.repeated_batches), (2, 2));
        assert_eq!(number(&pool, "select count(*) from evidence").await, 3);
        assert_eq!(number(&pool, "select sum(evidence)::bigint from source_minutes").await, 3);
        assert_eq!(store.append(&[]).await.unwrap(), Appended::default());
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_batch_by_itself_is_counted_once_as_well(pool: PgPool) {
        let store = Store::from_pool(pool.clone());
        let trace_id = TraceId::parse("6a3f1c209a8fbf0a9c13eafa397c5a3b");
        let (one, nothing) = (batch(0, [Claim { trace_id, ..timeout("r1", 0) }]), Batch { ignored: 7, ..batch(1, []) });
        let append = async |batch: &Batch| store.append(std::slice::from_ref(batch)).await.unwrap();
        assert_eq!(append(&one).await, Appended { evidence: 1, repeated_batches: 0, groups_due: 1 });
        assert_eq!(append(&nothing).await, Appended::default());
        settle(&store, 0).await;
        for again in [&one, &nothing] {
            assert_eq!(append(again).await.repeated_batches, 1);
        }
        assert_eq!(number(&pool, "select count(*) from evidence").await, 1);
        assert_eq!(number(&pool, "select count(*) from links").await, 1);
        assert_eq!(number(&pool, "select count(*) from incidents").await, 1);
        assert_eq!(number(&pool, "select sum(batches + evidence + ignored)::bigint from source_minutes").await, 2 + 1 + 7);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn hostile_text_is_stored_and_read_back(pool: PgPool) {
        let store = Store::from_pool(pool.clone());
        let long = "x'\"\\\t\u{202e}".repeat(150_000);
        let mut claim = timeout("r\0'; drop table evidence; --", 0);
        claim.raw = format!("nul \0 {long}");
        claim.instance = Some(Instance::from("i".repeat(5000)));
        claim.observed_at = Some(Timestamp::MIN);
        claim.started_at = Some(Timestamp::MAX);
        claim.attributes.insert("name\0".to_owned(), Value::from("value\0"));
        let mut given = batch(0, [claim.clone()]);
        given.source = SourceName::from("so\0urce");
        given.rejected = vec![Rejected { line: 1, reason: "NUL \0".to_owned(), text: long.clone() }];
        store.append(&[given]).await.unwrap();
        settle(&store, 0).await;

        let key = Key::Request(claim.request_id.clone().unwrap());
        let loaded = store.load_group(&StackName::default(), &key).await.unwrap();
        assert_eq!(loaded[0].claim.raw, format!("nul \u{fffd} {long}"));
        assert_eq!(loaded[0].claim.instance, claim.instance);
        assert_eq!(loaded[0].claim.text("name\u{fffd}"), Some("value\u{fffd}"));
        let record = store.request(None, claim.request_id.as_ref().unwrap()).await.unwrap().unwrap();
        assert_eq!(record.incidents.len(), 1);
        assert!((2040..=2048).contains(&store.rejects(10).await.unwrap()[0].text.len()));
        assert_eq!(number(&pool, "select count(*) from evidence_v1 where claim::jsonb is not null").await, 1);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn deep_nesting_is_read_back(pool: PgPool) {
        let store = Store::from_pool(pool);
        let nested = (0..120).fold(Value::from("core"), |inner, _| Value::List(vec![inner]));
        let mut claim = timeout("r1", 0);
        claim.attributes.insert("event".to_owned(), nested);
        store.append(&[batch(0, [claim])]).await.unwrap();
        assert_eq!(load(&store, "r1").await.len(), 1);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn the_latest_rejects_are_kept_and_all_are_counted(pool: PgPool) {
        let store = Store::from_pool(pool);
        for round in 0..3 {
            let mut given = batch(round, [line("r", round, "x")]);
            let reject = |line| Rejected { line, reason: "expected a time".to_owned(), text: "?".to_owned() };
            given.rejected = (1..=40).map(reject).collect();
            given.ignored = 2;
            store.append(&[given]).await.unwrap();
        }
        let kept = store.rejects(1000).await.unwrap();
        assert_eq!(kept.len(), fates::REJECTS_PER_SOURCE_MAX);
        assert_eq!((kept[0].line, kept[0].at), (40, at(2)));
        let counted = &store.sources(at(0), at(10)).await.unwrap()[0];
        assert_eq!((counted.evidence, counted.ignored, counted.rejected), (3, 6, 120));
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn an_error_word_is_no_anomaly_and_makes_nothing_due(pool: PgPool) {
        let store = Store::from_pool(pool);
        let mut claim = line("r1", 0, "failed");
        claim.outcome = Some(ClaimedOutcome::Error);
        assert_eq!(store.append(&[batch(0, [claim])]).await.unwrap().groups_due, 0);
        assert_eq!(store.next_recompute_at().await.unwrap(), None);
    }
}
