// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The configuration of `istio-iptables` with every value read and judged. It never asks the kernel anything: what
//! depends on the pod is in [`PodFacts`](super::PodFacts).

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{
    AccelerationConfig, Accounts, Cidr, ConfigError, DnsServers, NumberRange, ResolvConf, Selection, Setting, Sources,
    go,
    list::{serialize_comma_separated, split},
    numbers,
    sources::Reader,
};

/// How many owner groups may be included; Istio's limit.
const MAX_OWNER_GROUPS: usize = 64;
const DEFAULT_PROXY_UID: u32 = 1337;

/// A complete configuration. It serializes under the names that `istio-iptables` prints, lists as they are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of istio-iptables")]
pub struct IstioConfig {
    /// `-p`: where outbound connections go.
    #[serde(rename = "PROXY_PORT")]
    pub envoy_port: u16,
    /// `-z`: where inbound connections go.
    #[serde(rename = "PROXY_INBOUND_CAPTURE_PORT")]
    pub inbound_capture_port: u16,
    /// `-e`: the HBONE port, never redirected.
    #[serde(rename = "PROXY_TUNNEL_PORT")]
    pub inbound_tunnel_port: u16,
    /// `-u`: the users of the sidecar, at least one. The order matters.
    #[serde(rename = "PROXY_UID", serialize_with = "serialize_comma_separated")]
    pub proxy_uids: Vec<NumberRange>,
    /// `-g`: the groups of the sidecar.
    #[serde(rename = "PROXY_GID", serialize_with = "serialize_comma_separated")]
    pub proxy_gids: Vec<NumberRange>,
    /// `-m`.
    #[serde(rename = "INBOUND_INTERCEPTION_MODE")]
    pub interception_mode: InterceptionMode,
    /// `-t`; only TPROXY has a use for it.
    #[serde(rename = "INBOUND_TPROXY_MARK")]
    pub tproxy_mark: u32,
    /// `-r`; only TPROXY has a use for it.
    #[serde(rename = "INBOUND_TPROXY_ROUTE_TABLE")]
    pub tproxy_route_table: u32,
    /// `-b`: inbound ports to intercept.
    #[serde(rename = "INBOUND_PORTS_INCLUDE")]
    pub inbound_ports: Selection<NumberRange>,
    /// `-d`: inbound ports to leave alone; without effect unless all are intercepted.
    #[serde(rename = "INBOUND_PORTS_EXCLUDE", serialize_with = "serialize_comma_separated")]
    pub inbound_ports_excluded: Vec<NumberRange>,
    /// `ISTIO_OUTBOUND_OWNER_GROUPS`: whose connections are intercepted. A list without members means nobody's.
    #[serde(rename = "OUTBOUND_OWNER_GROUPS_INCLUDE")]
    pub owner_groups: Selection<NumberRange>,
    /// `ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE`: whose are not; without effect unless all are included.
    #[serde(
        rename = "OUTBOUND_OWNER_GROUPS_EXCLUDE",
        serialize_with = "serialize_comma_separated"
    )]
    pub owner_groups_excluded: Vec<NumberRange>,
    /// `-i`: destinations to intercept.
    #[serde(rename = "OUTBOUND_IP_RANGES_INCLUDE")]
    pub outbound_ranges: Selection<Cidr>,
    /// `-x`: destinations to leave alone.
    #[serde(rename = "OUTBOUND_IP_RANGES_EXCLUDE", serialize_with = "serialize_comma_separated")]
    pub outbound_ranges_excluded: Vec<Cidr>,
    /// `-q`: outbound ports to intercept whatever the destination.
    #[serde(rename = "OUTBOUND_PORTS_INCLUDE", serialize_with = "serialize_comma_separated")]
    pub outbound_ports: Vec<NumberRange>,
    /// `-o`: outbound ports to leave alone, before every other rule.
    #[serde(rename = "OUTBOUND_PORTS_EXCLUDE", serialize_with = "serialize_comma_separated")]
    pub outbound_ports_excluded: Vec<NumberRange>,
    /// `-k`: interfaces of virtual machines.
    #[serde(rename = "KUBE_VIRT_INTERFACES", serialize_with = "serialize_comma_separated")]
    pub virtual_interfaces: Vec<String>,
    /// `--dual-stack`: look for an IPv6 address behind an IPv4 one.
    #[serde(rename = "DUAL_STACK")]
    pub dual_stack: bool,
    /// `--redirect-dns`.
    #[serde(rename = "DNS_CAPTURE")]
    pub redirect_dns: bool,
    /// `--drop-invalid`.
    #[serde(rename = "DROP_INVALID")]
    pub drop_invalid: bool,
    /// `--capture-all-dns`.
    #[serde(rename = "CAPTURE_ALL_DNS")]
    pub capture_all_dns: bool,
    /// The servers whose queries are captured; not looked for without `--redirect-dns`, nor with `--capture-all-dns`.
    #[serde(rename = "DNS_SERVERS")]
    pub dns_servers: DnsServers,
    /// `--network-namespace`, which names a namespace but does not choose it.
    #[serde(rename = "NETWORK_NAMESPACE")]
    pub network_namespace: String,
    /// `--cni-mode`.
    #[serde(rename = "CNI_MODE")]
    pub cni_mode: bool,
    /// `-c`: interfaces to leave alone.
    #[serde(rename = "EXCLUDE_INTERFACES", serialize_with = "serialize_comma_separated")]
    pub excluded_interfaces: Vec<String>,
    /// `--reconcile`: replace a different configuration that is in force.
    #[serde(rename = "RECONCILE")]
    pub reconcile: bool,
    /// `--cleanup-only`: remove instead of applying.
    #[serde(rename = "CLEANUP_ONLY")]
    pub cleanup_only: bool,
    /// `--force-apply`: apply even if nothing would change.
    #[serde(rename = "FORCE_APPLY")]
    pub force_apply: bool,
    /// `--native-nftables`.
    #[serde(rename = "NATIVE_NFTABLES")]
    pub native_nftables: bool,
    /// `--force-iptables-binary`.
    #[serde(rename = "FORCE_IPTABLES_BINARY")]
    pub force_iptables_binary: Option<IptablesBinary>,
    /// `ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR`: the part of 127.0.0.0/8 that is never intercepted.
    #[serde(rename = "HOST_IPV4_LOOPBACK_CIDR")]
    pub loopback_range: Cidr,
    /// `--dry-run`.
    #[serde(rename = "DRY_RUN")]
    pub dry_run: bool,
    /// `DRY_RUN_FILE_PATH`: where a dry run writes what it would do.
    #[serde(rename = "DRY_RUN_FILE_PATH")]
    pub dry_run_file: Option<String>,
    /// `--skip-rule-apply`: validate only.
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
    /// `--accelerate`. Without acceleration, nothing is printed.
    #[serde(flatten)]
    pub acceleration: Option<AccelerationConfig>,
}

