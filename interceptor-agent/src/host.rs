// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where the host's own directories are seen from a container.

use std::path::{Path, PathBuf};

/// Where Istio's manifests mount the processes of the host.
const HOST_PROCESSES: &str = "/host/proc";

/// The processes of the host, if they are visible; otherwise those that are visible here.
pub(crate) fn processes() -> PathBuf {
    let of_the_host = Path::new(HOST_PROCESSES);
    if of_the_host.is_dir() {
        of_the_host.to_path_buf()
    } else {
        PathBuf::from("/proc")
    }
}
