// SPDX-License-Identifier: Apache-2.0 OR MIT
//! docs/operations.md, the alerts and the dashboard against what agent and webhook export. `INTERCEPTOR_UPDATE_DOCS=1`
//! writes the tables of the document anew. Nothing runs here; the suite `chart` tries the alerts.

mod exported;
mod monitoring;
mod tables;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file of the workspace, by its path there.
fn path(name: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    workspace.join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}
