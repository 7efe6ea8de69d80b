//! Identifiers as their issuers print them. They are opaque: compared, never taken apart, never made up.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    };
}

text_id!(
    /// The ID of one request as the platform or caller gave it: an AWS UUID, an `X-Request-ID`, an `X-Call-Id`, an
    /// activation ID. Not unique: a platform's own retries carry the same one.
    RequestId
);
text_id!(
    /// A trace ID in W3C form: 32 lower-case hex digits. X-Ray's `1-8-24` form is converted when read.
    TraceId
);
text_id!(
    /// A span ID in W3C form: 16 lower-case hex digits.
    SpanId
);
text_id!(
    /// Where a process ran: a log stream, a host, a dyno, a container. As the source names it.
    Instance
);
text_id!(
    /// The name of a function or service.
    FunctionName
);
text_id!(
    /// A named group of functions that are run and alerted on together.
    StackName
);
text_id!(
    /// Who sent something: the name of an ingest key, or how it came in when there are no keys.
    SourceName
);

impl Default for StackName {
    /// The stack of whoever names none.
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl TraceId {
    /// Reads a trace ID in W3C form (32 hex digits, any case) or X-Ray form (`1-` 8 `-` 24 hex digits).
    ///
    /// `None` for anything else, and for the all-zero ID, which W3C declares invalid.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex: String = match text.strip_prefix("1-") {
            Some(rest) => {
                let (time, unique) = rest.split_once('-')?;
                (time.len() == 8 && unique.len() == 24).then(|| format!("{time}{unique}"))?
            }
            None => text.to_owned(),
        };
        let valid = hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()) && hex.bytes().any(|b| b != b'0');
        valid.then(|| Self(hex.to_ascii_lowercase()))
    }

    /// The ID of these bytes; `None` when all are zero.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        (bytes != [0; 16]).then(|| Self(hex(&bytes)))
    }

    /// The same ID in X-Ray's form.
    #[must_use]
    pub fn to_xray(&self) -> String {
        format!("1-{}-{}", &self.0[..8], &self.0[8..])
    }
}

impl SpanId {
    /// The ID of these bytes; `None` when all are zero, which W3C declares invalid.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 8]) -> Option<Self> {
        (bytes != [0; 8]).then(|| Self(hex(&bytes)))
    }
}

/// In lower case.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_trace_id_are_the_same_id() {
        let xray = TraceId::parse("1-6a3f1c20-9a8fbf0a9c13eafa397c5a3b").expect("valid");
        assert_eq!(Some(&xray), TraceId::parse("6A3F1C209a8fbf0a9c13eafa397c5a3b").as_ref());
        assert_eq!(xray.to_xray(), "1-6a3f1c20-9a8fbf0a9c13eafa397c5a3b");
    }

    #[test]
    fn bytes_are_the_ids_that_their_hex_is() {
        let bytes = [0x6a, 0x3f, 0x1c, 0x20, 0x9a, 0x8f, 0xbf, 0x0a, 0x9c, 0x13, 0xea, 0xfa, 0x39, 0x7c, 0x5a, 0x3b];
        assert_eq!(TraceId::from_bytes(bytes), TraceId::parse("6a3f1c209a8fbf0a9c13eafa397c5a3b"));
        assert_eq!(SpanId::from_bytes([0, 1, 2, 3, 0xfe, 0, 0, 0]), Some(SpanId::from("00010203fe000000")));
        assert_eq!((TraceId::from_bytes([0; 16]), SpanId::from_bytes([0; 8])), (None, None));
    }

    #[test]
    fn what_is_no_trace_id_is_refused() {
        for text in ["", "abc", "00000000000000000000000000000000", "1-6a3f1c20-9a8f", "1-zz3f1c20-9a8fbf0a9c13eafa397c5a3b"] {
            assert_eq!(TraceId::parse(text), None, "{text}");
        }
    }
}
