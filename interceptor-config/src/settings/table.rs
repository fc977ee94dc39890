// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The table of settings: one row for each. Names and defaults of Istio's settings are those of
//! [`constants.go`](https://github.com/istio/istio/blob/master/tools/istio-iptables/pkg/constants/constants.go) and
//! [`root.go`](https://github.com/istio/istio/blob/master/tools/istio-iptables/pkg/cmd/root.go), and its annotations
//! those of
//! [`sidecar_redirect.go`](https://github.com/istio/istio/blob/master/cni/pkg/plugin/sidecar_redirect.go). It holds no
//! value that anybody gave.

use std::fmt;

use super::row::{
    Annotation, Flag, Form, Heading, Row,
    Value::{self, Duration, Number, Switch, Text},
};

macro_rules! optional {
    () => {
        None
    };
    ($value:expr) => {
        Some($value)
    };
}

macro_rules! settings {
    ($($heading:ident {
        $($name:ident:
            [$($long:literal $(, $short:literal)?)?], [$($variable:literal),*],
            $(annotated($form:ident, [$($annotation:literal),+] $(, $absent:literal)?),)?
            $default:literal $(shown $shown:literal)?, $value:expr, $help:literal;)+
    })+) => {
        /// A setting of `istio-iptables` or of Interceptor, whichever way it is given.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Setting { $($(#[doc = $help] $name,)+)+ }

        impl Setting {
            /// All settings, in the order in which help lists them.
            pub const ALL: &[Self] = &[$($(Self::$name),+),+];

            const fn row(self) -> &'static Row {
                match self {
                    $($(Self::$name => const { &Row {
                        heading: Heading::$heading,
                        flag: optional!($(Flag { long: $long, short: optional!($($short)?) })?),
                        variables: &[$($variable),*],
                        annotation: optional!($(Annotation {
                            names: &[$($annotation),+],
                            form: Form::$form,
                            absent: optional!($($absent)?),
                        })?),
                        default: $default,
                        shown_default: optional!($($shown)?),
                        value: $value,
                        help: $help,
                    } },)+)+
                }
            }
        }
    };
}

