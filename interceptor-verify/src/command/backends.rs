// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which iptables of this machine to compare with.

use std::{fmt, process::Command};

use anyhow::{Context as _, Result};

use super::args::Backend;
use crate::{
    Scratch,
    istio::{Iptables, Tools},
};

/// What is to be compared with, and why others are not.
pub(super) struct Backends {
    pub(super) usable: Vec<Tools>,
    pub(super) refused: Vec<String>,
}

/// This machine lacks a program.
#[derive(Debug)]
pub(super) struct Lacking(String);

impl Backends {
    /// Tries each, in a namespace of its own. Fails without one, and without one that was asked for.
    pub(super) fn find(scratch: &Scratch, wanted: Backend) -> Result<Self> {
        expect_ip()?;
        let (meant, all) = match wanted {
            Backend::Auto => (Iptables::ALL.as_slice(), false),
            Backend::Both => (Iptables::ALL.as_slice(), true),
            Backend::Legacy => ([Iptables::Legacy].as_slice(), true),
            Backend::Nft => ([Iptables::Nft].as_slice(), true),
        };
        let mut found = Self { usable: Vec::new(), refused: Vec::new() };
        for iptables in meant {
            match iptables.find().and_then(|tools| tools.expect_to_work(scratch).map(|()| tools)) {
                Ok(tools) => found.usable.push(tools),
                Err(error) => found.refused.push(format!("iptables-{iptables}: {error:#}")),
            }
        }
        if found.usable.is_empty() || (all && !found.refused.is_empty()) {
            return Err(Lacking(found.refused.join("; ")).into());
        }
        Ok(found)
    }
}

/// The networks are laid with it.
fn expect_ip() -> Result<()> {
    let asked = Command::new("ip").arg("-V").output();
    let lacking = || Lacking("there is no `ip` in PATH; install the package `iproute2`".to_owned());
    asked
        .map(drop)
        .with_context(lacking)
        .map_err(|error| match error.downcast::<Lacking>() {
            Ok(lacking) => lacking.into(),
            Err(error) => error,
        })
}

impl fmt::Display for Lacking {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Lacking {}
