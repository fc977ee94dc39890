// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The plugin's entry of the network configuration, as the runtime writes it to standard input. Keys of Istio's own
//! entry are read as Istio reads them; what is not named here is ignored, because others patch these entries.

use std::{path::PathBuf, time::Duration};

use interceptor_wire::{AttachmentId, ContainerId, InterfaceName, SOCKET_NAME};
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::{
    error::{CniError, code},
    versions,
};

/// The agent's run directory, if the entry does not name one.
pub(crate) const RUN_DIR: &str = "/run/interceptor";

/// How long to wait for an agent that does not listen. One that is restarted is back before.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(2_500);

/// How long connecting and the answer may take together. A runtime keeps other pods of the node waiting meanwhile.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(8);

/// How long the answer to DEL may take. With the lock for the pod's cgroup, DEL takes two seconds at most.
const DEL_TIMEOUT: Duration = Duration::from_millis(1_500);

/// kubelet gives a pod's sandbox four minutes, and this is one of many steps.
const LONGEST_TIMEOUT: Duration = Duration::from_mins(1);

/// Bytes of a Unix socket's path
/// ([unix(7)](https://man7.org/linux/man-pages/man7/unix.7.html)), the last of which is 0.
const LONGEST_SOCKET: usize = 107;

#[derive(Debug)]
pub(crate) struct Config<'a> {
    pub(crate) cni_version: String,
    /// Exactly as it was received.
    pub(crate) prev_result: Option<&'a RawValue>,
    pub(crate) run_dir: PathBuf,
    pub(crate) log_level: Option<String>,
    pub(crate) exclude_namespaces: Vec<String>,
    /// Where the agent's own pod is.
    pub(crate) pod_namespace: Option<String>,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) del_timeout: Duration,
    /// kubelet's `--cgroup-root`, if it has one.
    pub(crate) cgroup_root: Option<String>,
    /// The runtime is asked for the pod's annotations.
    pub(crate) asks_for_annotations: bool,
    /// `None`: the runtime did not hand annotations over.
    pub(crate) annotations: Option<Annotations>,
    pub(crate) cgroup_path: Option<String>,
    /// Of GC. `None`: the key is missing.
    pub(crate) valid_attachments: Option<Vec<AttachmentId>>,
}

/// What the plugin wants to know of a pod's annotations.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Annotations {
    /// The injector's mark. Its value does not matter, as in Istio.
    #[serde(default, rename = "sidecar.istio.io/status", deserialize_with = "present")]
    pub(crate) status: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(rename = "cniVersion")]
    cni_version: Option<String>,
    #[serde(borrow, rename = "prevResult")]
    prev_result: Option<&'a RawValue>,
    cni_agent_run_dir: Option<PathBuf>,
    plugin_log_level: Option<String>,
    log_level: Option<String>,
    exclude_namespaces: Option<Vec<String>>,
    kubernetes: Option<Kubernetes>,
    pod_namespace: Option<String>,
    ambient_enabled: Option<bool>,
    connect_timeout_ms: Option<u64>,
    request_timeout_ms: Option<u64>,
    del_timeout_ms: Option<u64>,
    cgroup_root: Option<String>,
    capabilities: Option<Capabilities>,
    #[serde(rename = "runtimeConfig")]
    runtime_config: Option<RuntimeConfig>,
    #[serde(rename = "cni.dev/valid-attachments")]
    valid_attachments: Option<Vec<ValidAttachment>>,
}

/// The old place of a key.
#[derive(Deserialize)]
struct Kubernetes {
    exclude_namespaces: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Capabilities {
    #[serde(default, rename = "io.kubernetes.cri.pod-annotations")]
    annotations: bool,
}

#[derive(Default, Deserialize)]
struct RuntimeConfig {
    /// `null` is what a runtime writes for a pod that has none.
    #[serde(
        default,
        rename = "io.kubernetes.cri.pod-annotations",
        deserialize_with = "present_or_null"
    )]
    annotations: Option<Annotations>,
    #[serde(rename = "cgroupPath")]
    cgroup_path: Option<String>,
}

#[derive(Deserialize)]
struct ValidAttachment {
    #[serde(rename = "containerID")]
    container_id: ContainerId,
    ifname: InterfaceName,
}

/// Tells a key whose value is `null` from one that is missing.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The same, and `null` is empty.
fn present_or_null<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(|value| Some(value.unwrap_or_default()))
}

