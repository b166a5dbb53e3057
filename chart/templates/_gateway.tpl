{{/*
The Gateway API's objects for the public host, in place of the Ingress objects: the same paths, services and certificate.
They use the standard channel only. What controllers do differently is in docs/decisions/0018-the-next-ingress-controller.md.
*/}}

{{- define "todo.gateway" -}}
{{- $ingress := .Values.ingress -}}
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: {{ .Release.Name }}
  labels:
    {{- include "todo.releaseLabels" . | nindent 4 }}
  {{- with $ingress.clusterIssuer }}
  annotations:
    cert-manager.io/cluster-issuer: {{ . }}
  {{- end }}
spec:
  gatewayClassName: {{ $ingress.gateway.className }}
  listeners:
    - name: http
      protocol: HTTP
      port: {{ $ingress.gateway.httpPort }}
      hostname: {{ $ingress.host }}
    - name: https
      protocol: HTTPS
      port: {{ $ingress.gateway.httpsPort }}
      hostname: {{ $ingress.host }}
      tls:
        mode: Terminate
        certificateRefs:
          - name: {{ include "todo.tlsSecret" . }}
{{- end }}

{{/* The public paths. A stream has no time-out; Envoy would cut it after 15 s. Takes the root context. */}}
{{- define "todo.httpRoute" -}}
{{- include "todo.httpRoute.head" (list . .Release.Name "https") }}
  rules:
    {{- range include "todo.publicPaths" . | fromYamlArray }}
    {{- $scope := dict "root" $ "key" .key }}
    - matches:
        - path: {type: PathPrefix, value: {{ .path }}}
      {{- if .stream }}
      timeouts: {request: 0s, backendRequest: 0s}
      {{- end }}
      backendRefs:
        - name: {{ include "todo.name" $scope }}
          port: {{ (include "todo.service" $scope | fromYaml).port }}
    {{- end }}
{{- end }}

{{/* Everything on the plain port goes to HTTPS; the solver's route for a challenge is longer and wins. Takes the root context. */}}
{{- define "todo.httpRoute.redirect" -}}
{{- include "todo.httpRoute.head" (list . (printf "%s-redirect" .Release.Name) "http") }}
  rules:
    - filters:
        - type: RequestRedirect
          requestRedirect: {scheme: https, statusCode: 301}
{{- end }}

{{/* Takes (list root NAME LISTENER). */}}
{{- define "todo.httpRoute.head" -}}
{{- $root := index . 0 -}}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{ index . 1 }}
  labels:
    {{- include "todo.releaseLabels" $root | nindent 4 }}
spec:
  parentRefs:
    - name: {{ $root.Release.Name }}
      sectionName: {{ index . 2 }}
  hostnames: [{{ $root.Values.ingress.host }}]
{{- end }}
