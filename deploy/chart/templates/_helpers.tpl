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
{{- if not (or $values.agent.enabled $values.webhook.enabled) -}}
{{- fail "agent.enabled and webhook.enabled are both false, so there is nothing to install" -}}
{{- end -}}
{{- $webhook := $values.webhook -}}
{{- if and $webhook.enabled (eq $webhook.dataPath "cni") (not $values.agent.enabled) -}}
{{- fail "webhook.dataPath: cni needs the agent. Set agent.enabled, or choose init" -}}
{{- end -}}
{{- $plain := $webhook.plain -}}
{{- if eq $webhook.mode "plain" -}}
{{- if not (and $plain.envoyImage $plain.envoyConfig) -}}
{{- fail "webhook.mode: plain needs webhook.plain.envoyImage and webhook.plain.envoyConfig, the Envoy that pods get" -}}
{{- end -}}
{{- if or (eq $webhook.dataPath "cni") $webhook.tproxy $webhook.revision -}}
{{- fail "webhook.mode: plain is without Istio, so dataPath cni, tproxy and revision mean nothing to it. Take them away" -}}
{{- end -}}
{{- else if or $plain.envoyImage $plain.envoyConfig $plain.nativeSidecars -}}
{{- fail "webhook.plain: is for webhook.mode plain. Set that, or take it away" -}}
{{- end -}}
{{- $certificate := $webhook.certificate -}}
{{- if and $certificate.certManager.enabled (or $certificate.secret $certificate.caBundle) -}}
{{- fail "webhook.certificate: certManager makes the certificate, and secret and caBundle say that it is there. Choose one" -}}
{{- end -}}
{{- if and $certificate.certManager.enabled (not $certificate.certManager.issuer.name) -}}
{{- fail "webhook.certificate.certManager.issuer.name is empty. Name an Issuer or a ClusterIssuer of cert-manager" -}}
{{- end -}}
{{- if ne (empty $certificate.secret) (empty $certificate.caBundle) -}}
{{- fail "webhook.certificate: secret and caBundle belong together, a certificate and the authority that the API server is to trust. Set both or none" -}}
{{- end -}}
{{- end -}}

{{- define "interceptor.image" -}}
{{- $values := include "interceptor.values" . | fromYaml -}}
{{- if contains "/" $values.image -}}
{{- $values.image -}}
{{- else -}}
{{- $values.hub | default $values.global.hub | default "localhost" }}/{{ $values.image }}:{{ $values.tag | default $values.global.tag | default .Chart.AppVersion }}
{{- if eq $values.onUnsupported "iptables" }}-iptables{{ end }}
{{- end -}}
{{- end -}}

{{/* Objects of the cluster, and objects of the release's namespace: of the agent, and of the webhook. */}}
{{- define "interceptor.inCluster" -}}
{{- $values := include "interceptor.values" . | fromYaml -}}
{{- if and $values.agent.enabled (has $values.global.resourceScope (list "all" "cluster")) }}true{{ end -}}
{{- end -}}
{{- define "interceptor.inNamespace" -}}
{{- $values := include "interceptor.values" . | fromYaml -}}
{{- if and $values.agent.enabled (has $values.global.resourceScope (list "all" "namespace")) }}true{{ end -}}
{{- end -}}
{{- define "interceptor.webhookInCluster" -}}
{{- $values := include "interceptor.values" . | fromYaml -}}
{{- if and $values.webhook.enabled (has $values.global.resourceScope (list "all" "cluster")) }}true{{ end -}}
{{- end -}}
{{- define "interceptor.webhookInNamespace" -}}
{{- $values := include "interceptor.values" . | fromYaml -}}
{{- if and $values.webhook.enabled (has $values.global.resourceScope (list "all" "namespace")) }}true{{ end -}}
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

{{/* What the webhook's objects are called: as the webhook itself expects it in either mode. */}}
{{- define "interceptor.webhookName" -}}
{{- $values := include "interceptor.values" . | fromYaml -}}
{{- eq $values.webhook.mode "plain" | ternary "interceptor-plain" "interceptor-webhook" -}}
{{- end -}}

{{/* What sets up the redirection. The CNI plugin knows pods of Istio only. */}}
{{- define "interceptor.webhookDataPath" -}}
{{- $values := include "interceptor.values" . | fromYaml -}}
{{- $default := and $values.agent.enabled (ne $values.webhook.mode "plain") | ternary "cni" "init" -}}
{{- $values.webhook.dataPath | default $default -}}
{{- end -}}

{{/* A pod that Istio injected is intercepted without the webhook; another would go around its mesh. */}}
{{- define "interceptor.webhookFailurePolicy" -}}
{{- $values := include "interceptor.values" . | fromYaml -}}
{{- $values.webhook.failurePolicy | default (eq $values.webhook.mode "plain" | ternary "Fail" "Ignore") -}}
{{- end -}}

{{/* By these the webhook's Deployment and Service know their pods. They never change. */}}
{{- define "interceptor.webhookSelector" -}}
app.kubernetes.io/name: {{ include "interceptor.webhookName" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Without istio.io/rev: istiod writes into webhooks that have it. */}}
{{- define "interceptor.webhookLabels" -}}
{{ include "interceptor.webhookSelector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: interceptor
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The Secret with the certificate. */}}
{{- define "interceptor.webhookSecret" -}}
{{- $values := include "interceptor.values" . | fromYaml -}}
{{- $values.webhook.certificate.secret | default (printf "%s-tls" (include "interceptor.webhookName" .)) -}}
{{- end -}}

{{/* Whether the webhook makes its certificate itself. */}}
{{- define "interceptor.webhookSigns" -}}
{{- $values := include "interceptor.values" . | fromYaml -}}
{{- $certificate := $values.webhook.certificate -}}
{{- if not (or $certificate.secret $certificate.certManager.enabled) }}true{{ end -}}
{{- end -}}

{{/* The name of the MutatingWebhookConfiguration: behind Istio's, because the API server goes by the names. */}}
{{- define "interceptor.webhookConfiguration" -}}
{{- $values := include "interceptor.values" . | fromYaml -}}
zz-interceptor{{ if eq $values.webhook.mode "plain" }}-plain{{ end }}{{ with $values.webhook.revision }}-{{ . }}{{ end }}
{{- end -}}

{{/* Of Istio's list of levels, what is said of everything, as the webhook calls it. */}}
{{- define "interceptor.webhookLevel" -}}
{{- $values := include "interceptor.values" . | fromYaml -}}
{{- $level := "info" -}}
{{- range splitList "," ($values.logging.level | default $values.global.logging.level | default "info") -}}
{{- if regexMatch "^((default|all):)?[a-z]+$" . -}}
{{- $level = last (splitList ":" .) -}}
{{- end -}}
{{- end -}}
{{- has $level (list "none" "fatal") | ternary "error" $level -}}
{{- end -}}
