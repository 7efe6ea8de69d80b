//! Stories through the whole program: the built binary, a real Postgres, and the programs that people really use with it.
//!
//! Every story starts its own daemon on ports that the system picks, with a database of its own. They need `DATABASE_URL`
//! and what `scripts/test-peers` installs; `make test` sees to both.

mod support;

mod alert_rules;
mod alertmanager;
mod alerts;
mod bad_input;
mod checks;
mod crash;
mod dashboard;
mod database_away;
mod errors_node;
mod explain;
mod kills;
mod layers;
mod lint;
mod opentelemetry;
mod own_spans;
mod personal_mail;
mod private_postgres;
mod python_watchdog;
mod replicas;
mod retry;
mod sentry;
mod ship;
mod stop;
mod transports;
mod watchdog;
