//! What the environment says: Lambda's own variables, and ours.

use std::time::Duration;

use crate::say;

/// Where SDKs send by default, and so where we listen.
const PORT: u16 = 4318;
/// How long before the deadline `fired` is sent: a function with little memory has little CPU (`docs/wire/watchdog.md`).
const MARGIN: Duration = Duration::from_millis(500);
const MARGIN_LITTLE_MEMORY: Duration = Duration::from_secs(1);
const MARGIN_MIN: Duration = Duration::from_millis(150);
const LITTLE_MEMORY_MB: u32 = 256;
/// The share of the budget after which something is said at all.
const NEAR_MISS_SHARE: f64 = 0.5;

/// All settings, with their defaults filled in.
#[derive(Debug)]
pub struct Settings {
    /// Host and port of Lambda's API.
    pub runtime_api: Option<String>,
    /// The collector's address, without a slash at its end.
    pub collector: Option<String>,
    /// The key that the collector wants.
    pub token: Option<String>,
    /// Whether to do nothing.
    pub disabled: bool,
    /// How long before the deadline `fired` is sent.
    pub margin: Duration,
    /// The share of the budget after which `near_miss` is sent, from 0 to 1.
    pub near_miss_share: f64,
    /// Where the SDKs' events are taken.
    pub port: u16,
    /// Whether the function's own log lines are forwarded beside the platform's.
    pub function_logs: bool,
    /// The stack that the function belongs to.
    pub stack: Option<String>,
    /// The function, its version, and the environment it runs in.
    pub function: Option<String>,
    pub version: Option<String>,
    pub log_stream: Option<String>,
}

impl Settings {
    /// Reads them; what cannot be used is said, and its default taken.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let own = |name: &str| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let is_on = |name: &str| own(name).is_some_and(|value| !matches!(value.as_str(), "0" | "false" | "no"));
        let is_off = |name: &str| own(name).is_some_and(|value| matches!(value.as_str(), "0" | "false" | "no"));
        let little_memory =
            own("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").and_then(|mb| mb.parse::<u32>().ok()).is_some_and(|mb| mb < LITTLE_MEMORY_MB);
        let margin = number(&own, "OVERRUN_MARGIN_MS", "a number of milliseconds, 150 or more", |ms: u64| ms >= 150);
        let margin = margin.map_or(if little_memory { MARGIN_LITTLE_MEMORY } else { MARGIN }, Duration::from_millis);
        let share = number(&own, "OVERRUN_NEAR_MISS_SHARE", "a number above 0 and up to 1", |share: f64| share > 0.0 && share <= 1.0);
        let collector = own("OVERRUN_COLLECTOR").map(|url| url.trim_end_matches('/').to_owned());
        let disabled = is_on("OVERRUN_DISABLED");
        if collector.is_none() && !disabled {
            say("expected the collector's address in OVERRUN_COLLECTOR, such as https://overrun.example.com: nothing will be sent");
        }
        Self {
            runtime_api: own("AWS_LAMBDA_RUNTIME_API"),
            disabled: disabled || collector.is_none(),
            collector,
            token: own("OVERRUN_TOKEN"),
            margin: margin.max(MARGIN_MIN),
            near_miss_share: share.unwrap_or(NEAR_MISS_SHARE),
            port: number(&own, "OVERRUN_EXTENSION_PORT", "a port", |port: u16| port > 0).unwrap_or(PORT),
            function_logs: !is_off("OVERRUN_FUNCTION_LOGS"),
            stack: own("OVERRUN_STACK"),
            function: own("AWS_LAMBDA_FUNCTION_NAME"),
            version: own("AWS_LAMBDA_FUNCTION_VERSION"),
            log_stream: own("AWS_LAMBDA_LOG_STREAM_NAME"),
        }
    }
}

fn number<T: std::str::FromStr + Copy>(
    own: &impl Fn(&str) -> Option<String>,
    name: &str,
    expected: &str,
    fits: impl Fn(T) -> bool,
) -> Option<T> {
    let text = own(name)?;
    let value = text.parse().ok().filter(|value| fits(*value));
    if value.is_none() {
        say(&format!("expected {expected} in {name}, found `{text}`: its default is taken"));
    }
    value
}
