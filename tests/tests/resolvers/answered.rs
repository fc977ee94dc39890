// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One resolver asks, and is answered.

use std::{fmt, net::IpAddr};

use interceptor_policy::SlotAddress;
use testkit::{
    Run,
    scene::{POD, POD_SECOND, POD_SECOND_V6, POD_V6},
};

use crate::{
    dns_pod::{AGENT, By, Capture, DnsPod, Interception, OUTSIDE, Via},
    resolver::{Finds, Resolver, Source},
    server::{self, Answers},
};

#[derive(Clone, Copy)]
pub(crate) struct Question {
    pub(crate) resolver: &'static Resolver,
    pub(crate) via: Via,
    pub(crate) asker: Asker,
}

/// Who asks whom.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// The application asks servers whose questions are captured, and is answered by the agent.
    Application,
    /// The application asks a server that is not listed, and is answered by it.
    ApplicationElsewhere,
    /// The same by TCP: it is answered by way of the sidecar, as on any other connection.
    ApplicationBySidecar,
    /// The sidecar asks a server whose questions are captured, and is answered by it.
    Sidecar,
}

impl Question {
    pub(crate) fn ask(&self, dns_pod: &DnsPod) {
        let Self { resolver, via, asker } = *self;
        let servers = self.servers(dns_pod.capture);
        let run = run(dns_pod, asker == Asker::Sidecar, &self.label(), resolver, via, servers);
        run.expect_success();

        let agent = dns_pod.agent.as_ref().expect("an agent");
        let (by, answers, not_by) = if asker == Asker::Application {
            (agent, &AGENT, &dns_pod.outside)
        } else {
            (&dns_pod.outside, &OUTSIDE, agent)
        };
        self.check_output(&run, answers, servers);
        let name = self.name();
        assert!(not_by.askers(&name).is_empty(), "the question reached the wrong server: {run}");
        let askers = by.askers(&name);
        assert!(
            !askers.is_empty() && askers.iter().all(|from| self.may_ask_from(dns_pod, *from)),
            "asked from {askers:?}: {run}"
        );
    }

    /// Whom it is told to ask. Where it may not come to the agent, only those that answer.
    fn servers(&self, capture: Capture) -> [&'static str; 2] {
        let of = |capture: Capture| capture.servers(self.via);
        match self.asker {
            Asker::Application => of(capture),
            Asker::ApplicationElsewhere | Asker::ApplicationBySidecar => [of(Capture::All)[1]; 2],
            Asker::Sidecar => [of(capture)[1]; 2],
        }
    }

    /// The answer is the right server's, and comes from whom was asked.
    fn check_output(&self, run: &Run, answers: &Answers, servers: [&str; 2]) {
        let output = run.output();
        let words: Vec<&str> = output.split_whitespace().collect();
        let found: Vec<String> = match self.resolver.finds {
            Finds::V4 => vec![answers.v4.to_owned()],
            Finds::Both => vec![answers.v4.to_owned(), answers.v6.to_owned()],
            Finds::Hundred => server::hundred().collect(),
            Finds::Some => Vec::new(),
        };
        // Java writes them without an abbreviation.
        let said: Vec<IpAddr> = words.iter().filter_map(|word| word.parse().ok()).collect();
        for address in found {
            assert!(
                said.iter().any(|said| address.parse() == Ok(*said)),
                "it did not find {address}: {run}"
            );
        }
        let said = words.join(" ");
        for shown in self.resolver.shows {
            let shown = fill(shown, servers);
            assert!(said.contains(&shown), "it did not say {shown:?}: {run}");
        }
    }

    /// As under iptables, except for what is listed in `docs/differences.md`.
    fn may_ask_from(&self, dns_pod: &DnsPod, from: IpAddr) -> bool {
        let differs = dns_pod.interception == Interception::Ebpf && self.asker == Asker::Application;
        let is_one_of = |addresses: [&str; 2]| addresses.iter().any(|address| address.parse() == Ok(from));
        match self.resolver.source {
            _ if self.asker == Asker::ApplicationBySidecar => is_one_of([POD_SECOND, POD_SECOND_V6]),
            Source::Second => is_one_of([POD_SECOND, POD_SECOND_V6]),
            // When the answer is truncated it asks again by TCP.
            Source::PortAlone | Source::Any if differs => is_one_of(["127.0.0.1", "::1"]) || is_one_of([POD, POD_V6]),
            Source::Several if differs => {
                SlotAddress::decode(from.into()).is_some()
                    || is_one_of(["127.0.0.1", "::1"])
                    || is_one_of([POD, POD_V6])
            }
            Source::Any | Source::PortAlone | Source::Several => is_one_of([POD, POD_V6]),
        }
    }

    /// For this question alone.
    fn name(&self) -> String {
        name(&self.label(), self.resolver)
    }

    /// A name without dots.
    fn label(&self) -> String {
        self.to_string().replace("::", "-").replace('_', "-")
    }
}

/// Runs the resolver to its end.
pub(crate) fn run(
    dns_pod: &DnsPod,
    of_the_sidecar: bool,
    label: &str,
    resolver: &Resolver,
    via: Via,
    servers: [&str; 2],
) -> Run {
    let source = if via == Via::V6 { POD_SECOND_V6 } else { POD_SECOND };
    // The same twice is once.
    let configured = if servers[0] == servers[1] { &servers[..1] } else { &servers[..] };
    let by = match (of_the_sidecar, resolver.privileged) {
        (true, _) => By::Sidecar,
        (false, true) => By::Root,
        (false, false) => By::Application,
    };
    let mut command = dns_pod.command(by, label, resolver.program, configured);
    let (name, work) = (name(label, resolver), dns_pod.work());
    let words = resolver.arguments.iter().map(|word| fill(word, servers));
    command.args(words.map(|word| {
        word.replace("{name}", &name)
            .replace("{source}", source)
            .replace("{work}", &work)
    }));
    Run::of(command)
}

/// A name in the domain that has what the resolver is to find.
pub(crate) fn name(label: &str, resolver: &Resolver) -> String {
    let domain = if matches!(resolver.finds, Finds::Hundred | Finds::Some) {
        server::MANY
    } else {
        server::WEB
    };
    format!("{label}.{domain}")
}

fn fill(text: &str, [server, other]: [&str; 2]) -> String {
    let host = if server.contains(':') { format!("[{server}]") } else { server.to_owned() };
    text.replace("{server}", server)
        .replace("{other}", other)
        .replace("{host}", &host)
}

impl fmt::Display for Question {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resolver: Resolver { name, .. }, via, asker } = self;
        match asker {
            Asker::Application => write!(formatter, "{via}::{name}"),
            Asker::ApplicationElsewhere | Asker::ApplicationBySidecar => {
                write!(formatter, "{via}::{name}_to_an_unlisted_server")
            }
            Asker::Sidecar => write!(formatter, "{via}::{name}_of_the_sidecar"),
        }
    }
}
