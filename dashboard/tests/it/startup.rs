//! The page of a function's start: with data, with none, with hostile text.

use domain::{Claim, Kind};
use jiff::SignedDuration;
use sqlx::PgPool;

use crate::support::samples;
use crate::visit;
use crate::visitor::Visitor;

/// A dashboard over one request of `thumbnail` that has a section of that name.
async fn with_section(pool: &PgPool, name: &str) -> Visitor {
    let mut sample = samples::lambda_timeout("thumbnail", crate::support::now() - SignedDuration::from_mins(9), 1);
    let mut told = sample.evidence[0].clone();
    let claim = Claim::new(Kind::WatchdogTracepoint, "tracepoints", "tclose").with("section", name).with("phase", "closed");
    told.claim =
        Claim { function: Some("thumbnail".into()), observed_at: told.claim.observed_at, request_id: told.claim.request_id, ..claim };
    sample.evidence.push(told);
    visit(pool, &[sample]).await
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn sections_and_remedies_are_shown(pool: PgPool) {
    let page = with_section(&pool, "import pandas").await.page("/functions/thumbnail/startup").await;
    assert_eq!(page.heading(), "thumbnail initialises in 1 s; import pandas takes 70 % of it");
    page.says("strip");
    page.says("no request uses it");
    page.says("700 ms in 1");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn nothing_known_says_what_to_send(pool: PgPool) {
    let visitor = visit(&pool, &[]).await;
    let page = visitor.page("/functions/nobody/startup").await;
    assert_eq!(page.heading(), "Nothing tells how nobody starts");
    page.says("tclose import pandas");
    assert_eq!(visitor.get("/functions/%00/startup").await.status, 404);
    assert_eq!(visitor.get("/functions/x/startup?stack=%00").await.status, 200);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn hostile_text_stays_text(pool: PgPool) {
    let page = with_section(&pool, "<script>alert(1)</script>\u{202e}").await.page("/functions/thumbnail/startup").await;
    page.lacks("<script>alert");
    page.lacks("\u{202e}");
}
