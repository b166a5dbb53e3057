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
{{- if $errors -}}
{{- fail (printf "\n\nThe values contradict each other:\n- %s\n" (join "\n- " $errors)) -}}
{{- end -}}
{{- end }}
