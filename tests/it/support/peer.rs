//! Programs of others that a story talks to: scripts in `tests/support/`, which write one JSON object per line and read
//! their instructions the same way.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::{Process, checkout};

/// A running script.
pub struct Peer(Process);

impl Peer {
    /// A Python script, run by the interpreter that `scripts/test-peers` set up.
    pub fn python(script: &str, settings: &Value) -> Self {
        Self::start("python", script, settings, &[])
    }

    /// The same with environment variables.
    pub fn python_with(script: &str, settings: &Value, environment: &[(&str, String)]) -> Self {
        Self::start("python", script, settings, environment)
    }

    /// A JavaScript module, run by the Node.js that `scripts/test-peers` found or installed.
    pub fn node(script: &str, settings: &Value) -> Self {
        assert!(checkout("tests/support/node_modules").is_dir(), "tests/support/node_modules is missing: run scripts/test-peers");
        Self::start("node", script, settings, &[])
    }

    fn start(interpreter: &str, script: &str, settings: &Value, environment: &[(&str, String)]) -> Self {
        let program: PathBuf = checkout(".venv/bin").join(interpreter);
        assert!(program.exists(), "`{}` is missing: run scripts/test-peers", program.display());
        let mut command = Command::new(program);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_") || name.to_ascii_lowercase().ends_with("_proxy")) {
            command.env_remove(name);
        }
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        Self(Process::spawn(script, command.arg(checkout("tests/support").join(script)).arg(settings.to_string())))
    }

    /// What it says next.
    pub async fn next(&mut self) -> Value {
        let line = self.0.line().await.unwrap_or_else(|| panic!("it ended instead of saying something\n{}", self.0.errors()));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("expected JSON, found {error}: {line}"))
    }

    /// Tells it something.
    pub fn tell(&mut self, what: &Value) {
        self.0.write(format!("{what}\n").as_bytes());
    }

    /// Ends it at once, without a chance to say anything more.
    pub fn kill(mut self) {
        self.0.kill();
    }

    /// Waits for it to end by itself.
    pub async fn succeeded(mut self) {
        let status = self.0.finished().await;
        assert!(status.success(), "{status}\n{}", self.0.errors());
    }
}
