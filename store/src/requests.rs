//! One request: all that is known about an ID.

use domain::{Evidence, Key, RequestId, StackName};

use crate::columns::{indexed, key_text, without_nul};
use crate::incidents::StoredIncident;
use crate::{Store, StoreError, group, incident_row};

/// All that is known about one request.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestRecord {
    /// The stack it was found in.
    pub stack: StackName,
    /// Its evidence with all that belongs to it, by time.
    pub evidence: Vec<Evidence>,
    /// Its incidents, one per attempt that overran, newest first.
    pub incidents: Vec<StoredIncident>,
}

impl Store {
    /// What is known about a request; `None` if nothing is. Without a stack, the stack that heard of it last.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn request(&self, stack: Option<&StackName>, request_id: &RequestId) -> Result<Option<RequestRecord>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let key = key_text(&Key::Request(request_id.clone()));
        let found: Option<String> = sqlx::query_scalar(
            "select stack
             from evidence_v1
             where key = $1 and ($2::text is null or stack = $2)
             order by received_at desc
             limit 1",
        )
        .bind(&key)
        .bind(stack.map(|stack| indexed(stack.as_str())))
        .fetch_optional(&mut *connection)
        .await?;
        let Some(stack) = found else { return Ok(None) };
        let group = group::load(&mut connection, &stack, &key).await?;
        let rows = sqlx::query(
            "select incident::text as incident, first_seen_at, changed_at
             from incidents
             where stack = $1 and request_id = $2
             order by at desc, id desc",
        )
        .bind(&stack)
        .bind(without_nul(request_id.as_str()))
        .fetch_all(&mut *connection)
        .await?;
        let incidents = rows.iter().map(incident_row::stored).collect::<Result<_, _>>()?;
        Ok(Some(RequestRecord { stack: StackName::from(stack), evidence: group.evidence, incidents }))
    }
}
