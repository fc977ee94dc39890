// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The configuration of `istio-iptables` with every value read and judged. It never asks the kernel anything: what
//! depends on the pod is in [`PodFacts`](super::PodFacts).

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{
    Accounts, Cidr, ConfigError, DnsServers, Environment, IstioFlags, NumberRange, ResolvConf, Selection, Setting, go,
    list::{serialize_comma_separated, split},
    numbers, settings,
    sources::Sources,
};

/// How many owner groups may be included; Istio's limit.
const MAX_OWNER_GROUPS: usize = 64;
const DEFAULT_PROXY_UID: u32 = 1337;
const DEFAULT_PROBE_PORT: u16 = 15_002;
const DEFAULT_PROBE_TIMEOUT: Duration = Duration::from_secs(5);

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
    /// Reads every setting, the flag before the environment before the default, and judges whether it is well-formed,
    /// even where it is without effect. The strings are warnings: values in the environment that Istio takes for
    /// something else, and DNS servers that are none.
    ///
    /// What is put in force must also pass [`check_supported`](Self::check_supported).
    pub fn resolve(
        flags: &IstioFlags,
        environment: Environment<'_>,
        accounts: &dyn Accounts,
        resolv_conf: ResolvConf<'_>,
    ) -> Result<(Self, Vec<String>), ConfigError> {
        let mut sources = Sources::new(environment);
        let mut config = Self::read(flags, &mut sources, accounts)?;
        let mut warnings = sources.into_warnings();
        if config.redirect_dns && !config.capture_all_dns {
            config.dns_servers = DnsServers::read(resolv_conf, &mut warnings)?;
        }
        Ok((config, warnings))
    }

    fn read(flags: &IstioFlags, from: &mut Sources<'_>, accounts: &dyn Accounts) -> Result<Self, ConfigError> {
        let IstioFlags {
            envoy_port,
            inbound_capture_port,
            inbound_tunnel_port,
            proxy_uid,
            proxy_gid,
            istio_inbound_interception_mode,
            istio_inbound_ports,
            istio_local_exclude_ports,
            istio_exclude_interfaces,
            istio_service_cidr,
            istio_service_exclude_cidr,
            istio_outbound_ports,
            istio_local_outbound_ports_exclude,
            kube_virt_interfaces,
            istio_inbound_tproxy_mark,
            istio_inbound_tproxy_route_table,
            dry_run,
            iptables_probe_port,
            probe_timeout,
            skip_rule_apply,
            run_validation,
            redirect_dns,
            capture_all_dns,
            drop_invalid,
            dual_stack,
            network_namespace,
            cni_mode,
            reconcile,
            cleanup_only,
            force_apply,
            native_nftables,
            force_iptables_binary,
            log: _,
        } = flags;
        let text = |flag: &Option<String>, setting, default: &str| from.text(flag.as_ref(), setting, default);
        let one_port = |flag, setting, default| numbers::one_port(setting, &text(flag, setting, default), accounts);
        let ports = |flag, setting| numbers::ports(setting, &text(flag, setting, ""), accounts);
        let ports_or_all = |flag, setting| numbers::ports_or_all(setting, &text(flag, setting, ""), accounts);
        let names = |flag, setting| split(&text(flag, setting, "")).map(str::to_owned).collect();

        let sidecar = Sidecar {
            users: text(proxy_uid, settings::PROXY_UID, ""),
            groups: text(proxy_gid, settings::PROXY_GID, ""),
            envoy_user: text(&None, settings::ENVOY_USER, "istio-proxy"),
        };
        let (users, groups) = sidecar.resolve(accounts)?;

        Ok(Self {
            envoy_port: one_port(envoy_port, settings::ENVOY_PORT, "15001")?,
            inbound_capture_port: one_port(inbound_capture_port, settings::INBOUND_CAPTURE_PORT, "15006")?,
            inbound_tunnel_port: one_port(inbound_tunnel_port, settings::INBOUND_TUNNEL_PORT, "15008")?,
            proxy_uids: users,
            proxy_gids: groups,
            interception_mode: InterceptionMode::from(
                text(istio_inbound_interception_mode, settings::INTERCEPTION_MODE, "").as_str(),
            ),
            tproxy_mark: integer(
                settings::TPROXY_MARK,
                &text(istio_inbound_tproxy_mark, settings::TPROXY_MARK, "1337"),
            )?,
            tproxy_route_table: integer(
                settings::TPROXY_ROUTE_TABLE,
                &text(istio_inbound_tproxy_route_table, settings::TPROXY_ROUTE_TABLE, "133"),
            )?,
            inbound_ports: ports_or_all(istio_inbound_ports, settings::INBOUND_PORTS)?,
            inbound_ports_excluded: ports(istio_local_exclude_ports, settings::LOCAL_EXCLUDE_PORTS)?,
            owner_groups: owner_groups(&text(&None, settings::OWNER_GROUPS, "*"), accounts)?,
            owner_groups_excluded: owner_groups_excluded(&text(&None, settings::OWNER_GROUPS_EXCLUDE, ""), accounts)?,
            outbound_ranges: ranges_or_all(
                settings::SERVICE_CIDR,
                &text(istio_service_cidr, settings::SERVICE_CIDR, ""),
            )?,
            outbound_ranges_excluded: ranges_excluded(&text(
                istio_service_exclude_cidr,
                settings::SERVICE_EXCLUDE_CIDR,
                "",
            ))?,
            outbound_ports: ports(istio_outbound_ports, settings::OUTBOUND_PORTS)?,
            outbound_ports_excluded: ports(istio_local_outbound_ports_exclude, settings::LOCAL_OUTBOUND_PORTS_EXCLUDE)?,
            virtual_interfaces: names(kube_virt_interfaces, settings::KUBE_VIRT_INTERFACES),
            network_namespace: text(network_namespace, settings::NETWORK_NAMESPACE, ""),
            excluded_interfaces: names(istio_exclude_interfaces, settings::EXCLUDE_INTERFACES),
            force_iptables_binary: iptables_binary(text(force_iptables_binary, settings::FORCE_IPTABLES_BINARY, ""))?,
            loopback_range: loopback_range(&text(&None, settings::IPV4_LOOPBACK_CIDR, "127.0.0.1/32"))?,
            dry_run_file: Some(text(&None, settings::DRY_RUN_FILE_PATH, "")).filter(|path| !path.is_empty()),
            dual_stack: from.switch(*dual_stack, settings::DUAL_STACK),
            redirect_dns: from.switch(*redirect_dns, settings::REDIRECT_DNS),
            drop_invalid: from.switch(*drop_invalid, settings::DROP_INVALID),
            capture_all_dns: from.switch(*capture_all_dns, settings::CAPTURE_ALL_DNS),
            // They are in a file, which is read only if need be.
            dns_servers: DnsServers::default(),
            cni_mode: from.switch(*cni_mode, settings::CNI_MODE),
            reconcile: from.switch(*reconcile, settings::RECONCILE),
            cleanup_only: from.switch(*cleanup_only, settings::CLEANUP_ONLY),
            force_apply: from.switch(*force_apply, settings::FORCE_APPLY),
            native_nftables: from.switch(*native_nftables, settings::NATIVE_NFTABLES),
            dry_run: from.switch(*dry_run, settings::DRY_RUN),
            skip_rule_apply: from.switch(*skip_rule_apply, settings::SKIP_RULE_APPLY),
            run_validation: from.switch(*run_validation, settings::RUN_VALIDATION),
            probe_port: from.number(*iptables_probe_port, settings::PROBE_PORT, DEFAULT_PROBE_PORT),
            probe_timeout: from.duration(*probe_timeout, settings::PROBE_TIMEOUT, DEFAULT_PROBE_TIMEOUT),
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
            (settings::PROXY_UID, &users)
        } else {
            (settings::PROXY_GID, &groups)
        };
        let proxy_users = numbers::users(settings::PROXY_UID, &users, accounts)?;
        if proxy_users.is_empty() {
            return Err(ConfigError::NoProxyUser { setting: settings::PROXY_UID, value: users });
        }
        Ok((proxy_users, numbers::groups(groups_from, groups, accounts)?))
    }
}

