{{/*
How a pod stops: every duration of it, and the readiness probe, because each depends on the others. There is no preStop
hook: SIGTERM comes at the very start of a termination, so the process itself is unready from then on and goes on
serving (docs/decisions/0017). Takes a scope, returns YAML.

- readiness: the probe after which a controller that looks at readiness stops sending, within period * failures.
- delaySeconds: for how long a terminating process still accepts requests: until it is unready for everybody, and every
  controller and load balancer has acted on it.
- sidecarDelaySeconds: when the sidecar begins to stop; it takes no more events from SIGTERM on. One that brings calls to
  its app must have ended while the app still serves, since other sidecars keep their connection to it until then; they
  find another replica after that. One that only its app calls (without pub/sub) outlives it.
- graceSeconds: when Kubernetes kills what is left. A sum, so that it is never shorter than its parts.
*/}}
{{- define "todo.shutdown" -}}
{{- $service := include "todo.service" . | fromYaml -}}
{{- $sidecarSeconds := .root.Values.dapr.gracefulShutdownSeconds -}}
{{- with .root.Values.shutdown -}}
{{- $period := 3 -}}
{{- $failures := 2 -}}
{{- $delay := add (mul $period $failures) .routingSeconds -}}
readiness:
  httpGet: {path: /readyz, port: http}
  periodSeconds: {{ $period }}
  timeoutSeconds: 3
  failureThreshold: {{ $failures }}
delaySeconds: {{ $delay }}
drainSeconds: {{ .drainSeconds }}
sidecarDelaySeconds: {{ $service.pubsub | empty | ternary (add $delay .drainSeconds) (sub $delay $sidecarSeconds) }}
graceSeconds: {{ add $delay .drainSeconds $sidecarSeconds .marginSeconds }}
{{- end }}
{{- end }}
