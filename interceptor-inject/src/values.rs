// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Values of Istio's chart istiod, with which Istio's own injection does the rewrite: a template that istiod lays over
//! the pod after that of the sidecar
//! ([custom templates](https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/)).
//! In the merge, lists without a key are replaced, and the others are merged by their key.

use interceptor_config::BPFFS_VARIABLE;

use crate::{
    ours,
    rewrite::{CAPABILITIES, OPT_OUT},
};

/// The values, as YAML. A pod without `istio-init` is not to get a container without arguments, so the template has the
/// conditions under which Istio's template makes one; and those under which the rewrite leaves a pod alone, as far as
/// a template can tell.
pub fn istio_values(image: &str) -> String {
    let capabilities = CAPABILITIES.join(", ");
    let (bpffs, cgroup) = (ours::BPFFS, ours::CGROUP);
    let (bpffs_volume, cgroup_volume) = (ours::BPFFS_VOLUME, ours::CGROUP_VOLUME);
    format!(
        r#"# For Istio's chart istiod: helm upgrade istiod istio/istiod -n istio-system --reuse-values --values FILE
sidecarInjectorWebhook:
  defaultTemplates: [sidecar, interceptor]
  templates:
    interceptor: |
      {{{{- if and
        (eq (annotation .ObjectMeta `sidecar.istio.io/interceptionMode` .ProxyConfig.InterceptionMode) `REDIRECT`)
        (not .Values.pilot.cni.enabled)
        (ne (index .ObjectMeta.Labels `{OPT_OUT}`) `false`)
        (ne (index .ObjectMeta.Annotations `{OPT_OUT}`) `false`)
        (not .Spec.HostUsers)
        (not .Spec.RuntimeClassName) }}}}
      spec:
        initContainers:
        - name: istio-init
          image: "{image}"
          env:
          - name: {BPFFS_VARIABLE}
            value: {bpffs}
          securityContext:
            capabilities:
              add: [{capabilities}]
              drop: [ALL]
            readOnlyRootFilesystem: true
          volumeMounts:
          - name: {bpffs_volume}
            mountPath: {bpffs}
          - name: {cgroup_volume}
            mountPath: {cgroup}
            readOnly: true
        volumes:
        - name: {bpffs_volume}
          hostPath:
            path: /sys/fs/bpf
            type: Directory
        - name: {cgroup_volume}
          hostPath:
            path: /sys/fs/cgroup
            type: Directory
      {{{{- end }}}}
"#
    )
}
