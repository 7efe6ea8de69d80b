//! Deliveries: incidents on their way to actions. Claimed by lease, so that a process that dies loses nothing.

mod claim;
mod new;
mod parked;

use domain::{Incident, Millis};
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{Connection, Row};

use crate::columns::{self, cut, time, without_nul};
use crate::{DeliveryContext, Store, StoreError};

pub use self::claim::{DeliveryOrder, Lease};
pub(crate) use self::new::{Written, write};
pub use self::parked::ParkedFilter;

/// Bytes kept of what the other side said.
const DETAIL_BYTES_MAX: usize = 2048;

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// An attempt is due, now or later.
    Pending,
    /// The other side has it.
    Delivered,
    /// Left undone on purpose, for a reason that the action has.
    Declined,
    /// Given up; kept for people to look at.
    Parked,
}

impl DeliveryState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Delivered, Self::Declined, Self::Parked];

    /// The word used in SQL and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Declined => "declined",
            Self::Parked => "parked",
        }
    }

    fn from_word(word: &str) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| StoreError::UnknownWord { column: "state", found: word.to_owned() })
    }
}

/// One incident on its way to one action.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Digest of incident change, rule and action.
    pub id: String,
    /// The change that caused it.
    pub change_id: i64,
    /// The rule that matched.
    pub rule: String,
    /// The action it goes to.
    pub action: String,
    /// The incident as it was at that change.
    pub incident: Incident,
    /// What is told beside it.
    pub context: DeliveryContext,
    /// Where it stands.
    pub state: DeliveryState,
    /// Attempts begun so far; when claimed, the number of the attempt to be made now, from 1.
    pub attempts: u32,
    /// Attempts that no longer count against it, since somebody had it sent again.
    pub forgiven: u32,
    /// The next attempt is not made before this moment.
    pub due_at: Timestamp,
    /// It goes after an older one that is still on its way.
    pub waits: bool,
    /// When the rule matched.
    pub created_at: Timestamp,
    /// What the last failed attempt said.
    pub last_error: Option<String>,
}

/// One try at a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRow {
    /// The delivery.
    pub delivery_id: String,
    /// Counted from 1 per delivery.
    pub number: u32,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took_ms: Millis,
    /// `delivered`, `retry`, `declined` or `refused`.
    pub outcome: String,
    /// What the other side said.
    pub detail: String,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The other side has it.
    Delivered {
        /// What it said.
        detail: String,
    },
    /// It may accept it later.
    Retry {
        /// What went wrong.
        detail: String,
        /// When to try again.
        due_at: Timestamp,
    },
    /// The action had a reason to leave it undone.
    Declined {
        /// The reason.
        detail: String,
    },
    /// No later attempt can succeed, or there were enough: the delivery is parked.
    Refused {
        /// What went wrong.
        detail: String,
    },
}

