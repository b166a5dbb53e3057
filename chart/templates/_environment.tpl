{{/*
The environment variables of each service: todo.environment.<key>, each takes a scope. A service gets the single keys of
the Secret that it uses, never the whole Secret.
*/}}

{{- define "todo.environment.frontend" -}}
{{ include "todo.environment.every" . }}
{{- /* Next.js listens on $HOSTNAME, which Kubernetes sets to the pod's name. */}}
- {name: HOSTNAME, value: "0.0.0.0"}
- {name: BETTER_AUTH_URL, value: {{ include "todo.publicUrl" .root | quote }}}
{{ include "todo.environment.secret" (list .root "BETTER_AUTH_SECRET" "BETTER_AUTH_SECRET") }}
{{- /* Its versions, once it was rotated: VERSION:SECRET,…; the first one signs, the others only decrypt. */}}
- name: BETTER_AUTH_SECRETS
  valueFrom: {secretKeyRef: {name: {{ .root.Values.secrets.name }}, key: BETTER_AUTH_SECRETS, optional: true}}
{{ include "todo.environment.secret" (list .root "DATABASE_URL" "FRONTEND_DATABASE_URL") }}
{{ include "todo.environment.connections" . }}
{{- end }}

{{- define "todo.environment.backend" -}}
{{ include "todo.environment.python" . }}
{{ include "todo.environment.database" . }}
{{ include "todo.environment.connections" . }}
{{ include "todo.environment.tokens" (list .root "todo-api") }}
{{ include "todo.environment.bus" . }}
{{ include "todo.environment.secret" (list .root "DAPR_API_TOKEN" "token") }}
{{- end }}

{{- define "todo.environment.mcp" -}}
{{ include "todo.environment.python" . }}
{{ include "todo.environment.tokens" (list .root "todo-mcp") }}
{{ include "todo.environment.secret" (list .root "DAPR_API_TOKEN" "token") }}
{{- /* The sidecar finds a ready backend, encrypts the call and proves the caller's identity. */}}
- {name: BACKEND_URL, value: "http://localhost:3500/v1.0/invoke/backend/method"}
- {name: PUBLIC_HOSTS, value: {{ printf "%s,%s" (urlParse (include "todo.publicUrl" .root)).host (include "todo.name" .) | quote }}}
{{- end }}

{{- define "todo.environment.notification" -}}
{{ include "todo.environment.python" . }}
{{ include "todo.environment.database" . }}
{{ include "todo.environment.connections" . }}
{{ include "todo.environment.tokens" (list .root "todo-api") }}
{{ include "todo.environment.bus" . }}
{{ include "todo.environment.secret" (list .root "DAPR_API_TOKEN" "token") }}
{{- end }}

{{- define "todo.environment.sseGateway" -}}
{{ include "todo.environment.python" . }}
{{ include "todo.environment.tokens" (list .root "todo-api") }}
{{ include "todo.environment.bus" . }}
{{ include "todo.environment.secret" (list .root "DAPR_API_TOKEN" "token") }}
{{- end }}

{{/* Variables of a migration. Better Auth derives its tables from its whole configuration; the others need a database. */}}
{{- define "todo.environment.migration.frontend" -}}
{{ include "todo.environment.frontend" . }}
{{- end }}

{{- define "todo.environment.migration.backend" -}}
{{ include "todo.environment.database" . }}
{{- end }}

{{- define "todo.environment.migration.notification" -}}
{{ include "todo.environment.database" . }}
{{- end }}

{{/* Groups of variables that several services share. */}}

{{- define "todo.environment.every" -}}
- {name: PORT, value: {{ (include "todo.service" . | fromYaml).port | quote }}}
- {name: LOG_LEVEL, value: {{ .root.Values.config.logLevel }}}
{{- with include "todo.shutdown" . | fromYaml }}
- {name: SHUTDOWN_DELAY_SECONDS, value: {{ .delaySeconds | quote }}}
- {name: DRAIN_SECONDS, value: {{ .drainSeconds | quote }}}
{{- end }}
{{- end }}

{{- define "todo.environment.python" -}}
{{ include "todo.environment.every" . }}
- {name: LOG_FORMAT, value: json}
{{- end }}

{{- define "todo.environment.database" -}}
{{ include "todo.environment.secret" (list .root "DATABASE_URL" "DATABASE_URL") }}
{{- end }}

{{- define "todo.environment.connections" -}}
- {name: DATABASE_CONNECTIONS, value: {{ index .root.Values.database.connectionsPerPod .key | quote }}}
{{- end }}

{{- define "todo.environment.bus" -}}
- {name: PUBSUB_NAME, value: {{ (include "todo.service" . | fromYaml).pubsub }}}
- {name: TOPIC_PREFIX, value: {{ .root.Values.pubsub.topicPrefix | quote }}}
{{ include "todo.environment.secret" (list .root "APP_API_TOKEN" "token") }}
{{- end }}

{{/* Variables for checking tokens. Takes (list root audience). */}}
{{- define "todo.environment.tokens" -}}
{{- $root := index . 0 -}}
- {name: JWT_ISSUER, value: {{ include "todo.publicUrl" $root | quote }}}
- {name: JWT_AUDIENCE, value: {{ index . 1 }}}
- {name: JWKS_URL, value: {{ printf "http://%s:3000/api/auth/jwks" (include "todo.name" (dict "root" $root "key" "frontend")) | quote }}}
{{- end }}

{{/* One key of the existing Secret. Takes (list root variable key). */}}
{{- define "todo.environment.secret" -}}
- name: {{ index . 1 }}
  valueFrom:
    secretKeyRef:
      name: {{ (index . 0).Values.secrets.name }}
      key: {{ index . 2 }}
{{- end }}
