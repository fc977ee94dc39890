// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The rules that `istio-iptables` writes, in the order in which they are evaluated. Written from its source
//! ([`capture/run.go`](https://github.com/istio/istio/blob/master/tools/istio-iptables/pkg/capture/run.go)), and not
//! with this project's own code: that is what they are compared with. Values of flags are passed on unread, as Istio
//! does, so that iptables itself says what a range or a list means.

mod dns;
mod family;
mod interfaces;
mod mangle;
mod nat;
mod raw;

pub use family::Family;

use super::config::Config;

/// Input for `iptables-restore`, or `ip6tables-restore`. Tables without rules are there to be emptied.
pub fn rules(config: &Config, family: Family) -> String {
    let tables = [
        ("mangle", mangle::mangle(config, family)),
        ("nat", nat::nat(config, family)),
        ("raw", raw::raw(config, family)),
    ];
    let lines = |(name, lines): (&str, Vec<String>)| {
        [vec![format!("* {name}")], lines, vec!["COMMIT\n".to_owned()]]
            .concat()
            .join("\n")
    };
    tables.map(lines).concat()
}
