//! What can be wrong with a condition although it is CEL.

use std::collections::BTreeSet;

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::{ExecutionError, Value};

use super::{MESSAGE_CHARS_MAX, ROOT, Subject, fields};
use crate::nearest::nearest;
use crate::text::one_line;

/// Functions that are often used on texts, for suggestions.
const FUNCTIONS: [&str; 8] = ["startsWith", "endsWith", "contains", "matches", "size", "exists", "all", "has"];

/// Operations that hold a field against words.
const COMPARISONS: [&str; 3] = [operators::EQUALS, operators::NOT_EQUALS, operators::IN];

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
    check_words(&node.expr)?;
    children(&node.expr).into_iter().try_for_each(|child| find_fields(child, found))
}

/// Refuses a comparison with a word that the field never is: it would never hold, and nobody would be told.
fn check_words(expr: &Expr) -> Result<(), String> {
    let Expr::Call(call) = expr else { return Ok(()) };
    let ([one, other], true) = (call.args.as_slice(), COMPARISONS.contains(&call.func_name.as_str())) else { return Ok(()) };
    for (field, compared) in [(one, other), (other, one)] {
        let Some((path, known)) = path_of(field).and_then(|path| fields::words(&path).map(|words| (path, words))) else { continue };
        let listed: Vec<&IdedExpr> = if let Expr::List(list) = &compared.expr { list.elements.iter().collect() } else { vec![compared] };
        if let Some(word) = listed.into_iter().filter_map(literal).find(|word| !word.is_empty() && !known.contains(word)) {
            let hint = nearest(word, known.iter().copied()).map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
            let word = one_line(word, MESSAGE_CHARS_MAX);
            return Err(format!("`{ROOT}.{path}` is never `{word}`{hint}, expected one of {}", known.join(", ")));
        }
    }
    Ok(())
}

/// The text of a literal.
fn literal(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// `` (did you mean `incident.function`?) `` for the name of a field alone.
pub(super) fn below_root(name: &str) -> Option<String> {
    fields::meant_by(name).map(|path| format!(" (did you mean `{ROOT}.{path}`?)"))
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
            let near = || nearest(&name, FUNCTIONS.into_iter().chain([ROOT])).map(|name| format!(" (did you mean `{name}`?)"));
            let hint = below_root(&name).or_else(near).unwrap_or_default();
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
