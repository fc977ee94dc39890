// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a run of the command does with a configuration. No verdict and no rule depends on it.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::{error::ConfigError, settings::Setting, sources::Reader};

/// What a run of the command does with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of istio-iptables")]
pub struct RunConfig {
    /// `--network-namespace`, which names a namespace but does not choose it.
    #[serde(rename = "NETWORK_NAMESPACE")]
    pub network_namespace: String,
    /// `--cni-mode`.
    #[serde(rename = "CNI_MODE")]
    pub cni_mode: bool,
    /// `--reconcile`: replace a different configuration that is in force.
    #[serde(rename = "RECONCILE")]
    pub reconcile: bool,
    /// `--cleanup-only`: remove the interception instead of setting it up.
    #[serde(rename = "CLEANUP_ONLY")]
    pub cleanup_only: bool,
    /// `--force-apply`: set up the interception even if nothing would change.
    #[serde(rename = "FORCE_APPLY")]
    pub force_apply: bool,
    /// `--native-nftables`.
    #[serde(rename = "NATIVE_NFTABLES")]
    pub native_nftables: bool,
    /// `--force-iptables-binary`.
    #[serde(rename = "FORCE_IPTABLES_BINARY")]
    pub force_iptables_binary: Option<IptablesBinary>,
    /// `--dry-run`.
    #[serde(rename = "DRY_RUN")]
    pub dry_run: bool,
    /// `DRY_RUN_FILE_PATH`: where a dry run writes what it would do.
    #[serde(rename = "DRY_RUN_FILE_PATH")]
    pub dry_run_file: Option<String>,
    /// `--skip-rule-apply`: set up nothing, only validate.
    #[serde(rename = "SKIP_RULE_APPLY")]
    pub skip_rule_apply: bool,
    /// `--run-validation`.
    #[serde(rename = "RUN_VALIDATION")]
    pub run_validation: bool,
    /// `--iptables-probe-port`.
    #[serde(rename = "IPTABLES_PROBE_PORT")]
    pub probe_port: u16,
    /// `--probe-timeout`.
    #[serde(rename = "PROBE_TIMEOUT", serialize_with = "serialize_duration")]
    pub probe_timeout: Duration,
}

/// Which iptables Istio is told to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IptablesBinary {
    Legacy,
    Nft,
}

impl RunConfig {
    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            network_namespace: from.text(Setting::NetworkNamespace),
            cni_mode: from.switch(Setting::CniMode)?,
            reconcile: from.switch(Setting::Reconcile)?,
            cleanup_only: from.switch(Setting::CleanupOnly)?,
            force_apply: from.switch(Setting::ForceApply)?,
            native_nftables: from.switch(Setting::NativeNftables)?,
            force_iptables_binary: iptables_binary(from.text(Setting::ForceIptablesBinary))?,
            dry_run: from.switch(Setting::DryRun)?,
            dry_run_file: Some(from.text(Setting::DryRunFilePath)).filter(|path| !path.is_empty()),
            skip_rule_apply: from.switch(Setting::SkipRuleApply)?,
            run_validation: from.switch(Setting::RunValidation)?,
            probe_port: from.number(Setting::ProbePort)?,
            probe_timeout: from.duration(Setting::ProbeTimeout)?,
        })
    }
}

fn iptables_binary(value: String) -> Result<Option<IptablesBinary>, ConfigError> {
    match value.as_str() {
        "" => Ok(None),
        "legacy" => Ok(Some(IptablesBinary::Legacy)),
        "nft" => Ok(Some(IptablesBinary::Nft)),
        _ => Err(ConfigError::IptablesBinary { setting: Setting::ForceIptablesBinary, value }),
    }
}

fn serialize_duration<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{duration:?}"))
}
