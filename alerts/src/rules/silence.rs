//! A silence, ready to be held against incidents.

use std::collections::BTreeMap;

use domain::Incident;
use store::Silence;

use super::condition::{Condition, Subject};
use super::fields::{self, Field};
use crate::nearest::nearest;

/// What a silence holds.
#[derive(Debug)]
pub(crate) struct Silencer {
    /// The silence.
    pub id: i64,
    silence: Silence,
    fields: Vec<(&'static Field, String)>,
    condition: Option<Condition>,
}

impl Silencer {
    /// Reads what was asked for.
    ///
    /// # Errors
    /// What is wrong with it, as text for the person who asked.
    pub(crate) fn read(silence: Silence) -> Result<Self, String> {
        let (fields, condition) = read(&silence.asked.matchers, silence.asked.condition.as_deref())?;
        Ok(Self { id: silence.id, silence, fields, condition })
    }

    /// Whether it holds this incident at that moment.
    pub(super) fn holds(&self, incident: &Incident, subject: &Subject, now: jiff::Timestamp) -> bool {
        self.silence.holds_at(now)
            && self.fields.iter().all(|(field, value)| field.as_text(incident).unwrap_or_default() == value)
            && self.condition.as_ref().is_none_or(|condition| condition.holds(subject) == Ok(true))
    }
}

/// Checks what a silence is to match.
///
/// # Errors
/// What is wrong with it, as text for the person who asks.
pub fn check_silence(matchers: &BTreeMap<String, String>, condition: Option<&str>) -> Result<(), String> {
    read(matchers, condition).map(|_| ())
}

type Read = (Vec<(&'static Field, String)>, Option<Condition>);

fn read(matchers: &BTreeMap<String, String>, condition: Option<&str>) -> Result<Read, String> {
    if matchers.is_empty() && condition.is_none() {
        return Err("expected at least one field or a condition, found none: that would silence everything".to_owned());
    }
    let field = |(path, value): (&String, &String)| {
        let path = path.strip_prefix("incident.").unwrap_or(path);
        let field = fields::text_field(path).ok_or_else(|| {
            let names: Vec<_> = fields::text_paths().collect();
            let hint = nearest(path, names.iter().copied()).map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
            format!("unknown field `{path}`{hint}, expected one of {}", names.join(", "))
        })?;
        Ok((field, value.clone()))
    };
    let fields = matchers.iter().map(field).collect::<Result<_, String>>()?;
    Ok((fields, condition.map(Condition::read).transpose()?))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use store::NewSilence;

    use super::*;
    use crate::testing;

    fn silence(matchers: &[(&str, &str)], condition: Option<&str>) -> Silence {
        let asked = NewSilence {
            matchers: matchers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            condition: condition.map(str::to_owned),
            comment: String::new(),
            created_by: "ada".to_owned(),
            ends_at: Some(testing::at("2026-11-21T00:00:00Z")),
        };
        Silence { id: 1, created_at: testing::at("2026-11-20T00:00:00Z"), asked }
    }

    fn holds(matchers: &[(&str, &str)], condition: Option<&str>, now: Timestamp) -> bool {
        let incident = testing::incident();
        Silencer::read(silence(matchers, condition)).expect("valid").holds(&incident, &Subject::of(&incident), now)
    }

    #[test]
    fn a_silence_holds_what_agrees_with_all_of_it_and_no_longer_than_it_lasts() {
        let now = testing::at("2026-11-20T12:00:00Z");
        assert!(holds(&[("function", "checkout"), ("incident.stack", "default")], Some("incident.attempt == 1"), now));
        assert!(!holds(&[("function", "checkout"), ("stack", "other")], None, now));
        assert!(!holds(&[("function", "checkout")], Some("incident.attempt == 2"), now));
        assert!(!holds(&[("function", "checkout")], None, testing::at("2026-11-21T00:00:00Z")));
    }

    #[test]
    fn what_would_silence_everything_or_nothing_is_refused() {
        let refused = |matchers: &[(&str, &str)], condition| Silencer::read(silence(matchers, condition)).map(|_| ()).unwrap_err();
        insta::assert_snapshot!(refused(&[], None), @"expected at least one field or a condition, found none: that would silence everything");
        assert!(
            refused(&[("funktion", "x")], None).starts_with("unknown field `funktion` (did you mean `function`?), expected one of id,")
        );
        assert!(refused(&[], Some("incident.stat == ''")).starts_with("unknown field `incident.stat` (did you mean `state`?)"));
    }
}
