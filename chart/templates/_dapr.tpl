{{/*
The sidecar's annotations and the specs of the Dapr resources. The specs are helpers because a sidecar reads them only
at its start, so the pods that use them have their checksum.
*/}}

{{/*
Annotations of a pod with a sidecar. Takes a scope.
- block-shutdown-duration: daprd gets SIGTERM together with the app, and begins to stop when this is over or the app no
  longer answers /healthz. /readyz would be wrong: it answers 503 during the whole termination.
- sidecar-readiness-probe: Dapr would look after 3 s and then every 6 s, so a pod would be ready up to 6 s later than it
  could be. After the start as many seconds as with Dapr's own settings (18) make it unready.
- disable-builtin-k8s-secret-store: the operator resolves secretKeyRef for the components; the pod has no API token.
*/}}
{{- define "todo.dapr.annotations" -}}
{{- $service := include "todo.service" . | fromYaml -}}
{{- with .root.Values -}}
checksum/dapr: {{ include "todo.dapr.checksum" $ }}
dapr.io/enabled: "true"
dapr.io/app-id: {{ $service.id }}
dapr.io/app-port: {{ $service.port | quote }}
dapr.io/app-protocol: http
dapr.io/config: {{ include "todo.name" $ }}
{{- /* daprd reads the key `token` of this Secret: it sends it to the app, and requires it from the app. */}}
dapr.io/app-token-secret: {{ .secrets.name }}
dapr.io/api-token-secret: {{ .secrets.name }}
dapr.io/log-as-json: "true"
dapr.io/log-level: {{ .dapr.logLevel }}
dapr.io/enable-app-health-check: "true"
dapr.io/app-health-check-path: /healthz
dapr.io/app-health-probe-interval: "3"
dapr.io/app-health-probe-timeout: "1000"
dapr.io/app-health-threshold: "3"
dapr.io/graceful-shutdown-seconds: {{ .dapr.gracefulShutdownSeconds | quote }}
dapr.io/block-shutdown-duration: {{ printf "%ds" (int (include "todo.shutdown" $ | fromYaml).sidecarDelaySeconds) | quote }}
dapr.io/sidecar-readiness-probe-delay-seconds: "1"
dapr.io/sidecar-readiness-probe-period-seconds: "2"
dapr.io/sidecar-readiness-probe-threshold: "9"
dapr.io/disable-builtin-k8s-secret-store: "true"
dapr.io/sidecar-seccomp-profile-type: RuntimeDefault
dapr.io/sidecar-cpu-request: {{ .dapr.sidecarResources.requests.cpu | quote }}
dapr.io/sidecar-memory-request: {{ .dapr.sidecarResources.requests.memory | quote }}
dapr.io/sidecar-cpu-limit: {{ .dapr.sidecarResources.limits.cpu | quote }}
dapr.io/sidecar-memory-limit: {{ .dapr.sidecarResources.limits.memory | quote }}
{{- end }}
{{- end }}

{{/* A checksum of the Dapr resources that the service's sidecar reads, without labels, which have the version. */}}
{{- define "todo.dapr.checksum" -}}
{{- $specs := list (include "todo.dapr.configuration.spec" .) (include "todo.dapr.resiliency.spec" .root) -}}
{{- with (include "todo.service" . | fromYaml).pubsub -}}
{{- $specs = append $specs (include (printf "todo.dapr.%s.spec" .) $.root) -}}
{{- end -}}
{{- if and (include "todo.service" . | fromYaml).state .root.Values.stateStore.enabled -}}
{{- $specs = append $specs (include "todo.dapr.statestore.spec" .root) -}}
{{- end -}}
{{- join "\n" $specs | sha256sum }}
{{- end }}

{{/* One of the release's components. Takes (dict "root" $ "name" NAME "scopes" LIST). */}}
{{- define "todo.dapr.component" -}}
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: {{ .name }}
  labels:
    {{- include "todo.releaseLabels" .root | nindent 4 }}
spec:
  {{- include (printf "todo.dapr.%s.spec" .name) .root | nindent 2 }}
auth:
  secretStore: kubernetes
{{- /* At the top level: under spec Dapr ignores scopes and gives the broker's password to every app. */}}
scopes:
  {{- toYaml .scopes | nindent 2 }}
{{- end }}

{{/*
The shared component: one consumer group per environment and app, so each event reaches one replica of each app. The
namespace is written out, because Dapr's own namespace template would also prefix every topic.
*/}}
{{- define "todo.dapr.pubsub.spec" -}}
{{- if eq .Values.pubsub.kind "kafka" -}}
{{ include "todo.dapr.kafka" . }}
  - {name: consumerGroup, value: "{{ .Release.Namespace }}-{appID}"}
  {{- /* A new group starts at the oldest event; "newest" would lose the events before the first start. */}}
  - {name: initialOffset, value: oldest}
{{- else -}}
{{ include "todo.dapr.redis" . }}
  - {name: redeliverInterval, value: 5s}
{{- end }}
{{- end }}

