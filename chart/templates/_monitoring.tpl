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
