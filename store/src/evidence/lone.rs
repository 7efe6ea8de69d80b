//! The append where little happens: one small batch, as one statement that is a transaction by itself. Of several each would wait for
//! its own answer, with somebody's alert behind it.

use jiff::Timestamp;
use sqlx::{PgConnection, Row};

use super::{Appended, Batch, EVIDENCE, Encoded, LINKS, evidence_columns, links_columns};
use crate::columns::time;
use crate::fates::{self, Fates};
use crate::function_minutes::{self, Runs};
use crate::watched::{self, Anomalies, Roots};

/// On this condition all but the digest is written.
macro_rules! if_new {
    () => {
        " where exists (select from new)"
    };
}

const WRITE: &str = concat!(
    "with new as (
         insert into batches (digest, received_at) values ($31, $32) on conflict do nothing returning digest
     ), evidence_written as (
         insert into ",
    evidence_columns!(),
    "
         select * from unnest($33, $34, $35, $36, $37, $38, $39, $40, $41, $42)",
    if_new!(),
    "
     ), links_written as (
         insert into ",
    links_columns!(),
    "
         select * from unnest($43, $44, $45, $46, $47)",
    if_new!(),
    "
     ), ",
    watched::write_sql!(if_new!()),
    ", ",
    fates::write_sql!(if_new!()),
    ", ",
    function_minutes::write_sql!(if_new!()),
    " select exists (select from new)"
);

/// Whether the batch can be written so: few rows, and all of them are evidence.
pub(super) fn is_fit(batch: &Batch, encoded: &Encoded) -> bool {
    batch.rejected.is_empty() && encoded.evidence.are_few() && encoded.links.are_few()
}

/// Writes it unless it is known. Also returns the groups that it made due.
pub(super) async fn write(
    connection: &mut PgConnection,
    batch: &Batch,
    encoded: &Encoded,
    now: Timestamp,
) -> sqlx::Result<(Appended, Roots)> {
    let batches = [batch];
    let (anomalies, fates, runs) = (Anomalies::of(&batches), Fates::of(&batches), Runs::of(&batches));
    let query = runs.bind(fates.bind(anomalies.bind(sqlx::query(WRITE), now)));
    let query = query.bind(batch.digest.as_slice()).bind(time(batch.received_at));
    let query = encoded.links.bind(encoded.evidence.bind(query, &EVIDENCE), &LINKS);
    if query.fetch_one(connection).await?.try_get(0)? {
        let appended = Appended { evidence: batch.evidence.len() as u64, ..Appended::default() };
        return Ok((appended, anomalies.into_roots()));
    }
    Ok((Appended { repeated_batches: 1, ..Appended::default() }, Roots::default()))
}
