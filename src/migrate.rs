//! `overrun migrate`: brings the schema up to date and leaves.

use crate::config::Config;
use crate::serve;

pub async fn run(config: Config) -> anyhow::Result<()> {
    let database = serve::Database::open(&config).await?;
    println!("the schema is up to date");
    database.close().await
}
