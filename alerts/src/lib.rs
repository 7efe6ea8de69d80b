//! Alerts: changes of incidents in, messages to people and programs out.
//!
//! ```text
//! receive → parse → Evidence → correlate → diagnose → Incident → store ─┬→ alert
//!                                                                       └→ show
//! ```
//!
//! `rules` is pure: an incident and a rules file give a list of deliveries. `worker` claims changes that the store wrote
//! beside the incidents, writes deliveries, claims those that are due, has an action make the attempt, and writes down what
//! became of it. All state is in the store: a process that dies loses nothing, and several share the work.
//!
//! To add an action: a file in `actions/` and its arms in `actions::Action`. To add a field that conditions can ask for: a
//! line in `rules/fields.rs` and in `docs/rules.md`.

mod actions;
mod breaker;
mod delay;
mod forecast;
mod incident_data;
mod load;
mod metrics;
mod nearest;
mod notification;
mod options;
mod original_event;
mod own_template;
mod picture;
mod retry;
mod rules;
mod settings;
#[cfg(test)]
mod testing;
mod text;
mod trial;
mod view;
mod worker;

pub use forecast::foresee_retries;
pub use options::{AlertOptions, OptionsError};
pub use rules::{ActionSummary, Replay, Replayed, RuleSummary, Rules, RulesError, Summary, Told, check_silence};
pub use trial::{TrialError, fire};
pub use worker::{AlertsError, run};
