//! Apache's error log: the module, the error's number, the message.

use domain::{Claim, ClaimedOutcome, Confidence, Kind, Product};
use jiff::Timestamp;

use super::{FORMAT, limit};
use crate::parse::{Fate, RAW_BYTES_MAX, cut, php_fpm, times};

/// `(70007)The timeout specified has expired`, `(110)Connection timed out`: of APR and of Linux.
const TIMED_OUT: [u32; 2] = [70007, 110];

/// `LogLevel`, as far as it names what a line is logged at.
const LEVELS: [&str; 16] = [
    "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug", "trace1", "trace2", "trace3", "trace4", "trace5", "trace6",
    "trace7", "trace8",
];

/// What stands before the message.
struct Head<'a> {
    at: Timestamp,
    module: &'a str,
    pid: Option<u32>,
    /// The number of the error below.
    code: Option<u32>,
    client: Option<&'a str>,
    message: &'a str,
}

/// Where in a line Apache's head begins.
pub fn find(line: &str) -> Option<usize> {
    // More brackets than any transport's prefix has.
    const BRACKETS_MAX: usize = 8;
    let own = |at: &usize| (*at == 0 || line[..*at].ends_with(' ')) && split(&line[*at..]).is_some();
    line.match_indices('[').map(|(at, _)| at).take(BRACKETS_MAX).find(own)
}

fn split(text: &str) -> Option<Head<'_>> {
    let (stamp, mut rest) = text.strip_prefix('[')?.split_once("] [")?;
    let at = moment(stamp)?;
    let (source, after) = rest.split_once("] ")?;
    let (module, level) = source.split_once(':')?;
    if !LEVELS.contains(&level) || module.contains(' ') {
        return None;
    }
    rest = after;
    let (mut pid, mut code, mut client) = (None, None, None);
    loop {
        rest = rest.trim_start();
        if let Some((process, after)) = rest.strip_prefix("[pid ").and_then(|rest| rest.split_once(']')) {
            pid = process.split(':').next().and_then(|pid| pid.parse().ok());
            rest = after;
        } else if let Some((number, after)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            let Ok(number) = number.parse() else { break };
            code = Some(number);
            // The words of the number: up to the next bracket, or to the message.
            rest = after.split_once(": ").map_or(after, |(_, after)| after);
        } else if let Some((address, after)) = rest.strip_prefix("[client ").and_then(|rest| rest.split_once(']')) {
            client = Some(address);
            rest = after;
        } else if let Some((address, after)) = rest.strip_prefix("[remote ").and_then(|rest| rest.split_once(']')) {
            // The same address, as a daemon process of mod_wsgi has been told it.
            client = client.or(Some(address));
            rest = after;
        } else {
            break;
        }
    }
    Some(Head { at, module, pid, code, client, message: rest })
}

/// `Sun Nov 22 12:30:24.079720 2026`, with or without the fraction, no zone.
fn moment(stamp: &str) -> Option<Timestamp> {
    let words: Vec<&str> = stamp.split_whitespace().collect();
    let [_, month, day, clock, year] = words[..] else { return None };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let whole = times::common_log(&format!("{day:0>2}/{month}/{year}:{clock} +0000"))?;
    if fraction.is_empty() {
        return Some(whole);
    }
    let micros = domain::Millis::parse_seconds(&format!("0.{fraction}"))?;
    Some(micros.after(whole))
}

/// Reads a line; `None` when it is not of this log.
pub fn read(text: &str) -> Option<Fate> {
    let head = split(text)?;
    let mut claim = Claim {
        platform: Some(Product::APACHE),
        observed_at: Some(head.at),
        pid: head.pid,
        ..Claim::new(Kind::ProxyError, FORMAT, cut(text.trim_end(), RAW_BYTES_MAX))
    };
    if let Some(client) = head.client {
        claim = claim.with("client", client);
    }
    if let Some(code) = head.code {
        claim = claim.with("error_number", code);
    }
    // `AH00898: Error reading from remote server returned by /report`: names the path of the error before it.
    if let Some((_, path)) = head.message.split_once("returned by /") {
        claim = claim.with("path", format!("/{path}")).with("follows", true);
    }
    if let Some((_, upstream)) = head.message.split_once("remote server ") {
        claim = claim.with("upstream", upstream.split(' ').next().unwrap_or_default());
    }
    let told = if head.module == "wsgi" { tell_wsgi(head.message, claim) } else { tell_proxy(&head, claim) };
    let says = told.outcome.is_some() || ["follows", "signal"].iter().any(|name| told.attributes.contains_key(*name));
    Some(if says { Fate::Evidence(Box::new(told)) } else { Fate::Ignored(Box::new(Claim { kind: Kind::AppLog, ..told })) })
}

