//! What cannot be stored as it is: Postgres has no text with a NUL byte in it, and a changed text would be another.

use domain::{Claim, FunctionName, Instance, Product, RequestId, Value};

/// Why a claim cannot be stored; `None` if it can.
pub fn unstorable(claim: &Claim) -> Option<&'static str> {
    has_nul(claim).then_some("expected text, found a NUL byte in it")
}

fn has_nul(claim: &Claim) -> bool {
    let text = |text: &str| text.contains('\0');
    let maybe = |maybe: Option<&str>| maybe.is_some_and(text);
    let names = [
        claim.request_id.as_ref().map(RequestId::as_str),
        claim.instance.as_ref().map(Instance::as_str),
        claim.function.as_ref().map(FunctionName::as_str),
        claim.platform.as_ref().map(Product::as_str),
    ];
    let mut frames = claim.stacks.iter().flat_map(|stack| &stack.frames);
    text(&claim.raw)
        || names.into_iter().any(maybe)
        || claim.calls.iter().any(|call| text(&call.operation) || maybe(call.target.as_deref()))
        || claim.stacks.iter().any(|stack| maybe(stack.name.as_deref()))
        || frames.any(|frame| text(&frame.function) || maybe(frame.file.as_deref()))
        || claim.attributes.iter().any(|(name, value)| text(name) || value_has_nul(value))
}

fn value_has_nul(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.contains('\0'),
        Value::List(list) => list.iter().any(value_has_nul),
        Value::Map(map) => map.iter().any(|(name, value)| name.contains('\0') || value_has_nul(value)),
        Value::Null | Value::Flag(_) | Value::Number(_) => false,
    }
}