/// How inbound connections reach the sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum InterceptionMode {
    /// By a changed destination. Whatever is not `TPROXY`, to the letter, means this.
    Redirect,
    /// With the client's address kept.
    Tproxy,
}

/// Which iptables Istio is told to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IptablesBinary {
    Legacy,
    Nft,
}

impl IstioConfig {
    /// Reads every setting, and judges whether its value is well-formed, even where the value has no effect. The strings
    /// are warnings: values in the environment that Istio takes for something else, and DNS servers that are no
    /// addresses.
    ///
    /// What is put in force must also pass [`check_supported`](Self::check_supported).
    pub fn resolve(
        sources: Sources<'_>,
        accounts: &dyn Accounts,
        resolv_conf: ResolvConf<'_>,
    ) -> Result<(Self, Vec<String>), ConfigError> {
        let mut reader = Reader::new(sources);
        let mut config = Self::read(&mut reader, accounts)?;
        let mut warnings = reader.into_warnings();
        if config.redirect_dns && !config.capture_all_dns {
            config.dns_servers = DnsServers::read(resolv_conf, &mut warnings)?;
        }
        Ok((config, warnings))
    }

    fn read(from: &mut Reader<'_>, accounts: &dyn Accounts) -> Result<Self, ConfigError> {
        let one_port = |setting| numbers::one_port(setting, &from.text(setting), accounts);
        let ports = |setting| numbers::ports(setting, &from.text(setting), accounts);
        let ports_or_all = |setting| numbers::ports_or_all(setting, &from.text(setting), accounts);
        let names = |setting| split(&from.text(setting)).map(str::to_owned).collect();
        let integer = |setting| integer(setting, &from.text(setting));

        let sidecar = Sidecar {
            users: from.text(Setting::ProxyUid),
            groups: from.text(Setting::ProxyGid),
            envoy_user: from.text(Setting::EnvoyUser),
        };
        let (users, groups) = sidecar.resolve(accounts)?;

        Ok(Self {
            envoy_port: one_port(Setting::EnvoyPort)?,
            inbound_capture_port: one_port(Setting::InboundCapturePort)?,
            inbound_tunnel_port: one_port(Setting::InboundTunnelPort)?,
            proxy_uids: users,
            proxy_gids: groups,
            interception_mode: InterceptionMode::from(from.text(Setting::InterceptionMode).as_str()),
            tproxy_mark: integer(Setting::TproxyMark)?,
            tproxy_route_table: integer(Setting::TproxyRouteTable)?,
            inbound_ports: ports_or_all(Setting::InboundPorts)?,
            inbound_ports_excluded: ports(Setting::LocalExcludePorts)?,
            owner_groups: owner_groups(&from.text(Setting::OwnerGroups), accounts)?,
            owner_groups_excluded: owner_groups_excluded(&from.text(Setting::OwnerGroupsExclude), accounts)?,
            outbound_ranges: ranges_or_all(Setting::ServiceCidr, &from.text(Setting::ServiceCidr))?,
            outbound_ranges_excluded: ranges_excluded(&from.text(Setting::ServiceExcludeCidr))?,
            outbound_ports: ports(Setting::OutboundPorts)?,
            outbound_ports_excluded: ports(Setting::LocalOutboundPortsExclude)?,
            virtual_interfaces: names(Setting::KubeVirtInterfaces),
            network_namespace: from.text(Setting::NetworkNamespace),
            excluded_interfaces: names(Setting::ExcludeInterfaces),
            force_iptables_binary: iptables_binary(from.text(Setting::ForceIptablesBinary))?,
            loopback_range: loopback_range(&from.text(Setting::Ipv4LoopbackCidr))?,
            dry_run_file: Some(from.text(Setting::DryRunFilePath)).filter(|path| !path.is_empty()),
            dual_stack: from.switch(Setting::DualStack)?,
            redirect_dns: from.switch(Setting::RedirectDns)?,
            drop_invalid: from.switch(Setting::DropInvalid)?,
            capture_all_dns: from.switch(Setting::CaptureAllDns)?,
            // They are in a file, which is read only if it matters.
            dns_servers: DnsServers::default(),
            cni_mode: from.switch(Setting::CniMode)?,
            reconcile: from.switch(Setting::Reconcile)?,
            cleanup_only: from.switch(Setting::CleanupOnly)?,
            force_apply: from.switch(Setting::ForceApply)?,
            native_nftables: from.switch(Setting::NativeNftables)?,
            dry_run: from.switch(Setting::DryRun)?,
            skip_rule_apply: from.switch(Setting::SkipRuleApply)?,
            run_validation: from.switch(Setting::RunValidation)?,
            probe_port: from.number(Setting::ProbePort)?,
            probe_timeout: from.duration(Setting::ProbeTimeout)?,
            acceleration: AccelerationConfig::read(from)?,
        })
    }
}

