//! What stands in for AWS Lambda in a build without the feature `aws`.

use serde::Deserialize;
use toml::Spanned;

use super::super::ActionError;
use super::{Order, Sent};
use crate::settings::Fault;

/// The keys of `target.aws_lambda`, of which the first is enough to say that it is not there.
#[derive(Deserialize)]
pub(in super::super) struct Table {
    function: Spanned<String>,
}

/// There is none.
#[derive(Debug)]
pub(in super::super) enum Lambda {}

impl Lambda {
    pub(in super::super) fn read(table: Table) -> Result<Self, Fault> {
        Err(Fault::of(&table.function, "this build of Overrun has no AWS Lambda: it was made without the feature `aws`"))
    }

    pub(in super::super) fn target(&self) -> String {
        match *self {}
    }

    #[expect(clippy::unused_async, reason = "as the one with AWS's SDK")]
    pub(super) async fn send(&self, _order: &Order<'_>) -> Sent {
        match *self {}
    }

    #[expect(clippy::unused_async, reason = "as the one with AWS's SDK")]
    pub(in super::super) async fn tell(&self, _body: String) -> Result<String, ActionError> {
        match *self {}
    }
}
