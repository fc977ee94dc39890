// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The exit statuses of all commands: what each one means, and which one an error gets. Nothing here ends the
//! process.

use std::{error::Error, ffi::OsStr};

use interceptor_config::ConfigError;

use crate::EnrollError;

/// Something failed that has no status of its own; for `check` also: could not tell.
pub(super) const FAILED: u8 = 1;
/// The command line is wrong.
pub(super) const USAGE: u8 = 2;
/// The configuration is refused. (The number is `EX_USAGE` of `sysexits.h`.)
pub(super) const CONFIGURATION: u8 = 64;
/// The kernel, or what is set up on this machine, lacks something. (`EX_UNAVAILABLE`)
pub(super) const KERNEL_LACKS: u8 = 69;
/// Another run was at work for too long; the same command may succeed later. (`EX_TEMPFAIL`)
pub(super) const BUSY: u8 = 75;
/// Connections are not redirected (`--run-validation`). Istio's repair controller looks for this status.
pub(super) const VALIDATION_FAILED: u8 = 126;
/// The command line is wrong, in the words of `pilot-agent istio-iptables`: `os.Exit(-1)`.
pub(super) const ISTIO_USAGE: u8 = 255;

/// What the help of `istio-clean-iptables` says about the statuses.
pub(super) const CLEAN: &str = "Exit status: 0 done, also if nothing was enrolled; 1 failed; 255 wrong usage.";

/// Which of the statuses a command uses. The names that commands have in Istio keep to what Istio's commands return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statuses {
    /// All of the above, except [`ISTIO_USAGE`].
    Own,
    /// 0, [`FAILED`], [`VALIDATION_FAILED`] and [`ISTIO_USAGE`].
    Istio,
}

impl Statuses {
    /// Chooses by the name that the command was called by.
    pub(super) fn of(command: &OsStr) -> Self {
        match command.to_str() {
            Some("istio-iptables" | "pod" | "istio-clean-iptables" | "wait") => Self::Istio,
            _ => Self::Own,
        }
    }

    /// The status after a mistake on the command line.
    pub(super) const fn usage(self) -> u8 {
        match self {
            Self::Own => USAGE,
            Self::Istio => ISTIO_USAGE,
        }
    }

    /// The status after an error.
    pub(super) fn failure(self, error: &anyhow::Error) -> u8 {
        match self {
            Self::Own => own(error),
            Self::Istio => FAILED,
        }
    }
}

fn own(error: &anyhow::Error) -> u8 {
    if let Some(error) = error.downcast_ref() {
        return of_enrollment(error);
    }
    // A front end's own check of the configuration comes before any enrollment.
    if error.chain().any(<dyn Error>::is::<ConfigError>) {
        CONFIGURATION
    } else {
        FAILED
    }
}

const fn of_enrollment(error: &EnrollError) -> u8 {
    match error {
        EnrollError::Config(_) => CONFIGURATION,
        EnrollError::KernelLacks { .. }
        | EnrollError::GuardUnfit(_)
        | EnrollError::AccelerationUnfit(_)
        | EnrollError::NoIptables { .. } => KERNEL_LACKS,
        EnrollError::Busy { .. } => BUSY,
        EnrollError::HostNamespace { .. }
        | EnrollError::NotANamespace { .. }
        | EnrollError::NotACgroup { .. }
        | EnrollError::RootCgroup { .. }
        | EnrollError::UnknownCgroup { .. }
        | EnrollError::UnnamedCgroup { .. }
        | EnrollError::Outside { .. }
        | EnrollError::OtherCgroup { .. }
        | EnrollError::NestedCgroup { .. }
        | EnrollError::LoopbackDown
        | EnrollError::NotOverLoopback { .. }
        | EnrollError::RoutingTableTaken { .. }
        | EnrollError::OtherRules { .. }
        | EnrollError::OtherDataPath { .. }
        | EnrollError::NoEarlierBuild
        | EnrollError::NotEnrolled { .. }
        | EnrollError::NodeFull { .. }
        | EnrollError::GenerationsUsedUp { .. }
        | EnrollError::NoSuchDirectory { .. }
        | EnrollError::NotBpffs { .. }
        | EnrollError::Untrusted { .. }
        | EnrollError::NotPermitted(_)
        | EnrollError::LacksCapability { .. }
        | EnrollError::Gone { .. }
        | EnrollError::Failed(_) => FAILED,
    }
}

/// What `interceptor --help` says about the statuses.
pub(super) fn help() -> String {
    format!(
        "Exit status:
  0    done
  {FAILED}    failed
  {USAGE}    wrong usage
  {CONFIGURATION}   the configuration is refused
  {KERNEL_LACKS}   the kernel or this machine lacks something; `interceptor check` shows what
  {BUSY}   another run is at work; try again
Called istio-iptables, pod or istio-clean-iptables, a command exits as in Istio: 0 done, {FAILED} failed,
{VALIDATION_FAILED} validation failed, {ISTIO_USAGE} wrong usage."
    )
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::istio("istio-iptables", 255, 1)]
    #[case::short("pod", 255, 1)]
    #[case::istio_clean("istio-clean-iptables", 255, 1)]
    #[case::pilot_agents("wait", 255, 1)]
    #[case::own("enroll", 2, 64)]
    #[case::reading("explain", 2, 64)]
    fn a_name_decides_on_the_statuses(#[case] name: &str, #[case] usage: u8, #[case] configuration: u8) {
        let statuses = Statuses::of(OsStr::new(name));
        assert_eq!(statuses.usage(), usage);
        let refused = ConfigError::NoLocalAddress;
        let error = Err::<(), _>(refused).context("Failed to compile").unwrap_err();
        assert_eq!(statuses.failure(&error), configuration);
        assert_eq!(statuses.failure(&anyhow!("the file is gone")), FAILED);
    }
}
