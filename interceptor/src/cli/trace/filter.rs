// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which events are shown. The kernel has left out most of the others already; this is the last word.

use interceptor_policy::TraceEvent;
use ipnet::IpNet;

use super::args::TraceArgs;
use crate::TraceFilter;

/// What the command line asks for.
pub(super) struct Filter<'a> {
    kernel: TraceFilter,
    to: &'a [IpNet],
    from: &'a [IpNet],
}

impl<'a> Filter<'a> {
    pub(super) fn of(args: &'a TraceArgs, netns_cookie: Option<u64>) -> Self {
        let TraceArgs { reason, port, to, from, .. } = args;
        Self {
            kernel: TraceFilter { netns_cookie, reasons: reason.clone(), port: *port },
            to,
            from,
        }
    }

    /// The part that the kernel can take over.
    pub(super) const fn kernel(&self) -> &TraceFilter {
        &self.kernel
    }

    /// Another sandbox of the pod is followed from now on.
    pub(super) const fn follow(&mut self, netns_cookie: Option<u64>) {
        self.kernel.netns_cookie = netns_cookie;
    }

    pub(super) fn accepts(&self, event: &TraceEvent) -> bool {
        let Self { kernel: TraceFilter { netns_cookie, reasons, port }, to, from } = self;
        netns_cookie.is_none_or(|cookie| cookie == event.netns_cookie)
            && (reasons.is_empty() || event.reason().is_some_and(|reason| reasons.contains(&reason)))
            && port.is_none_or(|port| port == event.port || port == event.source_port)
            && lies_in(to, event.destination)
            && lies_in(from, event.source)
    }
}

/// No range at all means every address.
fn lies_in(ranges: &[IpNet], address: interceptor_policy::Address) -> bool {
    let address = std::net::IpAddr::from(address);
    ranges.is_empty() || ranges.iter().any(|range| range.contains(&address))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use interceptor_policy::Reason;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing(&[], &[], None, &[], true)]
    #[case::destination(&["10.96.0.0/12"], &[], None, &[], true)]
    #[case::one_of_two(&["10.0.0.0/32", "10.96.0.1/32"], &[], None, &[], true)]
    #[case::another_destination(&["10.0.0.0/12"], &[], None, &[], false)]
    #[case::source(&[], &["10.1.0.5/32"], None, &[], true)]
    #[case::another_source(&[], &["10.1.0.6/32"], None, &[], false)]
    #[case::another_family(&["::/0"], &[], None, &[], false)]
    #[case::source_port(&[], &[], Some(4000), &[], true)]
    #[case::another_port(&[], &[], Some(81), &[], false)]
    #[case::another_reason(&[], &[], None, &[Reason::NoSlot], false)]
    fn an_event_has_to_pass_every_filter(
        #[case] to: &[&str],
        #[case] from: &[&str],
        #[case] port: Option<u16>,
        #[case] reasons: &[Reason],
        #[case] expected: bool,
    ) {
        let nets = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpNet>>();
        let (to, from) = (nets(to), nets(from));
        let kernel = TraceFilter { netns_cookie: Some(7), reasons: reasons.to_vec(), port };
        let filter = Filter { kernel, to: &to, from: &from };
        let address = |text: &str| text.parse::<IpAddr>().unwrap().into();
        let event = TraceEvent {
            netns_cookie: 7,
            source: address("10.1.0.5"),
            source_port: 4000,
            destination: address("10.96.0.1"),
            port: 80,
            reason: Reason::ProxyOwner as u16,
            ..TraceEvent::default()
        };
        assert_eq!(filter.accepts(&event), expected);
        assert!(!filter.accepts(&TraceEvent { netns_cookie: 8, ..event }));
    }
}
