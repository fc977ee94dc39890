// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Plugins of CNI in the node's chain.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A plugin that is chained after the node's own, from the start.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct ChainedPlugin {
    /// Is copied to `/opt/cni/bin`, under the name that `entry` has as `type`.
    pub program: PathBuf,
    /// Its entry in the network configuration list.
    pub entry: Value,
}
