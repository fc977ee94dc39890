// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where no agent listens a question is refused at once, which resolvers tell from a server that stays silent. Under
//! iptables it would not be answered; listed in `docs/differences.md`.

use std::sync::{Arc, OnceLock};

use libtest_mimic::Trial;

use crate::{
    answered::{name, run},
    dns_pod::{Capture, DnsPod, Interception, Via},
    resolver::Resolver,
    table::{DIG, DIG_TCP, GETENT, GO, JAVA, NODE_CARES},
};

/// What resolvers say then, and their exit codes. Those that ask by way of the system's library do not tell why they
/// have no answer, but for a silent server they would have waited longer than a test may take.
const SAID: [(&Resolver, &str, i32); 6] = [
    (&DIG, "connection refused", 9),
    (&DIG_TCP, "connection refused", 9),
    (&GETENT, "", 2),
    (&NODE_CARES, "A ECONNREFUSED AAAA ECONNREFUSED", 0),
    (&JAVA, "java.net.UnknownHostException", 1),
    (&GO, "connection refused", 1),
];

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let dns_pod = Arc::new(OnceLock::new());
    SAID.into_iter().flat_map(move |(resolver, said, code)| {
        let dns_pod = Arc::clone(&dns_pod);
        Via::SINGLE.map(move |via| {
            let dns_pod = Arc::clone(&dns_pod);
            Trial::test(
                format!("{}::without_an_agent::{via}::{}", Interception::Ebpf, resolver.name),
                move || {
                    let dns_pod = dns_pod.get_or_init(|| DnsPod::without_agent(Interception::Ebpf, Capture::All));
                    is_refused(dns_pod, resolver, via, said, code);
                    Ok(())
                },
            )
        })
    })
}

fn is_refused(dns_pod: &DnsPod, resolver: &Resolver, via: Via, said: &str, code: i32) {
    let label = format!("{}-{via}", resolver.name.replace('_', "-"));
    let run = run(dns_pod, false, &label, resolver, via, dns_pod.capture.servers(via));
    assert_eq!(run.code, Some(code), "{run}");
    let output = run.output();
    let words: Vec<&str> = output.split_whitespace().collect();
    assert!(words.join(" ").contains(said), "{run}");
    assert!(
        dns_pod.outside.askers(&name(&label, resolver)).is_empty(),
        "the question reached the server: {run}"
    );
}