fn owner_groups(value: &str, accounts: &dyn Accounts) -> Result<Selection<NumberRange>, ConfigError> {
    let setting = settings::OWNER_GROUPS;
    let groups = numbers::groups_or_all(setting, value, accounts)?;
    let count = groups.listed().len();
    if count > MAX_OWNER_GROUPS {
        return Err(ConfigError::TooManyOwnerGroups { setting, max: MAX_OWNER_GROUPS, count });
    }
    Ok(groups)
}

fn owner_groups_excluded(value: &str, accounts: &dyn Accounts) -> Result<Vec<NumberRange>, ConfigError> {
    numbers::groups(settings::OWNER_GROUPS_EXCLUDE, value, accounts)
}

fn ranges_or_all(setting: Setting, value: &str) -> Result<Selection<Cidr>, ConfigError> {
    numbers::selection(setting, value, |item| Cidr::parse(setting, item))
}

fn ranges_excluded(value: &str) -> Result<Vec<Cidr>, ConfigError> {
    let setting = settings::SERVICE_EXCLUDE_CIDR;
    match ranges_or_all(setting, value)? {
        Selection::All => Err(ConfigError::EverythingExcluded { setting }),
        Selection::Listed(ranges) => Ok(ranges),
    }
}

/// The three checks of
/// [`ValidateIPv4LoopbackCidr`](https://github.com/istio/istio/blob/master/tools/common/config/validation.go), in its words.
fn loopback_range(value: &str) -> Result<Cidr, ConfigError> {
    let setting = settings::IPV4_LOOPBACK_CIDR;
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
        _ => Err(ConfigError::IptablesBinary { setting: settings::FORCE_IPTABLES_BINARY, value }),
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
