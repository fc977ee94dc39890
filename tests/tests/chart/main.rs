// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The Helm chart, rendered by Helm. Nothing is installed: the suite `cluster` does that.

mod beside_istio;
mod objects;
mod refused;
mod values;
mod webhook;

use std::path::Path;

use testkit::helm::Helm;

/// The chart of this workspace, as a release.
fn helm() -> Helm {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    Helm::new(&workspace.join("deploy/chart"), "interceptor", "istio-system")
}
