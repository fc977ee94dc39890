// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which cgroup above a container's is the pod's, by the names that kubelet and Podman give to pods. It never
//! guesses: a cgroup one level too low would leave the pod's other containers alone.

use std::path::{Path, PathBuf};

/// The nearest directory above `own` that has the name of a pod. If there is none, all directories above it.
pub(crate) fn above(own: &Path) -> Result<PathBuf, Vec<PathBuf>> {
    let parents = || own.ancestors().skip(1).filter(|directory| directory.file_name().is_some());
    let named = parents().find(|directory| directory.file_name().is_some_and(|name| is_pod(&name.to_string_lossy())));
    named
        .map(Path::to_path_buf)
        .ok_or_else(|| parents().map(Path::to_path_buf).collect())
}

/// Whether a cgroup of this name is that of the pod with this UID. See [`is_pod`] for the names.
pub(crate) fn is_of(name: &str, uid: &str) -> bool {
    let of_systemd = name.strip_suffix(".slice").and_then(|name| name.rsplit_once("-pod"));
    match of_systemd {
        Some((_parents, id)) => id == uid.replace('-', "_"),
        None => name.strip_prefix("pod") == Some(uid),
    }
}

/// Whether a cgroup of this name is a pod's.
///
/// kubelet calls it `pod<uid>`, or `<parents>-pod<uid>.slice` with systemd, where the uid has `_` in place of `-`
/// ([`pod_container_manager_linux.go`](https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/kubelet/cm/pod_container_manager_linux.go)).
/// Podman calls it `libpod_pod_<id>.slice`
/// ([`libpod`](https://github.com/containers/podman/blob/v5.0.0/libpod/pod_internal_linux.go)).
fn is_pod(name: &str) -> bool {
    let name = name.strip_suffix(".slice").unwrap_or(name);
    let last = name.rsplit_once("-pod").map_or(name, |(_parents, uid)| uid);
    let id = last.strip_prefix("pod").unwrap_or(last);
    let podman = name.rsplit_once("libpod_pod_").map(|(_parents, id)| id);
    let kubelet = (id.len() < name.len()).then_some(id);
    podman.or(kubelet).is_some_and(is_id)
}

/// A UUID, the hash that kubelet gives to static pods (32 digits), or Podman's id (64 digits).
fn is_id(text: &str) -> bool {
    const FEWEST_DIGITS: usize = 32;
    let is_digit = |letter: char| letter.is_ascii_hexdigit();
    text.chars().all(|letter| is_digit(letter) || matches!(letter, '-' | '_'))
        && text.chars().filter(|letter| is_digit(*letter)).count() >= FEWEST_DIGITS
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const UID: &str = "12345678-90ab-cdef-1234-567890abcdef";
    const UID_: &str = "12345678_90ab_cdef_1234_567890abcdef";

    /// `{}` stands for the pod's uid, `{_}` for the uid as systemd wants it, and `|` for the end of the pod's
    /// directory.
    #[rstest]
    #[case::cgroupfs_guaranteed("/sys/fs/cgroup/kubepods/pod{}|/0a1b")]
    #[case::cgroupfs_burstable("/sys/fs/cgroup/kubepods/burstable/pod{}|/0a1b")]
    #[case::cgroupfs_best_effort("/sys/fs/cgroup/kubepods/besteffort/pod{}|/0a1b")]
    #[case::static_pod("/sys/fs/cgroup/kubepods/burstable/pod0123456789abcdef0123456789abcdef|/0a1b")]
    #[case::systemd_guaranteed("/sys/fs/cgroup/kubepods.slice/kubepods-pod{_}.slice|/cri-containerd-0a1b.scope")]
    #[case::systemd_burstable(
        "/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{_}.slice|/containerd-0a.scope"
    )]
    #[case::kind(
        "/sys/fs/cgroup/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{_}.slice|/cri-containerd-0a1b.scope"
    )]
    #[case::nested_prefix("/host/cgroup/docker/4711/kubelet/kubepods/besteffort/pod{}|/0a1b")]
    #[case::crun("/sys/fs/cgroup/kubepods.slice/kubepods-pod{_}.slice|/crio-0a1b.scope/container")]
    #[case::crun_cgroupfs("/sys/fs/cgroup/kubepods/pod{}|/crio-0a1b/container")]
    #[case::podman(
        "/sys/fs/cgroup/machine.slice/machine-libpod_pod_0123456789abcdef0123456789abcdef.slice|/libpod-0a/container"
    )]
    fn the_pods_level_is_found(#[case] layout: &str) {
        let layout = layout.replace("{}", UID).replace("{_}", UID_);
        let (pod, container) = layout.split_once('|').unwrap();
        assert_eq!(above(Path::new(&format!("{pod}{container}"))), Ok(PathBuf::from(pod)));
    }

    #[rstest]
    #[case::cgroupfs("pod{}", true)]
    #[case::systemd("kubelet-kubepods-burstable-pod{_}.slice", true)]
    #[case::systemd_with_another_uid("kubepods-pod0{_}.slice", false)]
    #[case::a_container("0a1b", false)]
    #[case::longer("pod{}0", false)]
    #[case::no_slice("kubepods-pod{_}", false)]
    fn a_pods_cgroup_is_known_by_its_uid(#[case] name: &str, #[case] is_its: bool) {
        assert_eq!(is_of(&name.replace("{}", UID).replace("{_}", UID_), UID), is_its);
    }

    #[rstest]
    #[case::docker("/sys/fs/cgroup/system.slice/docker-0123456789abcdef0123456789abcdef.scope")]
    #[case::a_service("/sys/fs/cgroup/system.slice/podman.service/container")]
    #[case::a_name_that_begins_alike("/sys/fs/cgroup/pods/podium/0a1b")]
    #[case::the_pod_itself("/sys/fs/cgroup/kubepods/pod12345678-90ab-cdef-1234-567890abcdef")]
    fn where_no_name_tells_the_candidates_are_given(#[case] own: &str) {
        let own = Path::new(own);
        let candidates: Vec<PathBuf> = own.ancestors().skip(1).map(Path::to_path_buf).collect();
        assert_eq!(above(own), Err(candidates[..candidates.len() - 1].to_vec()));
    }
}
