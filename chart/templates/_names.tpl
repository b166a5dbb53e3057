{{/*
Every name in the chart, and the facts about a service that are the same in every environment.
A "scope" is (dict "root" $ "key" "backend"): the chart's root context and the service's key in the values.
*/}}

{{/*
The facts about each service that hold in every environment. id: the kebab-case id, which ends its object names and is
its Dapr app id. sidecar: whether it has daprd. pubsub: the component that it publishes to or subscribes to. state: whether
it may use the state store, where there is one.
*/}}
{{- define "todo.catalogue" -}}
frontend: {id: frontend, port: 3000, sidecar: false}
backend: {id: backend, port: 8000, sidecar: true, pubsub: pubsub, state: true}
mcp: {id: mcp, port: 8001, sidecar: true}
notification: {id: notification, port: 8002, sidecar: true, pubsub: pubsub}
sseGateway: {id: sse-gateway, port: 8003, sidecar: true, pubsub: pubsub-broadcast}
{{- end }}

{{/* The catalogue entry of a scope, as YAML. */}}
{{- define "todo.service" -}}
{{- index (include "todo.catalogue" . | fromYaml) .key | toYaml }}
{{- end }}

{{/* <release>-<service id>: the name of a service's Deployment, Service, ServiceAccount and other objects. */}}
{{- define "todo.name" -}}
{{- printf "%s-%s" .root.Release.Name (include "todo.service" . | fromYaml).id }}
{{- end }}

{{/* The in-cluster Redis, deployed only when it is the pub/sub broker or the state store. */}}
{{- define "todo.redis.name" -}}
{{- printf "%s-redis" .Release.Name }}
{{- end }}

{{- define "todo.redis.isUsed" -}}
{{- if or (eq .Values.pubsub.kind "redis") .Values.stateStore.enabled }}true{{ end -}}
{{- end }}

{{/*
The public URL of the app. The JWT issuer, Better Auth's base URL and the MCP server's allowed hosts are derived from it.
config.publicUrl is for environments without TLS or with another port than 443.
*/}}
{{- define "todo.publicUrl" -}}
{{- if .Values.config.publicUrl }}{{ .Values.config.publicUrl }}
{{- else if .Values.ingress.host }}{{ printf "https://%s" .Values.ingress.host }}
{{- else }}http://localhost:8080
{{- end }}
{{- end }}

{{/*
Image reference of a scope. A digest takes precedence: it always names the same content, so pods run what was tested and
a rollback is exact.
*/}}
{{- define "todo.image" -}}
{{- include "todo.imageReference" (index .root.Values .key).image }}
{{- end }}

{{/* Reference of one image map {repository, tag, digest}. */}}
{{- define "todo.imageReference" -}}
{{- if .digest }}{{ printf "%s@%s" .repository .digest }}{{ else }}{{ printf "%s:%s" .repository .tag }}{{ end }}
{{- end }}
