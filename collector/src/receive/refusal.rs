//! Why a request as a whole was not taken, and what its sender is told: what was expected and what was found.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::pipeline::NotTaken;

/// A request that was not taken. What was wrong with single items of it is not a refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// More bytes than the limit.
    #[error("expected a body of at most {bytes_max} bytes{}, found more", if *.decompressed { " after decompression" } else { "" })]
    TooLarge {
        /// The limit.
        bytes_max: usize,
        /// Whether it is the decompressed body that exceeds it.
        decompressed: bool,
    },
    /// A content encoding that we do not read.
    #[error("expected `Content-Encoding` to be `gzip` or `identity`, found `{found}`")]
    UnknownEncoding {
        /// What it was.
        found: String,
    },
    /// The body is not what its content encoding says.
    #[error("expected a body in gzip as `Content-Encoding` says, found {found}")]
    BrokenEncoding {
        /// What the decoder said.
        found: String,
    },
    /// A content type that this path does not take.
    #[error("expected `Content-Type` to be {expected}, found `{found}`")]
    UnknownMedia {
        /// What the path takes.
        expected: &'static str,
        /// What it was.
        found: String,
    },
    /// The body as a whole could not be read; says what was expected and found.
    #[error("{0}")]
    Malformed(String),
    /// A name in the path that is none of ours.
    #[error("expected a format, one of {expected}, found `{found}`")]
    UnknownFormat {
        /// Their names.
        expected: String,
        /// What it was.
        found: String,
    },
    /// The sender does not prove that it may send; says what was expected.
    #[error("{0}")]
    NotAllowed(&'static str),
    /// The body ended before its end.
    #[error("expected a whole body, found {found_bytes} bytes of it")]
    CutOff {
        /// How much arrived.
        found_bytes: usize,
    },
    /// The body did not come in within the time for it.
    #[error("expected the whole body within {ms_max} ms, found {found_bytes} bytes by then")]
    TooSlow {
        /// The time.
        ms_max: u64,
        /// How much arrived.
        found_bytes: usize,
    },
    /// Other requests hold all the memory that there is for bodies.
    #[error("too many bytes are being received; try again later")]
    Busy,
    /// The pipeline did not take it.
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
}

impl Refusal {
    /// The HTTP status that says this.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnknownMedia { .. } | Self::UnknownEncoding { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BrokenEncoding { .. } | Self::Malformed(_) | Self::CutOff { .. } => StatusCode::BAD_REQUEST,
            Self::NotAllowed(_) => StatusCode::UNAUTHORIZED,
            Self::UnknownFormat { .. } => StatusCode::NOT_FOUND,
            Self::TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::NotTaken(NotTaken::Failed) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Busy | Self::NotTaken(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Whether the same request may be taken later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.status() == StatusCode::SERVICE_UNAVAILABLE
    }
}

/// A refusal as `{"error": "…"}`, with `Retry-After` where coming again is of use.
pub fn answer(refusal: &Refusal, retry_after_seconds: u32) -> Response {
    let mut response = (refusal.status(), Json(serde_json::json!({ "error": refusal.to_string() }))).into_response();
    retry_after(&mut response, refusal, retry_after_seconds);
    response
}

/// Adds `Retry-After` where coming again is of use.
pub fn retry_after(response: &mut Response, refusal: &Refusal, seconds: u32) {
    if refusal.is_passing() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}
