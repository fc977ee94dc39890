// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Files of `/proc`, `/sys` and `/etc`, and names of cgroups. It opens none of them.

use std::{hint::black_box, path::Path};

use interceptor_config::{IdMap, NumberRange};

use crate::{
    accounts,
    kernel::{
        check::known_bad,
        node::lock,
        pod::{cgroup, pod_cgroup},
        sys::{btf::KernelTypes, release::Names},
    },
};

pub(super) fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

/// The type information of a kernel, asked for fields that the seeds have.
pub(super) fn btf(data: &[u8]) {
    if let Ok(types) = KernelTypes::parse(data.to_vec()) {
        for (structure, field) in [("outer", "wanted"), ("outer", "missing"), ("task_struct", "cred")] {
            black_box(types.offset(structure, field).is_ok());
        }
    }
}

pub(super) fn cgroup_path(data: &[u8]) {
    let text = text(data);
    let own = Path::new(&text);
    if let Ok(pod) = pod_cgroup::above(own) {
        assert!(
            own.starts_with(&pod) && own != pod,
            "{} is not above {}",
            pod.display(),
            own.display()
        );
    }
}

/// The first line of the input is a range of ids, and the rest the map.
pub(super) fn id_map(data: &[u8]) {
    let text = text(data);
    let (range, map) = text.split_once('\n').unwrap_or_default();
    let Some(map) = IdMap::parse(map) else { return };
    let mut ids = range.split(' ').filter_map(|id| id.parse::<u32>().ok());
    let (Some(first), Some(last)) = (ids.next(), ids.next()) else { return };
    if first <= last
        && let Some(outside) = map.outside(NumberRange { first, last })
    {
        let count = |range: &NumberRange| u64::from(range.last) + 1 - u64::from(range.first);
        let inside = count(&NumberRange { first, last });
        assert_eq!(outside.iter().map(count).sum::<u64>(), inside, "{outside:?}");
    }
}

/// `uname -r`, `uname -v` and Ubuntu's signature, a line each.
pub(super) fn kernel_release(data: &[u8]) {
    let text = text(data);
    let mut lines = text.lines().map(str::to_owned);
    let (release, version) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    black_box(known_bad::judge(&Names { release, version, signature: lines.next() }).is_ok());
}

pub(super) fn locks(data: &[u8]) {
    assert_ne!(lock::holder_in(&text(data), "00:1f:12"), Some(0));
}

pub(super) fn mountinfo(data: &[u8]) {
    black_box(cgroup::cgroup2_mounts(&text(data)));
}

pub(super) fn services(data: &[u8]) {
    black_box(accounts::tcp_port(&text(data), "http"));
}
