// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Two pods, what runs in them, and what a person would type there.

use std::path::PathBuf;

use testkit::{Node, Pod, Process, Run, records::Report};

use crate::{
    application::APPLICATION,
    sidecar::{Home, Kind, Sidecar},
    tell::{Tell, typed},
};

/// Address of the pod that asks.
pub(crate) const CLIENT: &str = "10.99.0.1";
/// Address of the pod that answers.
pub(crate) const WEB: &str = "10.99.0.2";
pub(crate) const URL: &str = "http://10.99.0.2:8080/";
pub(crate) const PAGE: &str = "Hello from the pod web";

/// User of the program that asks.
pub(crate) const USER: u32 = 1002;
/// User of the web application.
pub(crate) const WEB_USER: u32 = 1000;

/// A shell would have these from whoever called it; curl is to ask the web application and nobody else.
const NOT_FOR_CURL: [&str; 5] = ["http_proxy", "all_proxy", "ALL_PROXY", "HOME", "CURL_HOME"];
/// Seconds after which curl gives up, where it should have had its answer at once.
const CURL: [&str; 5] = ["curl", "-sS", "--max-time", "30", URL];

pub(crate) struct Stage<'node> {
    pub(crate) node: &'node Node,
    pub(crate) client: Pod<'node>,
    pub(crate) web: Pod<'node>,
    pub(crate) application: Process,
    kind: Kind,
    homes: [Home; 2],
}

impl<'node> Stage<'node> {
    pub(crate) fn new(node: &'node Node, kind: Kind) -> Self {
        let (client, web) = (node.pod("client"), node.pod("web"));
        client
            .namespace()
            .connect("eth0", &[&format!("{CLIENT}/24")], web.namespace(), &[&format!("{WEB}/24")]);
        // As in any pod, there is a way to everywhere else.
        client.namespace().ip(&format!("route add default via {WEB}"));
        web.namespace().ip(&format!("route add default via {CLIENT}"));
        let application = web.app_as(WEB_USER, WEB_USER).web("web", PAGE, "0.0.0.0:8080");
        let homes = ["client", "web"].map(|name| Home::new(node, name));
        Self { node, client, web, application, kind, homes }
    }

    /// Starts a sidecar in the pod `client`.
    pub(crate) fn client_sidecar(&self, tell: &mut Tell) -> anyhow::Result<Sidecar> {
        Sidecar::start(tell, &self.kind, &self.client, &self.homes[0], "client")
    }

    /// Starts a sidecar in the pod `web`.
    pub(crate) fn web_sidecar(&self, tell: &mut Tell) -> anyhow::Result<Sidecar> {
        Sidecar::start(tell, &self.kind, &self.web, &self.homes[1], "web")
    }

    /// Everything in the file system that is there for this demo only.
    pub(crate) fn made(&self) -> Vec<PathBuf> {
        let mut made: Vec<PathBuf> = [&self.client, &self.web].map(|pod| pod.namespace().path()).into();
        made.extend(self.web.namespace().cgroup().parent().map(PathBuf::from));
        made.extend([self.node.bpffs(), self.node.work().to_owned()]);
        made
    }

    /// `interceptor ARGUMENTS`, as root on the node.
    pub(crate) fn interceptor(&self, tell: &Tell, arguments: &[&str]) -> anyhow::Result<Run> {
        let run = self.node.run(arguments);
        tell.command("node, root", &typed(&[&["interceptor"], arguments].concat()), &run.output())?;
        anyhow::ensure!(run.code == Some(0), "this failed: {run}");
        Ok(run)
    }
}

/// Fetches the page with curl, in the application's container of `pod`.
pub(crate) fn curl(tell: &Tell, pod: &Pod<'_>, name: &str) -> anyhow::Result<Run> {
    let (program, arguments) = CURL.split_first().expect("a program");
    let mut command = pod.app_as(USER, USER).command(program);
    for variable in NOT_FOR_CURL {
        command.env_remove(variable);
    }
    command.args(arguments);
    let run = Run::of(command);
    tell.command(&format!("pod {name}, uid {USER}"), &typed(&CURL), &run.output())?;
    Ok(run)
}

/// Does what curl does, and looks at its own socket meanwhile.
pub(crate) fn look(pod: &Pod<'_>) -> Report {
    pod.app_as(USER, USER).connect(APPLICATION, &["--send", "GET / HTTP/1.0\r\n\r"])
}

/// The path of a pod's namespace, for `--netns`.
pub(crate) fn netns(pod: &Pod<'_>) -> String {
    pod.namespace().path().display().to_string()
}
