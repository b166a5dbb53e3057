{{/*
Labels. Selectors are immutable in Kubernetes and pod-template labels roll the pods, so neither carries a version:
a service whose image and settings did not change must not restart because another one was released.
*/}}

{{/* Name and instance, nothing else: what selectors match. Takes a scope. */}}
{{- define "todo.selectorLabels" -}}
app.kubernetes.io/name: {{ (include "todo.service" . | fromYaml).id }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* Labels of a pod template. Takes a scope. */}}
{{- define "todo.podLabels" -}}
{{ include "todo.selectorLabels" . }}
app.kubernetes.io/part-of: todo-app
{{- end }}

{{/* Labels of an object that belongs to one service; never those of its pods. Takes a scope. */}}
{{- define "todo.labels" -}}
{{ include "todo.selectorLabels" . }}
{{ include "todo.releaseLabels" .root }}
{{- end }}

{{/* Labels of an object that belongs to the release as a whole. Takes the root context. */}}
{{- define "todo.releaseLabels" -}}
app.kubernetes.io/part-of: todo-app
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels of in-cluster Redis, which is no service of the catalogue. Takes the root context. */}}
{{- define "todo.redis.selectorLabels" -}}
app.kubernetes.io/name: redis
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
