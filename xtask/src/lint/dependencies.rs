// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which member of the workspace may use which other members and which foreign crates. What tests use
//! (dev-dependencies) is free.
//!
//! A new dependency is a decision: it costs the time of every build, and what is shipped has to trust it. So it is
//! written here, where a review sees it. The decision stays pure because `interceptor-policy` may use one crate only,
//! and nothing that is shipped uses `testkit`.

use crate::workspace::{Dependency, Kind, Member};

/// What one member may use. Members of the workspace stand first.
struct Row {
    member: &'static str,
    uses: &'static [&'static str],
    /// Only behind a feature.
    optional: &'static [&'static str],
    /// Only in its build script.
    build: &'static [&'static str],
}

#[rustfmt::skip]
const TABLE: &[Row] = &[
    Row { member: "interceptor-policy", uses: &["zerocopy"], optional: &[], build: &[] },
    Row {
        member: "interceptor-ebpf",
        uses: &["interceptor-policy", "aya-ebpf"],
        optional: &[],
        build: &["aya-build"],
    },
    Row {
        member: "interceptor-config",
        uses: &["interceptor-policy", "ipnet", "serde", "thiserror"],
        optional: &["clap"],
        build: &[],
    },
    Row {
        member: "interceptor-wire",
        uses: &["nix", "rustix", "serde", "serde_json"],
        optional: &[],
        build: &[],
    },
    Row {
        member: "interceptor-cni",
        uses: &["interceptor-wire", "rustix", "serde", "serde_json"],
        optional: &[],
        build: &[],
    },
    Row {
        member: "interceptor-inject",
        uses: &["interceptor-config", "serde_json"],
        optional: &["anyhow", "base64", "clap", "granit-parser", "gtmpl-ng", "json-patch", "similar"],
        build: &[],
    },
    Row { member: "toolchain", uses: &[], optional: &[], build: &[] },
    Row {
        member: "interceptor",
        uses: &[
            "interceptor-config", "interceptor-policy",
            "anyhow", "aya", "aya-obj", "futures-util", "netlink-packet-core", "netlink-packet-sock-diag",
            "netlink-sys", "nix", "rtnetlink", "serde", "socket2", "thiserror", "tokio", "tracing", "zerocopy",
        ],
        optional: &[
            "clap", "clap_complete", "clap_mangen", "comfy-table", "ipnet", "serde_json", "tracing-subscriber",
        ],
        build: &["toolchain"],
    },
    Row {
        member: "interceptor-agent",
        uses: &[
            "interceptor", "interceptor-config", "interceptor-wire",
            "anyhow", "axum", "clap", "futures-util", "hyper", "hyper-util", "k8s-openapi", "kube", "netlink-sys",
            "nix", "prometheus-client", "serde", "serde_json", "thiserror", "tokio", "tracing", "tracing-subscriber",
        ],
        optional: &[],
        build: &[],
    },
    Row {
        member: "interceptor-webhook",
        uses: &[
            "interceptor-inject",
            "anyhow", "axum", "clap", "futures-util", "http-body-util", "hyper-util", "json-patch",
            "k8s-openapi", "kube", "prometheus-client", "rcgen", "rustls", "serde", "serde-saphyr", "serde_json",
            "time", "tokio", "tokio-rustls", "tracing", "tracing-subscriber", "x509-parser",
        ],
        optional: &[],
        build: &[],
    },
    Row {
        member: "interceptor-verify",
        uses: &[
            "interceptor", "interceptor-config", "interceptor-policy",
            "anyhow", "clap", "compio-driver", "indicatif", "ipnet", "nix", "proptest", "rustix", "serde", "serde_json",
            "socket2", "time", "tokio",
        ],
        optional: &[],
        build: &[],
    },
    Row {
        member: "testkit",
        uses: &[
            "interceptor", "interceptor-policy", "interceptor-verify",
            "anyhow", "bytes", "clap", "http-body-util", "hyper", "hyper-util", "indicatif", "nix",
            "rcgen", "ring", "rustix", "serde", "serde_json", "socket2", "tar", "tempfile", "tokio",
        ],
        optional: &[],
        build: &[],
    },
    Row {
        member: "interceptor-tests",
        uses: &[
            "interceptor", "interceptor-config", "interceptor-policy", "interceptor-verify", "testkit",
            "anyhow", "bytes", "clap", "http-body-util", "hyper", "hyper-util", "indicatif", "nix",
            "rstest", "rustix", "serde", "serde_json", "socket2", "tempfile", "tokio",
        ],
        optional: &[],
        build: &[],
    },
    Row {
        member: "interceptor-bench",
        uses: &[
            "testkit",
            "anyhow", "clap", "comfy-table", "hdrhistogram", "indicatif", "nix", "plotters", "rand", "serde",
            "serde_json", "socket2", "tempfile",
        ],
        optional: &[],
        build: &[],
    },
    Row {
        member: "interceptor-fuzz",
        uses: &["interceptor", "interceptor-cni", "interceptor-inject", "interceptor-webhook", "interceptor-wire"],
        optional: &["libfuzzer-sys"],
        build: &[],
    },
    Row {
        member: "xtask",
        uses: &["toolchain", "anyhow", "clap", "flate2", "serde_json", "sha2", "tar"],
        optional: &[],
        build: &[],
    },
];

