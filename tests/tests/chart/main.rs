// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The Helm chart, rendered by Helm, with the alerts and the dashboard that it brings. Nothing is installed: the suite
//! `cluster` does that.

mod alerts;
mod beside_istio;
mod dashboard;
mod objects;
mod refused;
mod row;
mod values;
mod webhook;

use std::path::{Path, PathBuf};

use testkit::helm::Helm;

/// The chart of this workspace, as a release.
fn helm() -> Helm {
    Helm::new(&chart(), "interceptor", "istio-system")
}

fn chart() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    workspace.join("deploy/chart")
}