impl From<&str> for InterceptionMode {
    fn from(mode: &str) -> Self {
        if mode == "TPROXY" { Self::Tproxy } else { Self::Redirect }
    }
}

/// What is said of the sidecar's accounts.
struct Sidecar {
    users: String,
    groups: String,
    envoy_user: String,
}

impl Sidecar {
    /// [`FillConfigFromEnvironment`](https://github.com/istio/istio/blob/master/tools/common/config/config.go): no `-u` means the
    /// user of the sidecar's image, no `-g` means the text of `-u` read as groups.
    fn resolve(self, accounts: &dyn Accounts) -> Result<(Vec<NumberRange>, Vec<NumberRange>), ConfigError> {
        let Self { users, groups, envoy_user } = self;
        let users = if users.is_empty() {
            accounts.uid(&envoy_user).unwrap_or(DEFAULT_PROXY_UID).to_string()
        } else {
            users
        };
        let (groups_from, groups) = if groups.is_empty() {
            (Setting::ProxyUid, &users)
        } else {
            (Setting::ProxyGid, &groups)
        };
        let proxy_users = numbers::users(Setting::ProxyUid, &users, accounts)?;
        if proxy_users.is_empty() {
            return Err(ConfigError::NoProxyUser { setting: Setting::ProxyUid, value: users });
        }
        Ok((proxy_users, numbers::groups(groups_from, groups, accounts)?))
    }
}

