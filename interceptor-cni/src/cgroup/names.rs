// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a pod's cgroup may be called, below the root of a hierarchy. It opens nothing.

use interceptor_wire::PodUid;

use crate::error::{CniError, code};

/// Where the pod's directory may be, without a leading `/`. The path that the runtime hands over is believed;
/// otherwise the names are kubelet's
/// ([`pod_container_manager_linux.go`](https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/kubelet/cm/pod_container_manager_linux.go),
/// [`cgroup_manager_linux.go`](https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/kubelet/cm/cgroup_manager_linux.go)),
/// as they are on a node and on a node that is a container (`/kubelet`).
pub(crate) fn candidates(
    cgroup_path: Option<&str>,
    uid: Option<&PodUid>,
    root: Option<&str>,
) -> Result<Vec<String>, CniError> {
    if let Some(path) = cgroup_path {
        return by_path(path);
    }
    let Some(uid) = uid else {
        return Err(CniError::new(
            code::CGROUP,
            "The runtime tells neither the pod's cgroup (the capability cgroupPath) nor its UID (K8S_POD_UID in \
             CNI_ARGS), so its cgroup cannot be found; use containerd 1.6 or CRI-O 1.24, or a later one",
        ));
    };
    let roots = match root {
        Some(root) => vec![components("The key cgroup_root of the plugin's configuration", root)?],
        None => vec![Vec::new(), vec!["kubelet"]],
    };
    Ok(roots.iter().flat_map(|root| by_uid(root, uid.as_str())).collect())
}

/// systemd makes and removes these itself.
pub(crate) fn is_systemd(relative: &str) -> bool {
    relative.split('/').any(|name| name.strip_suffix(".slice").is_some())
}

fn by_path(path: &str) -> Result<Vec<String>, CniError> {
    let components = components("runtimeConfig.cgroupPath", path)?;
    let as_it_is = components.join("/");
    // With systemd, runtimes use the last name only; the slices above it are in it.
    let expanded = components.last().and_then(|last| expand(last));
    let expanded = expanded.filter(|expanded| *expanded != as_it_is);
    Ok([Some(as_it_is), expanded].into_iter().flatten().collect())
}

fn by_uid(root: &[&str], uid: &str) -> Vec<String> {
    let pod = format!("pod{uid}");
    let mut names = Vec::new();
    for qos in [None, Some("burstable"), Some("besteffort")] {
        let parts = root.iter().copied().chain(["kubepods"]).chain(qos).chain([pod.as_str()]);
        let parts: Vec<&str> = parts.collect();
        names.push(parts.join("/"));
        // In a slice's name, `-` stands between slices.
        let escaped: Vec<String> = parts.iter().map(|part| part.replace('-', "_")).collect();
        names.extend(expand(&format!("{}.slice", escaped.join("-"))));
    }
    names
}

/// `a-b.slice` is `a.slice/a-b.slice`
/// ([systemd.slice(5)](https://www.freedesktop.org/software/systemd/man/latest/systemd.slice.html)). `None` if it is no
/// slice, or one that cannot be.
fn expand(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.strip_suffix(".slice")?.split('-').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return None;
    }
    let slices = (1..=parts.len()).map(|count| format!("{}.slice", parts[..count].join("-")));
    Some(slices.collect::<Vec<_>>().join("/"))
}

/// The root itself is none: everything on the node is below it.
fn components<'a>(place: &str, path: &'a str) -> Result<Vec<&'a str>, CniError> {
    let components: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
    let leads_elsewhere = components.iter().any(|name| matches!(*name, "." | "..") || name.contains('\0'));
    if components.is_empty() || leads_elsewhere || path.len() > 4096 {
        return Err(CniError::new(
            code::BAD_CONFIG,
            format!("{place}: {path:?} is no path of a cgroup below the root, such as /kubepods/burstable/pod0a1b"),
        ));
    }
    Ok(components)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const UID: &str = "12345678-90ab-cdef-1234-567890abcdef";

    fn by_uid_of(text: &str) -> Vec<String> {
        candidates(None, Some(&text.parse().unwrap()), None).unwrap()
    }

    #[rstest]
    #[case::guaranteed("kubepods/pod{}")]
    #[case::burstable("kubepods/burstable/pod{}")]
    #[case::best_effort("kubepods/besteffort/pod{}")]
    #[case::nested("kubelet/kubepods/burstable/pod{}")]
    #[case::systemd_guaranteed("kubepods.slice/kubepods-pod{_}.slice")]
    #[case::systemd_burstable("kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{_}.slice")]
    #[case::systemd_best_effort("kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{_}.slice")]
    #[case::kind(
        "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod{_}.slice"
    )]
    fn kubelets_names_are_tried(#[case] name: &str) {
        let name = name.replace("{}", UID).replace("{_}", &UID.replace('-', "_"));
        let tried = by_uid_of(UID);
        assert!(tried.contains(&name), "{name} is not one of {tried:?}");
        assert_eq!(tried.len(), 12);
    }

    #[test]
    fn a_static_pods_hash_is_a_uid_as_well() {
        let tried = by_uid_of("0123456789abcdef0123456789abcdef");
        assert!(tried.contains(&"kubepods/burstable/pod0123456789abcdef0123456789abcdef".to_owned()));
    }

    #[test]
    fn kubelets_own_root_is_tried_alone() {
        let uid = UID.parse().unwrap();
        let tried = candidates(None, Some(&uid), Some("/a/b-c")).unwrap();
        assert_eq!(tried.len(), 6);
        assert_eq!(tried[0], format!("a/b-c/kubepods/pod{UID}"));
        let slice = UID.replace('-', "_");
        assert_eq!(
            tried[1],
            format!("a.slice/a-b_c.slice/a-b_c-kubepods.slice/a-b_c-kubepods-pod{slice}.slice")
        );
    }

    #[rstest]
    #[case("/kubepods/burstable/pod1", &["kubepods/burstable/pod1"])]
    #[case("a//b/", &["a/b"])]
    #[case("/a-b.slice", &["a-b.slice", "a.slice/a-b.slice"])]
    #[case("/a.slice/a-b.slice", &["a.slice/a-b.slice"])]
    #[case("/-.slice", &["-.slice"])]
    fn the_runtimes_path_is_believed(#[case] path: &str, #[case] names: &[&str]) {
        let uid = UID.parse().unwrap();
        assert_eq!(candidates(Some(path), Some(&uid), Some("/x")).unwrap(), names);
    }

    #[rstest]
    #[case("")]
    #[case("/")]
    #[case("/a/../../etc")]
    #[case("/./a")]
    #[case("/a\0")]
    fn a_path_that_leads_elsewhere_is_refused(#[case] path: &str) {
        let uid = UID.parse().unwrap();
        assert_eq!(candidates(Some(path), None, None).unwrap_err().code, code::BAD_CONFIG);
        assert_eq!(candidates(None, Some(&uid), Some(path)).unwrap_err().code, code::BAD_CONFIG);
    }

    #[test]
    fn without_path_and_uid_it_says_what_is_missing() {
        let error = candidates(None, None, None).unwrap_err();
        assert_eq!(error.code, code::CGROUP);
        assert!(
            error.msg.contains("cgroupPath") && error.msg.contains("K8S_POD_UID"),
            "{error:?}"
        );
    }

    #[test]
    fn slices_are_systemds() {
        assert!(is_systemd("kubepods.slice/kubepods-pod1.slice"));
        assert!(!is_systemd("kubepods/burstable/pod1"));
    }
}
