//! A case: all that is known about one attempt at a request, or about a worker's end that no request is known for.

use domain::{Evidence, FunctionName, Instance, Key, Kind, Limit, Millis, Product, RequestId, StackName, TraceId};
use jiff::Timestamp;

use super::{Knowledge, is_open};

/// What a diagnosis is made from.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// The stack.
    pub stack: &'a StackName,
    /// What it is about.
    pub subject: Key,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The evidence about it, in time order.
    pub own: Vec<&'a Evidence>,
    /// How the worker that served it came to its end, if it did while serving it.
    pub worker: Option<WorkerEnd<'a>>,
    /// What the program says of itself that served it, where its lines name no process: banner and stop.
    pub server: Vec<&'a Evidence>,
    /// The other requests that it had in flight at that moment.
    pub companions: Vec<&'a RequestId>,
    /// What part this one had in that end.
    pub blame: Blame<'a>,
    /// What is known beside the evidence.
    pub knowledge: &'a Knowledge,
    /// The moment the question is asked.
    pub as_of: Timestamp,
}

/// What part a request had in the end of the worker that served it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blame<'a> {
    /// It was the only one.
    Alone,
    /// It held the worker, and the others ended with it.
    Culprit {
        /// How that is told.
        how: &'static str,
    },
    /// It ended with a worker that another one held.
    Collateral {
        /// The one that held it, if it is known.
        of: Option<&'a RequestId>,
        /// How that is told.
        how: &'static str,
    },
    /// Any of several can have held it.
    Undecided,
}

/// The end of a pre-fork worker.
#[derive(Clone, Debug)]
pub struct WorkerEnd<'a> {
    /// Where it ran.
    pub instance: Option<&'a Instance>,
    /// Its process ID.
    pub pid: u32,
    /// Which of the lives of that process ID, from 1.
    pub life: u32,
    /// How it ended.
    pub ending: Ending,
    /// When, as the line that says so is stamped.
    pub at: Option<Timestamp>,
    /// When it had come up.
    pub booted_at: Option<Timestamp>,
    /// When the server had been told to stop, for an end at shutdown.
    pub stopping_at: Option<Timestamp>,
    /// The lines that tell of the end, the decisive one first.
    pub evidence: Vec<&'a Evidence>,
    /// The class of the server's workers, from its banner.
    pub worker_class: Option<&'a str>,
    /// Whether any line tells of a request that it served, or that it was ready to.
    pub has_served: bool,
    /// Whether anything is known of the server itself: without it nobody can tell whether it was being stopped.
    pub is_server_known: bool,
    /// Whether the lines begin early enough to hold what the server may have said of it first: with the worker's boot, or long before.
    pub reaches_back: bool,
}

/// How a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The server gave up on it: its heartbeat had stopped.
    TimedOut,
    /// A signal that the server did not send.
    Killed,
    /// It ended itself with a code that is no success.
    Exited,
    /// The application could not be loaded in it.
    FailedToStart,
    /// The server was told to stop at once and so cut off what it was serving.
    ToldToQuit,
    /// The server stopped and it had not left by itself.
    Dropped,
    /// It left as late as the grace period allows; whether something was cut off is not told.
    LeftLate,
}

impl<'a> Case<'a> {
    /// A case about `subject`, first attempt.
    #[must_use]
    pub fn new(stack: &'a StackName, subject: Key, own: Vec<&'a Evidence>, knowledge: &'a Knowledge, as_of: Timestamp) -> Self {
        Self {
            stack,
            subject,
            attempt: 1,
            own,
            worker: None,
            server: Vec::new(),
            companions: Vec::new(),
            blame: Blame::Alone,
            knowledge,
            as_of,
        }
    }

    /// A case about a worker's end that no known request claims.
    #[must_use]
    pub fn of_worker(stack: &'a StackName, end: WorkerEnd<'a>, knowledge: &'a Knowledge, as_of: Timestamp) -> Self {
        let subject = Key::Worker { instance: end.instance.cloned(), pid: end.pid };
        Self { attempt: end.life, worker: Some(end), ..Self::new(stack, subject, Vec::new(), knowledge, as_of) }
    }

