// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The settings as arguments: how they may be written, what is refused as wrong usage, and what help says.

use clap::{Arg, Command, CommandFactory as _};
use rstest::rstest;

use super::*;
use crate::{
    Flags,
    settings::arguments::{RuleFlags, Scope, VerdictFlags},
};

fn parse(args: &[&str]) -> Flags {
    Cli::try_parse_from([&["istio-iptables"], args].concat()).unwrap().args.flags
}

fn command<S: Scope>() -> Command {
    <FlagArgs<S> as clap::Args>::augment_args(Command::new("interceptor").disable_help_flag(true))
}

#[test]
fn the_commands_are_well_formed() {
    Cli::command().debug_assert();
    command::<VerdictFlags>().debug_assert();
    command::<RuleFlags>().debug_assert();
}

#[test]
fn every_setting_has_a_name() {
    for setting in Setting::ALL {
        assert!(setting.flag().is_some() || !setting.variables().is_empty(), "{setting:?}");
    }
}

#[test]
fn every_flag_is_an_argument_whose_help_names_variables_and_default() {
    let command = command::<AllFlags>();
    let settings: Vec<_> = Setting::ALL.iter().filter(|setting| setting.flag().is_some()).collect();
    let arguments: Vec<_> = command.get_arguments().collect();
    assert_eq!(arguments.len(), settings.len());
    for (argument, setting) in arguments.into_iter().zip(settings) {
        assert_eq!(argument.get_long(), setting.flag());
        assert!(!argument.is_hide_set(), "{setting}");
        let help = argument.get_help().unwrap().to_string();
        assert!(setting.variables().iter().all(|variable| help.contains(variable)), "{help}");
        assert!(help.contains("; default: ") && help.ends_with(')'), "{help}");
    }
}

#[rstest]
#[case::plain(
    "envoy-port",
    "Port that outbound connections are redirected to (no variable; default: 15001)"
)]
#[case::two_variables(
    "redirect-dns",
    "Send DNS queries to the sidecar's agent, on port 15053 (REDIRECT_DNS, ISTIO_META_DNS_CAPTURE; default: false)"
)]
#[case::no_default(
    "istio-service-cidr",
    "Destinations to intercept, or `*` for all (ISTIO_SERVICE_CIDR; default: none)"
)]
#[case::default_that_depends(
    "proxy-gid",
    "Groups that the sidecar runs as (PROXY_GID; default: the value of --proxy-uid)"
)]
fn help_is_composed_of_the_columns(#[case] flag: &str, #[case] help: &str) {
    let command = command::<AllFlags>();
    let argument = command
        .get_arguments()
        .find(|argument| argument.get_long() == Some(flag))
        .unwrap();
    assert_eq!(argument.get_help().unwrap().to_string(), help);
}

#[test]
fn what_has_no_effect_stands_under_one_heading() {
    let command = command::<AllFlags>();
    let under = |argument: &&Arg| argument.get_help_heading() == Some("Accepted for compatibility, no effect");
    let flags: Vec<_> = command.get_arguments().filter(under).filter_map(Arg::get_long).collect();
    let expected = [
        "network-namespace",
        "cni-mode",
        "reconcile",
        "native-nftables",
        "log_caller",
        "log_stacktrace_level",
        "vklog",
    ];
    assert_eq!(flags, expected);
}

#[test]
fn a_verdict_depends_on_no_switch_of_a_run() {
    let command = command::<VerdictFlags>();
    let (hidden, listed): (Vec<_>, Vec<_>) = command.get_arguments().partition(|argument| argument.is_hide_set());
    let names = |arguments: &[&Arg]| -> Vec<String> {
        arguments
            .iter()
            .filter_map(|argument| argument.get_long().map(str::to_owned))
            .collect()
    };
    let (hidden, listed) = (names(&hidden), names(&listed));
    for flag in ["dry-run", "cleanup-only", "run-validation", "probe-timeout", "log_as_json", "drop-invalid", "vklog"] {
        assert!(hidden.iter().any(|name| name == flag), "{flag}");
    }
    for flag in [
        "envoy-port",
        "proxy-uid",
        "istio-service-cidr",
        "istio-exclude-interfaces",
        "redirect-dns",
        "dual-stack",
    ] {
        assert!(listed.iter().any(|name| name == flag), "{flag}");
    }
    assert!(!hidden.iter().chain(&listed).any(|name| name.contains("accelerate")));
}

#[test]
fn rules_depend_on_drop_invalid_too() {
    let command = command::<RuleFlags>();
    let argument = command
        .get_arguments()
        .find(|argument| argument.get_long() == Some("drop-invalid"))
        .unwrap();
    assert!(!argument.is_hide_set());
    assert_eq!(argument.get_help_heading(), Some("Interception (as istio-iptables)"));
}