fn tell_proxy(head: &Head<'_>, claim: Claim) -> Claim {
    // mod_proxy_fcgi passes on what PHP wrote to its standard error, mod_php writes it itself.
    if head.module == "proxy_fcgi" && head.message.contains("Got error '") || head.module.starts_with("php") {
        return php_fpm::ended_by_php(claim.clone(), head.message).unwrap_or(claim);
    }
    let fired =
        |claim: Claim, setting: &str, outcome| Claim { outcome: Some(outcome), limit: Some(limit(Product::APACHE, setting)), ..claim };
    if head.module == "reqtimeout" && head.message.contains("read timeout") {
        let part = if head.message.to_ascii_lowercase().contains("header") { "header" } else { "body" };
        return fired(claim, &format!("RequestReadTimeout {part}"), ClaimedOutcome::ClientIdleTimeout);
    }
    if !head.module.starts_with("proxy") {
        return claim;
    }
    let has = |words: &str| head.message.contains(words);
    let from_client = has("prefetch request body failed") || has("read request body failed") || has("reading request body");
    let connecting = has("attempt to connect") || has("connect to listener") || has("failed to make connection");
    let timed_out = head.code.is_some_and(|code| TIMED_OUT.contains(&code));
    match (timed_out, from_client, connecting) {
        (true, true, _) => fired(claim, "RequestReadTimeout body", ClaimedOutcome::ClientIdleTimeout),
        (true, _, true) => fired(claim, "ProxyPass connectiontimeout", ClaimedOutcome::ConnectTimeout),
        (true, ..) => fired(claim, "ProxyTimeout", ClaimedOutcome::GatewayTimeout),
        // The server closed the connection before it answered.
        (false, false, false) if has("error reading status line") => {
            Claim { outcome: Some(ClaimedOutcome::Error), ..claim }.with("upstream_closed", true)
        }
        (false, ..) if head.code.is_some() => Claim { outcome: Some(ClaimedOutcome::Error), ..claim },
        _ => claim,
    }
}

/// What a daemon process of mod_wsgi, or its parent, says of it: words, setting, outcome.
const DAEMONS: [(&str, &str, ClaimedOutcome); 7] = [
    ("request time limit exceeded", "request-timeout", ClaimedOutcome::Timeout),
    ("Daemon process request timer expired", "request-timeout", ClaimedOutcome::Timeout),
    ("deadlock timer expired", "deadlock-timeout", ClaimedOutcome::Timeout),
    ("Daemon process graceful timer expired", "graceful-timeout", ClaimedOutcome::Timeout),
    ("Application startup timer expired", "startup-timeout", ClaimedOutcome::BootTimeout),
    ("Queue timeout expired for WSGI daemon process", "queue-timeout", ClaimedOutcome::Timeout),
    ("Timeout when reading response headers from daemon process", "socket-timeout", ClaimedOutcome::Timeout),
];

/// mod_wsgi's words about its daemon processes. What the daemon says of itself stands there at level info only.
fn tell_wsgi(message: &str, mut claim: Claim) -> Claim {
    // `mod_wsgi (pid=2559): Process 'app' has died`: the name of the group of processes.
    if let Some((name, _)) = message.split_once('\'').and_then(|(_, rest)| rest.split_once('\'')) {
        claim = claim.with("daemon", name);
    }
    let fired =
        |claim: Claim, setting: &str, outcome| Claim { outcome: Some(outcome), limit: Some(limit(Product::MOD_WSGI, setting)), ..claim };
    if let Some((_, setting, outcome)) = DAEMONS.into_iter().find(|(words, ..)| message.contains(words)) {
        return fired(claim, setting, outcome);
    }
    // The daemon process was gone: ended by `request-timeout`, or crashed.
    if message.starts_with("Truncated or oversized response headers received from daemon process") {
        let claim = Claim { outcome_confidence: Some(Confidence::Possible), ..fired(claim, "request-timeout", ClaimedOutcome::Timeout) };
        return claim.with("daemon_gone", true);
    }
    // An exit status that is no success is printed as a signal too.
    match message.split_once("' terminated by signal ").and_then(|(_, signal)| signal.parse::<u32>().ok()) {
        Some(signal) => claim.with("signal", signal.to_string()),
        None => claim,
    }
}