{{/*
The broadcast component: a group per pod, so every replica of the gateway gets every event. It starts at the newest
event, because a client resynchronises when it connects to a new pod. Each pod leaves a group behind, which the broker
expires.
*/}}
{{- define "todo.dapr.pubsub-broadcast.spec" -}}
{{- if eq .Values.pubsub.kind "kafka" -}}
{{ include "todo.dapr.kafka" . }}
  - {name: consumerGroup, value: "{{ .Release.Namespace }}-{appID}-{podName}"}
  - {name: initialOffset, value: newest}
{{- else -}}
{{ include "todo.dapr.redis" . }}
  - {name: consumerID, value: "{podName}"}
{{- end }}
{{- end }}

{{/*
Kafka with SASL/SCRAM over TLS (Redpanda Cloud). saslMechanism must be exactly SHA-256 or SHA-512: Dapr silently treats
every other value, also "SCRAM-SHA-256", as PLAIN.
*/}}
{{- define "todo.dapr.kafka" -}}
type: pubsub.kafka
version: v1
metadata:
  - {name: brokers, secretKeyRef: {name: {{ .Values.secrets.name }}, key: REDPANDA_BROKERS}}
  - {name: authType, value: password}
  - {name: saslUsername, secretKeyRef: {name: {{ .Values.secrets.name }}, key: REDPANDA_USERNAME}}
  - {name: saslPassword, secretKeyRef: {name: {{ .Values.secrets.name }}, key: REDPANDA_PASSWORD}}
  - {name: saslMechanism, secretKeyRef: {name: {{ .Values.secrets.name }}, key: REDPANDA_SASL_MECHANISM}}
  {{- if .Values.pubsub.kafka.caCertFromSecret }}
  - {name: caCert, secretKeyRef: {name: {{ .Values.secrets.name }}, key: REDPANDA_CA_CERT}}
  {{- end }}
  - {name: disableTls, value: "false"}
  - {name: maxMessageBytes, value: "1048576"}
{{- end }}

{{/*
The state store: what may be lost, because its Redis keeps nothing on disk. Keys begin with the app id (Dapr's default),
so that no app reads another's.
*/}}
{{- define "todo.dapr.statestore.spec" -}}
type: state.redis
version: v1
metadata:
  - {name: redisHost, value: "{{ include "todo.redis.name" . }}:6379"}
  - {name: redisPassword, value: ""}
{{- end }}

{{- define "todo.dapr.redis" -}}
type: pubsub.redis
version: v1
metadata:
  - {name: redisHost, value: "{{ include "todo.redis.name" . }}:6379"}
  - {name: redisPassword, value: ""}
  {{- /* One worker keeps the order of events, as Kafka does by key; Dapr's default of ten would not. */}}
  - {name: concurrency, value: "1"}
  - {name: maxLenApprox, value: "10000"}
{{- end }}

{{/* The Configuration of a service's sidecar. Takes a scope. */}}
{{- define "todo.dapr.configuration" -}}
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: {{ include "todo.name" . }}
  labels:
    {{- include "todo.labels" . | nindent 4 }}
spec:
  {{- include "todo.dapr.configuration.spec" . | nindent 2 }}
{{- end }}

{{/*
mTLS proves who calls. The access list names the operations that each caller may use, and refuses everything else, from
every caller. It governs invocation only: events are protected by the token of the sidecar. Takes a scope.
*/}}
{{- define "todo.dapr.configuration.spec" -}}
{{- $root := .root -}}
{{- $key := .key -}}
tracing:
  samplingRate: {{ $root.Values.dapr.tracing.samplingRate | quote }}
metric:
  enabled: true
{{- if $root.Values.dapr.mtls.enabled }}
accessControl:
  defaultAction: deny
  trustDomain: public
  {{- $policies := list }}
  {{- range $caller, $its := include "todo.connections" . | fromYaml }}
  {{- with get ($its.invokes | default dict) $key }}
  {{- $id := (include "todo.service" (dict "key" $caller) | fromYaml).id }}
  {{- $policies = append $policies (dict "appId" $id "namespace" $root.Release.Namespace "trustDomain" "public" "defaultAction" "deny" "operations" .) }}
  {{- end }}
  {{- end }}
  {{- with $policies }}
  policies:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}

{{/*
Retries. Delivery backs off to 15 s and gives up after about eight minutes, when the event becomes a dead letter. That is
long enough for a database's failover, and short enough that one bad event does not block its partition for hours. A
broadcast event only tells clients to refresh, so they can miss it.
*/}}
{{- define "todo.dapr.resiliency.spec" -}}
policies:
  retries:
    delivery: {policy: exponential, maxInterval: 15s, maxRetries: 40}
    broadcast: {policy: exponential, maxInterval: 2s, maxRetries: 5}
    publish: {policy: exponential, maxInterval: 2s, maxRetries: 3}
targets:
  components:
    pubsub:
      inbound: {retry: delivery}
      outbound: {retry: publish}
    pubsub-broadcast:
      inbound: {retry: broadcast}
{{- end }}
