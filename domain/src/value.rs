//! Values of attributes: what JSON can say, in an order that is total.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

/// One value. Comparable in full, so that a set of claims is a set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Nothing: the source wrote `null`.
    Null,
    /// True or false.
    Flag(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text(String),
    /// Several values in the source's order.
    List(Vec<Value>),
    /// Named values.
    Map(BTreeMap<String, Value>),
}

/// A finite number that has a total order. Whole ones are written without a fraction.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Beyond 2^53 a double is no longer every whole number.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let whole = self.0.fract() == 0.0 && self.0.abs() <= EXACT && !(self.0 == 0.0 && self.0.is_sign_negative());
        #[expect(clippy::cast_possible_truncation, reason = "whole and within range")]
        if whole { serializer.serialize_i64(self.0 as i64) } else { serializer.serialize_f64(self.0) }
    }
}

impl Number {
    /// The number itself.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Number {}
impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Value {
    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number.0),
            _ => None,
        }
    }

    /// The flag, if it is one.
    #[must_use]
    pub fn as_flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            _ => None,
        }
    }
}

impl From<f64> for Value {
    /// Values that JSON cannot say become [`Value::Null`].
    fn from(number: f64) -> Self {
        if number.is_finite() { Self::Number(Number(number)) } else { Self::Null }
    }
}
impl From<i64> for Value {
    #[expect(clippy::cast_precision_loss, reason = "JSON numbers are doubles for most readers; larger values are sent as text")]
    fn from(number: i64) -> Self {
        Self::Number(Number(number as f64))
    }
}
impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(Number(f64::from(number)))
    }
}
impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}
impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<crate::Millis> for Value {
    fn from(duration: crate::Millis) -> Self {
        Self::from(duration.as_ms_f64())
    }
}
impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(flag) => Self::Flag(flag),
            serde_json::Value::Number(number) => number.as_f64().map_or(Self::Null, Self::from),
            serde_json::Value::String(text) => Self::Text(text),
            serde_json::Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            serde_json::Value::Object(map) => Self::Map(map.into_iter().map(|(name, value)| (name, Self::from(value))).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_written_whole_and_every_number_comes_back() {
        let written = |number: f64| serde_json::to_string(&Value::from(number)).expect("JSON");
        assert_eq!(
            [written(200.0), written(-3.0), written(0.5), written(-0.0), written(1e300), written(f64::NAN)],
            ["200", "-3", "0.5", "-0.0", "1e+300", "null"]
        );
        for number in [200.0, -3.0, 0.5, -0.0, 1e300, 9_007_199_254_740_993.0] {
            assert_eq!(serde_json::from_str::<Value>(&written(number)).expect("JSON"), Value::from(number));
        }
    }
}
