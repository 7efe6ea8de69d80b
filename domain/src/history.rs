//! How long the requests of a function take: what a healthy one leaves behind, since it is never a row of its own.

use crate::{Claim, ClaimedOutcome, FunctionName, Histogram, Kind, Millis};

/// One request that finished by itself, as one claim tells of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run<'a> {
    /// The function.
    pub function: &'a FunctionName,
    /// The release of the user's code, else the function's version.
    pub release: Option<&'a str>,
    /// How long it took.
    pub took: Millis,
    /// How long it initialised before, where that is said of this request.
    pub init: Option<Millis>,
}

/// How long requests of one function took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Those that finished.
    pub finished: Histogram,
    /// Those that a limit cut off: after how long, and how many.
    pub cut: Vec<(Millis, u64)>,
}

impl History {
    /// How many there are of both kinds.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.finished.total().saturating_add(self.cut_runs())
    }

    /// How many were cut off.
    #[must_use]
    pub fn cut_runs(&self) -> u64 {
        self.cut.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

impl Claim {
    /// The finished run that this claim tells of: an account of a whole request, of a function that it names.
    ///
    /// What was cut off is none, and is counted from incidents: there it is known once, whatever number of sources tells of
    /// it. Nor is a line of a layer in front, which tells of its own connection.
    #[must_use]
    pub fn finished_run(&self) -> Option<Run<'_>> {
        let is_account = match self.kind {
            Kind::InvocationReport | Kind::Invocation | Kind::Request => true,
            Kind::Span => matches!(self.text("span_kind"), Some("server" | "consumer")) && !self.attributes.contains_key("open"),
            _ => false,
        };
        let has_ended = self.outcome.is_none_or(|outcome| matches!(outcome, ClaimedOutcome::Success | ClaimedOutcome::Error));
        let is_in_front = self.platform.as_ref().is_some_and(crate::Product::is_proxy);
        if !is_account || !has_ended || is_in_front || self.was_cut() {
            return None;
        }
        Some(Run {
            function: self.function.as_ref()?,
            release: self.release(),
            took: self.elapsed_ms.filter(|took| *took >= Millis::ZERO)?,
            init: self.millis("init_duration_ms").filter(|took| *took > Millis::ZERO),
        })
    }

    /// The release of the user's code, else the version of the function. A server's banner tells of its own.
    #[must_use]
    pub fn release(&self) -> Option<&str> {
        self.text("release").or_else(|| self.version())
    }

    /// The version of the function as its platform counts it.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.text("version").filter(|_| !self.kind.is_of_server()).or_else(|| self.text("function_version"))
    }

    /// Lambda's old account of a timeout has no word for it, but bills less than it took: billed is the limit, and everything
    /// else is rounded up.
    fn was_cut(&self) -> bool {
        self.kind == Kind::InvocationReport
            && self.elapsed_ms.zip(self.millis("billed_duration_ms")).is_some_and(|(took, billed)| billed < took)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Claim {
        let mut claim = Claim::new(Kind::InvocationReport, "lambda_text", "REPORT …");
        claim.function = Some(FunctionName::from("checkout"));
        claim.elapsed_ms = Some(Millis::from_us(250_400));
        claim.with("billed_duration_ms", 251.0).with("init_duration_ms", 84.0)
    }

    #[test]
    fn a_report_tells_of_a_run() {
        let claim = report().with("version", "7");
        let run = claim.finished_run().expect("one");
        assert_eq!((run.function.as_str(), run.release), ("checkout", Some("7")));
        assert_eq!((run.took, run.init), (Millis::from_us(250_400), Some(Millis::from_ms(84))));
    }

    #[test]
    fn what_was_cut_off_is_no_finished_run() {
        let timeout = Claim { outcome: Some(ClaimedOutcome::Timeout), ..report() };
        let old = Claim { elapsed_ms: Some(Millis::from_us(3_001_520)), ..report() }.with("billed_duration_ms", 3000.0);
        for claim in [timeout, old] {
            assert_eq!(claim.finished_run(), None, "{claim:?}");
        }
    }

    #[test]
    fn other_claims_are_no_account_of_a_request() {
        let nameless = Claim { function: None, ..report() };
        let in_front = Claim { kind: Kind::Request, platform: Some(crate::Product::NGINX), ..report() };
        let call = Claim { kind: Kind::Span, ..report() }.with("span_kind", "client");
        let open = Claim { kind: Kind::Span, ..report() }.with("span_kind", "server").with("open", true);
        let line = Claim { kind: Kind::AppLog, ..report() };
        for claim in [nameless, in_front, call, open, line] {
            assert_eq!(claim.finished_run(), None, "{claim:?}");
        }
        assert!(Claim { kind: Kind::Span, ..report() }.with("span_kind", "server").finished_run().is_some());
    }
}