fn owner_groups(value: &str, accounts: &dyn Accounts) -> Result<Selection<NumberRange>, ConfigError> {
    let setting = Setting::OwnerGroups;
    let groups = numbers::groups_or_all(setting, value, accounts)?;
    let count = groups.listed().len();
    if count > MAX_OWNER_GROUPS {
        return Err(ConfigError::TooManyOwnerGroups { setting, max: MAX_OWNER_GROUPS, count });
    }
    Ok(groups)
}

fn owner_groups_excluded(value: &str, accounts: &dyn Accounts) -> Result<Vec<NumberRange>, ConfigError> {
    numbers::groups(Setting::OwnerGroupsExclude, value, accounts)
}

fn ranges_or_all(setting: Setting, value: &str) -> Result<Selection<Cidr>, ConfigError> {
    numbers::selection(setting, value, |item| Cidr::parse(setting, item))
}

fn ranges_excluded(value: &str) -> Result<Vec<Cidr>, ConfigError> {
    let setting = Setting::ServiceExcludeCidr;
    match ranges_or_all(setting, value)? {
        Selection::All => Err(ConfigError::EverythingExcluded { setting }),
        Selection::Listed(ranges) => Ok(ranges),
    }
}

/// The three checks of
/// [`ValidateIPv4LoopbackCidr`](https://github.com/istio/istio/blob/master/tools/common/config/validation.go), in its words.
fn loopback_range(value: &str) -> Result<Cidr, ConfigError> {
    let setting = Setting::Ipv4LoopbackCidr;
    let cidr = Cidr::parse(setting, value)
        .map_err(|_any_reason| ConfigError::LoopbackCidr { setting, value: value.to_owned() })?;
    if !(cidr.address().is_ipv4() && cidr.address().is_loopback()) {
        return Err(ConfigError::NotLoopback { setting, cidr });
    }
    if cidr.prefix_len() < 8 {
        return Err(ConfigError::LoopbackMask { setting, cidr });
    }
    Ok(cidr)
}

fn iptables_binary(value: String) -> Result<Option<IptablesBinary>, ConfigError> {
    match value.as_str() {
        "" => Ok(None),
        "legacy" => Ok(Some(IptablesBinary::Legacy)),
        "nft" => Ok(Some(IptablesBinary::Nft)),
        _ => Err(ConfigError::IptablesBinary { setting: Setting::ForceIptablesBinary, value }),
    }
}

fn integer(setting: Setting, value: &str) -> Result<u32, ConfigError> {
    let hexadecimal = value.strip_prefix("0x").and_then(|digits| u32::from_str_radix(digits, 16).ok());
    hexadecimal
        .or_else(|| go::parse_decimal(value))
        .ok_or_else(|| ConfigError::NotAnInteger { setting, value: value.to_owned() })
}

fn serialize_duration<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{duration:?}"))
}
