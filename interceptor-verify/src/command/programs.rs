// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The loader that is compared. It stands beside this program and is of its version.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

use super::args::VerifyArgs;
use crate::scratch::Programs;

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) fn find(args: &VerifyArgs) -> Result<Programs> {
    let verify = std::env::current_exe().context("Failed to find this program")?;
    let beside = || verify.with_file_name("interceptor");
    let interceptor = args.interceptor.clone().unwrap_or_else(beside);
    expect_own_version(&interceptor)?;
    Ok(Programs { interceptor, verify })
}

fn expect_own_version(interceptor: &Path) -> Result<()> {
    let asked = Command::new(interceptor).arg("--version").output();
    let asked = asked.with_context(|| {
        format!(
            "Failed to start {}; put `interceptor` of version {VERSION} beside this program",
            interceptor.display()
        )
    })?;
    let said = String::from_utf8_lossy(&asked.stdout);
    let said = said.lines().next().unwrap_or_default();
    ensure!(
        said == format!("interceptor {VERSION}"),
        "{} says that it is {:?}, and this program is of version {VERSION}; put both of one release beside each other",
        interceptor.display(),
        said
    );
    Ok(())
}
