//! What the collector counts about itself. Every label comes from a closed set.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// The collector's metrics; clones share their values.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Items by format and fate (`evidence`, `ignored`, `rejected`), counted once they are stored.
    pub items: IntCounterVec,
    /// Requests by transport and class of answer (`2xx`, `4xx`, `5xx`).
    pub requests: IntCounterVec,
    /// Bytes of bodies as they came over the wire, by transport.
    pub bytes: IntCounterVec,
    /// Bytes of requests that are not answered yet, decompressed ones included.
    pub bytes_in_flight: IntGauge,
    /// Requests that wait for their commit.
    pub queue_items: IntGauge,
    /// How long commits take.
    pub commit_duration: Histogram,
    /// Commits by outcome: `stored`, `unavailable`, `failed`.
    pub commits: IntCounterVec,
    /// Batches that had been stored before.
    pub batches_repeated: IntCounter,
    /// Groups of evidence that were folded.
    pub recompute_groups: IntCounter,
    /// Rounds of folding that the store did not take.
    pub recompute_errors: IntCounter,
    /// Panics that were caught, by stage (`parse`, `commit`, `fold`, `recompute`): each is a fault of ours.
    pub panics: IntCounterVec,
}

impl Metrics {
    /// Creates and registers them.
    ///
    /// # Errors
    ///
    /// When the registry has metrics of these names already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let labelled = |name: &str, help: &str, labels: &[&str]| -> prometheus::Result<IntCounterVec> {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let counter = |name: &str, help: &str| -> prometheus::Result<IntCounter> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let gauge = |name: &str, help: &str| -> prometheus::Result<IntGauge> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        // 0.5 ms to 16 s: an fsync takes 0.2 ms here, and stalls of 100 ms occur.
        let buckets = prometheus::exponential_buckets(0.0005, 2.0, 16)?;
        let duration =
            HistogramOpts::new("overrun_pipeline_commit_duration_seconds", "How long commits of evidence take.").buckets(buckets);
        let commit_duration = Histogram::with_opts(duration)?;
        registry.register(Box::new(commit_duration.clone()))?;
        Ok(Self {
            items: labelled("overrun_receive_items_total", "Items received, by what became of them.", &["format", "fate"])?,
            requests: labelled("overrun_receive_requests_total", "Requests answered, by class of answer.", &["transport", "status_class"])?,
            bytes: labelled("overrun_receive_bytes_total", "Bytes of request bodies as they came over the wire.", &["transport"])?,
            bytes_in_flight: gauge(
                "overrun_receive_in_flight_bytes",
                "Bytes of requests that are not answered yet, decompressed ones included.",
            )?,
            queue_items: gauge("overrun_pipeline_queue_items", "Requests that wait for their commit.")?,
            commit_duration,
            commits: labelled("overrun_pipeline_commits_total", "Commits of evidence, by outcome.", &["outcome"])?,
            batches_repeated: counter("overrun_pipeline_batches_repeated_total", "Batches that had been stored before.")?,
            recompute_groups: counter("overrun_recompute_groups_total", "Groups of evidence that were folded.")?,
            recompute_errors: counter("overrun_recompute_errors_total", "Rounds of folding that the store did not take.")?,
            panics: labelled("overrun_panics_total", "Panics that were caught; each is a fault of the program.", &["stage"])?,
        })
    }

    /// Counts a caught panic and logs the first of each stage.
    pub fn panicked(&self, stage: &'static str) {
        let counter = self.panics.with_label_values(&[stage]);
        counter.inc();
        if counter.get() == 1 {
            tracing::error!(stage, "caught a panic; later ones of this stage are only counted in `overrun_panics_total`");
        }
    }
}