impl Store {
    /// Writes down how attempt `number` ended. One that overstayed its lease no longer decides, unless it delivered.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn finish_attempt(
        &self,
        delivery_id: &str,
        number: u32,
        started_at: Timestamp,
        took: Millis,
        outcome: AttemptOutcome,
    ) -> Result<(), StoreError> {
        let (word, detail, state, due_at) = match outcome {
            AttemptOutcome::Delivered { detail } => ("delivered", detail, DeliveryState::Delivered, None),
            AttemptOutcome::Retry { detail, due_at } => ("retry", detail, DeliveryState::Pending, Some(due_at)),
            AttemptOutcome::Declined { detail } => ("declined", detail, DeliveryState::Declined, None),
            AttemptOutcome::Refused { detail } => ("refused", detail, DeliveryState::Parked, None),
        };
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        sqlx::query(
            "with attempt as (
                 insert into attempts (delivery_id, number, at, took_ms, outcome, detail)
                 values ($1, $2, $3, $4, $5, $6)
                 on conflict do nothing
             )
             update deliveries
             set state = $7,
                 due_at = coalesce($8, due_at),
                 leased_until = null,
                 last_error = case when $7 = 'delivered' then last_error else $6 end
             where id = $1 and state <> 'delivered' and (attempts = $2 or $7 = 'delivered')",
        )
        .bind(without_nul(delivery_id))
        .bind(i64::from(number))
        .bind(time(started_at))
        .bind(took.as_ms_f64())
        .bind(word)
        .bind(cut(&detail, DETAIL_BYTES_MAX))
        .bind(state.as_str())
        .bind(columns::maybe_time(due_at))
        .execute(&mut *transaction)
        .await?;
        if state != DeliveryState::Pending {
            claim::let_next_go(&mut transaction, delivery_id).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Puts a claimed delivery back until a later moment: its attempt was not made and does not count. Only the holder of
    /// attempt `number` can do so.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn postpone_delivery(&self, delivery_id: &str, number: u32, until: Timestamp, why: &str) -> Result<(), StoreError> {
        sqlx::query(
            "update deliveries
             set attempts = attempts - 1, leased_until = null, due_at = $3, last_error = $4
             where id = $1 and state = 'pending' and attempts = $2",
        )
        .bind(without_nul(delivery_id))
        .bind(i64::from(number))
        .bind(time(until))
        .bind(cut(why, DETAIL_BYTES_MAX))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Puts a claimed delivery back: the attempt was not made and does not count.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn release_delivery(&self, delivery_id: &str) -> Result<(), StoreError> {
        sqlx::query(
            "update deliveries
             set attempts = attempts - 1, leased_until = null
             where id = $1 and state = 'pending' and leased_until is not null",
        )
        .bind(without_nul(delivery_id))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// How many deliveries are on their way, for a metric.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pending_deliveries(&self) -> Result<u64, StoreError> {
        let count = sqlx::query_scalar("select count(*) from deliveries where state = 'pending'").fetch_one(&self.pool).await?;
        Ok(columns::count(count))
    }

    /// Who was told of an incident: its deliveries, oldest first, each with its attempts.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn deliveries_of(&self, incident_id: &str) -> Result<Vec<(Delivery, Vec<AttemptRow>)>, StoreError> {
        let rows = sqlx::query("select *, incident::text as incident_text, context::text as context_text from deliveries where incident_id = $1 order by created_at, id")
            .bind(without_nul(incident_id))
            .fetch_all(&self.pool)
            .await?;
        let mut found = rows.iter().map(|row| Ok((delivery(row)?, Vec::new()))).collect::<Result<Vec<_>, StoreError>>()?;
        let ids: Vec<&str> = found.iter().map(|(delivery, _): &(Delivery, _)| delivery.id.as_str()).collect();
        let attempts = sqlx::query("select * from attempts where delivery_id = any($1) order by delivery_id, number")
            .bind(ids)
            .fetch_all(&self.pool)
            .await?;
        for row in &attempts {
            let attempt = attempt(row)?;
            if let Some((_, attempts)) = found.iter_mut().find(|(delivery, _)| delivery.id == attempt.delivery_id) {
                attempts.push(attempt);
            }
        }
        Ok(found)
    }

    /// Who was told of a problem: the latest deliveries of its latest incidents, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn deliveries_of_problem(&self, problem: &str, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        // A problem may have incidents without number; who was told of the latest is what matters.
        const INCIDENTS_MAX: i64 = 500;
        let rows = sqlx::query(
            "select *, incident::text as incident_text, context::text as context_text
             from deliveries
             where incident_id = any (array(select id from incidents where problem = $1 order by at desc, id desc limit $2))
             order by created_at desc, change_id desc, id
             limit $3",
        )
        .bind(without_nul(problem))
        .bind(INCIDENTS_MAX)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(delivery).collect()
    }

    /// The latest deliveries, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn deliveries(&self, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        let rows =
            sqlx::query("select *, incident::text as incident_text, context::text as context_text from deliveries order by created_at desc, change_id desc, id limit $1")
                .bind(i64::from(limit))
                .fetch_all(&self.pool)
                .await?;
        rows.iter().map(delivery).collect()
    }
}

fn delivery(row: &PgRow) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: row.try_get("id")?,
        change_id: row.try_get("change_id")?,
        rule: row.try_get("rule")?,
        action: row.try_get("action")?,
        incident: columns::from_json("deliveries", row.try_get("incident_text")?)?,
        context: match row.try_get::<Option<&str>, _>("context_text")? {
            Some(text) => columns::from_json("deliveries", text)?,
            None => DeliveryContext::default(),
        },
        state: DeliveryState::from_word(row.try_get("state")?)?,
        attempts: number(row.try_get("attempts")?),
        forgiven: number(row.try_get("forgiven")?),
        waits: row.try_get("waits")?,
        due_at: row.try_get::<jiff_sqlx::Timestamp, _>("due_at")?.to_jiff(),
        created_at: row.try_get::<jiff_sqlx::Timestamp, _>("created_at")?.to_jiff(),
        last_error: row.try_get("last_error")?,
    })
}

fn attempt(row: &PgRow) -> Result<AttemptRow, StoreError> {
    Ok(AttemptRow {
        delivery_id: row.try_get("delivery_id")?,
        number: number(row.try_get("number")?),
        at: row.try_get::<jiff_sqlx::Timestamp, _>("at")?.to_jiff(),
        took_ms: Millis::from_ms_f64(row.try_get("took_ms")?),
        outcome: row.try_get("outcome")?,
        detail: row.try_get("detail")?,
    })
}

