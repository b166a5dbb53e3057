{{/*
Mistakes that the schema cannot see because they lie between two values. All are reported at once: one run, one list.
*/}}
{{- define "todo.checkValues" -}}
{{- $mistakes := list -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- $mistakes = append $mistakes "ingress.host is empty although ingress.enabled is true: set the public host name" -}}
{{- end -}}
{{- if and .Values.ingress.clusterIssuer (not .Values.ingress.enabled) -}}
{{- $mistakes = append $mistakes "ingress.clusterIssuer is set although ingress.enabled is false: no certificate would be requested" -}}
{{- end -}}
{{- range $key := include "todo.catalogue" . | fromYaml | keys | sortAlpha -}}
{{- $service := index $.Values $key -}}
{{- if and $.Values.global.imageDigestRequired (not $service.image.digest) -}}
{{- $mistakes = append $mistakes (printf "%s.image.digest is empty although global.imageDigestRequired is true" $key) -}}
{{- end -}}
{{- if and (not $service.image.digest) (not $service.image.tag) -}}
{{- $mistakes = append $mistakes (printf "%s.image has neither a digest nor a tag" $key) -}}
{{- end -}}
{{- if gt (int $service.hpa.minReplicas) (int $service.hpa.maxReplicas) -}}
{{- $mistakes = append $mistakes (printf "%s.hpa.minReplicas %d is more than maxReplicas %d" $key (int $service.hpa.minReplicas) (int $service.hpa.maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- if $mistakes -}}
{{- fail (printf "\n\nThe values contradict each other:\n- %s\n" (join "\n- " $mistakes)) -}}
{{- end -}}
{{- end }}
