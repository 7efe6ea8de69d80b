//! The `[alerts]` section of the configuration.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;

/// How alerts are sent. What is sent to whom stands in the rules file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertOptions {
    /// Where people reach the dashboard, for links in messages: an absolute http or https URL.
    pub public_url: String,
    /// The rules file, also given by `--rules`. Without one nothing is sent.
    pub rules_file: Option<PathBuf>,
    /// Attempts that may run at the same time; 1 to 1,000.
    pub attempts_concurrent_max: u32,
    /// How long one attempt may take in all, in milliseconds; at least 1,000 and less than the lease.
    pub attempt_timeout_ms: u32,
    /// How long an HTTP receiver may take to answer, in milliseconds; 15 to 30 s by Standard Webhooks.
    pub http_timeout_ms: u32,
    /// How long a delivery belongs to the process that claimed it, in milliseconds. If the process dies, the delivery is
    /// attempted again after that.
    pub lease_ms: u32,
    /// How often the database is asked without being woken by it, in milliseconds; at least 10.
    pub poll_interval_ms: u32,
    /// Changes of incidents that the rules look at in one transaction; 1 to 10,000.
    pub changes_per_batch_max: u32,
    /// How long running attempts may take to finish when the daemon stops, in milliseconds; then they are put back.
    pub stop_timeout_ms: u32,
}

impl Default for AlertOptions {
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:4319".to_owned(),
            rules_file: None,
            attempts_concurrent_max: 16,
            attempt_timeout_ms: 60_000,
            http_timeout_ms: 15_000,
            lease_ms: 120_000,
            poll_interval_ms: 2_000,
            changes_per_batch_max: 200,
            stop_timeout_ms: 10_000,
        }
    }
}

/// A value out of its range.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`alerts.{key}`: expected {expected}, found `{found}`")]
pub struct OptionsError {
    key: &'static str,
    expected: &'static str,
    found: String,
}

impl AlertOptions {
    /// Checks the ranges that the fields name.
    ///
    /// # Errors
    /// The first value out of its range.
    pub fn validate(&self) -> Result<(), OptionsError> {
        let url: Result<Url, _> = self.public_url.parse();
        if !url.is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && url.has_host()) {
            return Err(OptionsError { key: "public_url", expected: "an absolute http or https URL", found: self.public_url.clone() });
        }
        let ranges = [
            ("attempts_concurrent_max", self.attempts_concurrent_max, (1..=1_000).contains(&self.attempts_concurrent_max), "1 to 1000"),
            (
                "attempt_timeout_ms",
                self.attempt_timeout_ms,
                self.attempt_timeout_ms >= 1_000 && self.attempt_timeout_ms < self.lease_ms,
                "at least 1000 and less than `alerts.lease_ms`",
            ),
            ("http_timeout_ms", self.http_timeout_ms, (100..=60_000).contains(&self.http_timeout_ms), "100 to 60000"),
            ("poll_interval_ms", self.poll_interval_ms, (10..=60_000).contains(&self.poll_interval_ms), "10 to 60000"),
            ("changes_per_batch_max", self.changes_per_batch_max, (1..=10_000).contains(&self.changes_per_batch_max), "1 to 10000"),
            ("stop_timeout_ms", self.stop_timeout_ms, self.stop_timeout_ms <= 300_000, "at most 300000"),
        ];
        match ranges.into_iter().find(|(_, _, fits, _)| !fits) {
            Some((key, found, _, expected)) => Err(OptionsError { key, expected, found: found.to_string() }),
            None => Ok(()),
        }
    }

    pub(crate) fn http_timeout(&self) -> Duration {
        milliseconds(self.http_timeout_ms)
    }

    pub(crate) fn attempt_timeout(&self) -> Duration {
        milliseconds(self.attempt_timeout_ms)
    }

    pub(crate) fn lease(&self) -> Duration {
        milliseconds(self.lease_ms)
    }

    pub(crate) fn poll_interval(&self) -> Duration {
        milliseconds(self.poll_interval_ms)
    }

    pub(crate) fn stop_timeout(&self) -> Duration {
        milliseconds(self.stop_timeout_ms)
    }
}

fn milliseconds(number: u32) -> Duration {
    Duration::from_millis(u64::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut AlertOptions)) -> String {
        let mut options = AlertOptions::default();
        change(&mut options);
        options.validate().expect_err("out of range").to_string()
    }

    #[test]
    fn the_defaults_are_within_their_ranges() {
        assert_eq!(AlertOptions::default().validate(), Ok(()));
        assert_eq!(toml::from_str::<AlertOptions>("").expect("empty is valid"), AlertOptions::default());
    }

    #[test]
    fn a_value_out_of_range_is_named() {
        insta::assert_snapshot!(refused(|o| o.public_url = "overrun.example.com".to_owned()), @"`alerts.public_url`: expected an absolute http or https URL, found `overrun.example.com`");
        insta::assert_snapshot!(refused(|o| o.public_url = "javascript:alert(1)".to_owned()), @"`alerts.public_url`: expected an absolute http or https URL, found `javascript:alert(1)`");
        insta::assert_snapshot!(refused(|o| o.attempts_concurrent_max = 0), @"`alerts.attempts_concurrent_max`: expected 1 to 1000, found `0`");
        insta::assert_snapshot!(refused(|o| o.lease_ms = 60_000), @"`alerts.attempt_timeout_ms`: expected at least 1000 and less than `alerts.lease_ms`, found `60000`");
    }

    #[test]
    fn a_misspelt_key_fails_by_name() {
        let error = toml::from_str::<AlertOptions>("rule_file = 'x'").expect_err("misspelt");
        assert!(error.to_string().contains("rule_file"), "{error}");
    }
}
