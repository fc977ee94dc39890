// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Floor 2: one pod's network namespace, cgroup and user namespace. It knows nothing of what Interceptor pins.

pub(crate) mod agent_routes;
pub(crate) mod cgroup;
pub(crate) mod cgroup_tree;
pub(crate) mod facts;
pub(crate) mod id_maps;
pub(crate) mod ipv6;
pub(crate) mod istio_rules;
pub(crate) mod loopback;
pub(crate) mod members;
pub(crate) mod netlink;
pub(crate) mod netns;
pub(crate) mod number;
pub(crate) mod pod_cgroup;
pub(crate) mod process;
pub(crate) mod routes;
pub(crate) mod sock_diag;
pub(crate) mod tproxy;
