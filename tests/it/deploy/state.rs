//! `claimctl state`: looking at states and their versions, and bringing an older one back.

use serde_json::json;

use super::site::{STATE, Site};
use crate::run::Running;
use crate::server::Server;
use crate::world::wait_for;

const KEY: &str = "claim-check/dev/claim-check.tfstate";

/// A stack of one queue, deployed once for each of these names.
fn deployed<'a>(server: &'a Server, more: &str) -> Site<'a> {
    let site = Site::with(server, more);
    site
}