impl<'a> Config<'a> {
    pub(crate) fn read(stdin: &'a [u8]) -> Result<Self, CniError> {
        let raw: Raw<'a> = serde_json::from_slice(stdin).map_err(|error| {
            CniError::new(
                code::NOT_DECODED,
                format!(
                    "The plugin's configuration on standard input cannot be read: {error}; correct \
                     the CNI configuration"
                ),
            )
        })?;
        let cni_version = raw.cni_version.unwrap_or_else(|| versions::OLDEST.into());
        if !versions::is_supported(&cni_version) {
            return Err(CniError::new(
                code::INCOMPATIBLE_VERSION,
                format!(
                    "cniVersion {cni_version:?} is not supported; the plugin knows 0.1.0 to {}",
                    versions::NEWEST
                ),
            ));
        }
        if raw.ambient_enabled == Some(true) {
            return Err(bad(
                "ambient_enabled",
                "ambient mode is not supported; set it to false, and use sidecars",
            ));
        }
        if raw.prev_result.is_some_and(|result| !result.get().starts_with('{')) {
            return Err(bad(
                "prevResult",
                "it is no object; the plugin before this one in the list has to print one",
            ));
        }
        let runtime = raw.runtime_config.unwrap_or_default();
        let excluded = raw.exclude_namespaces.or_else(|| raw.kubernetes?.exclude_namespaces);
        let request_timeout = timeout("request_timeout_ms", raw.request_timeout_ms, REQUEST_TIMEOUT)?;
        let connect_timeout = timeout("connect_timeout_ms", raw.connect_timeout_ms, CONNECT_TIMEOUT)?;
        Ok(Self {
            cni_version,
            prev_result: raw.prev_result,
            run_dir: run_dir(raw.cni_agent_run_dir)?,
            log_level: raw.plugin_log_level.or(raw.log_level),
            exclude_namespaces: excluded.unwrap_or_default(),
            pod_namespace: raw.pod_namespace,
            connect_timeout: connect_timeout.min(request_timeout),
            request_timeout,
            del_timeout: timeout("del_timeout_ms", raw.del_timeout_ms, DEL_TIMEOUT)?,
            cgroup_root: raw.cgroup_root,
            asks_for_annotations: raw.capabilities.is_some_and(|capabilities| capabilities.annotations),
            annotations: runtime.annotations,
            cgroup_path: runtime.cgroup_path,
            valid_attachments: raw.valid_attachments.map(|all| all.into_iter().map(Into::into).collect()),
        })
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.run_dir.join(SOCKET_NAME)
    }
}

impl From<ValidAttachment> for AttachmentId {
    fn from(ValidAttachment { container_id, ifname }: ValidAttachment) -> Self {
        Self { container_id, ifname }
    }
}

fn timeout(key: &str, given: Option<u64>, default: Duration) -> Result<Duration, CniError> {
    let Some(given) = given else { return Ok(default) };
    let given = Duration::from_millis(given);
    if given.is_zero() || given > LONGEST_TIMEOUT {
        let longest = LONGEST_TIMEOUT.as_millis();
        return Err(bad(key, &format!("{} is not between 1 and {longest}", given.as_millis())));
    }
    Ok(given)
}

fn run_dir(given: Option<PathBuf>) -> Result<PathBuf, CniError> {
    let directory = given.unwrap_or_else(|| RUN_DIR.into());
    let length = directory.join(SOCKET_NAME).as_os_str().len();
    if directory.is_absolute() && length <= LONGEST_SOCKET {
        return Ok(directory);
    }
    let why = format!(
        "{} is no absolute path of at most {} bytes",
        directory.display(),
        LONGEST_SOCKET - SOCKET_NAME.len() - 1
    );
    Err(bad("cni_agent_run_dir", &why))
}

