// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Wrong decisions: each leaves one of Istio's rules out, or asks two of them in the wrong order. They are for the test
//! that shows whether a comparison with iptables finds them (`cargo xtask mutants`), and are in no other build.

use crate::{
    abi::{AddressClass, NumberClass, NumberSpace, Policy},
    address::Address,
    decide::{DNS_SERVICE_PORT, decide as by_istio, inbound_port},
    flow::{Flow, Outbound},
    owner::Owner,
    tables::Tables,
    verdict::Verdict,
};

/// One wrong decision. Zero is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// What [`Policy::padding`] says.
    pub number: u32,
    pub what: &'static str,
}

#[rustfmt::skip]
pub const MUTANTS: &[Mutant] = &[
    Mutant { number: 1, what: "the rules for the proxy's own connections are left out" },
    Mutant { number: 2, what: "the exempt loopback range is left out" },
    Mutant { number: 3, what: "the excluded ranges (-x) are left out" },
    Mutant { number: 4, what: "the excluded outbound ports (-o) are left out" },
    Mutant { number: 5, what: "the included outbound ports (-q) are left out" },
    Mutant { number: 6, what: "included ports (-q) come before excluded ranges (-x)" },
    Mutant { number: 7, what: "the rule for local destinations is left out" },
    Mutant { number: 8, what: "the source 127.0.0.6 is not excepted" },
    Mutant { number: 9, what: "the excluded inbound ports (-d) are left out" },
    Mutant { number: 10, what: "DNS questions to every server are captured" },
    Mutant { number: 11, what: "DNS is captured before the proxy's own connections are excepted" },
    Mutant { number: 12, what: "the excluded owner groups are left out" },
    Mutant { number: 13, what: "the proxy's group is left out" },
    Mutant { number: 14, what: "the proxy's own connections come before the excluded outbound ports (-o)" },
    Mutant { number: 15, what: "the tunnel port is not excepted" },
];

/// Decides as the mutant does that the policy names. It stands for the true one in builds with mutants.
#[inline(always)]
pub fn decide(flow: &Flow, policy: &Policy, tables: &impl Tables) -> Verdict {
    let mutant = policy.padding;
    match flow {
        Flow::Inbound(inbound) if mutant == 15 && inbound.port == policy.tunnel_port => {
            inbound_port(inbound.port, policy, tables).into()
        }
        Flow::Inbound(_) => by_istio(flow, policy, &Mutated::inbound(tables, mutant)),
        Flow::Outbound(flow) => {
            let mutated = Mutated::outbound(tables, mutant, flow);
            let is_question = flow.port == DNS_SERVICE_PORT;
            let owner = match mutant {
                1 => Owner::APPLICATION,
                11 if is_question => Owner::APPLICATION,
                12 => flow.owner.without_group(),
                13 => flow.owner.without_proxy_gid(),
                _ => flow.owner,
            };
            let is_passthrough = flow.source.same(Address::PASSTHROUGH_V4) || flow.source.same(Address::PASSTHROUGH_V6);
            let source = if mutant == 8 && is_passthrough {
                Address::UNSPECIFIED_V4
            } else {
                flow.source
            };
            by_istio(&Flow::Outbound(Outbound { source, owner, ..*flow }), policy, &mutated)
        }
    }
}

/// The operator's lists, some of them changed.
struct Mutated<'a, T> {
    tables: &'a T,
    hidden: AddressClass,
    shown: AddressClass,
    hidden_number: NumberClass,
}

impl<'a, T: Tables> Mutated<'a, T> {
    #[inline(always)]
    fn inbound(tables: &'a T, mutant: u32) -> Self {
        let hidden_number = if mutant == 9 { NumberClass::INBOUND_EXCLUDED } else { NumberClass::default() };
        Self {
            tables,
            hidden: AddressClass::default(),
            shown: AddressClass::default(),
            hidden_number,
        }
    }

    #[inline(always)]
    fn outbound(tables: &'a T, mutant: u32, flow: &Outbound) -> Self {
        let hidden = match mutant {
            2 => AddressClass::LOOPBACK_EXEMPT,
            3 => AddressClass::OUTBOUND_EXCLUDED,
            6 if tables
                .number(NumberSpace::Port, flow.port.into())
                .has(NumberClass::OUTBOUND_INCLUDED) =>
            {
                AddressClass::OUTBOUND_EXCLUDED
            }
            7 if !flow.owner.is_proxy() => AddressClass::LOCAL,
            _ => AddressClass::default(),
        };
        let shown = if mutant == 10 { AddressClass::DNS_SERVER } else { AddressClass::default() };
        let hidden_number = match mutant {
            4 => NumberClass::OUTBOUND_EXCLUDED,
            5 => NumberClass::OUTBOUND_INCLUDED,
            14 if flow.owner.is_proxy() => NumberClass::OUTBOUND_EXCLUDED,
            _ => NumberClass::default(),
        };
        Self { tables, hidden, shown, hidden_number }
    }
}

impl<T: Tables> Tables for Mutated<'_, T> {
    #[inline(always)]
    fn address(&self, address: Address) -> AddressClass {
        self.tables.address(address).without(self.hidden).with(self.shown)
    }

    #[inline(always)]
    fn number(&self, space: NumberSpace, number: u32) -> NumberClass {
        self.tables.number(space, number).without(self.hidden_number)
    }
}