// [flag, short], [variables, the strongest last], annotated(form, [annotations], text if absent), default, value, help
settings! {
    Interception {
        EnvoyPort: ["envoy-port", 'p'], [], "15001", Text("PORT"),
            "Port that outbound connections are redirected to";
        InboundCapturePort: ["inbound-capture-port", 'z'], ["INBOUND_CAPTURE_PORT"], "15006", Text("PORT"),
            "Port that inbound connections are redirected to";
        InboundTunnelPort: ["inbound-tunnel-port", 'e'], ["INBOUND_TUNNEL_PORT"], "15008", Text("PORT"),
            "Port of the HBONE tunnel, which is never redirected";
        ProxyUid: ["proxy-uid", 'u'], ["PROXY_UID"],
            "" shown "the user $ENVOY_USER if there is one, else 1337", Text("USERS"),
            "Users that the sidecar runs as";
        ProxyGid: ["proxy-gid", 'g'], ["PROXY_GID"], "" shown "the value of --proxy-uid", Text("GROUPS"),
            "Groups that the sidecar runs as";
        EnvoyUser: [], ["ENVOY_USER"], "istio-proxy", Text("USER"),
            "User of the sidecar's image";
        InterceptionMode: ["istio-inbound-interception-mode", 'm'], ["ISTIO_INBOUND_INTERCEPTION_MODE"],
            annotated(Mode, ["sidecar.istio.io/interceptionMode"], "REDIRECT"),
            "REDIRECT", Text("MODE"),
            "How inbound connections are intercepted: TPROXY, or REDIRECT for any other value";
        InboundPorts: ["istio-inbound-ports", 'b'], ["ISTIO_INBOUND_PORTS"],
            annotated(PortsOrAll, ["traffic.sidecar.istio.io/includeInboundPorts"], "*"), "", Text("PORTS"),
            "Inbound ports to intercept, or `*` for all";
        LocalExcludePorts: ["istio-local-exclude-ports", 'd'], ["ISTIO_LOCAL_EXCLUDE_PORTS"],
            annotated(PortsAndOwn, ["traffic.sidecar.istio.io/excludeInboundPorts"], "15020"), "", Text("PORTS"),
            "Inbound ports to leave alone, if --istio-inbound-ports is `*`";
        ExcludeInterfaces: ["istio-exclude-interfaces", 'c'], ["ISTIO_EXCLUDE_INTERFACES"],
            annotated(Interfaces, ["traffic.sidecar.istio.io/excludeInterfaces"], ""), "", Text("INTERFACES"),
            "Interfaces to leave alone, inbound and outbound";
        ServiceCidr: ["istio-service-cidr", 'i'], ["ISTIO_SERVICE_CIDR"],
            annotated(CidrsOrAll, ["traffic.sidecar.istio.io/includeOutboundIPRanges"], "*"), "", Text("CIDRS"),
            "Destinations to intercept, or `*` for all";
        ServiceExcludeCidr: ["istio-service-exclude-cidr", 'x'], ["ISTIO_SERVICE_EXCLUDE_CIDR"],
            annotated(Cidrs, ["traffic.sidecar.istio.io/excludeOutboundIPRanges"], ""), "", Text("CIDRS"),
            "Destinations to leave alone";
        OutboundPorts: ["istio-outbound-ports", 'q'], ["ISTIO_OUTBOUND_PORTS"],
            annotated(Ports, ["traffic.sidecar.istio.io/includeOutboundPorts"], ""), "", Text("PORTS"),
            "Outbound ports to intercept for every destination that is not left alone";
        LocalOutboundPortsExclude: ["istio-local-outbound-ports-exclude", 'o'], ["ISTIO_LOCAL_OUTBOUND_PORTS_EXCLUDE"],
            annotated(Ports, ["traffic.sidecar.istio.io/excludeOutboundPorts"], "15020"), "", Text("PORTS"),
            "Outbound ports to leave alone, before every other rule";
        OwnerGroups: [], ["ISTIO_OUTBOUND_OWNER_GROUPS"], "*", Text("GROUPS"),
            "Groups whose outbound connections are intercepted, or `*` for all";
        OwnerGroupsExclude: [], ["ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE"], "", Text("GROUPS"),
            "Groups whose outbound connections are left alone, if `ISTIO_OUTBOUND_OWNER_GROUPS` is `*`";
        Ipv4LoopbackCidr: [], ["ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR"], "127.0.0.1/32", Text("CIDR"),
            "Part of 127.0.0.0/8 that is never intercepted";
        KubeVirtInterfaces: ["kube-virt-interfaces", 'k'], ["KUBE_VIRT_INTERFACES"],
            annotated(
                Interfaces,
                ["istio.io/reroute-virtual-interfaces", "traffic.sidecar.istio.io/kubevirtInterfaces"],
                ""
            ),
            "", Text("INTERFACES"),
            "Interfaces of virtual machines; only `interceptor render` accepts any";
        TproxyMark: ["istio-inbound-tproxy-mark", 't'], ["ISTIO_INBOUND_TPROXY_MARK"], "1337", Text("MARK"),
            "Packet mark, which only TPROXY uses";
        TproxyRouteTable: ["istio-inbound-tproxy-route-table", 'r'], ["ISTIO_INBOUND_TPROXY_ROUTE_TABLE"],
            "133", Text("TABLE"),
            "Routing table, which only TPROXY uses";
        RedirectDns: ["redirect-dns"], ["REDIRECT_DNS", "ISTIO_META_DNS_CAPTURE"], "false", Switch,
            "Send DNS queries to the sidecar's agent, on port 15053";
        CaptureAllDns: ["capture-all-dns"], ["CAPTURE_ALL_DNS"], "false", Switch,
            "With --redirect-dns: capture queries to every server, not only to those of resolv.conf";
        DualStack: ["dual-stack"], ["DUAL_STACK", "ISTIO_DUAL_STACK"], "false", Switch,
            "Intercept IPv6 if any address of the pod is an IPv6 address, not only if the first one is";
    }
    Run {
        DryRun: ["dry-run", 'n'], ["DRY_RUN"], "false", Switch,
            "Print what would be done, and change nothing";
        DryRunFilePath: [], ["DRY_RUN_FILE_PATH"], "", Text("FILE"),
            "File to which a dry run writes what would be done";
        SkipRuleApply: ["skip-rule-apply"], ["SKIP_RULE_APPLY"], "false", Switch,
            "Set up nothing, only validate";
        RunValidation: ["run-validation"], ["RUN_VALIDATION"], "false", Switch,
            "Check that connections are redirected";
        ProbePort: ["iptables-probe-port"], ["IPTABLES_PROBE_PORT"], "15002", Number,
            "Destination port of the validation's probe";
        ProbeTimeout: ["probe-timeout"], ["PROBE_TIMEOUT"], "5s", Duration,
            "How long the validation may take";
        CleanupOnly: ["cleanup-only"], ["CLEANUP_ONLY"], "false", Switch,
            "Remove the interception instead of setting it up";
        ForceApply: ["force-apply"], ["FORCE_APPLY"], "false", Switch,
            "Set up the interception again even if nothing would change";
    }
    DataPath {
        DataPath: ["data-path"], ["INTERCEPTOR_DATA_PATH"],
            annotated(DataPath, ["interceptor.dev/data-path"]), "ebpf", Text("ebpf|iptables|auto"),
            "Redirect connections by kernel programs, or by Istio's rules of iptables in the pod; with auto, by rules \
             only if this kernel lacks what the programs need";
        ForceIptablesBinary: ["force-iptables-binary"], ["FORCE_IPTABLES_BINARY"],
            "" shown "legacy if the pod has such rules, else nft if that works", Text("legacy|nft"),
            "Which iptables to run, if rules are written";
        DropInvalid: ["drop-invalid"], ["DROP_INVALID", "INVALID_DROP"], "false", Switch,
            "Drop packets that conntrack finds invalid, if rules are written; kernel programs translate no packets and \
             need no such rule";
    }
    Guard {
        Guard: ["guard"], ["INTERCEPTOR_GUARD"], "auto", Text("auto|on|off"),
            "Drop what leaves the pod by another interface than `lo` although it was to be redirected, such as packets \
             of processes outside of the cgroup or of raw sockets; with auto, if this kernel can";
    }
    Acceleration {
        Accelerate: ["accelerate"], ["INTERCEPTOR_ACCELERATE"],
            annotated(Switch, ["interceptor.dev/accelerate"]), "false", Switch,
            "Bypass TCP between application and sidecar, and between accelerated pods on this node (see \
             docs/acceleration.md before you use it)";
        AccelerateBudget: ["accelerate-budget"], ["INTERCEPTOR_ACCELERATE_BUDGET"],
            annotated(Budget, ["interceptor.dev/accelerate-budget"]), "1048576", Text("BYTES"),
            "How many bytes of one direction may wait for the reader before that direction falls back to TCP for \
             good, 131072 to 1073741824";
        ForceAccelerate: ["force-accelerate"], [], "false", Switch,
            "Accelerate even if this kernel fails the acceleration check; implies --accelerate";
    }
    Logging {
        LogOutputLevel: ["log_output_level"], [], "default:info", Text("LEVELS"),
            "Minimum level of messages to print, as SCOPE:LEVEL,SCOPE:LEVEL,…";
        LogAsJson: ["log_as_json"], [], "false", Switch,
            "Print messages as JSON";
        LogTarget: ["log_target"], [], "stdout", Text("TARGET"),
            "Where to print messages: stdout or stderr";
    }
    Compatibility {
        NetworkNamespace: ["network-namespace"], ["NETWORK_NAMESPACE"], "", Text("PATH"),
            "Path of a network namespace; as in Istio it does not choose the namespace, --netns does";
        CniMode: ["cni-mode"], ["CNI_MODE"], "false", Switch,
            "Keep away from lock file and name service of the host; Interceptor uses neither";
        Reconcile: ["reconcile"], ["RECONCILE"], "false", Switch,
            "Replace a different configuration that is in force; Interceptor always does";
        NativeNftables: ["native-nftables"], ["NATIVE_NFTABLES"], "false", Switch,
            "Write rules for nftables; Interceptor writes none";
        LogCaller: ["log_caller"], [], "", Text("SCOPES"),
            "Scopes whose messages name the caller";
        LogStacktraceLevel: ["log_stacktrace_level"], [], "", Text("LEVELS"),
            "Level from which stack traces are captured";
        Vklog: ["vklog"], [], "", Text("NUMBER"),
            "Verbosity of the Kubernetes client";
    }
}

