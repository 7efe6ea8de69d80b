//! What can be wrong with a condition although it is CEL.

use std::collections::BTreeSet;

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::{ExecutionError, Value};

use super::{MESSAGE_CHARS_MAX, ROOT, Subject, fields};
use crate::nearest::nearest;
use crate::text::one_line;

/// Functions that are often used on texts, for suggestions.
const FUNCTIONS: [&str; 8] = ["startsWith", "endsWith", "contains", "matches", "size", "exists", "all", "has"];

/// How deep brackets are nested, those inside quotes aside.
pub(super) fn brackets_deep(source: &str) -> usize {
    let (mut depth, mut deepest, mut quote, mut escaped) = (0_usize, 0, None, false);
    for c in source.chars() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Whether operations are nested deeper than this.
pub(super) fn deeper_than(node: &IdedExpr, depth_max: usize) -> bool {
    depth_max == 0 || children(&node.expr).into_iter().any(|child| deeper_than(child, depth_max - 1))
}

/// Collects the paths below `incident` that an expression asks for, and refuses unknown ones.
pub(super) fn find_fields(node: &IdedExpr, found: &mut BTreeSet<String>) -> Result<(), String> {
    if let Some(path) = path_of(node) {
        if path.is_empty() {
            return Err(format!("expected a field of `{ROOT}`, found `{ROOT}` alone"));
        }
        if !fields::is_known(&path) {
            return Err(unknown_field(&path));
        }
        found.insert(path);
        return Ok(());
    }
    children(&node.expr).into_iter().try_for_each(|child| find_fields(child, found))
}

fn unknown_field(path: &str) -> String {
    let (names, nearest) = fields::alternatives(path);
    let hint = nearest.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
    format!("unknown field `{ROOT}.{path}`{hint}, expected one of {}", names.join(", "))
}

/// `diagnosis.layer` for `incident.diagnosis.layer` and `incident.diagnosis["layer"]`; `None` for anything else.
fn path_of(node: &IdedExpr) -> Option<String> {
    let below = |operand: &IdedExpr, name: &str| {
        let above = path_of(operand)?;
        Some(if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") })
    };
    match &node.expr {
        Expr::Ident(name) => (name == ROOT).then(String::new),
        Expr::Select(select) => below(&select.operand, &select.field),
        Expr::Call(call) if call.func_name == operators::INDEX => match call.args.as_slice() {
            [operand, IdedExpr { expr: Expr::Literal(LiteralValue::String(name)), .. }] => below(operand, name.inner()),
            _ => None,
        },
        _ => None,
    }
}

fn children(expr: &Expr) -> Vec<&IdedExpr> {
    match expr {
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Comprehension(c) => vec![&c.iter_range, &c.accu_init, &c.loop_cond, &c.loop_step, &c.result],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Map(map) => map.entries.iter().flat_map(|entry| parts(&entry.expr)).collect(),
        Expr::Struct(map) => map.entries.iter().flat_map(|entry| parts(&entry.expr)).collect(),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Vec::new(),
    }
}

fn parts(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
        EntryExpr::StructField(field) => vec![&field.value],
    }
}

/// Evaluates every part that `&&`, `||` and `!` join, so that none hides behind another.
pub(super) fn try_out(node: &IdedExpr, subject: &Subject) -> Result<(), String> {
    if let Expr::Call(call) = &node.expr
        && [operators::LOGICAL_AND, operators::LOGICAL_OR, operators::LOGICAL_NOT].contains(&call.func_name.as_str())
    {
        return call.args.iter().try_for_each(|part| try_out(part, subject));
    }
    match subject.0.resolve(node) {
        Ok(Value::Bool(_)) | Err(ExecutionError::NoSuchKey(_)) => Ok(()),
        Ok(other) => Err(format!("expected a condition that is true or false, found a part that is {}", kind_of(&other))),
        Err(ExecutionError::UndeclaredReference(name)) => {
            let hint =
                nearest(&name, FUNCTIONS.into_iter().chain([ROOT])).map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
            Err(format!("unknown name `{name}`{hint}, expected a function of CEL or `{ROOT}`"))
        }
        Err(error) => Err(one_line(&format!("expected a condition that can be evaluated: {error}"), MESSAGE_CHARS_MAX)),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => "a number",
        Value::List(_) => "a list",
        Value::Map(_) => "a group of fields",
        _ => "something else",
    }
}
