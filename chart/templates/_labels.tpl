{{/*
Labels. Selectors are immutable in Kubernetes, and a changed label of a pod template replaces the pods. So neither has a
version: a service whose image and settings did not change must not restart in a release of another one.
*/}}

{{/* The labels that selectors match: only name and instance. Takes a scope. */}}
{{- define "todo.selectorLabels" -}}
app.kubernetes.io/name: {{ (include "todo.service" . | fromYaml).id }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* Labels of a pod template. Takes a scope. */}}
{{- define "todo.podLabels" -}}
{{ include "todo.selectorLabels" . }}
app.kubernetes.io/part-of: todo-app
{{- end }}

{{/* Labels of an object of one service, but not of its pods. Takes a scope. */}}
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

{{/* Labels of the in-cluster Redis, which is not in the catalogue. Takes the root context. */}}
{{- define "todo.redis.selectorLabels" -}}
app.kubernetes.io/name: redis
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
