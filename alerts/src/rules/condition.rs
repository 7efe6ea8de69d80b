//! A rule's condition: one CEL expression over `incident`.
//!
//! CEL is <https://github.com/google/cel-spec> (read 2026-11-20) as the `cel` crate speaks it. Sample:
//! `incident.function.startsWith("checkout") && incident.state in ["confirmed", "lost"]`.
//!
//! Everything that can be wrong with a condition is found when it is read: unknown fields by walking the expression,
//! mixed types and unknown functions by evaluating each of its parts on made-up incidents.

mod check;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::{io, thread};

use cel::{Context, Env, ExecutionError, Program, Value};
use domain::Incident;

use super::fields;
use crate::text::one_line;

/// The one name that a condition starts from.
const ROOT: &str = "incident";

/// Longest condition, in bytes; a condition that needs more is several rules.
const BYTES_MAX: usize = 4_096;

/// Deepest nesting of brackets and of operations on operations. Evaluation takes stack for each level.
const DEPTH_MAX: usize = 20;
const TOO_DEEP: &str = "expected a condition nested at most 20 deep, found a deeper one; write several rules";

/// Stack of the thread that reads a condition; only what is used of it is ever taken from the machine.
const READ_STACK_BYTES: usize = 64 << 20;

/// Longest message of the CEL library that is repeated, in characters.
const MESSAGE_CHARS_MAX: usize = 300;

/// CEL's standard functions.
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib().with_optional_support(false)));

/// A condition that has been checked.
#[derive(Debug)]
pub(super) struct Condition {
    program: Program,
    fields: BTreeSet<String>,
}

/// An incident, ready for any number of conditions.
pub(super) struct Subject(Context<'static, 'static>);

impl Subject {
    pub(super) fn of(incident: &Incident) -> Self {
        Self::from(fields::of(incident))
    }
}

impl From<Value> for Subject {
    fn from(incident: Value) -> Self {
        let mut context = Context::with_env(Arc::clone(&ENV));
        context.add_variable_from_value(ROOT, incident);
        Self(context)
    }
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as text for the person who wrote it.
    pub(super) fn read(source: &str) -> Result<Self, String> {
        if source.trim().is_empty() {
            return Err("expected a condition, found nothing; without `when` a rule matches every incident".to_owned());
        }
        if source.len() > BYTES_MAX {
            return Err(format!("expected a condition of at most {BYTES_MAX} bytes, found {}", source.len()));
        }
        if check::brackets_deep(source) > DEPTH_MAX {
            return Err(TOO_DEEP.to_owned());
        }
        // The parser needs some 70 kB of stack for each bracket in unoptimised builds; a thread of ours has 2 MiB.
        let reader = || Self::read_here(source);
        let read = thread::scope(|scope| Ok(thread::Builder::new().stack_size(READ_STACK_BYTES).spawn_scoped(scope, reader)?.join()));
        match read {
            Ok(Ok(read)) => read,
            Ok(Err(_)) => Err("expected a CEL condition".to_owned()),
            Err(error) => Err(io::Error::to_string(&error)),
        }
    }

    fn read_here(source: &str) -> Result<Self, String> {
        let program = ENV.compile(source).map_err(|errors| match errors.errors.first() {
            Some(error) => {
                // What the parser would have accepted there is a list of token names.
                let fault = error.msg.trim_start_matches("Syntax error: ").split(" expecting ").next().unwrap_or_default();
                let hint = hint_of(fault).unwrap_or_default();
                let at = format!("{}:{}", error.pos.0, error.pos.1);
                one_line(&format!("expected a CEL condition, found a fault at {at}: {fault}{hint}"), MESSAGE_CHARS_MAX)
            }
            None => "expected a CEL condition".to_owned(),
        })?;
        if check::deeper_than(program.expression(), DEPTH_MAX) {
            return Err(TOO_DEEP.to_owned());
        }
        let mut fields = BTreeSet::new();
        check::find_fields(program.expression(), &mut fields)?;
        for sample in fields::samples() {
            check::try_out(program.expression(), &Subject::from(sample))?;
        }
        Ok(Self { program, fields })
    }

