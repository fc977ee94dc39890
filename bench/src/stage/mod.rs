// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where things are measured: pods of their own for each way to intercept, all there at the same time, so that
//! nothing has to be loaded or removed between two measurements.

mod measured_pod;
mod rules;
mod unavailable;
mod variant;

pub use measured_pod::{Caller, MeasuredPod};
pub use rules::{Family, restore_command, rules};
pub use unavailable::Unavailable;
pub use variant::Variant;

use testkit::{Node, Run};

/// The user that runs `interceptor-bench-worker` may not enter the build directory: the node has a copy.
pub(crate) fn worker(node: &Node) -> String {
    let copy = node.work().join("interceptor-bench-worker");
    if !copy.exists() {
        let this = std::env::current_exe().expect("the path of this program");
        let built = this.with_file_name("interceptor-bench-worker");
        Run::of_line(&["cp", &built.display().to_string(), &copy.display().to_string()]).expect_success();
    }
    copy.display().to_string()
}
