{{/*
A database migration as a hook: it runs to its end before any pod of the release changes, and a failure stops the
release while the old version serves on. On a first install hooks run before everything else in the chart, so a
migration may use only what exists already: the namespace, its secrets and its default ServiceAccount. No sidecar:
a Job whose daprd lives on never completes. Takes a scope.
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
    {{- /* A failed Job stays, with its log, until the next attempt replaces it. */}}
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  backoffLimit: {{ $migrations.backoffLimit }}
  {{- /* Shorter than Helm's timeout, so that the Job says what went wrong before Helm gives up on it. */}}
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
