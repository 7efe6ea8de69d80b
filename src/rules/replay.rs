//! `overrun rules replay`: plays stored changes of incidents to the rules, with the code that routes them.

use std::fmt::Write as _;

use alerts::{Replay, Replayed, Rules};
use anyhow::{Context as _, bail};
use clap::Args;
use domain::Clock as _;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

use crate::cli::ServeArgs;
use crate::clock::SystemClock;
use crate::explain::visible;
use crate::serve::Database;

/// Changes read at a time.
const PAGE: u32 = 500;

/// Messages shown of each rule and action.
const SHOWN_MAX: usize = 20;

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// How far back to begin: 7d, 12h
    #[arg(long, default_value = "7d", value_parser = duration)]
    since: SignedDuration,
    #[command(flatten)]
    serve: ServeArgs,
}

pub async fn run(args: ReplayArgs) -> anyhow::Result<()> {
    let config = args.serve.load()?;
    let rules = super::rules_of(&config)?;
    let now = SystemClock.now();
    let since = now.checked_sub(args.since).context("`--since` is out of range")?;
    let database = Database::open_beside(&config).await?;
    let played = play(&database, &rules, since, now).await;
    database.close().await?;
    let (changes, replayed) = played?;
    print!("{}", visible_lines(&rendered(&rules, since, changes, &replayed)));
    Ok(())
}

async fn play(database: &Database, rules: &Rules, since: Timestamp, now: Timestamp) -> anyhow::Result<(u64, Replayed)> {
    let mut replay = Replay::new(rules, database.store.silences_since(since).await?);
    let (mut after, mut changes) = (0, 0);
    loop {
        let page = database.store.changes_since(since, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        changes += page.len() as u64;
        for change in page {
            replay.take(change);
        }
    }
    Ok((changes, replay.end(now)))
}

/// What would have fired, when, how often: by rule and action, also those that would not.
fn rendered(rules: &Rules, since: Timestamp, changes: u64, replayed: &Replayed) -> String {
    let mut text = String::new();
    render(&mut text, rules, since, changes, replayed).expect("writing to a string cannot fail");
    text
}

fn render(text: &mut String, rules: &Rules, since: Timestamp, changes: u64, replayed: &Replayed) -> std::fmt::Result {
    let messages = |count: usize| format!("{count} message{}", if count == 1 { "" } else { "s" });
    writeln!(text, "since {}: {changes} changes of incidents", since.strftime("%Y-%m-%d %H:%M UTC"))?;
    for rule in rules.summary().rules {
        for action in &rule.actions {
            let told: Vec<_> = replayed.told.iter().filter(|told| told.rule == rule.name && told.action == *action).collect();
            writeln!(text, "rule `{}` → `{action}`: {}", rule.name, messages(told.len()))?;
            for told in told.iter().take(SHOWN_MAX) {
                let function = told.function.as_ref().map(|function| format!("{function}: ")).unwrap_or_default();
                let more = if told.more > 0 { format!(" ({} more)", told.more) } else { String::new() };
                let summary = told.summary.replace('\n', " ");
                writeln!(text, "  {}  {function}{summary}{more}", told.at.strftime("%Y-%m-%d %H:%M:%S"))?;
            }
            if told.len() > SHOWN_MAX {
                writeln!(text, "  and {} more", told.len() - SHOWN_MAX)?;
            }
        }
    }
    for (by, count) in &replayed.muted {
        writeln!(text, "{by} would have kept {count} from being told")?;
    }
    if replayed.faults > 0 {
        writeln!(text, "conditions could not be evaluated {} times", replayed.faults)?;
    }
    writeln!(text, "nothing was sent")
}

/// Foreign text without what steers a terminal, line by line.
fn visible_lines(text: &str) -> String {
    text.lines().map(|line| visible(line) + "\n").collect()
}

fn duration(text: &str) -> anyhow::Result<SignedDuration> {
    let span: Option<Span> = text.parse().ok();
    match span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()) {
        Some(found) if found.is_positive() => Ok(found),
        _ => bail!("expected a duration such as 7d or 12h, found `{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use alerts::Told;

    use super::*;

    #[test]
    fn every_rule_is_named_with_what_it_would_have_sent() {
        let text = "[[rule]]\nname = 'loud'\nactions = ['a']\n[[rule]]\nname = 'quiet'\nactions = ['a']\n\
                    [[action]]\nname = 'a'\nkind = 'webhook'\nbody = 'slack'\nurl = 'https://hooks.example.com/x'";
        let rules = Rules::parse(text, "rules.toml").expect("valid");
        let at: Timestamp = "2026-11-27T12:01:00Z".parse().expect("a time");
        let told = |more| Told {
            at,
            rule: "loud".to_owned(),
            action: "a".to_owned(),
            summary: "it\nfired".to_owned(),
            function: Some("checkout".to_owned()),
            more,
        };
        let replayed = Replayed { told: vec![told(0); 22], muted: [("silence 3".to_owned(), 2)].into(), faults: 0 };
        let said = rendered(&rules, at, 30, &Replayed { told: [vec![told(3)], replayed.told.clone()].concat(), ..replayed });
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines[0], "since 2026-11-27 12:01 UTC: 30 changes of incidents");
        assert_eq!(lines[1], "rule `loud` → `a`: 23 messages");
        assert!(said.contains("\n  and 3 more\n"), "{said}");
        assert!(
            said.ends_with("rule `quiet` → `a`: 0 messages\nsilence 3 would have kept 2 from being told\nnothing was sent\n"),
            "{said}"
        );
    }
}
