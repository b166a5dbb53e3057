{{/*
Objects of the Prometheus operator. They depend on monitoring.enabled, not on the cluster's API versions: `helm template`
sees no cluster, so a condition on capabilities would silently drop them.
*/}}

{{/* Takes a scope. */}}
{{- define "todo.serviceMonitor" -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ include "todo.name" . }}
  labels:
    {{- include "todo.labels" . | nindent 4 }}
    {{- toYaml .root.Values.monitoring.labels | nindent 4 }}
spec:
  {{- /* job is the service's id, the same in every environment. */}}
  jobLabel: app.kubernetes.io/name
  namespaceSelector:
    matchNames:
      - {{ .root.Release.Namespace }}
  selector:
    matchLabels:
      {{- include "todo.selectorLabels" . | nindent 6 }}
  endpoints:
    - port: http
      path: /metrics
      interval: 30s
{{- end }}

{{/* The ids of the services with a sidecar, as a JSON array. Takes the root context. */}}
{{- define "todo.sidecars" -}}
{{- $ids := list -}}
{{- range include "todo.catalogue" . | fromYaml -}}
{{- if .sidecar }}{{ $ids = append $ids .id }}{{ end -}}
{{- end -}}
{{- $ids | toJson }}
{{- end }}

{{/* The groups of one file of rules, with its capital words replaced. Takes (dict "root" $ "path" PATH). */}}
{{- define "todo.rules" -}}
{{- $sidecars := include "todo.sidecars" .root | fromJsonArray | join "|" -}}
{{- .root.Files.Get .path
    | replace "NAMESPACE" .root.Release.Namespace
    | replace "RELEASE" .root.Release.Name
    | replace "SIDECARS" $sidecars
    | replace "RUNBOOKS" .root.Values.monitoring.runbooks }}
{{- end }}
