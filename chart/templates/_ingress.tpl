{{/*
Ingress objects use plain Ingress fields and annotations from the values, so that another controller needs only other
values.
*/}}

{{/*
One Ingress for the public host. Takes (dict "root" $ "name" SUFFIX "annotations" MAP "paths" LIST of [path, key]).
TLS without a Secret uses the controller's default certificate.
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
      {{- with $ingress.tlsSecret | default ($ingress.clusterIssuer | empty | ternary "" (printf "%s-tls" $ingress.host)) }}
      secretName: {{ . }}
      {{- end }}
  rules:
    - host: {{ $ingress.host }}
      http:
        paths:
          {{- range .paths }}
          {{- $scope := dict "root" $root "key" (last .) }}
          - path: {{ first . }}
            pathType: Prefix
            backend:
              service:
                name: {{ include "todo.name" $scope }}
                port:
                  name: http
          {{- end }}
{{- end }}