/// Everything that `member` uses and may not.
pub(super) fn dependencies(member: &Member) -> Vec<String> {
    let name = &member.name;
    let Some(row) = TABLE.iter().find(|row| row.member == name) else {
        let used = |kind| {
            let of_kind = member.dependencies.iter().filter(|dependency| dependency.kind == kind);
            of_kind.map(|dependency| dependency.name.as_str()).collect::<Vec<_>>()
        };
        return vec![format!(
            "{name}/Cargo.toml: the member {name} is new; add to TABLE in xtask/src/lint/dependencies.rs: \
             Row {{ member: {name:?}, uses: &{:?}, optional: &{:?}, build: &{:?} }}",
            used(Kind::Always),
            used(Kind::Optional),
            used(Kind::Build)
        )];
    };
    let forbidden = member.dependencies.iter().filter(|dependency| !row.allows(dependency));
    forbidden.map(|dependency| row.problem(dependency)).collect()
}

/// Rows of members that are not there.
pub(super) fn stale_rows(members: &[Member]) -> Vec<String> {
    let stale = TABLE
        .iter()
        .filter(|row| members.iter().all(|member| member.name != row.member));
    stale
        .map(|row| {
            format!(
                "xtask/src/lint/dependencies.rs: there is no member {}; remove its row",
                row.member
            )
        })
        .collect()
}

impl Row {
    fn of(&self, kind: Kind) -> &'static [&'static str] {
        match kind {
            Kind::Always => self.uses,
            Kind::Optional => self.optional,
            Kind::Build => self.build,
        }
    }

    fn allows(&self, dependency: &Dependency) -> bool {
        let behind_a_feature = dependency.kind == Kind::Optional && self.uses.contains(&dependency.name.as_str());
        behind_a_feature || self.of(dependency.kind).contains(&dependency.name.as_str())
    }

    fn problem(&self, Dependency { name, kind }: &Dependency) -> String {
        let (member, how) = (
            self.member,
            match kind {
                Kind::Always => "uses",
                Kind::Optional => "uses behind a feature",
                Kind::Build => "uses in its build script",
            },
        );
        let allowed = self.of(*kind).join(", ");
        let allowed = if allowed.is_empty() { "nothing".into() } else { allowed };
        format!(
            "{member}/Cargo.toml: {member} {how} {name}, and may use {allowed} so; if it has to, add {name} to the row \
             of {member} in xtask/src/lint/dependencies.rs"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::workspace::Workspace;

    fn member(name: &str, dependencies: &[(&str, Kind)]) -> Member {
        let dependencies = dependencies
            .iter()
            .map(|(name, kind)| Dependency { name: (*name).into(), kind: *kind });
        Member {
            name: name.into(),
            manifest: PathBuf::new(),
            dependencies: dependencies.collect(),
            tests: vec![],
            roots: vec![],
        }
    }

    #[test]
    fn the_policy_crate_may_use_zerocopy_only() {
        let problems = dependencies(&member(
            "interceptor-policy",
            &[("zerocopy", Kind::Always), ("aya", Kind::Always)],
        ));
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0].contains("interceptor-policy uses aya, and may use zerocopy so;"),
            "{problems:?}"
        );
    }

    #[test]
    fn what_is_for_the_build_or_behind_a_feature_is_not_for_always() {
        for (kind, dependency) in [(Kind::Always, "clap"), (Kind::Build, "clap"), (Kind::Optional, "aya")] {
            assert_eq!(
                dependencies(&member("interceptor-config", &[(dependency, kind)])).len(),
                1,
                "{kind:?}"
            );
        }
        assert!(dependencies(&member("interceptor-config", &[("clap", Kind::Optional)])).is_empty());
        assert!(
            dependencies(&member("interceptor", &[("toolchain", Kind::Build), ("aya", Kind::Optional)])).is_empty()
        );
        assert_eq!(dependencies(&member("interceptor", &[("toolchain", Kind::Always)])).len(), 1);
    }

    #[test]
    fn only_tests_and_the_benchmark_may_use_testkit() {
        let may = |row: &&Row| [row.uses, row.optional, row.build].concat().contains(&"testkit");
        let members: Vec<_> = TABLE.iter().filter(may).map(|row| row.member).collect();
        assert_eq!(members, ["interceptor-tests", "interceptor-bench"]);
    }

    #[test]
    fn only_the_agent_and_the_webhook_may_use_a_client_of_kubernetes_and_an_http_server() {
        for dependency in ["kube", "axum"] {
            let may = |row: &&Row| [row.uses, row.optional, row.build].concat().contains(&dependency);
            let members: Vec<_> = TABLE.iter().filter(may).map(|row| row.member).collect();
            assert_eq!(members, ["interceptor-agent", "interceptor-webhook"], "{dependency}");
        }
    }

    #[test]
    fn a_new_member_is_told_what_to_add() {
        let problems = dependencies(&member("interceptor-new", &[("serde", Kind::Always), ("cc", Kind::Build)]));
        let row = r#"Row { member: "interceptor-new", uses: &["serde"], optional: &[], build: &["cc"] }"#;
        assert!(problems[0].ends_with(row), "{problems:?}");
    }

    #[test]
    fn a_row_without_its_member_is_stale() {
        let mut members = Workspace::load().unwrap().members;
        assert_eq!(stale_rows(&members), [""; 0]);
        members.retain(|member| member.name != "xtask");
        assert!(stale_rows(&members)[0].contains("no member xtask"));
    }
}
