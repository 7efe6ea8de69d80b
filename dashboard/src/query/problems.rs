//! The parameters by which problems are asked for.
//!
//! ```text
//! ?state=open,regressed&stack=&function=checkout&before=…&limit=50
//! ```

use store::{Problem, ProblemFilter, ProblemState};

use super::{BadParameter, LIMIT_DEFAULT, Unknown, limit, place, text};

/// Names of the parameters, in the order in which errors list them.
const NAMES: [&str; 5] = ["state", "stack", "function", "before", "limit"];

/// Reads a query. Empty values are absent ones.
///
/// # Errors
///
/// The first parameter that cannot be understood.
pub fn read_problems(pairs: &[(String, String)], unknown: Unknown) -> Result<ProblemFilter, BadParameter> {
    let mut filter = ProblemFilter { states: Vec::new(), stack: None, function: None, before: None, limit: LIMIT_DEFAULT };
    for (name, value) in pairs.iter().map(|(name, value)| (name.as_str(), value.trim())) {
        if !unknown.takes(name, &NAMES)? || value.is_empty() {
            continue;
        }
        text(name, value)?;
        match name {
            "state" => filter.states = value.split(',').map(state).collect::<Result<_, _>>()?,
            "stack" => filter.stack = Some(value.to_owned()),
            "function" => filter.function = Some(value.to_owned()),
            "before" => filter.before = Some(place(value, is_problem_id)?),
            _ => filter.limit = limit(value)?,
        }
    }
    Ok(filter)
}

fn state(word: &str) -> Result<ProblemState, BadParameter> {
    ProblemState::ALL.into_iter().find(|state| state.as_str() == word.trim()).ok_or_else(|| {
        let known: Vec<_> = ProblemState::ALL.map(ProblemState::as_str).into();
        BadParameter::new("state", format!("some of {}, with commas between", known.join(", ")), word)
    })
}

/// Whether `id` can be the ID of a problem: 16 hex digits.
#[must_use]
pub fn is_problem_id(id: &str) -> bool {
    id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
}

/// Where the next page begins, if this one is full.
#[must_use]
pub fn next_problem(page: &[Problem], limit: u32) -> Option<String> {
    let last = page.last().filter(|_| page.len() >= limit as usize)?;
    Some(format!("{}~{}", last.last_at, last.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &[(&str, &str)]) -> Result<ProblemFilter, String> {
        let pairs: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        read_problems(&pairs, Unknown::Refuse).map_err(|error| error.to_string())
    }

    #[test]
    fn several_states_are_asked_for_at_once() {
        assert_eq!(check(&[("state", "open,regressed")]).expect("fine").states, [ProblemState::Open, ProblemState::Regressed]);
        let found = check(&[("state", "open,shut")]).expect_err("bad");
        assert_eq!(found, "`state`: expected some of open, resolved, regressed, with commas between, found `shut`");
        assert!(check(&[("stat", "open")]).expect_err("bad").starts_with("`stat`: expected one of state, stack"));
        assert!(check(&[("before", "x")]).expect_err("bad").starts_with("`before`: expected the `next`"));
        assert!(check(&[("function", "a\0")]).is_err());
    }
}
