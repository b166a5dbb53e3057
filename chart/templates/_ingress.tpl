{{/*
Ingress objects use plain Ingress fields and annotations from the values, so that another controller needs only other
values.
*/}}

{{/*
One Ingress for the public host, with the public paths that are streams or with those that are not. Takes
(dict "root" $ "name" SUFFIX "annotations" MAP "stream" BOOL). TLS without a Secret uses the controller's default certificate.
*/}}
{{- define "todo.ingress" -}}
{{- $root := .root -}}
{{- $ingress := $root.Values.ingress -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ printf "%s-%s" $root.Release.Name .name }}
  labels:
    {{- include "todo.releaseLabels" $root | nindent 4 }}
  {{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  ingressClassName: {{ $ingress.className }}
  tls:
    - hosts: [{{ $ingress.host }}]
      {{- with include "todo.tlsSecret" $root }}
      secretName: {{ . }}
      {{- end }}
  rules:
    - host: {{ $ingress.host }}
      http:
        paths:
          {{- $stream := .stream }}
          {{- range include "todo.publicPaths" . | fromYamlArray }}
          {{- if eq (.stream | default false) $stream }}
          - path: {{ .path }}
            pathType: Prefix
            backend:
              service:
                name: {{ include "todo.name" (dict "root" $root "key" .key) }}
                port:
                  name: http
          {{- end }}
          {{- end }}
{{- end }}

{{/* The Secret with the certificate of the host; empty for the controller's own. Takes the root context. */}}
{{- define "todo.tlsSecret" -}}
{{- with .Values.ingress -}}
{{- .tlsSecret | default (.clusterIssuer | empty | ternary "" (printf "%s-tls" .host)) }}
{{- end }}
{{- end }}
