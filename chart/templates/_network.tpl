{{/*
The bodies of the NetworkPolicies. Each policy has everything that its pods need, DNS and scraping too, because the first
policy that selects a pod refuses all that it does not list. Answers to allowed connections, probes of the kubelet, and
traffic inside a pod (the application and its sidecar) are never refused. Ports are those of pods, not of Services.
*/}}

{{/* Metadata and selector of a policy. Takes (dict "root" $ "name" SUFFIX "selector" YAML "annotations" MAP). */}}
{{- define "todo.network.policy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ printf "%s-%s" .root.Release.Name .name }}
  labels:
    {{- include "todo.releaseLabels" .root | nindent 4 }}
  {{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  podSelector: {{ .selector | fromYaml | toJson }}
  policyTypes: [Ingress, Egress]
{{- end }}

{{/* The policy of a service. Takes a scope. */}}
{{- define "todo.network.service" -}}
{{- $service := include "todo.service" . | fromYaml -}}
{{- include "todo.network.policy" (dict "root" .root "name" $service.id "selector" (include "todo.network.pods" .)) }}
  ingress:
    {{- include "todo.network.service.ingress" . | trim | default "[]" | nindent 4 }}
  egress:
    {{- include "todo.network.service.egress" . | trim | nindent 4 }}
{{- end }}

{{/* Who may reach a service: the ingress controller, Prometheus, and the services that call it. Takes a scope. */}}
{{- define "todo.network.service.ingress" -}}
{{- $root := .root -}}
{{- $key := .key -}}
{{- $service := include "todo.service" . | fromYaml -}}
{{- $outside := $root.Values.networkPolicies -}}
{{- if and $root.Values.ingress.enabled (include "todo.network.isPublic" .) }}
{{ include "todo.network.from" (dict "peer" (include "todo.network.outside" $outside.ingressController) "ports" (list $service.port)) }}
{{- end }}
{{- if $root.Values.monitoring.enabled }}
{{- $ports := $service.sidecar | ternary (list $service.port 9090) (list $service.port) }}
{{ include "todo.network.from" (dict "peer" (include "todo.network.outside" $outside.prometheus) "ports" $ports) }}
{{- end }}
{{- range $other, $its := include "todo.connections" . | fromYaml }}
{{- $peer := include "todo.network.podsOf" (dict "root" $root "key" $other) }}
{{- if has $key ($its.calls | default list) }}
{{ include "todo.network.from" (dict "peer" $peer "ports" (list $service.port)) }}
{{- end }}
{{- if hasKey ($its.invokes | default dict) $key }}
{{ include "todo.network.from" (dict "peer" $peer "ports" (list 50002)) }}
{{- end }}
{{- end }}
{{- end }}

{{/* What a service may reach: names, other services, Dapr's control plane, database and broker. Takes a scope. */}}
{{- define "todo.network.service.egress" -}}
{{- $root := .root -}}
{{- $service := include "todo.service" . | fromYaml -}}
{{- $own := index (include "todo.connections" . | fromYaml) .key -}}
{{ include "todo.network.dns" . }}
{{- range $own.calls | default list }}
{{- $other := dict "root" $root "key" . }}
{{ include "todo.network.to" (dict "peer" (include "todo.network.podsOf" $other) "ports" (list (include "todo.service" $other | fromYaml).port)) }}
{{- end }}
{{- range $other, $operations := $own.invokes | default dict }}
{{ include "todo.network.to" (dict "peer" (include "todo.network.podsOf" (dict "root" $root "key" $other)) "ports" (list 50002)) }}
{{- end }}
{{- if $service.sidecar }}
{{- include "todo.network.controlPlane" $root }}
{{- end }}
{{- if $own.database }}
{{ include "todo.network.external" $root.Values.networkPolicies.database }}
{{- end }}
{{- if $service.pubsub }}
{{ include "todo.network.broker" $root }}
{{- end }}
{{- if and $service.state $root.Values.stateStore.enabled (ne $root.Values.pubsub.kind "redis") }}
{{ include "todo.network.toRedis" $root }}
{{- end }}
{{- end }}

{{/*
The policy of all migrations, a hook like them and before them: a version that moves the database to another address must
reach it with its first migration, before the rest of the chart is applied. Takes the root context.
*/}}
{{- define "todo.network.migrations" -}}
{{- $selector := dict "matchLabels" (dict "app.kubernetes.io/instance" .Release.Name "app.kubernetes.io/name" "migrate") -}}
{{- $hook := dict "helm.sh/hook" "pre-install,pre-upgrade" "helm.sh/hook-weight" "-5" "helm.sh/hook-delete-policy" "before-hook-creation" -}}
{{- include "todo.network.policy" (dict "root" . "name" "migrate" "selector" (toYaml $selector) "annotations" $hook) }}
  egress:
    {{- include "todo.network.dns" . | nindent 4 }}
    {{- include "todo.network.external" .Values.networkPolicies.database | nindent 4 }}
{{- end }}

{{/* The policy of the in-cluster Redis, which only the sidecars of its users reach. Takes the root context. */}}
{{- define "todo.network.redis" -}}
{{- $selector := printf "matchLabels:\n  %s" (include "todo.redis.selectorLabels" . | nindent 2 | trim) -}}
{{- include "todo.network.policy" (dict "root" . "name" "redis" "selector" $selector) }}
  ingress:
    {{- range $key, $service := include "todo.catalogue" . | fromYaml }}
    {{- if or (and $service.pubsub (eq $.Values.pubsub.kind "redis")) (and $service.state $.Values.stateStore.enabled) }}
    {{- include "todo.network.from" (dict "peer" (include "todo.network.podsOf" (dict "root" $ "key" $key)) "ports" (list 6379)) | nindent 4 }}
    {{- end }}
    {{- end }}
{{- end }}

{{/* The policy of cert-manager's solvers, which show the authority that the host is ours. Takes the root context. */}}
{{- define "todo.network.solver" -}}
{{- $selector := toYaml (dict "matchLabels" (dict "acme.cert-manager.io/http01-solver" "true")) -}}
{{- include "todo.network.policy" (dict "root" . "name" "solver" "selector" $selector) }}
  ingress:
    {{- include "todo.network.from" (dict "peer" (include "todo.network.outside" .Values.networkPolicies.ingressController) "ports" (list 8089)) | nindent 4 }}
{{- end }}

{{/* One rule. Takes (dict "peer" YAML of one peer "ports" LIST of numbers). */}}
{{- define "todo.network.from" -}}
- from:
    {{- .peer | nindent 4 }}
  ports: {{ include "todo.network.ports" .ports }}
{{- end }}

{{- define "todo.network.to" -}}
- to:
    {{- .peer | nindent 4 }}
  ports: {{ include "todo.network.ports" .ports }}
{{- end }}

{{- define "todo.network.ports" -}}
[{{- range $index, $port := . }}{{ if $index }}, {{ end }}{port: {{ $port }}, protocol: TCP}{{ end -}}]
{{- end }}

{{/* Pods of a service, as a selector. Takes a scope. */}}
{{- define "todo.network.pods" -}}
matchLabels:
  {{- include "todo.selectorLabels" . | nindent 2 }}
{{- end }}

{{/* Pods of a service of this release, as a peer. Takes a scope. */}}
{{- define "todo.network.podsOf" -}}
- podSelector:
    {{- include "todo.network.pods" . | nindent 4 }}
{{- end }}

{{/* Pods of another namespace, as a peer. Takes {namespace, podLabels}. */}}
{{- define "todo.network.outside" -}}
- namespaceSelector:
    matchLabels: {kubernetes.io/metadata.name: {{ .namespace }}}
  podSelector:
    matchLabels:
      {{- toYaml .podLabels | nindent 6 }}
{{- end }}

{{/* Whether a public path leads to a service. Takes a scope; empty is no. */}}
{{- define "todo.network.isPublic" -}}
{{- $key := .key -}}
{{- range include "todo.publicPaths" . | fromYamlArray }}{{ if eq .key $key }}yes{{ end }}{{ end -}}
{{- end }}

{{- define "todo.network.dns" -}}
- to:
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: kube-system}
      podSelector:
        matchLabels: {k8s-app: kube-dns}
  ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end }}

{{/* Dapr's sentry, which issues identities, operator, which has the components, and what else runs there. */}}
{{- define "todo.network.controlPlane" -}}
{{- range .Values.networkPolicies.dapr.controlPlane }}
- to:
    {{- include "todo.network.outside" (dict "namespace" $.Values.networkPolicies.dapr.namespace "podLabels" (dict "app" .app)) | nindent 4 }}
  ports: {{ include "todo.network.ports" (list .port) }}
{{- end }}
{{- end }}

{{/* The broker of events: Redis of this release, or Kafka. Takes the root context. */}}
{{- define "todo.network.broker" -}}
{{- if eq .Values.pubsub.kind "redis" -}}
{{ include "todo.network.toRedis" . }}
{{- else -}}
{{ include "todo.network.external" .Values.networkPolicies.broker }}
{{- end }}
{{- end }}

{{/* The in-cluster Redis, as broker or as state store. Takes the root context. */}}
{{- define "todo.network.toRedis" -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "todo.redis.selectorLabels" . | nindent 10 }}
  ports: {{ include "todo.network.ports" (list 6379) }}
{{- end }}

{{/*
A server outside of the cluster. Takes {cidrs, ports}. Without addresses it is any public one: private, link-local and
shared networks hold the nodes, the pods and the provider's metadata. A managed server has a name and changing addresses,
which a NetworkPolicy cannot select.
*/}}
{{- define "todo.network.external" -}}
- to:
    {{- range .cidrs }}
    - ipBlock: {cidr: {{ . }}}
    {{- else }}
    - ipBlock:
        cidr: 0.0.0.0/0
        except: [10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]
    {{- end }}
  ports: {{ include "todo.network.ports" .ports }}
{{- end }}
