//! The sentence that answers "what is wrong now".

use jiff::Timestamp;
use store::{ProblemRow, SourceRow};

use super::PROBLEMS_MAX;
use super::windows::Choice;
use crate::moment::{count, counted, relative};
use crate::text::Text;

/// What the sentence is made from.
pub struct Headline<'a> {
    /// How far back the page looks.
    pub choice: Choice,
    /// The problems of the window, the most frequent first.
    pub problems: &'a [ProblemRow],
    /// Everybody who ever sent something.
    pub sources: &'a [SourceRow],
    /// Those who sent nothing in the last hour.
    pub silent: &'a [&'a SourceRow],
    /// Requests that overran in the window.
    pub overran: u64,
    /// Now.
    pub now: Timestamp,
}

impl Headline<'_> {
    /// `3 problems open; most often checkout: gunicorn's worker timeout (30 s) fired`
    pub fn sentence(&self) -> String {
        let Some(worst) = self.problems.first() else {
            return match (self.sources.is_empty(), self.choice) {
                (true, _) => "Nothing has arrived yet".to_owned(),
                // All that overran was resolved.
                _ if self.overran > 0 => "No problem is open".to_owned(),
                (false, Choice::All) => "Nothing has overrun so far".to_owned(),
                (false, choice) => format!("Nothing overran {}", choice.words()),
            };
        };
        let n = self.problems.len() as u64;
        let number = if n >= u64::from(PROBLEMS_MAX) { format!("{n} or more problems") } else { counted(n, "problem", "problems") };
        let is_open = if self.choice == Choice::All { "known" } else { "open" };
        let which = if n == 1 { "" } else { "most often " };
        let function = worst.function.as_ref().filter(|function| !worst.summary.contains(function.as_str()));
        let function = function.map(|function| format!("{}: ", Text::name(function))).unwrap_or_default();
        // The rest of the verdict stands with the problem, a little further down.
        let verdict = worst.summary.split("; ").next().unwrap_or_default();
        format!("{number} {is_open}; {which}{function}{verdict}")
    }

    /// The numbers behind it, and who fell silent.
    pub fn lead(&self) -> String {
        let mut parts = Vec::new();
        if self.overran > 0 {
            let verb = if self.overran == 1 { "request overran" } else { "requests overran" };
            parts.push(format!("{} {verb} {}.", count(self.overran), self.choice.words()));
        }
        if self.choice == Choice::All
            && let Some(latest) = self.problems.iter().map(|problem| problem.last_at).max()
        {
            parts.push(format!("The newest incident is from {}.", relative(latest, self.now)));
        }
        match self.silent {
            [] if !self.sources.is_empty() => parts.push("Every source was heard of in the last hour.".to_owned()),
            [] => parts.push("Overrun shows which layer's limit fired, what was in flight, and what to change.".to_owned()),
            [one] => parts.push(format!("{} is silent; last heard of {}.", Text::name(&one.source), relative(one.last_at, self.now))),
            many => parts.push(format!("{} of {} sources are silent.", many.len(), self.sources.len())),
        }
        parts.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use domain::Layer;

    use super::*;

    fn problem(function: &str, summary: &str) -> ProblemRow {
        let at = Timestamp::UNIX_EPOCH;
        ProblemRow {
            id: "p".into(),
            summary: summary.into(),
            function: Some(function.into()),
            layer: Some(Layer::AppServer),
            cause: "unknown".into(),
            count: 3,
            first_at: at,
            last_at: at,
            latest_incident: "i".into(),
            trend: Vec::new(),
        }
    }

    fn source(evidence: u64) -> SourceRow {
        let last_at = Timestamp::UNIX_EPOCH;
        SourceRow { source: "edge".into(), stack: "default".into(), format: "auto".into(), last_at, evidence, ignored: 0, rejected: 0 }
    }

    fn check(choice: Choice, problems: &[ProblemRow], sources: &[SourceRow]) -> (String, String) {
        let silent = super::super::silent(sources);
        let now = Timestamp::from_second(7200).expect("in range");
        let headline = Headline { choice, problems, sources, silent: &silent, overran: if problems.is_empty() { 0 } else { 4 }, now };
        (headline.sentence(), headline.lead())
    }

    #[test]
    fn it_says_what_is_wrong() {
        let problems = [problem("checkout", "gunicorn's `--timeout` (30 s) fired; 29 s went into x"), problem("cart", "other")];
        let (sentence, lead) = check(Choice::Day, &problems, &[source(5)]);
        assert_eq!(sentence, "2 problems open; most often checkout: gunicorn's `--timeout` (30 s) fired");
        assert_eq!(lead, "4 requests overran in the last 24 hours. Every source was heard of in the last hour.");
    }

    #[test]
    fn a_function_is_not_named_twice() {
        let (sentence, _) = check(Choice::Day, &[problem("checkout", "checkout ran out of time")], &[source(5)]);
        assert_eq!(sentence, "1 problem open; checkout ran out of time");
    }

    #[test]
    fn silence_and_emptiness_are_told_apart() {
        assert_eq!(check(Choice::Day, &[], &[]).0, "Nothing has arrived yet");
        let (sentence, lead) = check(Choice::Day, &[], &[source(0)]);
        assert_eq!(sentence, "Nothing overran in the last 24 hours");
        assert_eq!(lead, "edge is silent; last heard of 2 h ago.");
    }
}
