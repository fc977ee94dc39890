{{/* The values, with those below `cni:` in their places. */}}
{{- define "interceptor.values" -}}
{{- $values := omit .Values "cni" -}}
{{- $values = mergeOverwrite (deepCopy $values) (deepCopy (.Values.cni | default dict)) -}}
{{- toYaml $values -}}
{{- end -}}

{{/* What is different on a platform. Values that are set come first. */}}
{{- define "interceptor.platform" -}}
{{- $values := include "interceptor.values" . | fromYaml -}}
{{- $platforms := dict
  "gke" (dict "cniBinDir" "/home/kubernetes/bin" "resourceQuotas" true)
  "k3d" (dict "cniBinDir" "/bin" "cniConfDir" "/var/lib/rancher/k3s/agent/etc/cni/net.d")
  "k3s" (dict "cniBinDir" "/var/lib/rancher/k3s/data/cni" "cniConfDir" "/var/lib/rancher/k3s/agent/etc/cni/net.d")
  "microk8s" (dict "cniBinDir" "/var/snap/microk8s/current/opt/cni/bin" "cniConfDir" "/var/snap/microk8s/current/args/cni-network")
  "minikube" dict
  "openshift" (dict "cniBinDir" "/var/lib/cni/bin" "cniConfDir" "/etc/cni/multus/net.d" "cniConfFileName" "istio-cni.conf" "chained" false "provider" "multus" "seLinuxOptions" (dict "type" "spc_t"))
-}}
{{- get $platforms ($values.platform | default $values.global.platform) | default dict | toYaml -}}
{{- end -}}

{{/* Refuses what is valid and cannot be done. */}}
{{- define "interceptor.check" -}}
{{- $values := include "interceptor.values" . | fromYaml -}}
{{- if $values.ambient.enabled -}}
{{- fail "ambient.enabled: there is no ambient mode, and pods would start without interception. Use istio-cni for ambient meshes, or take the value away" -}}
{{- end -}}
{{- if $values.global.networkPolicy.enabled -}}
{{- fail "global.networkPolicy.enabled: network policies do not apply to the agent, which is in the network of the node. Guard its ports there, or take the value away" -}}
{{- end -}}
{{- if contains "install-cni" $values.image -}}
{{- fail (printf "image: %s is Istio's image. Take image, hub and tag away, or name an image of Interceptor" $values.image) -}}
{{- end -}}
{{- if eq (int $values.healthPort) (int $values.metricsPort) -}}
{{- fail "healthPort and metricsPort are the same" -}}
{{- end -}}
{{- end -}}

{{- define "interceptor.image" -}}
{{- $values := include "interceptor.values" . | fromYaml -}}
{{- if contains "/" $values.image -}}
{{- $values.image -}}
{{- else -}}
{{- $values.hub | default $values.global.hub | default "localhost" }}/{{ $values.image }}:{{ $values.tag | default $values.global.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* Objects of the cluster, and objects of the release's namespace. */}}
{{- define "interceptor.inCluster" -}}
{{- $values := include "interceptor.values" . | fromYaml -}}
{{- if has $values.global.resourceScope (list "all" "cluster") }}true{{ end -}}
{{- end -}}
{{- define "interceptor.inNamespace" -}}
{{- $values := include "interceptor.values" . | fromYaml -}}
{{- if has $values.global.resourceScope (list "all" "namespace") }}true{{ end -}}
{{- end -}}

{{/* By these the DaemonSet knows its pods. They never change. */}}
{{- define "interceptor.selector" -}}
app.kubernetes.io/name: interceptor-agent
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "interceptor.labels" -}}
{{- $values := include "interceptor.values" . | fromYaml -}}
{{ include "interceptor.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: interceptor
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
istio.io/rev: {{ $values.revision | default "default" }}
{{- end -}}
