//! The daemon observes itself: logs by `tracing`, its own spans out by OTLP when an endpoint is configured.

use std::io::IsTerminal;

use anyhow::Context as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::{LogFormat, Telemetry};

/// Keeps the exporter alive; flushes it at the end.
pub struct Guard {
    provider: Option<SdkTracerProvider>,
}

impl Guard {
    /// Sends what is left, and waits for it a little.
    pub fn flush(self) {
        if let Some(Err(error)) = self.provider.map(|provider| provider.shutdown()) {
            eprintln!("overrun: our own spans could not all be sent: {error}");
        }
    }
}

/// Sets up logs and spans for the process.
pub fn start(options: &Telemetry) -> anyhow::Result<Guard> {
    let filter = EnvFilter::try_new(&options.log)
        .with_context(|| format!("`telemetry.log`: expected a filter such as `info`, found `{}`", options.log))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let lines = match options.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let provider = options.otlp_endpoint.as_deref().map(provider).transpose()?;
    let spans = provider.as_ref().map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("overrun")));
    tracing_subscriber::registry().with(spans).with(lines.with_filter(filter)).try_init().context("logging was set up twice")?;
    Ok(Guard { provider })
}

fn provider(endpoint: &str) -> anyhow::Result<SdkTracerProvider> {
    let endpoint = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let exporter = SpanExporter::builder().with_http().with_endpoint(&endpoint).build();
    let exporter = exporter.with_context(|| format!("`telemetry.otlp_endpoint`: `{endpoint}` cannot be used"))?;
    let resource = Resource::builder().with_service_name("overrun").build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}
