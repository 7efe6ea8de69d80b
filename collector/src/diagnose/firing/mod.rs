//! Which layer acted. One file per program that can end a request.
//!
//! Each looks at a case and says what its program did, if anything. The one that acted first is the verdict; layers that
//! reacted later are its consequences. A caller's giving up comes first when it was first.

mod apache;
mod azure;
mod caddy;
mod caller;
mod celery;
pub(super) mod gateway;
mod google;
pub(super) mod gunicorn;
mod haproxy;
mod heroku;
mod kernel;
mod knative;
mod known;
mod lambda;
mod managed;
mod nginx;
mod openfaas;
mod openwhisk;
mod prefork;
mod proxy;
mod puma;
mod rack_timeout;
mod step_functions;
mod uvicorn;
mod varnish;
mod vercel;
mod watchdog;

pub use watchdog::recheck_at;

use std::borrow::Cow;

use domain::{Confidence, IncidentState, Layer, Limit, Note, Outcome, Product, Reason};
use jiff::Timestamp;

use crate::correlate::Case;

/// What one program did to a request.
#[derive(Clone, Debug)]
pub struct Firing {
    /// When it acted.
    pub at: Option<Timestamp>,
    /// The layer that acted, where no limit of its is known to have done it.
    pub layer: Option<Layer>,
    /// The program.
    pub product: Option<Product>,
    /// The limit that fired.
    pub limit: Option<Limit>,
    /// How the request ended by it.
    pub outcome: Outcome,
    /// Whether the function is known to have gone on after that.
    pub went_on: bool,
    /// How far it may be believed that it happened.
    pub state: IncidentState,
    /// How sure the attribution is.
    pub confidence: Confidence,
    /// Why.
    pub reasons: Vec<Reason>,
    /// Claims that are not true.
    pub contradicted: Vec<Note>,
    /// What followed from it.
    pub consequences: Vec<Note>,
    /// What would show it to be wrong.
    pub refuted_by: Cow<'static, str>,
}

impl Firing {
    /// A firing of which only this is known.
    #[must_use]
    pub fn new(outcome: Outcome, state: IncidentState, confidence: Confidence) -> Self {
        Self {
            at: None,
            layer: None,
            product: None,
            limit: None,
            outcome,
            went_on: false,
            state,
            confidence,
            reasons: Vec::new(),
            contradicted: Vec::new(),
            consequences: Vec::new(),
            refuted_by: Cow::Borrowed(""),
        }
    }
}

/// How a program is looked for in a case.
type Fired = fn(&Case<'_>) -> Option<Firing>;

/// One line per program: name, and what it reads in a case.
const PROGRAMS: &[(&str, Fired)] = &[
    ("lambda", lambda::fired),
    ("kernel", kernel::fired),
    ("gunicorn", gunicorn::fired),
    ("prefork", prefork::fired),
    ("openfaas", openfaas::fired),
    ("knative", knative::fired),
    ("openwhisk", openwhisk::fired),
    ("celery", celery::fired),
    ("puma", puma::fired),
    ("rack_timeout", rack_timeout::fired),
    ("uvicorn", uvicorn::fired),
    ("nginx", nginx::fired),
    ("haproxy", haproxy::fired),
    ("apache", apache::fired),
    ("caddy", caddy::fired),
    ("varnish", varnish::fired),
    ("gateway", gateway::fired),
    ("heroku", heroku::fired),
    ("google", google::fired),
    ("azure", azure::fired),
    ("vercel", vercel::fired),
    ("step_functions", step_functions::fired),
    ("caller", caller::fired),
];

/// The firing that decides the case.
pub fn first(case: &Case<'_>) -> Option<Firing> {
    let mut fired: Vec<Firing> = PROGRAMS.iter().filter_map(|(_, fired)| fired(case)).collect();
    // A server's or platform's word outweighs a watchdog's suspicion; among words, the earlier act; among equals, the order above.
    if fired.iter().all(|firing| weight(firing) > 0) {
        fired.extend(watchdog::fired(case));
    }
    fired.sort_by_key(|firing| (weight(firing), firing.at.unwrap_or(Timestamp::MAX)));
    let mut fired = fired.into_iter();
    let mut first = fired.next()?;
    for later in fired.filter(|later| weight(later) == 0 && later.product != first.product) {
        let evidence = later.reasons.into_iter().flat_map(|reason| reason.evidence).collect();
        let who = later.product.as_ref().map_or("a later layer", Product::title).to_owned();
        first.consequences.push(Note { text: format!("{who} reacted later"), evidence });
    }
    first.consequences.extend(gateway::answered(case));
    first.consequences.extend(first.limit.as_ref().and_then(|limit| proxy::left_behind(case, &limit.product)));
    // What a proxy saw of somebody else's act.
    if !first.product.as_ref().is_some_and(Product::is_proxy) && first.layer != Some(Layer::Client) {
        first.reasons.extend(proxy::saw(case));
    }
    Some(first)
}

fn weight(firing: &Firing) -> u8 {
    match firing.state {
        IncidentState::Confirmed => 0,
        IncidentState::Survived => 1,
        IncidentState::Lost | IncidentState::Suspected => 2,
    }
}
