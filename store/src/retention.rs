//! What was told, forgotten once it is old: deliveries with their attempts, retries, changes of incidents, what became of incidents
//! that are no more, silences that are over. Incidents and problems stay. For evidence see `partitions`, for what rules remember `routing`.

use jiff::Timestamp;

use crate::columns::time;
use crate::{Store, StoreError};

/// Rows deleted by one statement, so that nobody waits long for its locks.
const ROWS_AT_ONCE: u32 = 1_000;

/// What nothing refers to any more; `$1`: what is older than this, `$2`: how many at once.
const STATEMENTS: [&str; 6] = [
    // A group looks up whether its latest message was given up.
    "with old as (
         select id
         from deliveries
         where created_at < $1 and state <> 'pending'
           and not exists (select from alert_groups where told_by = deliveries.id)
         order by created_at
         limit $2
         for update skip locked
     ), tries as (
         delete from attempts where delivery_id in (select id from old)
     )
     delete from deliveries where id in (select id from old)",
    // One that is being sent is given up first, and one whose result is looked for gets it first.
    "delete from retries
     where id in (
         select id from retries where begun_at < $1 and state <> 'begun' and look_at is null order by begun_at limit $2
     )",
    // The rules have to look at each; then groups show the latest of theirs, and subscribers are told of errors as they were.
    "delete from incident_changes
     where id in (
         select id
         from incident_changes
         where at < $1 and routed_at is not null
           and not exists (select from alert_groups where latest_change = incident_changes.id)
           and not exists (select from errors where change_id = incident_changes.id)
         order by at
         limit $2
     )",
    "delete from superseded where incident_id in (select incident_id from superseded where at < $1 order by at limit $2)",
    "delete from silenced
     where (incident_id, silence_id) in (select incident_id, silence_id from silenced where at < $1 order by at limit $2)",
    "delete from silences
     where id in (
         select id
         from silences
         where ends_at < $1 and not exists (select from silenced where silence_id = silences.id)
         order by ends_at
         limit $2
     )",
];

impl Store {
    /// Forgets what was told before `oldest`, but for what is still on its way or referred to. Returns how many rows that were.
    ///
    /// That a request was retried is forgotten, too: nobody may retry what happened before.
    ///
    /// # Errors
    /// When the database does not answer; what was forgotten until then stays so.
    pub async fn forget_told_before(&self, oldest: Timestamp) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        for statement in STATEMENTS {
            loop {
                let done = sqlx::query(statement).bind(time(oldest)).bind(i64::from(ROWS_AT_ONCE)).execute(&self.pool).await?;
                forgotten += done.rows_affected();
                if done.rows_affected() < u64::from(ROWS_AT_ONCE) {
                    break;
                }
            }
        }
        Ok(forgotten)
    }
}

#[cfg(test)]
mod tests {
    use domain::Millis;
    use sqlx::{AssertSqlSafe, PgPool};

    use super::*;
    use crate::testing::{at, batch, delivery_to_make, lease_at, number, settle, timeout};
    use crate::{AttemptOutcome, Change};

    /// Four errors, each told by a delivery of its own, `d1` to `d4`, of which the last is still pending.
    async fn with_four(pool: &PgPool) -> Store {
        let store = Store::from_pool(pool.clone());
        for minute in 0..4 {
            store.append(&[batch(minute, [timeout(&format!("r{minute}"), minute)])]).await.unwrap();
            settle(&store, minute).await;
            let new = |change: &Change| vec![delivery_to_make(&format!("d{}", change.id), at(minute))];
            store.route_changes(at(minute), 10, new, None).await.unwrap();
        }
        for (id, outcome) in [
            ("d1", AttemptOutcome::Delivered { detail: "200".to_owned() }),
            ("d2", AttemptOutcome::Refused { detail: "410".to_owned() }),
            ("d3", AttemptOutcome::Declined { detail: "not now".to_owned() }),
        ] {
            let claimed = store.claim_deliveries(lease_at(4, 5)).await.unwrap();
            assert_eq!(claimed[0].id, id);
            store.finish_attempt(id, 1, at(4), Millis::from_ms(1), outcome).await.unwrap();
        }
        store
    }

    async fn run(pool: &PgPool, statement: &str) {
        sqlx::query(AssertSqlSafe(statement)).execute(pool).await.unwrap();
    }