/// Attempts are counted up from zero and never far.
fn number(stored: i32) -> u32 {
    u32::try_from(stored).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;

    use super::*;
    use crate::Change;
    use crate::testing::{at, batch, delivery_to_make, lease_at, settle, timeout};

    /// A store with one delivery, `d1`, due at minute 0.
    async fn with_delivery(pool: PgPool) -> (Store, String) {
        let store = Store::from_pool(pool);
        store.append(&[batch(0, [timeout("r1", 0)])]).await.unwrap();
        settle(&store, 0).await;
        store.route_changes(at(0), 10, |_: &Change| vec![delivery_to_make("d1", at(0))], None).await.unwrap();
        let incident_id = store.deliveries(10).await.unwrap()[0].incident.id.to_string();
        (store, incident_id)
    }

    async fn claim(store: &Store, minute: i64) -> Vec<(String, u32)> {
        let claimed = store.claim_deliveries(lease_at(minute, minute + 5)).await.unwrap();
        claimed.into_iter().map(|delivery| (delivery.id, delivery.attempts)).collect()
    }

    fn said(detail: &str) -> String {
        detail.to_owned()
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_lease_expires(pool: PgPool) {
        let (store, _) = with_delivery(pool).await;
        assert_eq!(store.next_delivery_at().await.unwrap(), Some(at(0)));
        assert_eq!(claim(&store, 0).await, [("d1".to_owned(), 1)]);
        assert_eq!(claim(&store, 4).await, []);
        assert_eq!(store.next_delivery_at().await.unwrap(), Some(at(5)));
        assert_eq!(claim(&store, 5).await, [("d1".to_owned(), 2)]);

        // The first claimant comes back: what failed is no news, what was delivered is.
        let retry = AttemptOutcome::Retry { detail: said("503"), due_at: at(60) };
        store.finish_attempt("d1", 1, at(0), Millis::from_ms(9), retry).await.unwrap();
        assert_eq!(claim(&store, 10).await, [("d1".to_owned(), 3)]);
        store.finish_attempt("d1", 2, at(5), Millis::from_ms(9), AttemptOutcome::Delivered { detail: said("200") }).await.unwrap();
        store.finish_attempt("d1", 3, at(10), Millis::from_ms(9), AttemptOutcome::Refused { detail: said("409") }).await.unwrap();
        assert_eq!(store.deliveries(10).await.unwrap()[0].state, DeliveryState::Delivered);
        assert_eq!(store.next_delivery_at().await.unwrap(), None);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_failed_attempt_is_made_again_when_due_and_a_refused_one_is_parked(pool: PgPool) {
        let (store, incident_id) = with_delivery(pool).await;
        claim(&store, 0).await;
        let retry = AttemptOutcome::Retry { detail: said("503\0"), due_at: at(1) };
        store.finish_attempt("d1", 1, at(0), Millis::from_us(1500), retry).await.unwrap();
        assert_eq!(claim(&store, 0).await, []);
        assert_eq!(store.pending_deliveries().await.unwrap(), 1);
        assert_eq!(claim(&store, 1).await, [("d1".to_owned(), 2)]);
        store.finish_attempt("d1", 2, at(1), Millis::from_ms(2), AttemptOutcome::Refused { detail: said("410") }).await.unwrap();
        assert_eq!(claim(&store, 1000).await, []);
        assert_eq!(store.pending_deliveries().await.unwrap(), 0);

        let told = store.deliveries_of(&incident_id).await.unwrap();
        let (delivery, attempts) = &told[0];
        assert_eq!((delivery.state, delivery.last_error.as_deref()), (DeliveryState::Parked, Some("410")));
        let attempts: Vec<_> = attempts.iter().map(|a| (a.number, a.outcome.as_str(), a.detail.as_str(), a.took_ms)).collect();
        assert_eq!(attempts, [(1, "retry", "503\u{fffd}", Millis::from_us(1500)), (2, "refused", "410", Millis::from_ms(2))]);
        assert_eq!(store.deliveries_of("none").await.unwrap(), []);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn an_attempt_not_made_does_not_count(pool: PgPool) {
        let (store, _) = with_delivery(pool).await;
        claim(&store, 0).await;
        store.release_delivery("d1").await.unwrap();
        store.release_delivery("d1").await.unwrap();
        assert_eq!(claim(&store, 0).await, [("d1".to_owned(), 1)]);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn of_two_claimants_one_gets_it(pool: PgPool) {
        let (store, _) = with_delivery(pool).await;
        let (one, two) = tokio::join!(claim(&store, 0), claim(&store, 0));
        assert_eq!(one.len() + two.len(), 1);
    }
}
