// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Command lines. Variables are left to the suite, because those of this process are of all tests.

use rstest::rstest;

use super::*;
use crate::{
    install::Layout,
    repair::{Label, Mode},
};

const NODE: [&str; 3] = ["interceptor-agent", "--node-name", "node-a"];

fn parse(arguments: &[&str]) -> Result<Command, String> {
    let matches = command().try_get_matches_from(arguments).map_err(|error| error.to_string())?;
    Command::of(&matches).map_err(|error| error.to_string())
}

fn install(arguments: &[&str]) -> Result<Installation, String> {
    match parse(&[&["interceptor-agent", "install"], arguments].concat())? {
        Command::Install(args) => args.installation().map_err(|error| error.to_string()),
        Command::Run(_) | Command::Uninstall(_) => panic!("another command"),
    }
}

fn run(arguments: &[&str]) -> Box<Args> {
    match parse(&[&NODE, arguments].concat()).unwrap() {
        Command::Run(args) => args,
        Command::Install(_) | Command::Uninstall(_) => panic!("another command"),
    }
}

#[test]
fn the_command_line_is_consistent() {
    command().debug_assert();
}

#[test]
fn a_nodes_name_is_never_a_second_field_of_the_selector() {
    assert!(node_name("ip-10-0-0-1.eu.internal").is_ok());
    for bad in ["", "a,metadata.name=b", "a=b", "A"] {
        assert!(node_name(bad).is_err(), "{bad}");
    }
}

#[test]
fn commands_need_no_name_of_a_node_and_the_agent_does() {
    assert!(matches!(parse(&["interceptor-agent", "install"]), Ok(Command::Install(_))));
    assert!(matches!(
        parse(&["interceptor-agent", "uninstall", "--purge"]),
        Ok(Command::Uninstall(_))
    ));
    let error = parse(&["interceptor-agent"]).unwrap_err();
    assert!(error.contains("--node-name"), "{error}");
}

#[test]
fn the_agent_installs_only_if_it_is_asked_to() {
    assert_eq!(run(&[]).installation().unwrap(), None);
    assert_eq!(run(&["--install=false"]).installation().unwrap(), None);
    let installation = run(&["--install", "--log-level", "debug"]).installation().unwrap().unwrap();
    assert_eq!(installation.entry.log_level, "debug");
    assert_eq!(installation.entry.run_dir, "/run/interceptor");
}

#[rstest]
#[case::default(&[], ["/run/interceptor", "/run/interceptor"])]
#[case::own(&["--run-dir", "/a"], ["/a", "/a"])]
#[case::istios(&["--cni-agent-run-dir", "/b"], ["/b", "/b"])]
#[case::mounted_elsewhere(&["--run-dir", "/a", "--cni-agent-run-dir", "/b"], ["/a", "/b"])]
fn the_plugin_is_told_where_the_agent_listens(#[case] arguments: &[&str], #[case] expected: [&str; 2]) {
    let args = run(&[&["--install"], arguments].concat());
    let entry = args.installation().unwrap().unwrap().entry;
    assert_eq!([args.run_dir.path().to_str().unwrap(), entry.run_dir.as_str()], expected);
}

#[rstest]
#[case::default(&[], Layout::Chained { file: None })]
#[case::named(&["--cni-conf-name", "a.conf"], Layout::Chained { file: Some("a.conf".to_owned()) })]
#[case::named_nothing(&["--cni-conf-name", ""], Layout::Chained { file: None })]
#[case::own(
    &["--istio-owned-cni-config=true"],
    Layout::OwnList { name: "02-interceptor-cni.conflist".to_owned(), file: None }
)]
#[case::own_named(
    &[
        "--istio-owned-cni-config",
        "--istio-owned-cni-config-filename=01-a.conflist",
        "--cni-conf-name=b.conflist",
    ],
    Layout::OwnList { name: "01-a.conflist".to_owned(), file: Some("b.conflist".to_owned()) }
)]
#[case::own_named_as_in_the_chart(
    &["--istio-owned-cni-config=T", "--istio-owned-cni-conf-filename", "01-a.conflist"],
    Layout::OwnList { name: "01-a.conflist".to_owned(), file: None }
)]
#[case::alone(
    &["--chained-cni-plugin=false", "--istio-owned-cni-config"],
    Layout::Standalone { name: "YYY-interceptor-cni.conf".to_owned() }
)]
#[case::alone_named(
    &["--chained-cni-plugin=0", "--cni-conf-name", "istio-cni.conf"],
    Layout::Standalone { name: "istio-cni.conf".to_owned() }
)]
fn istios_flags_choose_the_file(#[case] arguments: &[&str], #[case] layout: Layout) {
    assert_eq!(install(arguments).unwrap().layout, layout);
}

