//! What products document about their limits: one table, in TOML files beside this one. Pure.
//!
//! Every entry says what its users call the limit, where they set it, its default and its bounds, what starts its clock,
//! what happens at its end, and who says so. Wherever the program states a default or a maximum, it stands here; the same
//! table is docs/limits.md. A documented default is no knowledge about anybody's stack: a limit made from one is
//! [`KnownFrom::Default`].

use std::sync::LazyLock;

use domain::{KnownFrom, Layer, Limit, Millis, Product};
use serde::Deserialize;

/// What a limit bounds: only some of these can be held against each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bounds {
    /// The whole of a request or an invocation.
    Request,
    /// Silence before the answer begins, and mostly between its parts too.
    Idle,
    /// Silence once the answer has begun.
    Stream,
    /// The coming up of a connection.
    Connect,
    /// The wait for a place.
    Queue,
    /// The client's sending of its request.
    Receive,
    /// The sending of bytes to either side.
    Send,
    /// A connection that nobody uses.
    Keepalive,
    /// Initialisation, boot, restore.
    Start,
    /// From the order to stop until the kill, by what runs the server.
    Grace,
    /// How long a server that was told to stop waits for its running requests.
    Drain,
    /// From the handing out of a message until it is handed out again.
    Redelivery,
    /// The age of an event.
    Age,
    /// Processor time.
    Cpu,
    /// Background work that no caller waits for.
    Task,
    /// A sign of life.
    Heartbeat,
    /// The filling of a batch.
    Batch,
}

/// One limit as its product documents it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Documented {
    /// The product.
    pub product: String,
    /// Which of its kinds, where they differ: `REST`, `Consumption`.
    pub variant: Option<String>,
    /// The setting as its users write it; `(fixed) …` where there is none.
    pub setting: String,
    /// Other spellings of the same setting.
    #[serde(default)]
    pub also: Vec<String>,
    /// The layer that sets it.
    pub layer: Layer,
    /// What it bounds.
    pub bounds: Bounds,
    /// Settings of the same product that must be longer than this one.
    #[serde(default)]
    pub within: Vec<String>,
    /// Settings of the same product that do not count where this one is set.
    #[serde(default)]
    pub instead_of: Vec<String>,
    /// Whether it is also how long a stop waits for running requests.
    #[serde(default)]
    pub drains: bool,
    /// Where it is set.
    pub place: String,
    /// What holds where nobody sets it; `None` for no limit.
    pub default_ms: Option<i64>,
    /// The least that is allowed.
    pub min_ms: Option<i64>,
    /// The most that is allowed.
    pub max_ms: Option<i64>,
    /// What starts its clock.
    pub starts: String,
    /// What happens when it is reached.
    pub ends: String,
    /// What to do when it was; `{default}` and `{max}` stand for the values.
    pub advice: Option<String>,
    /// Where this is documented.
    pub source: String,
    /// Whether that was looked up or run, rather than remembered.
    pub verified: bool,
}

impl Documented {
    /// The default, for one that has any.
    #[must_use]
    pub fn default(&self) -> Option<Millis> {
        self.default_ms.map(Millis::from_ms)
    }

    /// The most that is allowed.
    #[must_use]
    pub fn max(&self) -> Option<Millis> {
        self.max_ms.map(Millis::from_ms)
    }

    /// Whether nobody can set it.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.setting.starts_with("(fixed)")
    }

    /// The limit that holds where nobody says anything; `None` where that is no limit.
    #[must_use]
    pub fn as_default(&self) -> Option<Limit> {
        let value = self.default().filter(|value| *value > Millis::ZERO)?;
        Some(Limit {
            layer: self.layer,
            product: Product::from(self.product.clone()),
            setting: self.setting.clone(),
            value_ms: Some(value),
            known_from: KnownFrom::Default,
            place: None,
        })
    }

    /// Whether its users call it by that name.
    #[must_use]
    pub fn is_called(&self, setting: &str) -> bool {
        self.setting == setting || self.also.iter().any(|name| name == setting)
    }

    /// Where it is set.
    #[must_use]
    pub fn place(&self) -> String {
        self.filled(&self.place)
    }

    /// What to do when it was reached.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        self.advice.as_deref().map(|text| self.filled(text))
    }

    /// With the values in their places.
    fn filled(&self, text: &str) -> String {
        let value = |value: Option<i64>| value.map_or_else(|| "none".to_owned(), spoken);
        text.replace("{default}", &value(self.default_ms)).replace("{max}", &value(self.max_ms))
    }
}

/// A value as tables and advice write it: whole seconds up to 15 minutes, since that is how settings count.
#[must_use]
pub fn spoken(ms: i64) -> String {
    if ms % 1000 == 0 && ms <= 900_000 { format!("{} s", ms / 1000) } else { Millis::from_ms(ms).to_string() }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    limit: Vec<Documented>,
}

/// The files that make up the table.
const FILES: [&str; 5] = [
    include_str!("aws.toml"),
    include_str!("google_azure.toml"),
    include_str!("platforms.toml"),
    include_str!("servers.toml"),
    include_str!("proxies.toml"),
];

static TABLE: LazyLock<Vec<Documented>> =
    LazyLock::new(|| FILES.iter().flat_map(|text| toml::from_str::<File>(text).expect("the table is read by a test").limit).collect());

/// Every limit, in the table's order.
#[must_use]
pub fn all() -> &'static [Documented] {
    &TABLE
}

/// A product's limit by any of its names; of several kinds, the first.
#[must_use]
pub fn limit(product: &str, setting: &str) -> Option<&'static Documented> {
    variants(product, setting).next()
}

/// The limit of one kind of the product.
#[must_use]
pub fn variant(product: &str, variant: &str, setting: &str) -> Option<&'static Documented> {
    variants(product, setting).find(|entry| entry.variant.as_deref() == Some(variant))
}

fn variants(product: &str, setting: &str) -> impl Iterator<Item = &'static Documented> {
    TABLE.iter().filter(move |entry| entry.product == product && entry.is_called(setting))
}

/// The documented default of a limit that has one.
///
/// # Panics
/// When the table has no such limit: a mistake of ours, not of any input.
#[must_use]
pub fn default_of(product: &str, setting: &str) -> Millis {
    limit(product, setting).and_then(Documented::default).unwrap_or_else(|| panic!("the table has no default of `{setting}` of {product}"))
}

#[cfg(test)]
mod tests;