    /// Whether the condition asks for the field at this path below `incident`.
    pub(super) fn mentions(&self, path: &str) -> bool {
        self.fields.contains(path)
    }

    /// Whether it holds. A number that is not known makes whatever rests on it not hold.
    ///
    /// # Errors
    ///
    /// Why it could not be evaluated, such as a division by zero.
    pub(super) fn holds(&self, subject: &Subject) -> Result<bool, String> {
        match self.program.execute(&subject.0) {
            Ok(value) => Ok(value == Value::Bool(true)),
            Err(ExecutionError::NoSuchKey(_)) => Ok(false),
            Err(error) => Err(one_line(&error.to_string(), MESSAGE_CHARS_MAX)),
        }
    }
}

/// What is most likely meant where the parser stops.
fn hint_of(fault: &str) -> Option<String> {
    if fault.starts_with("token recognition error at: '=") {
        return Some(" (did you mean `==`?)".to_owned());
    }
    check::below_root(fault.strip_prefix("reserved identifier: ")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn check(source: &str, expected: bool) {
        let condition = Condition::read(source).expect(source);
        assert_eq!(condition.holds(&Subject::of(&testing::incident())), Ok(expected), "{source}");
    }

    fn refused(source: &str) -> String {
        Condition::read(source).expect_err(source)
    }

    #[test]
    fn conditions_see_the_incident_under_the_names_of_the_api() {
        check(r#"incident.function.startsWith("checkout") && incident.state in ["confirmed", "lost"]"#, true);
        check(r#"incident.diagnosis.layer == "app_server" && incident["diagnosis"]["product"] == 'gunicorn'"#, true);
        check("incident.elapsed_ms > 30000 && incident.attempt == 1 && incident.pid == 322", true);
        check("incident.diagnosis.limit.value_ms * 0.8 <= incident.elapsed_ms", true);
        check(r#"["orders", "checkout"].exists(name, incident.function.matches("^" + name))"#, true);
        check(r#"!(incident.diagnosis.cause.id == "unknown") && size(incident.request_id) > 3"#, true);
        check(r#"incident.stack == "other""#, false);
    }

    #[test]
    fn what_is_not_known_makes_no_rule_fail() {
        let unknown = Subject::of(&testing::bare_incident());
        for (source, expected) in [
            (r#"incident.function == """#, true),
            (r#"incident.diagnosis.cause.operation.contains("POST")"#, false),
            ("incident.elapsed_ms > 3000.0", false),
            ("has(incident.elapsed_ms)", false),
            ("!has(incident.diagnosis.limit.value_ms)", true),
            (r#"incident.elapsed_ms > 3000 || incident.state == "suspected""#, true),
        ] {
            assert_eq!(Condition::read(source).expect(source).holds(&unknown), Ok(expected), "{source}");
        }
    }

    #[test]
    fn a_condition_knows_what_it_asks_for() {
        let condition = Condition::read(r#"incident["state"] == "lost" || incident.stack == "x""#).expect("valid");
        assert!(condition.mentions("state") && condition.mentions("stack") && !condition.mentions("function"));
        assert!(!Condition::read(r#""incident.state" == incident.stack"#).expect("valid").mentions("state"));
    }

    #[test]
    fn what_is_wrong_is_said_when_the_condition_is_read() {
        insta::assert_snapshot!(refused("incident.stat == 'lost'"), @"unknown field `incident.stat` (did you mean `state`?), expected one of id, problem, request_id, attempt, trace_id, stack, function, platform, instance, pid, outcome, state, elapsed_ms, summary, diagnosis");
        insta::assert_snapshot!(refused("true || has(incident.diagnosis.limit.value)"), @"unknown field `incident.diagnosis.limit.value` (did you mean `value_ms`?), expected one of setting, value_ms, known_from");
        insta::assert_snapshot!(refused("incident.state == 'lost' && incident.function > 3"), @"expected a condition that can be evaluated: found no matching overload for '_>_' applied to '(string, int)'");
        insta::assert_snapshot!(refused("incident.function"), @"expected a condition that is true or false, found a part that is a text");
        insta::assert_snapshot!(refused("incident.elapsed_ms || true"), @"expected a condition that is true or false, found a part that is a number");
        insta::assert_snapshot!(refused("event.state == 'lost'"), @"unknown name `event`, expected a function of CEL or `incident`");
        insta::assert_snapshot!(refused("size(incident) > 0"), @"expected a field of `incident`, found `incident` alone");
        insta::assert_snapshot!(refused("incident.function.startWith('x')"), @"unknown name `startWith` (did you mean `startsWith`?), expected a function of CEL or `incident`");
        insta::assert_snapshot!(refused("incident.function.matches('(')"), @"expected a condition that can be evaluated: Error executing function 'matches': '(' not a valid regex: regex parse error: ( ^ error: unclosed group");
        insta::assert_snapshot!(refused("incident.state = 'lost'"), @"expected a CEL condition, found a fault at 1:16: token recognition error at: '= ' (did you mean `==`?)");
        insta::assert_snapshot!(refused("function == 'checkout'"), @"expected a CEL condition, found a fault at 1:1: reserved identifier: function (did you mean `incident.function`?)");
        insta::assert_snapshot!(refused("elapsed_ms > 3000"), @"unknown name `elapsed_ms` (did you mean `incident.elapsed_ms`?), expected a function of CEL or `incident`");
        insta::assert_snapshot!(refused("layer == 'platform'"), @"unknown name `layer` (did you mean `incident.diagnosis.layer`?), expected a function of CEL or `incident`");
        insta::assert_snapshot!(refused("incidnt.state == 'lost'"), @"unknown name `incidnt` (did you mean `incident`?), expected a function of CEL or `incident`");
        insta::assert_snapshot!(refused("incident.state =="), @"expected a CEL condition, found a fault at 1:18: mismatched input '<EOF>'");
        insta::assert_snapshot!(refused(" "), @"expected a condition, found nothing; without `when` a rule matches every incident");
        insta::assert_snapshot!(refused(&"!".repeat(5_000)), @"expected a condition of at most 4096 bytes, found 5000");
    }

    #[test]
    fn a_word_that_a_field_never_is_is_refused() {
        insta::assert_snapshot!(refused("true || incident.outcome != 'timout'"), @"`incident.outcome` is never `timout` (did you mean `timeout`?), expected one of timeout, init_timeout, out_of_memory, crash, dropped_at_shutdown, caller_left, near_miss, ok");
        insta::assert_snapshot!(refused("incident.state in ['lost', 'resolved']"), @"`incident.state` is never `resolved`, expected one of suspected, confirmed, survived, lost");
        insta::assert_snapshot!(refused("'nginx' == incident.diagnosis['layer']"), @"`incident.diagnosis.layer` is never `nginx`, expected one of client, cdn, gateway, load_balancer, router, queue, platform, function_watchdog, app_server, application, downstream");
        check("incident.diagnosis.layer != '' && incident.state in ['confirmed'] && incident.stack != 'timout'", true);
        check("incident.diagnosis.layer.startsWith('app') && ['lost', 'x'].exists(word, word != incident.state)", true);
    }

    #[test]
    fn no_nesting_is_too_deep_for_the_stack() {
        let nested = |open: &str, middle: &str, close: &str, times: usize| open.repeat(times) + middle + &close.repeat(times);
        for source in [
            nested("(", "true", ")", 2_000),
            nested("(", "", "", 4_000),
            nested("size([", "1", "])", 500),
            nested("1+", "1 == 1", "", 2_000),
            nested("", "incident", ".a", 2_000),
            nested("", "incident.attempt", "[0]", 1_000),
            nested("true ? true : ", "true", "", 50),
        ] {
            Condition::read(&source).expect_err(&source);
        }
        check(&nested("(", "true", ")", 20), true);
        check(&nested("1+", "1 > 18", "", 18), true);
        check(&nested("!", "true", "", 4_000), true);
        check(&nested("incident.attempt == 1 && ", "true", "", 150), true);
        check(&nested("incident.attempt == 2 || ", "'((((((((((((((((((((((((((' != ''", "", 150), true);
    }

    #[test]
    fn what_cannot_be_foreseen_is_an_error_and_not_a_panic() {
        let condition = Condition::read("incident.attempt / (incident.pid - 322) == 0").expect("valid");
        assert!(condition.holds(&Subject::of(&testing::incident())).is_err());
    }
}
