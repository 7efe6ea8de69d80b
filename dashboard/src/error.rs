//! What goes wrong while a page or an answer is made, mapped to status and a short public text in one place. Causes are
//! logged, never sent.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use store::StoreError;

use crate::query::BadParameter;

/// Seconds after which a reader may try again.
pub const RETRY_AFTER_S: &str = "5";

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// There is no such thing.
    NotFound(&'static str),
    /// What changes something came from somebody else's page.
    ForeignPage,
    /// The question could not be understood.
    BadParameter(BadParameter),
    /// The database does not answer, or not in time.
    Unavailable,
    /// A fault of ours.
    Internal,
}

impl Failure {
    /// The status that says so.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::ForeignPage => StatusCode::FORBIDDEN,
            Self::BadParameter(_) => StatusCode::BAD_REQUEST,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What happened, in one sentence.
    #[must_use]
    pub fn headline(&self) -> String {
        match self {
            Self::NotFound(what) => format!("There is no such {what}"),
            Self::ForeignPage => "Another page asked for this".to_owned(),
            Self::BadParameter(bad) => format!("The parameter `{}` could not be understood", bad.name),
            Self::Unavailable => "The database does not answer".to_owned(),
            Self::Internal => "This page could not be made".to_owned(),
        }
    }

    /// What the reader can do about it.
    #[must_use]
    pub fn advice(&self) -> String {
        match self {
            Self::NotFound("incident") => {
                "Its evidence may have shown since that nothing overran, or its retention is over. The list has all there are.".to_owned()
            }
            Self::NotFound(_) => "The address may be misspelt. The overview leads to everything there is.".to_owned(),
            Self::ForeignPage => {
                "Only pages of this dashboard may change anything. Open the problem here, and press the button there.".to_owned()
            }
            Self::BadParameter(bad) => format!("Expected {}, found `{}`.", bad.expected, bad.found),
            Self::Unavailable => {
                "Overrun keeps what it shows in Postgres, and Postgres does not answer at the moment. What arrives is not lost by \
                 that: senders are told to wait, and send again. Try again in a few seconds; `/readyz` says when it is back."
                    .to_owned()
            }
            Self::Internal => "The fault is on our side and has been logged. Another page may still work.".to_owned(),
        }
    }

    /// The same as JSON, for programs.
    #[must_use]
    pub fn into_json(self) -> Response {
        let status = self.status();
        let body = match &self {
            Self::BadParameter(bad) => {
                json!({ "error": bad.to_string(), "parameter": bad.name, "expected": bad.expected, "found": bad.found })
            }
            Self::ForeignPage => json!({ "error": "asked for by a page of another site" }),
            Self::NotFound(what) => json!({ "error": format!("no such {what}") }),
            Self::Unavailable => json!({ "error": "the database does not answer; try again" }),
            Self::Internal => json!({ "error": "a fault of ours; it has been logged" }),
        };
        let mut response = (status, Json(body)).into_response();
        self.mark(&mut response);
        response
    }

    /// Says in the headers when to try again, where that may help.
    pub fn mark(&self, response: &mut Response) {
        if matches!(self, Self::Unavailable) {
            response.headers_mut().insert(RETRY_AFTER, axum::http::HeaderValue::from_static(RETRY_AFTER_S));
        }
    }
}

impl From<BadParameter> for Failure {
    fn from(bad: BadParameter) -> Self {
        Self::BadParameter(bad)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        if error.is_unavailable() {
            tracing::warn!(error = &error as &dyn std::error::Error, "the database does not answer");
            Self::Unavailable
        } else {
            tracing::error!(error = &error as &dyn std::error::Error, "a query failed");
            Self::Internal
        }
    }
}
