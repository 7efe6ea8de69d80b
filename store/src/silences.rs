//! Silences: incidents that nobody is told of for a while, because somebody said so.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use crate::columns::{self, indexed, maybe_time, time, without_nul};
use crate::{Store, StoreError};

/// The most silences that hold at the same time: each is held against each incident.
pub const SILENCES_MAX: u32 = 1_000;

/// Who asks for silence, why, about what, until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSilence {
    /// Fields of the incident, by the names that conditions use, and the values that they must have.
    pub matchers: BTreeMap<String, String>,
    /// A CEL condition that must hold as well.
    pub condition: Option<String>,
    /// Why.
    pub comment: String,
    /// Who says so.
    pub created_by: String,
    /// When it ends; `None`: when its problem is resolved.
    pub ends_at: Option<Timestamp>,
}

/// One that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// In order of entry.
    pub id: i64,
    /// When it began.
    pub created_at: Timestamp,
    /// What was asked for; `ends_at` is earlier if somebody ended it.
    pub asked: NewSilence,
}

impl Silence {
    /// Whether it holds at that moment.
    #[must_use]
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.created_at <= now && self.asked.ends_at.is_none_or(|end| now < end)
    }
}

impl Store {
    /// Begins a silence. Returns its ID, or `None` if as many as may hold already do.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn add_silence(&self, new: &NewSilence, now: Timestamp) -> Result<Option<i64>, StoreError> {
        let id = sqlx::query_scalar(
            "insert into silences (matchers, condition, comment, created_by, created_at, ends_at, problem)
             select $1::json, $2, $3, $4, $5, $6, $7
             where (select count(*) from silences where ends_at is null or ends_at > $5) < $8
             returning id",
        )
        .bind(columns::json(&new.matchers))
        .bind(new.condition.as_deref().map(without_nul))
        .bind(without_nul(&new.comment))
        .bind(without_nul(&new.created_by))
        .bind(time(now))
        .bind(maybe_time(new.ends_at))
        .bind(new.matchers.get("problem").map(|problem| indexed(problem)))
        .bind(i64::from(SILENCES_MAX))
        .fetch_optional(&self.pool)
        .await?;
        Ok(id)
    }

    /// Ends a silence now. Returns whether one of that ID held.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_silence(&self, id: i64, now: Timestamp) -> Result<bool, StoreError> {
        let ended = sqlx::query("update silences set ends_at = $2 where id = $1 and (ends_at is null or ends_at > $2)")
            .bind(id)
            .bind(time(now))
            .execute(&self.pool)
            .await?;
        Ok(ended.rows_affected() > 0)
    }

    /// The silences that hold now, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn silences(&self, now: Timestamp) -> Result<Vec<Silence>, StoreError> {
        self.silences_since(now).await
    }

    /// The silences that held at some time since a moment, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn silences_since(&self, since: Timestamp) -> Result<Vec<Silence>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        active(&mut connection, since).await
    }

    /// One silence, also one that has ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn silence(&self, id: i64) -> Result<Option<Silence>, StoreError> {
        let row = sqlx::query("select *, matchers::text as matchers_text from silences where id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(silence).transpose()
    }

    /// The silences that held an incident when it came, and those about its problem that hold now; newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn silences_of_incident(&self, incident_id: &str, problem: &str, now: Timestamp) -> Result<Vec<Silence>, StoreError> {
        let rows = sqlx::query(
            "select *, matchers::text as matchers_text
             from silences
             where id in (select silence_id from silenced where incident_id = $1)
                or (problem = $2 and (ends_at is null or ends_at > $3))
             order by id desc
             limit 100",
        )
        .bind(without_nul(incident_id))
        .bind(indexed(problem))
        .bind(time(now))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(silence).collect()
    }
}

/// The silences that hold now, newest first.
pub(crate) async fn active(connection: &mut PgConnection, now: Timestamp) -> Result<Vec<Silence>, StoreError> {
    let rows = sqlx::query(
        "select *, matchers::text as matchers_text
         from silences
         where ends_at is null or ends_at > $1
         order by id desc
         limit $2",
    )
    .bind(time(now))
    .bind(i64::from(SILENCES_MAX))
    .fetch_all(connection)
    .await?;
    rows.iter().map(silence).collect()
}

/// Ends what was to last until a problem is resolved.
pub(crate) async fn problem_resolved(connection: &mut PgConnection, problem: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query("update silences set ends_at = $2 where problem = $1 and ends_at is null")
        .bind(indexed(problem))
        .bind(time(now))
        .execute(connection)
        .await?;
    Ok(())
}

fn silence(row: &PgRow) -> Result<Silence, StoreError> {
    Ok(Silence {
        id: row.try_get("id")?,
        created_at: row.try_get::<jiff_sqlx::Timestamp, _>("created_at")?.to_jiff(),
        asked: NewSilence {
            matchers: columns::from_json("silences", row.try_get("matchers_text")?)?,
            condition: row.try_get("condition")?,
            comment: row.try_get("comment")?,
            created_by: row.try_get("created_by")?,
            ends_at: row.try_get::<Option<jiff_sqlx::Timestamp>, _>("ends_at")?.map(jiff_sqlx::Timestamp::to_jiff),
        },
    })
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;

    use super::*;
    use crate::testing::at;

    fn about(problem: &str, ends_at: Option<Timestamp>) -> NewSilence {
        NewSilence {
            matchers: [("problem".to_owned(), problem.to_owned())].into(),
            condition: Some("incident.attempt == 1".to_owned()),
            comment: "known\0".to_owned(),
            created_by: "ada".to_owned(),
            ends_at,
        }
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_silence_holds_until_its_end(pool: PgPool) {
        let store = Store::from_pool(pool);
        let first = store.add_silence(&about("p", Some(at(10))), at(0)).await.unwrap().unwrap();
        let second = store.add_silence(&about("q", Some(at(20))), at(0)).await.unwrap().unwrap();
        let holding = async |minute| store.silences(at(minute)).await.unwrap().iter().map(|silence| silence.id).collect::<Vec<_>>();
        assert_eq!(holding(9).await, [second, first]);
        assert_eq!(holding(10).await, [second]);
        assert!(store.end_silence(second, at(11)).await.unwrap());
        assert!(!store.end_silence(second, at(12)).await.unwrap());
        assert!(!store.end_silence(999, at(12)).await.unwrap());
        assert_eq!(holding(11).await, Vec::<i64>::new());
        let found = store.silence(second).await.unwrap().unwrap();
        assert_eq!((found.asked.ends_at, found.asked.comment.as_str()), (Some(at(11)), "known\u{fffd}"));
        assert!(found.holds_at(at(0)) && !found.holds_at(at(11)));
        assert_eq!(store.silences_of_incident("i", "p", at(9)).await.unwrap().len(), 1);
        assert_eq!(store.silences_of_incident("i", "p", at(10)).await.unwrap().len(), 0);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn there_are_not_more_silences_than_may_be(pool: PgPool) {
        let store = Store::from_pool(pool.clone());
        let many =
            "insert into silences (matchers, comment, created_by, created_at) select '{}', '', '', now() from generate_series(1, 1000)";
        sqlx::query(many).execute(&pool).await.unwrap();
        assert_eq!(store.add_silence(&about("p", None), at(0)).await.unwrap(), None);
    }
}
