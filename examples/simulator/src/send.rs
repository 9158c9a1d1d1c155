//! .

use crate::Verdict;

/// .
#[derive(Debug, clap::Args)]
pub struct Options {}

pub async fn run(_: Options) -> Verdict {
    Err("not yet".into())
}
