//! A JSON pointer (RFC 6901) into a request's input: `/user/email`.
//!
//! Gateways put the body of a request into the event as text: `{"body": "{\"email\": \"ada@example.org\"}"}`. So a step into
//! a text that is JSON is a step into that JSON, and `/body/email` finds it.

use serde_json::Value;

/// Longest pointer, in bytes.
const BYTES_MAX: usize = 500;

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    text: String,
    steps: Vec<String>,
}

impl Pointer {
    /// Reads a pointer to something inside; what is expected, if it is none.
    pub(super) fn read(text: &str) -> Result<Self, &'static str> {
        let steps = text.strip_prefix('/').filter(|_| text.len() <= BYTES_MAX && !text.contains(char::is_control));
        let steps = steps.ok_or("a JSON pointer such as `/user/email`")?;
        let is_escape = |rest: &str| rest.starts_with(['0', '1']);
        if !steps.split('~').skip(1).all(is_escape) {
            return Err("a JSON pointer, in which `~` is written `~0`, and `/` inside a name `~1`");
        }
        let plain = |step: &str| step.replace("~1", "/").replace("~0", "~");
        Ok(Self { text: text.to_owned(), steps: steps.split('/').map(plain).collect() })
    }

    /// As it was written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands there.
    pub(super) fn find(&self, event: &Value) -> Option<Value> {
        self.steps.iter().try_fold(event.clone(), |value, step| match value {
            Value::String(text) => below(serde_json::from_str(&text).ok()?, step),
            value => below(value, step),
        })
    }
}

fn below(value: Value, step: &str) -> Option<Value> {
    match value {
        Value::Object(mut fields) => fields.remove(step),
        Value::Array(mut items) => {
            // RFC 6901, section 4: no sign, and no zero in front.
            let is_index = step == "0" || (step.bytes().all(|b| b.is_ascii_digit()) && !step.starts_with('0'));
            let place: usize = step.parse().ok().filter(|_| is_index)?;
            (place < items.len()).then(|| items.swap_remove(place))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn find(pointer: &str, event: &Value) -> Option<Value> {
        Pointer::read(pointer).expect("a pointer").find(event)
    }

    #[test]
    fn steps_are_those_of_the_standard() {
        let event = json!({ "user": { "email": "ada" }, "list": ["a", { "b": 1 }], "a/b": 1, "m~n": 2, "": 3, "~1": 4 });
        assert_eq!(find("/user/email", &event), Some("ada".into()));
        assert_eq!(find("/list/1/b", &event), Some(1.into()));
        let odd = ["/a~1b", "/m~0n", "/", "/~01"].map(|pointer| find(pointer, &event));
        assert_eq!(odd, [1, 2, 3, 4].map(|number| Some(number.into())));
        for nothing in ["/user/phone", "/list/2", "/list/01", "/list/-", "/list/+1", "/list/x", "/user/email/0", "/none/none"] {
            assert_eq!(find(nothing, &event), None, "{nothing}");
        }
    }

    #[test]
    fn a_body_carried_as_text_is_stepped_into() {
        let body = json!({ "email": "ada@example.org", "inner": json!({ "deep": true }).to_string() });
        let event = json!({ "body": body.to_string(), "text": "not JSON", "deep": "[".repeat(100_000) });
        assert_eq!(find("/body/email", &event), Some("ada@example.org".into()));
        assert_eq!(find("/body/inner/deep", &event), Some(true.into()));
        assert_eq!((find("/text/email", &event), find("/deep/0/0", &event)), (None, None));
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for text in ["", "user/email", "$.user.email", "/a~", "/a~2b", "/a\nb", &format!("/{}", "a".repeat(500))] {
            Pointer::read(text).expect_err(text);
        }
    }
}
