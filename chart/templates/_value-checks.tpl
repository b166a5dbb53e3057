{{/*
Checks for contradictions between two values, which the schema cannot see. One error lists all of them.
*/}}
{{- define "todo.checkValues" -}}
{{- $errors := list -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- $errors = append $errors "ingress.host is empty although ingress.enabled is true: set the public host name" -}}
{{- end -}}
{{- if and .Values.ingress.clusterIssuer (not .Values.ingress.enabled) -}}
{{- $errors = append $errors "ingress.clusterIssuer is set although ingress.enabled is false: no certificate would be requested" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (eq .Values.ingress.kind "gateway") -}}
{{- if not .Values.ingress.gateway.className -}}
{{- $errors = append $errors "ingress.gateway.className is empty although ingress.kind is gateway: name the GatewayClass of the controller" -}}
{{- end -}}
{{- if not (include "todo.tlsSecret" .) -}}
{{- $errors = append $errors "ingress.clusterIssuer and ingress.tlsSecret are empty although ingress.kind is gateway: a Gateway has no default certificate" -}}
{{- end -}}
{{- end -}}
{{- if ge (int .Values.dapr.gracefulShutdownSeconds) (int .Values.shutdown.routingSeconds) -}}
{{- $errors = append $errors (printf "dapr.gracefulShutdownSeconds %d is not less than shutdown.routingSeconds %d: the sidecar of a terminating pod would stop before callers know that the pod is unready" (int .Values.dapr.gracefulShutdownSeconds) (int .Values.shutdown.routingSeconds)) -}}
{{- end -}}
{{- range $key := include "todo.catalogue" . | fromYaml | keys | sortAlpha -}}
{{- $service := index $.Values $key -}}
{{- if and $.Values.global.imageDigestRequired (not $service.image.digest) -}}
{{- $errors = append $errors (printf "%s.image.digest is empty although global.imageDigestRequired is true" $key) -}}
{{- end -}}
{{- if and (not $service.image.digest) (not $service.image.tag) -}}
{{- $errors = append $errors (printf "%s.image has neither a digest nor a tag" $key) -}}
{{- end -}}
{{- if gt (int $service.hpa.minReplicas) (int $service.hpa.maxReplicas) -}}
{{- $errors = append $errors (printf "%s.hpa.minReplicas %d is more than maxReplicas %d" $key (int $service.hpa.minReplicas) (int $service.hpa.maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- $budget := include "todo.databaseConnections" . | fromYaml -}}
{{- if gt (int $budget.total) (int .Values.database.maxConnections) -}}
{{- $errors = append $errors (printf "the pods may open %d connections to the database (%s, a migration each), which is more than database.maxConnections %d" (int $budget.total) $budget.parts (int .Values.database.maxConnections)) -}}
{{- end -}}
{{- if $errors -}}
{{- fail (printf "\n\nThe values contradict each other:\n- %s\n" (join "\n- " $errors)) -}}
{{- end -}}
{{- end }}

{{/*
The most connections to the database that are open at once: every replica that the autoscaler allows, one more pod of
each service during an upgrade, and one connection of each migration.
*/}}
{{- define "todo.databaseConnections" -}}
{{- $root := . -}}
{{- $total := 0 -}}
{{- $parts := list -}}
{{- range $key, $connections := .Values.database.connectionsPerPod -}}
{{- $service := index $root.Values $key -}}
{{- $pods := add1 (ternary $service.hpa.maxReplicas $service.replicaCount $root.Values.hpa.enabled | int) -}}
{{- $total = add $total (mul $pods $connections) 1 -}}
{{- $parts = append $parts (printf "%s %d x %d" $key $pods (int $connections)) -}}
{{- end -}}
total: {{ $total }}
parts: {{ join ", " $parts | quote }}
{{- end }}
