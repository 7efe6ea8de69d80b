//! What we conclude, kept apart from what was claimed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Confidence, KnownFrom, Layer, Limit, Millis, Product};

/// Which limit fired, why, how sure we are, and what to change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The layer that acted first.
    pub layer: Option<Layer>,
    /// Its product.
    pub product: Option<Product>,
    /// The limit that fired.
    pub limit: Option<Fired>,
    /// Why it fired.
    pub cause: Cause,
    /// How sure the attribution to layer and limit is.
    pub confidence: Confidence,
    /// Claims that other evidence or arithmetic refutes.
    pub contradicted: Vec<Note>,
    /// What later layers did because of it.
    pub consequences: Vec<Note>,
    /// What to change, most useful first.
    pub advice: Vec<Advice>,
    /// What would show this diagnosis to be wrong.
    pub refuted_by: String,
    /// Why we say so, each reason with what it rests on.
    pub reasons: Vec<Reason>,
    /// Everything the diagnosis rests on, in time order.
    pub evidence: Vec<Citation>,
}

/// The limit that fired, as the wire shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fired {
    /// The setting as its users write it.
    pub setting: String,
    /// Its value, if known.
    pub value_ms: Option<Millis>,
    /// How the value is known.
    pub known_from: KnownFrom,
    /// Where it is set, when configuration told.
    #[serde(rename = "where", default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

impl From<&Limit> for Fired {
    fn from(limit: &Limit) -> Self {
        Self { setting: limit.setting.clone(), value_ms: limit.value_ms, known_from: limit.known_from, place: limit.place.clone() }
    }
}

/// A known reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// Its name: one of `docs/causes/`.
    pub id: String,
    /// The operation that was in flight: `POST payments.internal`.
    pub operation: Option<String>,
    /// How long that took, until it ended or time ran out.
    pub waited_ms: Option<Millis>,
    /// How sure it is that this took the time; how sure the limit is says the diagnosis.
    #[serde(default)]
    pub confidence: Confidence,
}

impl Cause {
    /// The name of the cause that says: not known.
    pub const UNKNOWN: &str = "unknown";
}

impl Default for Cause {
    fn default() -> Self {
        Self { id: Self::UNKNOWN.to_owned(), operation: None, waited_ms: None, confidence: Confidence::Unknown }
    }
}

/// A remark about one claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// What it says and why it is so.
    pub text: String,
    /// The claim.
    pub evidence: Vec<Citation>,
}

/// One step of the argument.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// One sentence.
    pub text: String,
    /// What it rests on; empty for pure arithmetic.
    pub evidence: Vec<Citation>,
}

/// What to change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// `change_setting`, `order_limits`, `set_client_timeout`, `lengthen_grace`, `raise_memory`, `shorten_start`, `add_capacity`,
    /// `free_worker`, `unblock_loop`, `compute_less`, `call_less`, `check_network`, `tame_telemetry`, `set_in_code`,
    /// `handle_stop`, `investigate`, `send_more`.
    pub kind: String,
    /// The key to change, as its users write it.
    pub setting: Option<String>,
    /// Where it is set.
    #[serde(rename = "where")]
    pub place: Option<String>,
    /// Its present value, as its users write it.
    pub from: Option<String>,
    /// The proposed value.
    pub to: Option<String>,
    /// One or two sentences for a person.
    pub text: String,
}

/// Points at one claim.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Citation {
    /// The file it stood in, for input that came from files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in that file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// When it happened, as its source says.
    pub at: Option<Timestamp>,
    /// The format it was read from.
    pub format: String,
    /// The claim's identity, sixteen hex digits; the same in the evidence list.
    pub id: String,
    /// The text as received.
    pub text: String,
}
