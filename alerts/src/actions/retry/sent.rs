//! What can be said of a retry once it was sent.

use std::io;
use std::time::Duration;

use domain::Millis;
use jiff::Timestamp;
use reqwest::{Response, StatusCode};
use store::{RetryState, RetryStep};

use super::super::{ActionError, BoxError, outgoing};

/// What the other side said.
#[derive(Debug)]
pub(super) enum Sent {
    /// It said that it did not take it, or was never reached: it has surely not run.
    NotTaken {
        /// Whether it may take it later.
        later: bool,
        /// When, if it said so.
        after: Option<Duration>,
        source: BoxError,
    },
    /// It may have run.
    Taken(RetryStep),
}

impl Sent {
    /// It was taken; if its request ID is known, its result can be found.
    pub(super) fn accepted(result_request_id: Option<String>) -> Self {
        let detail = match &result_request_id {
            Some(id) => format!("taken, runs as {id}"),
            None => "taken; whoever took it says nothing by which its result could be found".to_owned(),
        };
        Self::Taken(RetryStep { state: RetryState::Accepted, took: None, detail, result_request_id })
    }

    /// Nobody can tell whether it ran.
    pub(super) fn unknown(detail: String) -> Self {
        Self::Taken(RetryStep { state: RetryState::Unknown, took: None, detail, result_request_id: None })
    }

    /// It was not taken, and will not be.
    pub(super) fn refused(source: impl Into<BoxError>) -> Self {
        Self::NotTaken { later: false, after: None, source: source.into() }
    }

    /// Judges a request that got no answer.
    pub(super) fn unanswered(error: reqwest::Error) -> Self {
        let is_sent = !error.is_connect() && !error.is_builder();
        match outgoing::unanswered(super::KIND, error) {
            ActionError::GiveUp { source, .. } => Self::refused(source),
            other if is_sent => Self::unknown(format!("sent, and not answered: {}", other.detail())),
            other => Self::NotTaken { later: true, after: None, source: Box::new(other) },
        }
    }

    /// Judges an answer of somebody who runs it at once. `took` is how long that took.
    pub(super) async fn answered(response: Response, took: Duration, now: Timestamp) -> Self {
        let (status, after) = (response.status(), outgoing::retry_after(response.headers(), now));
        let id = request_id(&response);
        let said = outgoing::said(response).await;
        let ended = |state| {
            let took = Some(Millis::from_us(i64::try_from(took.as_micros()).unwrap_or(i64::MAX)));
            Self::Taken(RetryStep { state, took, detail: said.clone(), result_request_id: id.clone() })
        };
        match status {
            StatusCode::ACCEPTED => Self::accepted(id),
            status if status.is_success() => ended(RetryState::Succeeded),
            StatusCode::TOO_MANY_REQUESTS => Self::NotTaken { later: true, after, source: said.into() },
            status if is_turned_away(status) => Self::refused(said),
            _ => ended(RetryState::Failed),
        }
    }

    /// What is to be written down.
    pub(super) fn step(&self) -> RetryStep {
        match self {
            Self::Taken(step) => step.clone(),
            Self::NotTaken { source, .. } => {
                RetryStep { state: RetryState::NotTaken, took: None, detail: source.to_string(), result_request_id: None }
            }
        }
    }

    /// What becomes of the delivery.
    pub(super) fn outcome(self, action: &'static str) -> Result<String, ActionError> {
        match self {
            Self::Taken(step) => Ok(match (step.state, step.took) {
                (RetryState::Succeeded, Some(took)) => format!("ran again, succeeded in {took}: {}", step.detail),
                (RetryState::Failed, Some(took)) => format!("ran again, failed after {took}: {}", step.detail),
                _ => step.detail,
            }),
            Self::NotTaken { later: true, after, source } => Err(ActionError::Retry { action, after, source }),
            Self::NotTaken { later: false, source, .. } => Err(ActionError::GiveUp { action, source }),
        }
    }
}

/// Statuses that say that nothing ran: wrong address, wrong key, not allowed, too large, redirected.
fn is_turned_away(status: StatusCode) -> bool {
    status.is_redirection() || matches!(status.as_u16(), 401 | 403 | 404 | 405 | 410 | 411 | 413 | 414 | 415 | 431)
}

/// The ID under which it ran: AWS's function URLs and OpenFaaS say it.
fn request_id(response: &Response) -> Option<String> {
    let header = |name| response.headers().get(name)?.to_str().ok().map(str::to_owned);
    ["x-call-id", "x-amzn-requestid"].into_iter().find_map(header)
}

/// Whether an error says that nothing was sent: nobody listens there, or there is no such place.
#[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "only AWS's client hides it so deep"))]
pub(super) fn never_left(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| {
        error.downcast_ref::<io::Error>().is_some_and(|error| {
            matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable)
        })
    })
}
