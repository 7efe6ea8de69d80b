//! OTLP's JSON encoding, spelled out, and its way to the protobuf types: `traces.rs`, `logs.rs`, and here what both have.
//!
//! The specification wants lowerCamelCase, hex IDs, integer enums, 64-bit integers as text or number. Also taken, since the
//! OpenTelemetry Collector takes them and Python's `MessageToDict` writes them: snake_case and enum names. IDs in
//! base64 (what protobuf's own JSON mapping would write) or cut short are refused: nobody could join them to anything.
//! Unknown keys are ignored, `null` is absent.

mod logs;
mod traces;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue as ProtoValue, ArrayValue, InstrumentationScope, KeyValue as ProtoKeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::number::{OrZero, TextOrNumber};
pub use logs::Request as Logs;
pub use traces::Request as Traces;

type U64 = OrZero<u64>;
type I64 = TextOrNumber<i64>;
type F64 = TextOrNumber<f64>;

#[derive(Default, Deserialize)]
struct Resource {
    #[serde(default, deserialize_with = "or_default")]
    attributes: Vec<KeyValue>,
}

#[derive(Default, Deserialize)]
struct Scope {
    #[serde(default, deserialize_with = "or_default")]
    name: String,
}

#[derive(Deserialize)]
struct KeyValue {
    #[serde(default, deserialize_with = "or_default")]
    key: String,
    #[serde(default, deserialize_with = "or_default")]
    value: AnyValue,
}

#[derive(Default, Deserialize)]
struct AnyValue {
    #[serde(rename = "stringValue", alias = "string_value")]
    string: Option<String>,
    #[serde(rename = "boolValue", alias = "bool_value")]
    flag: Option<bool>,
    #[serde(rename = "intValue", alias = "int_value")]
    int: Option<I64>,
    #[serde(rename = "doubleValue", alias = "double_value")]
    double: Option<F64>,
    #[serde(rename = "arrayValue", alias = "array_value")]
    array: Option<Values<AnyValue>>,
    #[serde(rename = "kvlistValue", alias = "kvlist_value")]
    list: Option<Values<KeyValue>>,
    /// Base64; only its length is of use to anybody here.
    #[serde(rename = "bytesValue", alias = "bytes_value")]
    bytes: Option<String>,
}

#[derive(Deserialize)]
struct Values<T> {
    #[serde(default = "Vec::new")]
    values: Vec<T>,
}

/// `null` where a list, text or message is expected is the same as nothing.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// An ID of `N` bytes in hex; empty when absent.
#[derive(Default)]
struct Id<const N: usize>(Vec<u8>);

impl<'de, const N: usize> Deserialize<'de> for Id<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: String = or_default(deserializer)?;
        if text.is_empty() {
            return Ok(Self::default());
        }
        let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
        match digits {
            Some(digits) if digits.len() == N * 2 => Ok(Self(digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect())),
            _ => Err(de::Error::custom(format_args!("expected an ID of {} hex digits, found `{}`", N * 2, super::cut(&text, 64)))),
        }
    }
}

/// An enum's value, by number or name; an unknown name is zero, which is "unspecified".
fn number_or_name<'de, D: Deserializer<'de>>(deserializer: D, of_name: impl FnOnce(&str) -> Option<i32>) -> Result<i32, D::Error> {
    Ok(match Option::deserialize(deserializer)? {
        Some(NumberOrName::Number(number)) => number,
        Some(NumberOrName::Name(name)) => of_name(&name).unwrap_or_default(),
        None => 0,
    })
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrName {
    Number(i32),
    Name(String),
}

impl From<Resource> for ProtoResource {
    fn from(resource: Resource) -> Self {
        Self { attributes: all(resource.attributes), ..Self::default() }
    }
}

impl From<Scope> for InstrumentationScope {
    fn from(scope: Scope) -> Self {
        Self { name: scope.name, ..Self::default() }
    }
}

fn all<T, U: From<T>>(items: Vec<T>) -> Vec<U> {
    items.into_iter().map(U::from).collect()
}

impl From<KeyValue> for ProtoKeyValue {
    fn from(pair: KeyValue) -> Self {
        Self { key: pair.key, value: Some(pair.value.into()), ..Self::default() }
    }
}

impl From<AnyValue> for ProtoValue {
    fn from(value: AnyValue) -> Self {
        let any = None
            .or(value.string.map(Any::StringValue))
            .or(value.flag.map(Any::BoolValue))
            .or(value.int.map(|number| Any::IntValue(number.0)))
            .or(value.double.map(|number| Any::DoubleValue(number.0)))
            .or(value.array.map(|list| Any::ArrayValue(ArrayValue { values: all(list.values) })))
            .or(value.list.map(|list| Any::KvlistValue(KeyValueList { values: all(list.values) })))
            .or(value.bytes.map(|base64| Any::BytesValue(vec![0; base64.trim_end_matches('=').len() * 3 / 4])));
        Self { value: any }
    }
}
