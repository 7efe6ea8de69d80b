//! Numbers as OTLP's JSON writes them: 64-bit integers as text or number, doubles also as `"NaN"`, `null` for zero.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::parse::cut;

/// Text or a number.
pub struct TextOrNumber<T>(pub T);

/// What can be read from text or a number.
pub trait FromTextOrNumber: Sized {
    const EXPECTED: &'static str;
    fn from_text(text: &str) -> Option<Self>;
    fn from_unsigned(number: u64) -> Option<Self>;
    fn from_signed(number: i64) -> Option<Self>;
    fn from_float(number: f64) -> Option<Self>;
}

impl<'de, T: FromTextOrNumber> Deserialize<'de> for TextOrNumber<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(std::marker::PhantomData<T>);
        impl<T: FromTextOrNumber> Visitor<'_> for Reader<T> {
            type Value = TextOrNumber<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                T::from_text(text).map(TextOrNumber).ok_or_else(|| E::invalid_value(de::Unexpected::Str(cut(text, 64)), &self))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
                T::from_unsigned(number).map(TextOrNumber).ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(number), &self))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
                T::from_signed(number).map(TextOrNumber).ok_or_else(|| E::invalid_value(de::Unexpected::Signed(number), &self))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
                T::from_float(number).map(TextOrNumber).ok_or_else(|| E::invalid_value(de::Unexpected::Float(number), &self))
            }
        }
        deserializer.deserialize_any(Reader(std::marker::PhantomData))
    }
}

impl FromTextOrNumber for u64 {
    const EXPECTED: &'static str = "a 64-bit integer, as text or number";
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    fn from_unsigned(number: u64) -> Option<Self> {
        Some(number)
    }
    fn from_signed(_: i64) -> Option<Self> {
        None
    }
    fn from_float(_: f64) -> Option<Self> {
        None
    }
}

impl FromTextOrNumber for i64 {
    const EXPECTED: &'static str = "a 64-bit integer, as text or number";
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    fn from_unsigned(number: u64) -> Option<Self> {
        Self::try_from(number).ok()
    }
    fn from_signed(number: i64) -> Option<Self> {
        Some(number)
    }
    fn from_float(_: f64) -> Option<Self> {
        None
    }
}

impl FromTextOrNumber for f64 {
    const EXPECTED: &'static str = "a number, `NaN`, `Infinity` or `-Infinity`";
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    #[expect(clippy::cast_precision_loss, reason = "the field is a double: its sender lost the precision already")]
    fn from_unsigned(number: u64) -> Option<Self> {
        Some(number as Self)
    }
    #[expect(clippy::cast_precision_loss, reason = "as above")]
    fn from_signed(number: i64) -> Option<Self> {
        Some(number as Self)
    }
    fn from_float(number: f64) -> Option<Self> {
        Some(number)
    }
}

/// A number that may be `null`.
#[derive(Default)]
pub struct OrZero<T>(pub T);

impl<'de, T: FromTextOrNumber + Default> Deserialize<'de> for OrZero<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::<TextOrNumber<T>>::deserialize(deserializer)?.map_or_else(T::default, |number| number.0)))
    }
}
