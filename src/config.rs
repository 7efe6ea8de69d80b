//! The configuration: defaults, then the file, then `OVERRUN__SECTION__KEY`, then validation. The rest of the code never
//! sees its text.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use collector::receive::{FirehoseOptions, ReceiveOptions, VercelOptions};
use secrecy::SecretString;
use serde::Deserialize;

/// Defaults, documentation and sample in one file.
pub const DEFAULTS: &str = include_str!("../overrun.default.toml");

/// Errors are kept for 30 days and show the change that made them one; a request is run again for as long, and whether it was
/// before must be known then.
const DELIVERIES_DAYS_MIN: u32 = 31;

/// Everything that can be set. Each section belongs to the crate it is named after.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the private Postgres lives; by default the user's data directory.
    #[serde(default)]
    pub data_dir: Option<PathBuf>,
    /// Lets listeners leave loopback although nobody has to log in.
    pub allow_unauthenticated: bool,
    /// The listeners that receive.
    pub ingest: Ingest,
    /// Limits of what is received at once.
    pub receive: ReceiveOptions,
    /// Queue and commits.
    pub pipeline: collector::PipelineOptions,
    /// Configuration files that state limits, by stack.
    pub limits: BTreeMap<String, Vec<PathBuf>>,
    /// Where everything is kept.
    pub database: Database,
    /// Pages and API.
    pub dashboard: Dashboard,
    /// Rules and deliveries.
    pub alerts: alerts::AlertOptions,
    /// Our own logs and spans.
    pub telemetry: Telemetry,
}

/// Section `ingest`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ingest {
    /// OTLP/HTTP, watchdog events and log pushes.
    pub http: SocketAddr,
    /// OTLP/gRPC.
    pub grpc: SocketAddr,
    /// syslog over TCP; nobody listens without an address.
    #[serde(default)]
    pub syslog_tcp: Option<SocketAddr>,
    /// syslog over UDP.
    #[serde(default)]
    pub syslog_udp: Option<SocketAddr>,
}

/// Section `database`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// A server of your own; without it, a private one.
    #[serde(default)]
    pub url: Option<SecretString>,
    /// The same, in a file.
    #[serde(default)]
    pub url_file: Option<PathBuf>,
    /// Connections held at most.
    pub connections_max: u32,
    /// Days that evidence is kept which belongs to no incident.
    pub evidence_days: u32,
    /// Days that is kept what was told: deliveries, retries, changes of incidents.
    pub deliveries_days: u32,
}

/// Section `dashboard`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dashboard {
    /// Pages, API, metrics, health.
    pub http: SocketAddr,
}

/// Section `telemetry`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// What is logged, in `tracing`'s filter syntax.
    pub log: String,
    /// `text` or `json`.
    pub log_format: LogFormat,
    /// Where our own spans go, over OTLP/HTTP; nowhere by default.
    #[serde(default)]
    pub otlp_endpoint: Option<String>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl Config {
    /// Reads the configuration from a file, if one is named, and from environment variables.
    pub fn load(file: Option<&Path>, environment: &BTreeMap<String, String>) -> anyhow::Result<Self> {
        let mut table: toml::Table = DEFAULTS.parse().context("the built-in defaults")?;
        if let Some(file) = file {
            let name = file.display();
            let text = std::fs::read_to_string(file).with_context(|| format!("`{name}` cannot be read"))?;
            // Read by itself first, so that a fault is told with its line in this file.
            let own: toml::Table = text.parse().with_context(|| format!("`{name}` is not TOML"))?;
            merge(&mut table, own);
        }
        for (key, value) in environment {
            if let Some(path) = key.strip_prefix("OVERRUN__") {
                set(&mut table, path, value).with_context(|| format!("environment variable `{key}`"))?;
            }
        }
        let mut config: Self = table.try_into().context("the configuration cannot be used")?;
        if let Some(url) = environment.get("DATABASE_URL").filter(|url| !url.is_empty() && config.database.url.is_none()) {
            config.database.url = Some(SecretString::from(url.clone()));
        }
        config.alerts.validate()?;
        Ok(config)
    }

    /// The three listeners, refused where they would let anybody in; other values out of their range are refused as well.
    pub fn listeners(&self) -> anyhow::Result<[SocketAddr; 3]> {
        let all = [("ingest.http", self.ingest.http), ("ingest.grpc", self.ingest.grpc), ("dashboard.http", self.dashboard.http)];
        let syslog = [("ingest.syslog_tcp", self.ingest.syslog_tcp), ("ingest.syslog_udp", self.ingest.syslog_udp)];
        let syslog = syslog.into_iter().filter_map(|(key, address)| Some((key, address?)));
        for (key, address) in all.into_iter().chain(syslog) {
            if !address.ip().is_loopback() && !self.allow_unauthenticated {
                bail!(
                    "`{key}`: expected a loopback address, found `{address}`: this version has no keys and no login yet, so anybody who reaches \
                     that address could send and read. Put a proxy that authenticates in front of a loopback address, or set \
                     `allow_unauthenticated = true` if the network itself keeps strangers out"
                );
            }
        }
        if self.database.evidence_days == 0 {
            bail!("`database.evidence_days`: expected at least 1, found 0");
        }
        if self.database.deliveries_days < DELIVERIES_DAYS_MIN {
            bail!("`database.deliveries_days`: expected at least {DELIVERIES_DAYS_MIN}, found {}", self.database.deliveries_days);
        }
        Ok(all.map(|(_, address)| address))
    }

    /// The database's address, where one is given.
    pub fn database_url(&self) -> anyhow::Result<Option<SecretString>> {
        secret("database.url", self.database.url.as_ref(), self.database.url_file.as_deref())
    }

    /// What receivers are bound by, with the secrets that lie in files.
    pub fn receive(&self) -> anyhow::Result<ReceiveOptions> {
        let mut options = self.receive.clone();
        let FirehoseOptions { access_key, access_key_file } = &self.receive.firehose;
        options.firehose.access_key = secret("receive.firehose.access_key", access_key.as_ref(), access_key_file.as_deref())?;
        let VercelOptions { secret: key, secret_file, .. } = &self.receive.vercel;
        options.vercel.secret = secret("receive.vercel.secret", key.as_ref(), secret_file.as_deref())?;
        Ok(options)
    }

    /// Where our own files live.
    pub fn data_dir(&self) -> anyhow::Result<PathBuf> {
        if let Some(dir) = &self.data_dir {
            return Ok(dir.clone());
        }
        let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = || from("HOME").map(|home| home.join(".local/share"));
        let base = from("XDG_DATA_HOME").or_else(home).context("no `HOME` to put data in; name a place with `--data-dir`")?;
        Ok(base.join("overrun"))
    }
}