    /// What is left in a table, as the values of one column.
    async fn left(pool: &PgPool, column: &str, table: &str) -> Vec<String> {
        let query = format!("select {column}::text from {table} order by 1");
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(pool).await.unwrap()
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn what_was_told_is_forgotten_and_what_is_on_its_way_is_not(pool: PgPool) {
        let store = with_four(&pool).await;
        store.drop_errors_before(at(1_000)).await.unwrap();
        assert_eq!(store.forget_told_before(at(0)).await.unwrap(), 0);
        assert_eq!(store.forget_told_before(at(1)).await.unwrap(), 2, "the first delivery and its change");
        assert_eq!(left(&pool, "id", "deliveries").await, ["d2", "d3", "d4"]);
        assert_eq!(left(&pool, "delivery_id", "attempts").await, ["d2", "d3"]);
        assert_eq!(left(&pool, "id", "incident_changes").await, ["2", "3", "4"]);
        store.forget_told_before(at(1_000)).await.unwrap();
        assert_eq!(left(&pool, "id", "deliveries").await, ["d4"], "it is pending");
        assert_eq!(left(&pool, "delivery_id", "attempts").await, Vec::<String>::new());
        assert_eq!(number(&pool, "select count(*) from incidents").await, 4);
        let claimed = store.claim_deliveries(lease_at(1_000, 1_001)).await.unwrap();
        assert_eq!(claimed.len(), 1, "and still goes out");
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn what_is_referred_to_stays(pool: PgPool) {
        let store = with_four(&pool).await;
        // The first error is kept for subscribers, the second change is what a group shows next, the third delivery its latest
        // message, and the rules have not looked at the fourth change.
        run(&pool, "delete from errors where change_id > 1").await;
        run(
            &pool,
            "insert into alert_groups (key, rule, action, told_by, more, latest_change, changed_at) values ('g', 'r', 'a', 'd3', 0, 2, now())",
        )
        .await;
        run(&pool, "update incident_changes set routed_at = null where id = 4").await;
        store.forget_told_before(at(1_000)).await.unwrap();
        assert_eq!(left(&pool, "id", "incident_changes").await, ["1", "2", "4"]);
        assert_eq!(left(&pool, "id", "deliveries").await, ["d3", "d4"]);
        assert_eq!(left(&pool, "delivery_id", "attempts").await, ["d3"]);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn retries_are_forgotten_once_their_result_is_not_looked_for(pool: PgPool) {
        let store = Store::from_pool(pool.clone());
        for (id, state, look_at) in [
            ("begun", "begun", "null"),
            ("ended", "succeeded", "null"),
            ("looked for", "accepted", "now()"),
            ("never heard of", "accepted", "null"),
        ] {
            run(
                &pool,
                &format!(
                    "insert into retries (id, incident_id, problem, stack, subject, attempt, number, rule, action, delivery_id, state, begun_at, detail, look_at)
                     values ('{id}', 'i', 'p', 's', 'k', 1, 1, 'r', 'a', 'd', '{state}', '{}', '', {look_at})",
                    at(0)
                ),
            )
            .await;
        }
        assert_eq!(store.forget_told_before(at(1)).await.unwrap(), 2);
        assert_eq!(left(&pool, "id", "retries").await, ["begun", "looked for"]);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn silences_that_are_over_are_forgotten_with_what_they_silenced(pool: PgPool) {
        let store = Store::from_pool(pool.clone());
        for (id, ends_at) in [(1, format!("'{}'", at(1))), (2, format!("'{}'", at(50))), (3, "null".to_owned())] {
            run(
                &pool,
                &format!(
                    "insert into silences (id, matchers, comment, created_by, created_at, ends_at) values ({id}, '{{}}', '', 'ada', '{}', {ends_at})",
                    at(0)
                ),
            )
            .await;
        }
        run(&pool, &format!("insert into silenced (incident_id, silence_id, at) values ('a', 1, '{}'), ('b', 3, '{}')", at(0), at(9)))
            .await;
        assert_eq!(store.forget_told_before(at(5)).await.unwrap(), 2);
        assert_eq!(
            (left(&pool, "id", "silences").await, left(&pool, "incident_id", "silenced").await),
            (vec!["2".into(), "3".into()], vec!["b".into()])
        );
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn any_number_is_forgotten(pool: PgPool) {
        let store = Store::from_pool(pool.clone());
        run(
            &pool,
            &format!(
                "insert into incident_changes (at, kind, incident_id, incident, routed_at) select '{0}', 'opened', 'i', '{{}}', '{0}' from generate_series(1, {1})",
                at(0),
                2 * ROWS_AT_ONCE + 1
            ),
        )
        .await;
        assert_eq!(store.forget_told_before(at(1)).await.unwrap(), u64::from(2 * ROWS_AT_ONCE + 1));
    }
}
