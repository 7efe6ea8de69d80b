//! Vercel (`maxDuration`), Cloudflare (CPU time of Workers, wall time of their cron triggers, the proxy's wait for an origin)
//! and Fly (memory, exits): platforms whose own record of a request is the whole story.

use domain::Layer;

use super::Firing;
use super::managed::{self, Platform};
use crate::correlate::Case;

const PLATFORMS: [Platform; 3] = [
    Platform {
        names: &["vercel"],
        product: "vercel",
        layer: Layer::Platform,
        refuted_by: "a record of this request with a status below 500",
    },
    Platform {
        names: &["cloudflare"],
        product: "cloudflare",
        layer: Layer::Platform,
        refuted_by: "a trace event of this request with the outcome `ok`",
    },
    Platform { names: &["fly"], product: "fly", layer: Layer::Platform, refuted_by: "the machine's own exit event with another reason" },
];

/// What the platform did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    PLATFORMS.iter().find_map(|platform| managed::fired(case, platform))
}