    /// The request's ID, if there is one.
    #[must_use]
    pub fn request_id(&self) -> Option<&'a RequestId> {
        self.own.iter().find_map(|one| one.claim.request_id.as_ref())
    }

    /// All evidence: the case's own, then what tells of the worker's end.
    pub fn evidence(&self) -> impl Iterator<Item = &'a Evidence> + '_ {
        self.own.iter().copied().chain(self.worker.iter().flat_map(|end| end.evidence.iter().copied()))
    }

    /// The first own claim of that kind.
    #[must_use]
    pub fn first(&self, kind: Kind) -> Option<&'a Evidence> {
        self.own.iter().copied().find(|one| one.claim.kind == kind)
    }

    /// All own claims of that kind.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &'a Evidence> + '_ {
        self.own.iter().copied().filter(move |one| one.claim.kind == kind)
    }

    /// The first value that any claim of the case gives.
    pub fn any<T>(&self, take: impl Fn(&'a domain::Claim) -> Option<T>) -> Option<T> {
        self.evidence().find_map(|one| take(&one.claim))
    }

    /// The function, by the first source that names it.
    #[must_use]
    pub fn function(&self) -> Option<&'a FunctionName> {
        self.evidence().find_map(|one| one.claim.function.as_ref())
    }

    /// The trace it belongs to.
    #[must_use]
    pub fn trace_id(&self) -> Option<&'a TraceId> {
        self.own.iter().find_map(|one| one.claim.trace_id.as_ref())
    }

    /// When the request began, by the best source there is.
    #[must_use]
    pub fn started_at(&self) -> Option<Timestamp> {
        if let Some(start) = self.first(Kind::InvocationStart).and_then(|one| one.claim.observed_at) {
            return Some(start);
        }
        let stated = self.own.iter().filter(|one| self.is_of_request(one)).filter_map(|one| one.claim.started_at).min();
        let stated = stated.or_else(|| {
            // A line that states both its moment and the time elapsed implies the beginning.
            let implied = |one: &&Evidence| Some(one.claim.elapsed_ms?.before(one.claim.observed_at?));
            let kinds = [Kind::TimeoutNotice, Kind::InvocationReport, Kind::WatchdogFired, Kind::WatchdogNearMiss, Kind::WatchdogArmed];
            kinds.into_iter().find_map(|kind| self.first(kind).as_ref().and_then(implied))
        });
        // Some servers say when the request began for which they ended a worker.
        stated.or_else(|| self.worker.as_ref()?.evidence.first()?.claim.started_at)
    }

    /// Whether a claim's times are the request's own. A span's are only if it carries the request's ID: callers' and callees'
    /// are not. An access line that gunicorn wrote while aborting counts from the abort.
    #[must_use]
    pub fn is_of_request(&self, evidence: &Evidence) -> bool {
        let claim = &evidence.claim;
        let aborted = || {
            let timed_out = self.worker.as_ref().is_some_and(|end| end.ending == Ending::TimedOut);
            // It has no bytes: nothing was answered. Who answers with 500 has something to say.
            timed_out || claim.platform.as_ref() == Some(&Product::GUNICORN) && claim.number("response_bytes") == Some(0.0)
        };
        match claim.kind {
            Kind::Span => claim.request_id.is_some(),
            Kind::Request => !(claim.number("status") == Some(500.0) && aborted()),
            _ => true,
        }
    }

    /// When the request ended or was ended, by the best source there is.
    #[must_use]
    pub fn ended_at(&self) -> Option<Timestamp> {
        if let Some(at) = self.worker.as_ref().and_then(|end| end.at) {
            return Some(at);
        }
        let kinds = [
            Kind::TimeoutNotice,
            Kind::InvocationEnd,
            Kind::RuntimeDone,
            Kind::InvocationReport,
            Kind::Fault,
            Kind::WatchdogClosed,
            Kind::Request,
            Kind::GatewayRequest,
        ];
        let stated = kinds.into_iter().find_map(|kind| self.first(kind)?.claim.observed_at);
        let has_ended = |one: &&&Evidence| one.claim.kind == Kind::Span && self.is_of_request(one) && !is_open(&one.claim);
        let spans = self.own.iter().filter(has_ended);
        stated.or_else(|| spans.filter_map(|one| one.claim.observed_at).max())
    }

    /// The deadline as the request's watchdog stated it.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let events = || self.own.iter().map(|one| &one.claim).filter(|claim| is_watchdog(claim.kind));
        let stated = events().find_map(|claim| claim.text("deadline_at")?.parse().ok());
        stated.or_else(|| {
            events().find_map(|claim| {
                let left = claim.millis("left_ms").filter(|left| *left >= Millis::ZERO)?;
                Some(left.after(claim.observed_at?))
            })
        })
    }

    /// How long it took, stated or worked out.
    #[must_use]
    pub fn elapsed(&self) -> Option<Millis> {
        self.accounted_for()
            .or_else(|| self.between())
            // Error answers tell how long the invocation took, access lines how long who wrote them waited.
            .or_else(|| self.stated(&[Kind::LambdaBlock, Kind::InvokeError, Kind::AsyncFailure, Kind::StepFailure]))
            .or_else(|| self.all(Kind::Request).filter(|one| self.is_of_request(one)).filter_map(|one| one.claim.elapsed_ms).max())
    }

    /// The same by one clock alone, where several are apart: between the stamps of two of them lies no time.
    #[must_use]
    pub fn elapsed_by_one_clock(&self) -> Option<Millis> {
        let longest = || self.own.iter().filter(|one| self.is_of_request(one)).filter_map(|one| one.claim.elapsed_ms).max();
        self.accounted_for().or_else(longest)
    }

    fn stated(&self, kinds: &[Kind]) -> Option<Millis> {
        kinds.iter().find_map(|kind| self.all(*kind).find_map(|one| one.claim.elapsed_ms))
    }

    /// How long it took by its platform's account, or by gateways' where nobody else tells of it.
    fn accounted_for(&self) -> Option<Millis> {
        let gateways = || self.own.iter().filter(|one| one.claim.kind.is_of_gateway());
        let waited = |one: &&'a Evidence| one.claim.elapsed_ms.or_else(|| one.claim.millis("integration_latency_ms"));
        let in_front = || (gateways().count() == self.own.len()).then(|| gateways().find_map(waited)).flatten();
        self.stated(&[Kind::InvocationReport, Kind::InvocationEnd, Kind::Invocation, Kind::TimeoutNotice]).or_else(in_front)
    }

    /// The time between beginning and end; none where both are one stamp of one line.
    fn between(&self) -> Option<Millis> {
        let between = Some(Millis::between(self.started_at()?, self.ended_at()?)).filter(|elapsed| *elapsed >= Millis::ZERO)?;
        Some(between.max(self.seen_running().unwrap_or(Millis::ZERO))).filter(|elapsed| *elapsed > Millis::ZERO)
    }

    /// How long its watchdog saw it run: it took no less, whatever whole seconds in a server's lines make of it.
    #[must_use]
    pub fn seen_running(&self) -> Option<Millis> {
        let events = self.own.iter().map(|one| &one.claim).filter(|claim| is_watchdog(claim.kind));
        // A section's time is not the request's, nor is that of a timer that outlived it.
        let timely = |claim: &&domain::Claim| claim.millis("left_ms").is_none_or(|left| left >= Millis::ZERO);
        events.filter(|claim| claim.kind != Kind::WatchdogTracepoint).filter(timely).filter_map(|claim| claim.elapsed_ms).max()
    }

    /// A limit that configuration or a watchdog states, for a setting that a log line leaves without a value.
    #[must_use]
    pub fn stated_limit(&self, product: &Product, setting: &str) -> Option<&Limit> {
        let fits = |limit: &&Limit| limit.product == *product && limit.setting == setting && limit.value_ms.is_some();
        let mut watchdogs = self.own.iter().filter(|one| is_watchdog(one.claim.kind)).filter_map(|one| one.claim.limit.as_ref());
        self.knowledge.limit_of(self.function(), product, setting).or_else(|| watchdogs.find(fits))
    }
}

/// Whether a claim comes from a watchdog inside the function.
#[must_use]
pub fn is_watchdog(kind: Kind) -> bool {
    matches!(kind, Kind::WatchdogArmed | Kind::WatchdogNearMiss | Kind::WatchdogFired | Kind::WatchdogClosed | Kind::WatchdogTracepoint)
}
