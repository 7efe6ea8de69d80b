//! Raw binary `copy` of evidence, without what makes it safe: the baseline that benchmarks hold [`Store::append`] against.

use std::collections::BTreeSet;

use sqlx::Connection;

use crate::evidence::{EVIDENCE, Encoded, LINKS};
use crate::partitions::Hour;
use crate::{Batch, Store, StoreError};

/// Rows of evidence and links, encoded once to be copied many times.
pub struct RawRows {
    encoded: Encoded,
    hours: BTreeSet<Hour>,
}

impl RawRows {
    /// Encodes the rows of these batches.
    #[must_use]
    pub fn of(batches: &[Batch]) -> Self {
        let encoded = Encoded::new(batches);
        Self { hours: encoded.hours.clone(), encoded }
    }
}

impl Store {
    /// Copies the rows in one transaction and returns how many pieces of evidence they are. Nothing is recognised, counted or
    /// diagnosed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn copy_raw(&self, rows: &RawRows) -> Result<u64, StoreError> {
        self.ensure_partitions(&rows.hours, rows.hours.first().map_or(jiff::Timestamp::UNIX_EPOCH, |hour| hour.start())).await?;
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        let evidence = rows.encoded.evidence.copy(&mut transaction, &EVIDENCE, &[(0, rows.encoded.evidence.position())]).await?;
        rows.encoded.links.copy(&mut transaction, &LINKS, &[(0, rows.encoded.links.position())]).await?;
        transaction.commit().await?;
        Ok(evidence)
    }
}
