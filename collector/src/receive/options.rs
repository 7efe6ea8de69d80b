//! The `[receive]` section of the configuration.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

/// Bounds of what the ingest listeners take, and what senders prove themselves by.
#[derive(Clone, Debug, Deserialize)]
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
    /// Kinesis Data Firehose.
    pub firehose: FirehoseOptions,
    /// Vercel's log drains.
    pub vercel: VercelOptions,
    /// The syslog listeners.
    pub syslog: SyslogOptions,
}

/// Section `receive.firehose`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FirehoseOptions {
    /// What the delivery stream sends as its access key. Not asked for when absent.
    pub access_key: Option<SecretString>,
    /// The same, in a file.
    pub access_key_file: Option<PathBuf>,
}

/// Section `receive.vercel`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VercelOptions {
    /// What Vercel signs drains with. Signatures are not looked at when absent.
    pub secret: Option<SecretString>,
    /// The same, in a file.
    pub secret_file: Option<PathBuf>,
    /// What answers carry as `x-vercel-verify`, by which Vercel sees whose address it is.
    pub verify: Option<String>,
}

/// Section `receive.syslog`: bounds of the two listeners.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyslogOptions {
    /// Connections over TCP at the same time; further ones are closed at once.
    pub connections_max: usize,
    /// Bytes of one message; a longer one is rejected.
    pub message_bytes_max: usize,
    /// Messages over UDP that wait for their commit; further ones are dropped and counted.
    pub waiting_max: usize,
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
            firehose: FirehoseOptions::default(),
            vercel: VercelOptions::default(),
            syslog: SyslogOptions::default(),
        }
    }
}

impl Default for SyslogOptions {
    fn default() -> Self {
        Self { connections_max: 256, message_bytes_max: 64 << 10, waiting_max: 4096 }
    }
}

impl ReceiveOptions {
    pub(super) fn body_time_max(&self) -> Duration {
        Duration::from_millis(self.body_ms_max)
    }
}
