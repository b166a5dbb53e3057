{{/*
What the Prometheus operator reads. Rendered behind monitoring.enabled and not by asking which APIs the cluster has:
`helm template` sees no cluster, so a gate on capabilities would drop objects in silence.
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
