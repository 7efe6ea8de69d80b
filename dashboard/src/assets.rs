//! The style sheet and the few lines of script, embedded; their addresses change with their content, so that browsers may
//! keep them for ever.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;

const STYLE: &str = include_str!("static/overrun.css");
const SCRIPT: &str = include_str!("static/overrun.js");
const ICON: &str = include_str!("static/icon.svg");

const STYLE_VERSION: u64 = fnv1a(STYLE.as_bytes());
const SCRIPT_VERSION: u64 = fnv1a(SCRIPT.as_bytes());

/// The path of the style sheet.
#[must_use]
pub fn style_path() -> String {
    format!("/static/overrun.css?v={STYLE_VERSION:016x}")
}

/// The path of the script.
#[must_use]
pub fn script_path() -> String {
    format!("/static/overrun.js?v={SCRIPT_VERSION:016x}")
}

/// Serves them.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/static/overrun.css", get(async || asset("text/css; charset=utf-8", STYLE)))
        .route("/static/overrun.js", get(async || asset("text/javascript; charset=utf-8", SCRIPT)))
        .route("/static/icon.svg", get(async || asset("image/svg+xml", ICON)))
}

fn asset(content_type: &'static str, body: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, "public, max-age=31536000, immutable")], body)
}

/// FNV-1a: enough to tell one version from another.
const fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut place = 0;
    while place < bytes.len() {
        let byte = bytes[place] as u64;
        hash = (hash ^ byte).wrapping_mul(0x0100_0000_01b3);
        place += 1;
    }
    hash
}