/// A secret that is given as it is, or in a file by itself.
fn secret(key: &str, given: Option<&SecretString>, file: Option<&Path>) -> anyhow::Result<Option<SecretString>> {
    match (given, file) {
        (Some(_), Some(_)) => bail!("expected one of `{key}` and `{key}_file`, found both"),
        (Some(secret), None) => Ok(Some(secret.clone())),
        (None, Some(file)) => {
            let text = std::fs::read_to_string(file).with_context(|| format!("`{key}_file`: `{}` cannot be read", file.display()))?;
            match text.trim() {
                "" => bail!("`{key}_file`: expected a secret, found nothing in `{}`", file.display()),
                secret => Ok(Some(SecretString::from(secret.to_owned()))),
            }
        }
        (None, None) => Ok(None),
    }
}

/// Lays one table over another, section by section.
fn merge(under: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(toml::Value::Table(under)), toml::Value::Table(over)) => merge(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// Sets `SECTION__KEY` to a value that is read as TOML if it is one, else as text.
fn set(table: &mut toml::Table, path: &str, value: &str) -> anyhow::Result<()> {
    let mut parts: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
    let key = parts.pop().filter(|key| !key.is_empty()).context("expected `OVERRUN__SECTION__KEY`")?;
    let mut at = table;
    for part in parts {
        let next = at.entry(part.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        at = next.as_table_mut().with_context(|| format!("`{part}` is no section"))?;
    }
    let read = format!("value = {value}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("value"));
    let value = read.filter(|read| !read.is_table()).unwrap_or_else(|| toml::Value::String(value.to_owned()));
    at.insert(key, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(environment: &[(&str, &str)]) -> anyhow::Result<Config> {
        Config::load(None, &environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn the_defaults_are_complete() {
        let config = load(&[]).expect("they ship with the program");
        assert_eq!(config.ingest.http.port(), 4318);
        config.listeners().expect("loopback");
    }

    #[test]
    fn the_environment_overrules_them() {
        let config = load(&[("OVERRUN__INGEST__HTTP", "127.0.0.1:9000"), ("OVERRUN__DATABASE__CONNECTIONS_MAX", "3")]).expect("good");
        assert_eq!((config.ingest.http.port(), config.database.connections_max), (9000, 3));
    }

    #[test]
    fn a_misspelt_key_fails_by_name() {
        let error = load(&[("OVERRUN__INGEST__HTPP", "127.0.0.1:9000")]).expect_err("misspelt");
        assert!(format!("{error:#}").contains("htpp"), "{error:#}");
    }

    #[test]
    fn a_listener_for_everybody_is_refused() {
        let config = load(&[("OVERRUN__DASHBOARD__HTTP", "0.0.0.0:4319")]).expect("well formed");
        let error = config.listeners().expect_err("open to all").to_string();
        assert!(error.contains("dashboard.http") && error.contains("0.0.0.0:4319"), "{error}");
    }

    #[test]
    fn a_syslog_listener_for_everybody_is_refused() {
        let config = load(&[("OVERRUN__INGEST__SYSLOG_UDP", "0.0.0.0:514")]).expect("well formed");
        let error = config.listeners().expect_err("open to all").to_string();
        assert!(error.contains("ingest.syslog_udp"), "{error}");
    }

    #[test]
    fn what_was_told_is_kept_for_as_long_as_it_is_asked_for() {
        for (days, is_enough) in [("30", false), ("31", true)] {
            let config = load(&[("OVERRUN__DATABASE__DELIVERIES_DAYS", days)]).expect("well formed");
            assert_eq!(config.listeners().is_ok(), is_enough, "{days}");
        }
    }

    #[test]
    fn a_secret_stands_in_the_configuration_or_in_a_file() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), "k3y\n").expect("writable");
        let path = file.path().to_str().expect("text");
        let by_file = ("OVERRUN__RECEIVE__FIREHOSE__ACCESS_KEY_FILE", path);
        let options = load(&[by_file]).expect("good").receive().expect("readable");
        let read = options.firehose.access_key.as_ref().map(secrecy::ExposeSecret::expose_secret);
        assert_eq!(read, Some("k3y"));
        assert!(!format!("{options:?}").contains("k3y"));
        let both = load(&[by_file, ("OVERRUN__RECEIVE__FIREHOSE__ACCESS_KEY", "other")]).expect("well formed");
        assert!(both.receive().is_err());
        std::fs::write(file.path(), "\n").expect("writable");
        assert!(load(&[by_file]).expect("good").receive().is_err());
    }

    #[test]
    fn secrets_are_not_printed() {
        let config = load(&[("DATABASE_URL", "postgres://u:hunter2@db/x")]).expect("good");
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
