//! Commands that look before a start would: `check-config`, `rules check`, `migrate`.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::{Daemon, Database, Finished, Launch, overrun, run};

const GOOD_RULES: &str = r#"
[[rule]]
name = "checkout overran"
when = 'incident.function.startsWith("checkout")'
actions = ["inbox"]

[[action]]
name = "inbox"
kind = "webhook"
url = "https://hooks.example.com/overrun"
secret = "whsec_b3ZlcnJ1bi1kZW1vLXNlY3JldC0zMi1ieXRlcyEh"
"#;

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    }
}

fn check(arguments: &[&str], file: &PathBuf) -> Finished {
    run(overrun(arguments).arg(file), b"")
}

#[test]
fn good_rules_are_summed_up_and_bad_ones_named_by_line_and_key() {
    let files = Files::new();
    let good = check(&["rules", "check"], &files.write("good.toml", GOOD_RULES));
    assert_eq!((good.code, good.stderr.as_str()), (0, ""));
    assert!(good.stdout.contains("checkout overran") && good.stdout.contains("https://hooks.example.com"), "{}", good.stdout);
    assert!(!good.stdout.contains("b3ZlcnJ1bi"), "secrets are not shown");
    for (name, from, to, expected) in [
        ("misspelt-key", "actions", "action", "`action`"),
        ("unknown-field", "incident.function", "incident.functoin", "functoin"),
        ("unknown-action", "[\"inbox\"]", "[\"inbx\"]", "`inbx`"),
        ("bad-condition", "(\"checkout\")", "(\"checkout\"", "toml:4"),
        ("private-address", "https://hooks.example.com", "http://169.254.169.254", "169.254.169.254"),
        ("short-secret", "whsec_b3ZlcnJ1bi1kZW1vLXNlY3JldC0zMi1ieXRlcyEh", "whsec_aHVudGVyMg==", "24 to 64 bytes"),
    ] {
        let bad = check(&["rules", "check"], &files.write(&format!("{name}.toml"), &GOOD_RULES.replacen(from, to, 1)));
        assert_eq!((bad.code, bad.stdout.as_str()), (2, ""), "{name}: {}", bad.stderr);
        assert!(bad.stderr.contains(expected) && bad.stderr.contains(&format!("{name}.toml")), "{name}: {}", bad.stderr);
        assert!(!bad.stderr.contains("aHVudGVyMg"), "secrets are not shown");
    }
    let missing = check(&["rules", "check"], &files.0.path().join("missing.toml"));
    assert_eq!(missing.code, 2);
    assert!(missing.stderr.contains("missing.toml"), "{}", missing.stderr);
}

#[test]
fn a_configuration_is_checked_without_a_start() {
    let files = Files::new();
    let rules = files.write("rules.toml", GOOD_RULES);
    let good = files.write("good.toml", &format!("[ingest]\nhttp = \"127.0.0.1:9000\"\n[alerts]\nrules_file = {rules:?}\n"));
    let good = check(&["check-config", "--config"], &good);
    assert_eq!((good.code, good.stderr.as_str()), (0, ""));
    assert!(good.stdout.contains("configuration and rules are good"), "{}", good.stdout);
    for (name, text, expected) in [
        ("misspelt", "[ingest]\nhtpp = \"127.0.0.1:9000\"\n", "htpp"),
        ("no-address", "[ingest]\nhttp = \"localhost\"\n", "http"),
        ("no-toml", "[ingest\n", "line 1"),
        ("open-to-all", "[dashboard]\nhttp = \"0.0.0.0:4319\"\n", "allow_unauthenticated"),
        ("out-of-range", "[alerts]\nlease_ms = 10\n", "attempt_timeout_ms"),
        ("log-format", "[telemetry]\nlog_format = \"xml\"\n", "xml"),
        ("no-rules", "[alerts]\nrules_file = \"/no/such/rules.toml\"\n", "/no/such/rules.toml"),
    ] {
        let bad = check(&["check-config", "--config"], &files.write(&format!("{name}.toml"), text));
        assert_eq!((bad.code, bad.stdout.as_str()), (2, ""), "{name}: {}", bad.stderr);
        assert!(bad.stderr.contains(expected), "{name}: {}", bad.stderr);
    }
    let environment = run(overrun(&["check-config"]).env("OVERRUN__PIPELINE__COMMITTER", "2"), b"");
    assert_eq!(environment.code, 2);
    assert!(environment.stderr.contains("committer"), "{}", environment.stderr);
}

#[tokio::test]
async fn a_start_refuses_what_a_check_refuses_and_says_the_same() {
    let (database, files) = (Database::create().await, Files::new());
    let rules = files.write("rules.toml", &GOOD_RULES.replacen("[\"inbox\"]", "[\"inbx\"]", 1));
    let said = Launch::on(&database).rules(&rules).refused().await;
    assert!(said.contains("`inbx`"), "{said}");
    let said = Launch::on(&database).with("OVERRUN__DASHBOARD__HTTP", "0.0.0.0:0").refused().await;
    assert!(said.contains("allow_unauthenticated"), "{said}");
    let busy = Daemon::start(&database).await;
    let address = busy.ingest.trim_start_matches("http://").to_owned();
    let said = Launch::on(&database).with("OVERRUN__INGEST__HTTP", &address).refused().await;
    assert!(said.contains("ingest.http") && said.contains(&address), "{said}");
}

#[tokio::test]
async fn migrate_brings_a_database_up_to_date_and_may_be_repeated() {
    let database = Database::create().await;
    for _ in 0..2 {
        let done = run(overrun(&["migrate"]).env("DATABASE_URL", database.url()), b"");
        assert_eq!((done.code, done.stdout.as_str()), (0, "the schema is up to date\n"), "{}", done.stderr);
    }
    let pool = database.pool().await;
    let count: i64 = sqlx::query_scalar("select count(*) from incidents").fetch_one(&pool).await.expect("the table is there");
    assert_eq!(count, 0);
    let unreachable = run(overrun(&["migrate"]).env("DATABASE_URL", "postgres://nobody:hunter2@127.0.0.1:1/nothing"), b"");
    assert_eq!(unreachable.code, 2);
    assert!(unreachable.stderr.contains("the database cannot be reached"), "{}", unreachable.stderr);
    assert!(!unreachable.stderr.contains("hunter2"), "secrets are not shown");
}
