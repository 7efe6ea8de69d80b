//! Where proxies' limits are set, and what to keep in mind when one is changed: one row per setting, `*` for any beginning.

/// Product, setting, where it is set, what to do.
type Row = (&'static str, &'static str, &'static str, &'static str);

const NGINX: &str = "nginx.conf: `http`, `server` or `location`, the innermost holds";
const HAPROXY: &str = "haproxy.cfg: `defaults`, `backend` or `listen`";
const HAPROXY_FRONT: &str = "haproxy.cfg: `defaults`, `frontend` or `listen`";
const APACHE: &str = "the server's or virtual host's configuration";
const WSGI: &str = "`WSGIDaemonProcess` in Apache's configuration";
const CADDY: &str = "Caddyfile: `reverse_proxy { transport http { … } }`";
const VARNISH: &str = "the backend in VCL (`.first_byte_timeout = …;`), `set bereq.…` in `vcl_backend_fetch`, or varnishd's `-p`";

const ROWS: &[Row] = &[
    (
        "nginx",
        "*read_timeout",
        NGINX,
        "Make it longer than the limit of the server behind (gunicorn's `--timeout`), so that the inner one fires first and frees the worker; it counts from read to read, so output now and then also keeps it from firing.",
    ),
    (
        "nginx",
        "*connect_timeout",
        NGINX,
        "Look at the server behind first: no connection came up, so its queue is full, its address is wrong or packets are dropped. A longer wait cures none of these.",
    ),
    ("nginx", "*send_timeout", NGINX, "Look at why the other side stopped reading before giving it more time."),
    (
        "nginx",
        "client_*",
        NGINX,
        "The client sent too slowly. Raise it only for uploads over slow lines; it bounds how long an idle client holds a connection.",
    ),
    (
        "haproxy",
        "timeout server",
        HAPROXY,
        "Make it longer than the limit of the server behind, so that the inner one fires first and frees the worker.",
    ),
    (
        "haproxy",
        "timeout queue",
        HAPROXY,
        "All servers were at `maxconn`: add servers or workers, or shorten what occupies them. A longer queue only makes callers wait longer.",
    ),
    (
        "haproxy",
        "timeout connect",
        HAPROXY,
        "Look at the server behind first: no connection came up, so its queue is full, its address is wrong or packets are dropped.",
    ),
    ("haproxy", "timeout http-request", HAPROXY_FRONT, "The client sent its request too slowly. Raise it only for clients on slow lines."),
    (
        "haproxy",
        "timeout client",
        HAPROXY_FRONT,
        "The client fell silent. Keep it as long as `timeout server`, or answers are cut off while they are awaited.",
    ),
    (
        "apache",
        "Proxy*",
        APACHE,
        "Set `ProxyTimeout`, or `timeout=` of `ProxyPass`, above the limit of the server behind, so that the inner one fires first and frees the worker.",
    ),
    ("apache", "Timeout", APACHE, "`Timeout` holds where `ProxyTimeout` is not set: set that one, above the limit of the server behind."),
    (
        "apache",
        "RequestReadTimeout*",
        APACHE,
        "The client sent too slowly. Raise `RequestReadTimeout` (with `MinRate`) only for uploads over slow lines.",
    ),
    (
        "mod_wsgi",
        "request-timeout",
        WSGI,
        "Raise `request-timeout` only if requests are meant to take this long. It is averaged over the threads of a process and ends all requests in it.",
    ),
    (
        "mod_wsgi",
        "socket-timeout",
        WSGI,
        "Make `socket-timeout` (by default `Timeout`) longer than `request-timeout`, so that the daemon process ends what is stuck.",
    ),
    ("mod_wsgi", "*", WSGI, "Look at the daemon process's own lines (`LogLevel wsgi:info`) before raising it."),
    (
        "caddy",
        "response_header_timeout",
        CADDY,
        "Make it longer than the limit of the server behind, so that the inner one fires first and frees the worker.",
    ),
    ("caddy", "dial_timeout", CADDY, "Look at the server behind first: no connection came up."),
    ("caddy", "read_timeout", CADDY, "The server behind fell silent in the middle of its answer: find out why before giving it more time."),
    (
        "varnish",
        "first_byte_timeout",
        VARNISH,
        "Make it longer than the limit of the server behind, or pass slow paths around the cache; a stale answer (`grace`) can be served meanwhile.",
    ),
    ("varnish", "*", VARNISH, "Look at the server behind first: it did not connect, or fell silent in the middle of its answer."),
];

/// Where a setting is set, and what to do about it.
pub fn advice(product: &str, setting: &str) -> Option<(&'static str, &'static str)> {
    let fits = |pattern: &str| match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(""), _) => true,
        (Some(end), _) => setting.ends_with(end),
        (None, Some(begin)) => setting.starts_with(begin),
        (None, None) => pattern == setting,
    };
    ROWS.iter().find(|(owner, pattern, ..)| *owner == product && fits(pattern)).map(|(.., place, text)| (*place, *text))
}
