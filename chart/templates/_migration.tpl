{{/*
The database migrations as one hook, with a container for each service that has a schema: Helm runs hooks one after the
other, containers of a pod run side by side, and each migration has a schema of its own. It completes before any pod of
the release changes; if one container fails, the release stops and the old version still serves. In a first install, hooks
run before everything else in the chart, so a migration may use only what exists already: the namespace, its Secrets and
its default ServiceAccount. It has no sidecar, because a Job never completes while its daprd runs.
*/}}

{{- define "todo.migrationCommands" -}}
frontend: [node, migrate.mjs]
backend: [python, -m, todo_backend.migrate]
notification: [python, -m, todo_notification.migrate]
{{- end }}

{{/* Takes the root context. */}}
{{- define "todo.migrations" -}}
{{- $migrations := .Values.migrations -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-migrate
  labels:
    {{- include "todo.releaseLabels" . | nindent 4 }}
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
        app.kubernetes.io/name: migrate
        app.kubernetes.io/instance: {{ .Release.Name }}
        app.kubernetes.io/part-of: todo-app
    spec:
      restartPolicy: Never
      {{- include "todo.podDefaults" . | nindent 6 }}
      containers:
        {{- range $key, $command := include "todo.migrationCommands" . | fromYaml }}
        {{- $scope := dict "root" $ "key" $key }}
        - name: {{ (include "todo.service" $scope | fromYaml).id }}
          image: {{ include "todo.image" $scope }}
          imagePullPolicy: {{ $.Values.global.imagePullPolicy }}
          command: {{ toJson $command }}
          env:
            {{- include (printf "todo.environment.migration.%s" $key) $scope | nindent 12 }}
          resources:
            {{- toYaml $migrations.resources | nindent 12 }}
          {{- include "todo.containerDefaults" $scope | nindent 10 }}
        {{- end }}
      volumes:
        {{- include "todo.volumes" . | nindent 8 }}
{{- end }}