#[test]
fn a_hidden_flag_is_read_nevertheless() {
    let matches = command::<VerdictFlags>()
        .try_get_matches_from(["interceptor", "--dry-run", "-b", "80"])
        .unwrap();
    let args = <FlagArgs<VerdictFlags> as clap::FromArgMatches>::from_arg_matches(&matches).unwrap();
    assert_eq!(
        args.flags,
        Flags::default().with(Setting::DryRun, "true").with(Setting::InboundPorts, "80")
    );
}

#[rstest]
#[case::apart(&["-p", "15001"])]
#[case::equals(&["-p=15001"])]
#[case::joined(&["-p15001"])]
#[case::long(&["--envoy-port=15001"])]
#[case::long_apart(&["--envoy-port", "15001"])]
#[case::last_wins(&["-p", "1", "--envoy-port=2", "-p", "15001"])]
#[case::after_a_joined_switch(&["-np", "15001"])]
fn text_flags(#[case] args: &[&str]) {
    assert_eq!(parse(args).get(Setting::EnvoyPort), Some("15001"));
}

#[test]
fn a_value_may_be_empty_or_look_like_a_flag() {
    let flags = parse(&["-x", "", "-b", "*", "-d=", "-u", "-5", "--istio-service-cidr="]);
    let settings = [Setting::ServiceExcludeCidr, Setting::InboundPorts, Setting::LocalExcludePorts, Setting::ProxyUid];
    assert_eq!(settings.map(|setting| flags.get(setting)), ["", "*", "", "-5"].map(Some));
    assert_eq!(flags.get(Setting::ServiceCidr), Some(""));
}

#[rstest]
#[case::absent(&[], None)]
#[case::alone(&["--dry-run"], Some("true"))]
#[case::short(&["-n"], Some("true"))]
#[case::equals_true(&["--dry-run=T"], Some("T"))]
#[case::equals_false(&["--dry-run=False"], Some("False"))]
#[case::short_equals(&["-n=0"], Some("0"))]
#[case::last_wins(&["--dry-run", "--dry-run=false"], Some("false"))]
#[case::last_wins_alone(&["--dry-run=false", "-n"], Some("true"))]
fn switches(#[case] args: &[&str], #[case] text: Option<&str>) {
    assert_eq!(parse(args).get(Setting::DryRun), text);
    let value = text.is_some_and(|text| ["true", "T"].contains(&text));
    assert_eq!(read(args, &[], "").unwrap().0.run.dry_run, value);
}

#[test]
fn flags_of_pilot_agent_are_accepted() {
    let flags = parse(&[
        "--log_output_level=default:debug",
        "--log_as_json",
        "--vklog",
        "6",
        "--log_target=stderr",
        "--log_caller=",
    ]);
    assert_eq!(flags.get(Setting::LogOutputLevel), Some("default:debug"));
    assert_eq!(flags.get(Setting::LogAsJson), Some("true"));
}

#[test]
fn durations_and_numbers_are_read() {
    let (config, _warnings) = read(&["--probe-timeout=1m30s", "--iptables-probe-port", "15003"], &[], "").unwrap();
    assert_eq!(
        (config.run.probe_timeout, config.run.probe_port),
        (std::time::Duration::from_secs(90), 15_003)
    );
}

#[rstest]
#[case::bool("--dry-run=maybe", "maybe")]
#[case::duration("--probe-timeout=5", "5")]
#[case::number("--iptables-probe-port=70000", "70000")]
fn bad_values_are_errors_that_name_flag_and_value(#[case] arg: &str, #[case] value: &str) {
    let message = Cli::try_parse_from(["istio-iptables", arg]).unwrap_err().to_string();
    let flag = arg.split('=').next().unwrap();
    assert!(message.contains(flag) && message.contains(&format!("'{value}'")), "{message}");
}

#[rstest]
#[case::separate_value_of_a_switch(&["--dry-run", "false"])]
#[case::unknown(&["--no-such-flag"])]
fn errors(#[case] args: &[&str]) {
    Cli::try_parse_from([&["istio-iptables"], args].concat()).unwrap_err();
}

#[test]
fn a_bad_switch_that_no_command_line_has_seen_is_refused() {
    let flags = Flags::default().with(Setting::DryRun, "maybe");
    let error = resolve_flags(&flags).unwrap_err().to_string();
    assert_eq!(error, "--dry-run (DRY_RUN): `maybe` is not a value for it; write true or false");
}

fn resolve_flags(flags: &Flags) -> Result<(IstioConfig, Vec<String>), ConfigError> {
    let resolv_conf = ResolvConf { path: Path::new("/etc/resolv.conf"), read: &|_path| Ok(Vec::new()) };
    let sources = Sources { flags, environment: &|_name| None, annotations: None };
    IstioConfig::resolve(sources, &Names, resolv_conf)
}
