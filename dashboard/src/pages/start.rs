//! What to send next, for pages that have nothing to show yet.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::App;
use crate::text::Text;

/// One command to copy, and one to try it out with.
#[derive(Debug, Template)]
#[template(path = "parts/start.html")]
pub struct Start {
    ship: Text,
    curl: Text,
    ingest: Text,
}

// Its template escapes what it prints.
impl HtmlSafe for Start {}

impl Start {
    /// Commands for the collector that this dashboard belongs to.
    #[must_use]
    pub fn new(app: &App) -> Self {
        let ingest = &app.ingest_url;
        Self {
            ship: Text::block(&format!("your-server 2>&1 | overrun ship --to {ingest}"), 400),
            curl: Text::block(
                &format!(
                    "curl {ingest}/v1/push/auto --data-binary \\\n  '{} 6f747a63-ce41-11e7-8cfe-3d61dad3d219 \
                     Task timed out after 3.00 seconds'",
                    app.clock.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")
                ),
                600,
            ),
            ingest: Text::name(ingest),
        }
    }
}