#[test]
fn names_of_namespaces_are_separated_by_commas() {
    let of = |text: &str| install(&["--exclude-namespaces", text]).map(|known| known.entry.exclude_namespaces);
    assert_eq!(of("").unwrap(), [""; 0]);
    assert_eq!(of("kube-system, istio-system,").unwrap(), ["kube-system", "istio-system"]);
    assert!(
        of("kube-system,Shop")
            .unwrap_err()
            .contains("`Shop` is not the name of a namespace")
    );
}

#[rstest]
#[case::switch(&["--chained-cni-plugin=yes"], "write true or false")]
#[case::relative_path(&["--mounted-cni-net-dir", "net.d"], "a path from the root")]
#[case::relative_run_dir(&["--run-dir", "run"], "a path from the root")]
#[case::path_for_a_name(&["--cni-conf-name", "../a.conflist"], "`../a.conflist` is not the name")]
#[case::name_that_nobody_reads(&["--cni-conf-name", "a.json"], "`a.json` is not the name")]
#[case::two_names(
    &[
        "--istio-owned-cni-config",
        "--istio-owned-cni-config-filename",
        "01-a.conflist",
        "--istio-owned-cni-conf-filename",
        "01-b.conflist",
    ],
    "set one of them"
)]
#[case::ambient(&["--ambient-enabled=true"], "no ambient mode")]
#[case::namespace(&["--pod-namespace", "a/b"], "`a/b` is not the name of a namespace")]
fn what_is_wrong_is_named(#[case] arguments: &[&str], #[case] expected: &str) {
    let error = install(arguments).unwrap_err();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn flags_of_istios_log_are_read() {
    let log = |arguments: &[&str]| {
        let args = run(arguments);
        (args.log.level(), args.log.log_level, args.log.log_json)
    };
    assert_eq!(log(&[]), (Level::Info, Level::Info, false));
    assert_eq!(
        log(&["--log_output_level=warn", "--log_as_json"]),
        (Level::Warn, Level::Info, true)
    );
    assert_eq!(
        log(&["--log-level", "error", "--log-json=false"]),
        (Level::Error, Level::Error, false)
    );
}

#[test]
fn variables_without_a_meaning_are_named_and_others_are_not() {
    let names = ["NATIVE_NFTABLES", "PATH", "AMBIENT_ENABLED", "AMBIENT_IPV6", "CNI_CONF_NAME", "GOMEMLIMIT"];
    let ignored = ignored_variables(names.into_iter().map(ToOwned::to_owned));
    assert_eq!(ignored, ["AMBIENT_IPV6", "GOMEMLIMIT", "NATIVE_NFTABLES"]);
}

#[rstest]
#[case::by_default(&[], None)]
#[case::off(&["--repair-enabled=false", "--repair-repair-pods"], None)]
#[case::repair(&["--repair-repair-pods", "--repair-delete-pods", "--repair-label-pods"], Some(Mode::Repair))]
#[case::delete(&["--repair-delete-pods", "--repair-label-pods"], Some(Mode::Delete))]
#[case::label(
    &["--repair-label-pods=true", "--repair-broken-pod-label-key", "a/b"],
    Some(Mode::Label(Label { key: "a/b".to_owned(), value: "true".to_owned() }))
)]
fn the_first_of_istios_modes_counts(#[case] arguments: &[&str], #[case] mode: Option<Mode>) {
    let rules = run(arguments).repair.rules("node-a").unwrap();
    assert_eq!(rules.map(|rules| rules.mode), mode);
}

#[test]
fn pods_of_other_nodes_and_selectors_are_refused() {
    let rules = |arguments: &[&str]| {
        let args = run(&[&["--repair-repair-pods"], arguments].concat());
        args.repair.rules("node-a").map_err(|error| error.to_string())
    };
    assert!(rules(&["--repair-node-name", "node-a"]).is_ok());
    assert!(
        rules(&["--repair-node-name", "node-b"])
            .unwrap_err()
            .starts_with("REPAIR_NODE_NAME is node-b")
    );
    assert!(
        rules(&["--repair-label-selectors", "a=b"])
            .unwrap_err()
            .starts_with("REPAIR_LABEL_SELECTORS is a=b")
    );
    assert!(
        rules(&["--repair-field-selectors", "a=b"])
            .unwrap_err()
            .starts_with("REPAIR_FIELD_SELECTORS is a=b")
    );
}
