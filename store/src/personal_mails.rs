//! Mails to the people whose requests overran. Booked under a lock that all processes share, before they are sent, so that
//! caps hold for all of them together.

use domain::Incident;
use jiff::{SignedDuration, Timestamp};
use sqlx::{Connection, PgConnection};

use crate::columns::{indexed, maybe_time, time, without_nul};
use crate::{Store, StoreError, locks};

/// How far back the mails to one person count.
const RECIPIENT_SPAN: SignedDuration = SignedDuration::from_hours(24);

/// How far back the mails of an action count.
const ACTION_SPAN: SignedDuration = SignedDuration::from_hours(1);

/// One mail to one person.
#[derive(Clone, Copy, Debug)]
pub struct PersonalMail<'a> {
    /// The delivery that it is made for.
    pub delivery_id: &'a str,
    /// The action that writes.
    pub action: &'a str,
    /// What it is about.
    pub incident: &'a Incident,
    /// Digest of the mailbox.
    pub recipient_digest: &'a str,
    /// Mails of the action to this person within 24 hours.
    pub per_recipient_max: u32,
    /// Mails of the action within an hour.
    pub per_hour_max: u32,
}

/// Whether a mail may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Booking {
    /// It may; also if it was booked before, and its first attempt came to nothing.
    Booked,
    /// Another delivery of the action wrote about the same request.
    SameRequest,
    /// The person got as many as one may.
    RecipientCap,
    /// The action wrote as many as it may.
    HourCap,
}

impl Store {
    /// Decides whether a mail may be sent, and writes that down.
    ///
    /// # Errors
    /// When the database does not answer; then nothing is to be sent.
    pub async fn book_personal_mail(&self, mail: PersonalMail<'_>, now: Timestamp) -> Result<Booking, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        locks::personal_mails(&mut transaction).await?;
        let booking = decide(&mut transaction, mail, now).await?;
        transaction.commit().await?;
        Ok(booking)
    }
}

async fn decide(connection: &mut PgConnection, mail: PersonalMail<'_>, now: Timestamp) -> sqlx::Result<Booking> {
    let incident = mail.incident;
    let (stack, action) = (indexed(incident.stack.as_str()), without_nul(mail.action));
    // Without a request ID, the subject is a worker or an instance, which outlives the request.
    let subject = if incident.request_id.is_some() { incident.subject.as_str() } else { incident.id.as_str() };
    let known: Option<String> = sqlx::query_scalar(
        "select delivery_id from personal_mails
         where delivery_id = $1 or (subject = $2 and stack = $3 and action = $4)
         order by delivery_id <> $1
         limit 1",
    )
    .bind(mail.delivery_id)
    .bind(indexed(subject))
    .bind(&stack)
    .bind(&action)
    .fetch_optional(&mut *connection)
    .await?;
    match known {
        Some(id) if id == mail.delivery_id => return Ok(Booking::Booked),
        Some(_) => return Ok(Booking::SameRequest),
        None => {}
    }
    let since = |span| maybe_time(now.saturating_sub(span).ok());
    let (to_person, by_action): (i64, i64) = sqlx::query_as(
        "select
             (select count(*) from personal_mails where recipient_digest = $1 and action = $2 and booked_at > $3),
             (select count(*) from personal_mails where action = $2 and booked_at > $4)",
    )
    .bind(mail.recipient_digest)
    .bind(&action)
    .bind(since(RECIPIENT_SPAN))
    .bind(since(ACTION_SPAN))
    .fetch_one(&mut *connection)
    .await?;
    if to_person >= i64::from(mail.per_recipient_max) {
        return Ok(Booking::RecipientCap);
    }
    if by_action >= i64::from(mail.per_hour_max) {
        return Ok(Booking::HourCap);
    }
    sqlx::query(
        "insert into personal_mails (delivery_id, action, stack, subject, recipient_digest, booked_at)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(mail.delivery_id)
    .bind(&action)
    .bind(&stack)
    .bind(indexed(subject))
    .bind(mail.recipient_digest)
    .bind(time(now))
    .execute(connection)
    .await?;
    Ok(Booking::Booked)
}

#[cfg(test)]
mod tests {
    use domain::StackName;
    use sqlx::PgPool;

    use super::*;
    use crate::testing::{at, incident};

    /// At most two to a person in a day, and three in all in an hour.
    async fn book(store: &Store, delivery_id: &str, request: &str, recipient_digest: &str, minute: i64) -> Booking {
        let incident = Incident { request_id: Some(request.into()), ..incident(&StackName::default(), request, "overran") };
        let mail =
            PersonalMail { delivery_id, action: "sorry", incident: &incident, recipient_digest, per_recipient_max: 2, per_hour_max: 3 };
        store.book_personal_mail(mail, at(minute)).await.unwrap()
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn one_request_is_written_about_once_however_often_it_is_attempted(pool: PgPool) {
        let store = Store::from_pool(pool);
        assert_eq!(book(&store, "d1", "r1", "ada", 0).await, Booking::Booked);
        assert_eq!(book(&store, "d1", "r1", "ada", 1).await, Booking::Booked);
        assert_eq!(book(&store, "d2", "r1", "ada", 1).await, Booking::SameRequest);
        assert_eq!(book(&store, "d3", "r2", "ada", 1).await, Booking::Booked);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn caps_count_what_is_within_their_time(pool: PgPool) {
        let store = Store::from_pool(pool);
        assert_eq!(book(&store, "d1", "r1", "ada", 0).await, Booking::Booked);
        assert_eq!(book(&store, "d2", "r2", "ada", 1).await, Booking::Booked);
        assert_eq!(book(&store, "d3", "r3", "ada", 2).await, Booking::RecipientCap);
        assert_eq!(book(&store, "d4", "r4", "bob", 2).await, Booking::Booked);
        assert_eq!(book(&store, "d5", "r5", "eve", 3).await, Booking::HourCap);
        assert_eq!(book(&store, "d5", "r5", "eve", 61).await, Booking::Booked);
        assert_eq!(book(&store, "d3", "r3", "ada", 24 * 60).await, Booking::Booked);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn of_many_that_book_at_once_no_more_than_the_cap_do(pool: PgPool) {
        let store = Store::from_pool(pool);
        let ask = async |number: u32| book(&store, &format!("d{number}"), &format!("r{number}"), &format!("p{number}"), 0).await;
        let (a, b, c, d, e) = tokio::join!(ask(1), ask(2), ask(3), ask(4), ask(5));
        assert_eq!([a, b, c, d, e].into_iter().filter(|booking| *booking == Booking::Booked).count(), 3);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn bookings_are_forgotten(pool: PgPool) {
        let store = Store::from_pool(pool);
        book(&store, "d1", "r1", "ada", 0).await;
        book(&store, "d2", "r2", "ada", 10).await;
        assert_eq!(store.forget_routing(at(5)).await.unwrap(), 1);
        assert_eq!(book(&store, "d3", "r1", "bob", 11).await, Booking::Booked);
    }
}
