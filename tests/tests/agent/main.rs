// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The node agent, beside a small API server: what the CNI plugin asks of it, and what is left when it is killed.

mod admin;
mod data_path;
mod enroll;
mod file_system;
mod host;
mod http;
mod install;
mod kinds;
mod lab;
mod lookup;
mod names;
mod plugin;
mod programs;
mod refresh;
mod repair;
mod restart;
mod sandbox;
mod sandboxes;
mod socket;
mod storm;
mod uninstall;
mod unprotected;

use testkit::api_server as api;