impl Setting {
    /// The long flag without its dashes; some settings have variables only.
    pub fn flag(self) -> Option<&'static str> {
        self.row().flag.as_ref().map(|flag| flag.long)
    }

    /// The short flag without its dash.
    pub fn short(self) -> Option<char> {
        self.row().flag.as_ref()?.short
    }

    /// The environment variables, the strongest last.
    pub const fn variables(self) -> &'static [&'static str] {
        self.row().variables
    }

    /// The annotations of a pod, the strongest first. Most settings have none.
    pub fn annotations(self) -> &'static [&'static str] {
        self.annotation().map_or(&[], |annotation| annotation.names)
    }

    pub(crate) const fn annotation(self) -> Option<&'static Annotation> {
        self.row().annotation.as_ref()
    }

    pub(crate) const fn default(self) -> &'static str {
        self.row().default
    }

    /// What the flag takes for a value.
    pub const fn value(self) -> Value {
        self.row().value
    }

    /// Where help lists the setting.
    pub const fn heading(self) -> Heading {
        self.row().heading
    }

    /// What help says of the setting: what it is for, its variables and its default.
    pub fn help(self) -> String {
        let Row { variables, default, shown_default, help, .. } = self.row();
        let variables = if variables.is_empty() {
            "no variable".to_owned()
        } else {
            variables.join(", ")
        };
        let default = match shown_default.unwrap_or(default) {
            "" => "none",
            default => default,
        };
        format!("{help} ({variables}; default: {default})")
    }
}

impl fmt::Display for Setting {
    /// The one name that messages use: the flag, and in parentheses the variables.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variables = self.variables().join(", ");
        match self.flag() {
            None => f.write_str(&variables),
            Some(flag) if variables.is_empty() => write!(f, "--{flag}"),
            Some(flag) => write!(f, "--{flag} ({variables})"),
        }
    }
}
