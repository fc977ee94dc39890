// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finds what a build for the kernel needs besides cargo: a compiler with the source of `core`, and bpf-linker. It
//! never installs or changes anything.
//!
//! `interceptor/build.rs` uses these tools, and `cargo xtask setup` installs them. They share this crate, so `cargo
//! build` works exactly when `cargo xtask setup` says that it will.

mod compiler;
mod linker;
mod paths;
mod version;

pub use compiler::{Compiler, kernel_compiler};
pub use linker::find_bpf_linker;
pub use paths::{cargo_home, same_paths_everywhere};
pub use version::version;
