// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Floor 1: system calls and what they tell of the running kernel. It knows no word of Istio.

mod bpf;
pub(crate) mod btf;
pub(crate) mod capabilities;
mod clock;
mod fdinfo;
mod grace_period;
mod interrupted;
pub(crate) mod map_error;
mod misc;
pub(crate) mod named_file;
pub(crate) mod pod_type;
pub(crate) mod raw_map;
pub(crate) mod release;
pub(crate) mod tree;

pub(crate) use bpf::{
    Instruction, bpf_link_create, bpf_link_create_at_interface, bpf_link_update, bpf_obj_get, bpf_obj_pin,
    bpf_prog_attach, bpf_prog_load_sk_lookup, bpf_prog_query, bpf_raw_tracepoint_open,
};
pub(crate) use clock::{time_awake, time_since_start};
pub(crate) use fdinfo::fdinfo;
pub(crate) use grace_period::wait_for_programs;
pub(crate) use interrupted::{retry, retry_loading};
pub(crate) use misc::{
    borrow_fd, bring_loopback_up, bytes_to_read, getsockopt, is_readable, netns_cookie, owning_user_namespace,
};
