//! Where the serving thread stood: stacks that watchdogs sampled, tracebacks of aborted requests, slow logs.
//!
//! The names are those of the standard libraries and common clients of Python and PHP, read off stacks in November 2026. A
//! call that is written in C has no frame of its own in Python: what shows is the function that made it.

use domain::{Evidence, Frame, Kind, ThreadStack};

use crate::correlate::Case;

/// What the innermost frame says of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It waits for somebody else's bytes.
    Network,
    /// It waits for a connection to come up.
    Connecting,
    /// It waits for a name to be resolved.
    Resolving,
    /// It waits for something else that the frame names: a lock, a queue, a timer, an event loop with nothing to do.
    Waiting,
    /// In code of the user's own: computing, or in a call that leaves no frame.
    OwnCode,
    /// In a library; what it does there is not known.
    Library,
}

/// A stack, as one claim tells it.
#[derive(Clone, Copy)]
pub struct Sample<'a> {
    /// The claim.
    pub told: &'a Evidence,
    /// The stack of the thread that serves.
    pub stack: &'a ThreadStack,
    /// The innermost frame.
    pub innermost: &'a Frame,
    /// What it says.
    pub standing: Standing,
}

/// Function and end of the file's name; an empty file where the name alone says it.
type Name = (&'static str, &'static str);

/// Not `select` and `poll`: an event loop stands there whatever it waits for, a timer included.
const NETWORK: &[Name] = &[
    ("readinto", "socket.py"),
    ("_read_from_socket", "socket.py"),
    ("read", "ssl.py"),
    ("recv", ""),
    ("recv_into", ""),
    ("recvfrom", ""),
    ("sendall", ""),
    ("do_handshake", ""),
    ("poll_wait_for_socket", ""),
    ("select_wait_for_socket", ""),
    ("curl_exec", ""),
    ("mysqli_query", ""),
    ("mysqli_real_query", ""),
    ("pg_query", ""),
    ("pg_query_params", ""),
    ("__doRequest", ""),
];
const CONNECTING: &[Name] = &[
    ("create_connection", ""),
    ("_connect", "connection.py"),
    ("_real_connect", "ssl.py"),
    ("fsockopen", ""),
    ("pfsockopen", ""),
    ("stream_socket_client", ""),
    ("mysqli_connect", ""),
    ("mysqli_real_connect", ""),
    ("pg_connect", ""),
    ("connect", "psycopg2/__init__.py"),
];
const RESOLVING: &[Name] = &[("getaddrinfo", ""), ("gethostbyname", ""), ("gethostbyaddr", ""), ("dns_get_record", "")];
const WAITING: &[Name] = &[
    ("select", "selectors.py"),
    ("poll", "selectors.py"),
    ("_run_once", "base_events.py"),
    ("run_forever", "base_events.py"),
    ("wait", "threading.py"),
    ("acquire", "threading.py"),
    ("_wait_for_tstate_lock", ""),
    ("join", "threading.py"),
    ("get", "queue.py"),
    ("result", "_base.py"),
    ("_wait", "subprocess.py"),
    ("_try_wait", "subprocess.py"),
    ("communicate", "subprocess.py"),
    ("spawnSync", ""),
    ("sleep", ""),
    ("usleep", ""),
    ("run", "hub.py"),
];

/// Where code that is not the user's lies.
const LIBRARIES: [&str; 8] =
    ["site-packages", "dist-packages", "node_modules", "/lib/python", "node:internal", "<frozen", "/usr/share/php/", "/vendor/"];

/// Every sample of the request's own thread, the latest first.
pub fn samples<'a>(case: &Case<'a>) -> Vec<Sample<'a>> {
    let told = case.evidence().filter(|one| {
        let claim = &one.claim;
        let sampled = match claim.kind {
            Kind::WatchdogFired | Kind::WatchdogNearMiss | Kind::Other => true,
            // An error of the application's own tells where that was raised, perhaps minutes before and by another request.
            Kind::RequestError => {
                claim.format != "gunicorn" || ["aborted", "told_to_quit"].iter().any(|how| claim.attributes.contains_key(*how))
            }
            _ => false,
        };
        sampled && !claim.stacks.is_empty()
    });
    let mut samples: Vec<Sample<'a>> = told.filter_map(sample).collect();
    samples.sort_by_key(|sample| std::cmp::Reverse(sample.told.claim.observed_at));
    samples
}

fn sample(told: &Evidence) -> Option<Sample<'_>> {
    let stack = told.claim.stacks.iter().find(|stack| stack.serving).or_else(|| told.claim.stacks.first())?;
    let innermost = stack.frames.last()?;
    // The server itself reads what the client still has to send.
    let reads_request = stack.frames.iter().rev().take(4).any(|frame| file(frame).contains("/gunicorn/http/"));
    (!reads_request).then(|| Sample { told, stack, innermost, standing: standing(innermost) })
}

fn standing(frame: &Frame) -> Standing {
    let is_one_of = |names: &[Name]| names.iter().any(|(function, place)| frame.function == *function && file(frame).ends_with(place));
    let named =
        [(NETWORK, Standing::Network), (CONNECTING, Standing::Connecting), (RESOLVING, Standing::Resolving), (WAITING, Standing::Waiting)];
    let otherwise = if is_own(frame) { Standing::OwnCode } else { Standing::Library };
    named.into_iter().find(|(names, _)| is_one_of(names)).map_or(otherwise, |(_, standing)| standing)
}

fn file(frame: &Frame) -> &str {
    frame.file.as_deref().unwrap_or_default()
}

/// Whether a frame lies in code of the user's own.
pub fn is_own(frame: &Frame) -> bool {
    frame.file.as_deref().is_some_and(|file| !LIBRARIES.iter().any(|part| file.contains(part)))
}

impl Sample<'_> {
    /// `` `app` (app.py:14) ``: the innermost frame of the user's own code.
    pub fn place(&self) -> Option<String> {
        self.stack.frames.iter().rev().find(|frame| is_own(frame)).map(placed)
    }

    /// `the serving thread stood in `recv` (socket.py:706), called from `app` (app.py:14)`.
    pub fn spoken(&self) -> String {
        let own = self.stack.frames.iter().rev().find(|frame| is_own(frame)).filter(|own| *own != self.innermost);
        let from = own.map_or(String::new(), |own| format!(", called from {}", placed(own)));
        format!("the serving thread stood in {}{from}", placed(self.innermost))
    }
}

fn placed(frame: &Frame) -> String {
    let place = frame.file.as_deref().map_or(String::new(), |file| format!(" ({file}:{})", frame.line.unwrap_or_default()));
    format!("`{}`{place}", frame.function)
}
