{{/*
A database migration as a hook. It completes before any pod of the release changes; if it fails, the release stops and
the old version still serves. In a first install, hooks run before everything else in the chart, so a migration may use
only what exists already: the namespace, its Secrets and its default ServiceAccount. It has no sidecar, because a Job
never completes while its daprd runs. Takes a scope.
*/}}

{{- define "todo.migrationCommands" -}}
frontend: [node, migrate.mjs]
backend: [python, -m, todo_backend.migrate]
notification: [python, -m, todo_notification.migrate]
{{- end }}

{{- define "todo.migration" -}}
{{- $service := include "todo.service" . | fromYaml -}}
{{- $migrations := .root.Values.migrations -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ printf "%s-migrate-%s" .root.Release.Name $service.id }}
  labels:
    {{- include "todo.releaseLabels" .root | nindent 4 }}
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    {{- /* A failed Job and its log stay until the next attempt replaces it. */}}
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  backoffLimit: {{ $migrations.backoffLimit }}
  {{- /* Shorter than Helm's time-out, so that the Job reports its reason before Helm gives up waiting. */}}
  activeDeadlineSeconds: {{ $migrations.deadlineSeconds }}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {{ printf "migrate-%s" $service.id }}
        app.kubernetes.io/instance: {{ .root.Release.Name }}
        app.kubernetes.io/part-of: todo-app
    spec:
      restartPolicy: Never
      {{- include "todo.podDefaults" .root | nindent 6 }}
      containers:
        - name: migrate
          image: {{ include "todo.image" . }}
          imagePullPolicy: {{ .root.Values.global.imagePullPolicy }}
          command: {{ get (include "todo.migrationCommands" . | fromYaml) .key | toJson }}
          env:
            {{- include (printf "todo.environment.migration.%s" .key) . | nindent 12 }}
          resources:
            {{- toYaml $migrations.resources | nindent 12 }}
          {{- include "todo.containerDefaults" . | nindent 10 }}
      volumes:
        {{- include "todo.volumes" . | nindent 8 }}
{{- end }}
