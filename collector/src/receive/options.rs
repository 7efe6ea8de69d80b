//! The `[receive]` section of the configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bounds of what the ingest listeners take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReceiveOptions {
    /// Bytes of one body as it comes over the wire. OTLP recommends 64 MiB.
    pub body_bytes_max: usize,
    /// Bytes of one body after decompression.
    pub decompressed_bytes_max: usize,
    /// Bytes of all requests that are not answered yet, compressed and decompressed bodies together. Beyond it: 503.
    pub in_flight_bytes_max: usize,
    /// How long one body may take to come in, in ms. Beyond it: 408.
    pub body_ms_max: u64,
    /// Processes whose last words are waited for at once, a connection each. Beyond it: 503.
    pub last_words_open_max: usize,
    /// How long such a process may have nothing to say until its connection is let go of, in ms; it then opens another.
    pub last_words_idle_ms_max: u64,
    /// What `Retry-After` says when the queue is full or the database away, in seconds.
    pub retry_after_seconds: u32,
    /// Rejected items that an answer tells of one by one; all are counted.
    pub rejected_in_answer_max: usize,
}

impl Default for ReceiveOptions {
    fn default() -> Self {
        Self {
            body_bytes_max: 64 << 20,
            decompressed_bytes_max: 64 << 20,
            in_flight_bytes_max: 256 << 20,
            body_ms_max: 30_000,
            last_words_open_max: 4096,
            last_words_idle_ms_max: 900_000,
            retry_after_seconds: 2,
            rejected_in_answer_max: 20,
        }
    }
}

impl ReceiveOptions {
    pub(super) fn body_time_max(&self) -> Duration {
        Duration::from_millis(self.body_ms_max)
    }
}
