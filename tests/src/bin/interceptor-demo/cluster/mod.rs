// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The same on a Kubernetes node: installed by the chart, seen at work, upgraded, rolled back and taken away.

mod ask;
mod node;
mod pods;
mod story;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use testkit::{
    Interrupt,
    cluster::{CgroupMode, Cluster},
};

use crate::tell::Tell;

/// `archive` is an image that `cargo xtask image` has written.
pub(crate) fn run(archive: Option<&Path>) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut tell = Tell::new(Interrupt::watch()?);
    let work = on_a_node(&mut tell, archive)?;
    tell.step("The node is taken away")?;
    tell.holds(format!("{} is gone", work.display()), &work.exists(), &false)?;
    tell.end(start.elapsed())
}

/// The node's directory: it is gone when this returns, as the node is.
fn on_a_node(tell: &mut Tell, archive: Option<&Path>) -> anyhow::Result<PathBuf> {
    tell.step("A Kubernetes of one node")?;
    let cluster = Cluster::start(CgroupMode::Unified);
    pods::import(&cluster, archive);
    tell.say(match archive {
        Some(archive) => format!("the image {} comes from {}", pods::IMAGE, archive.display()),
        None => format!(
            "the image {} has programs of the debug build, which are slower and larger",
            pods::IMAGE
        ),
    })?;
    story::tell(tell, &cluster)?;
    Ok(cluster.work().to_owned())
}
