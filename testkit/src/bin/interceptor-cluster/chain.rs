// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The node's plugins of CNI: a bridge, port mappings, and one that writes all calls down.

use std::{fs, path::Path};

use anyhow::Context as _;
use serde_json::{Value, json};
use testkit::cluster::CgroupMode;

use crate::{configuration::script, layout::CNI_BIN, network::PODS};

/// Installers look for a list here, and add to it.
const LIST: &str = "/etc/cni/net.d/10-bridge.conflist";

/// The `type` of the plugin that writes calls down.
const CALLS: &str = "calls";

/// Puts the programs to where the runtime looks for them, and writes the list.
pub(crate) fn write(work: &Path, mode: CgroupMode) -> anyhow::Result<()> {
    let mut plugins = own();
    let arguments = format!("calls --work '{}' --cgroup2 '{}'", work.display(), mode.cgroup2().display());
    script(&Path::new(CNI_BIN).join(CALLS), &arguments)?;
    plugins.push(json!({ "type": CALLS }));
    let list = json!({ "cniVersion": "0.4.0", "name": "bridge", "plugins": plugins });
    fs::write(LIST, list.to_string()).with_context(|| format!("write {LIST}"))
}

fn own() -> Vec<Value> {
    vec![
        json!({
            "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
            "ipam": { "type": "host-local", "ranges": [[{ "subnet": PODS }]], "routes": [{ "dst": "0.0.0.0/0" }] },
        }),
        json!({ "type": "portmap", "capabilities": { "portMappings": true } }),
    ]
}