fn bad(key: &str, why: &str) -> CniError {
    CniError::new(code::BAD_CONFIG, format!("The key {key} of the plugin's configuration: {why}"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn what_istio_writes_into_its_entry_is_accepted() {
        let config = Config::read(
            br#"{"cniVersion":"0.3.1","name":"istio-cni","type":"istio-cni","plugin_log_level":"debug",
                "cni_agent_run_dir":"/var/run/istio-cni","exclude_namespaces":["kube-system"],
                "pod_namespace":"istio-system",
                "ambient_enabled":false,"enablement_selectors":[{"podSelector":{}}],"native_nftables":false,
                "enable_ambient_detection_retry":false,"ipam":{},"dns":{},"log_uds_address":"","unknown":[1]}"#,
        )
        .unwrap();
        assert_eq!(config.run_dir, PathBuf::from("/var/run/istio-cni"));
        assert_eq!(config.exclude_namespaces, ["kube-system"]);
        assert_eq!(config.pod_namespace.as_deref(), Some("istio-system"));
        assert_eq!(config.log_level.as_deref(), Some("debug"));
        assert!(config.annotations.is_none() && config.prev_result.is_none());
    }

    #[test]
    fn what_is_absent_has_a_default() {
        let config = Config::read(b"{}").unwrap();
        assert_eq!(config.cni_version, "0.1.0");
        assert_eq!(config.run_dir, PathBuf::from("/run/interceptor"));
        assert_eq!(config.connect_timeout, Duration::from_millis(2500));
        assert_eq!(config.request_timeout, Duration::from_secs(8));
        assert_eq!(config.del_timeout, Duration::from_millis(1500));
        assert!(config.exclude_namespaces.is_empty());
    }

    #[test]
    fn old_places_of_keys_count_where_the_new_ones_are_absent() {
        let old = br#"{"log_level":"info","kubernetes":{"exclude_namespaces":["a"],"kubeconfig":"/x"},
            "exclude_namespaces":null}"#;
        let config = Config::read(old).unwrap();
        assert_eq!(config.exclude_namespaces, ["a"]);
        assert_eq!(config.log_level.as_deref(), Some("info"));
        let both = br#"{"kubernetes":{"exclude_namespaces":["a"]},"exclude_namespaces":["b"]}"#;
        assert_eq!(Config::read(both).unwrap().exclude_namespaces, ["b"]);
    }

    #[rstest]
    #[case::not_handed_over("{}", None)]
    #[case::no_runtime_config(r#"{"runtimeConfig":null}"#, None)]
    #[case::only_the_cgroup(r#"{"runtimeConfig":{"cgroupPath":"/a"}}"#, None)]
    #[case::none(r#"{"runtimeConfig":{"io.kubernetes.cri.pod-annotations":null}}"#, Some(false))]
    #[case::others(r#"{"runtimeConfig":{"io.kubernetes.cri.pod-annotations":{"a":"b"}}}"#, Some(false))]
    #[case::injected(
        r#"{"runtimeConfig":{"io.kubernetes.cri.pod-annotations":{"sidecar.istio.io/status":""}}}"#,
        Some(true)
    )]
    fn annotations_that_are_none_are_told_from_none_handed_over(#[case] text: &str, #[case] injected: Option<bool>) {
        let config = Config::read(text.as_bytes()).unwrap();
        assert_eq!(config.annotations.map(|annotations| annotations.status.is_some()), injected);
    }

    #[rstest]
    #[case::empty("", code::NOT_DECODED)]
    #[case::no_json("hello", code::NOT_DECODED)]
    #[case::no_object("[]", code::NOT_DECODED)]
    #[case::wrong_type(r#"{"exclude_namespaces":"a"}"#, code::NOT_DECODED)]
    #[case::twice(r#"{"pod_namespace":"a","pod_namespace":"b"}"#, code::NOT_DECODED)]
    #[case::version(r#"{"cniVersion":"2.0.0"}"#, code::INCOMPATIBLE_VERSION)]
    #[case::ambient(r#"{"ambient_enabled":true}"#, code::BAD_CONFIG)]
    #[case::result(r#"{"prevResult":"a"}"#, code::BAD_CONFIG)]
    #[case::no_time(r#"{"request_timeout_ms":0}"#, code::BAD_CONFIG)]
    #[case::much_time(r#"{"connect_timeout_ms":60001}"#, code::BAD_CONFIG)]
    #[case::relative(r#"{"cni_agent_run_dir":"run"}"#, code::BAD_CONFIG)]
    #[case::bad_attachment(
        r#"{"cni.dev/valid-attachments":[{"containerID":"../a","ifname":"eth0"}]}"#,
        code::NOT_DECODED
    )]
    fn what_cannot_be_meant_is_refused(#[case] text: &str, #[case] code: u32) {
        assert_eq!(Config::read(text.as_bytes()).unwrap_err().code, code);
    }

    #[test]
    fn a_run_directory_whose_socket_would_have_too_long_a_name_is_refused() {
        let read = |length: usize| {
            let text = format!(r#"{{"cni_agent_run_dir":"/{}"}}"#, "x".repeat(length - 1));
            Config::read(text.as_bytes()).map(|_| ()).map_err(|error| error.msg)
        };
        assert_eq!(read(98), Ok(()));
        assert!(read(99).unwrap_err().ends_with("is no absolute path of at most 98 bytes"));
    }

    #[test]
    fn connecting_never_takes_longer_than_all_together() {
        let config = Config::read(br#"{"request_timeout_ms":100}"#).unwrap();
        assert_eq!(config.connect_timeout, Duration::from_millis(100));
    }
}
