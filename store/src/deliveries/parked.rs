//! What was given up: shown, and sent again when somebody says so.

use jiff::Timestamp;

use super::{Delivery, delivery};
use crate::columns::{time, without_nul};
use crate::{Store, StoreError, changes};

/// Which parked deliveries to send again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParkedFilter {
    /// This one.
    pub id: Option<String>,
    /// Those to this action.
    pub action: Option<String>,
    /// Those of rules that matched since.
    pub since: Option<Timestamp>,
}

impl Store {
    /// Deliveries that were given up, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn parked_deliveries(&self, filter: &ParkedFilter, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        let rows = sqlx::query(
            "select *, incident::text as incident_text, context::text as context_text
             from deliveries
             where state = 'parked'
               and ($1::text is null or id = $1)
               and ($2::text is null or action = $2)
               and ($3::timestamptz is null or created_at >= $3)
             order by created_at desc, change_id desc, id
             limit $4",
        )
        .bind(filter.id.as_deref().map(without_nul))
        .bind(filter.action.as_deref().map(without_nul))
        .bind(filter.since.map(time))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(delivery).collect()
    }

    /// Makes parked deliveries pending again, due now, under the identity that they had, and with all their attempts before
    /// them. Returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn replay_parked(&self, filter: &ParkedFilter, now: Timestamp) -> Result<u64, StoreError> {
        let mut transaction = self.pool.begin().await?;
        // Attempts are numbered on from where they were; those before no longer count against it.
        let done = sqlx::query(
            "update deliveries
             set state = 'pending', due_at = $4, leased_until = null, forgiven = attempts
             where state = 'parked'
               and ($1::text is null or id = $1)
               and ($2::text is null or action = $2)
               and ($3::timestamptz is null or created_at >= $3)",
        )
        .bind(filter.id.as_deref().map(without_nul))
        .bind(filter.action.as_deref().map(without_nul))
        .bind(filter.since.map(time))
        .bind(time(now))
        .execute(&mut *transaction)
        .await?;
        changes::announce(&mut transaction).await?;
        transaction.commit().await?;
        Ok(done.rows_affected())
    }

    /// How many deliveries are parked, for a page.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn parked_count(&self) -> Result<u64, StoreError> {
        let count = sqlx::query_scalar("select count(*) from deliveries where state = 'parked'").fetch_one(&self.pool).await?;
        Ok(crate::columns::count(count))
    }
}

#[cfg(test)]
mod tests {
    use domain::Millis;
    use sqlx::PgPool;

    use super::*;
    use crate::testing::{at, batch, delivery_to_make, lease_at, settle, timeout};
    use crate::{AttemptOutcome, Change};

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn what_was_given_up_is_sent_again_under_its_identity(pool: PgPool) {
        let store = Store::from_pool(pool);
        store.append(&[batch(0, [timeout("r1", 0)])]).await.unwrap();
        settle(&store, 0).await;
        store.route_changes(at(0), 10, |_: &Change| vec![delivery_to_make("d1", at(0))], None).await.unwrap();
        let claim = async |minute| store.claim_deliveries(lease_at(minute, minute + 1)).await.unwrap();
        assert_eq!(claim(0).await.len(), 1);
        let refused = AttemptOutcome::Refused { detail: "410".to_owned() };
        store.finish_attempt("d1", 1, at(0), Millis::from_ms(1), refused).await.unwrap();
        let all = ParkedFilter::default();
        assert_eq!((store.parked_count().await.unwrap(), store.parked_deliveries(&all, 10).await.unwrap().len()), (1, 1));
        let others = ParkedFilter { action: Some("other".to_owned()), ..all.clone() };
        assert_eq!(store.replay_parked(&others, at(5)).await.unwrap(), 0);
        assert_eq!(store.replay_parked(&ParkedFilter { id: Some("d1".to_owned()), ..all.clone() }, at(5)).await.unwrap(), 1);
        let again = claim(5).await.remove(0);
        assert_eq!((again.id.as_str(), again.attempts, again.forgiven), ("d1", 2, 1));
        assert_eq!(store.replay_parked(&all, at(6)).await.unwrap(), 0);
    }
}
