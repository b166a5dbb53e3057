{{/*
Who talks to whom. Network policies and Dapr's access lists are derived from it, and from the catalogue: a service with a
sidecar talks to Dapr's control plane, and one with a pub/sub component to the broker.
*/}}

{{/*
The connections of each service. calls: services whose port it uses itself, for the keys of tokens. invokes: services
that it calls through the sidecars, with the operations it may use. database: whether it uses PostgreSQL, as its
migration does.

An operation of Dapr that ends in "/*" covers the path before it and one segment more. Without "/*" it would cover
everything below it, and hide longer operations (pkg/config/trie.go of Dapr 1.18).
*/}}
{{- define "todo.connections" -}}
frontend: {database: true}
backend: {database: true, calls: [frontend]}
mcp:
  calls: [frontend]
  invokes:
    backend:
      - {name: "/api/todos/*", httpVerb: [GET, POST, PATCH, DELETE], action: allow}
notification: {database: true, calls: [frontend]}
sseGateway: {calls: [frontend]}
{{- end }}

{{/*
Public paths, each with the service that answers it. stream: a response that does not end, for which time-outs and
buffers of a proxy must be off. Longest prefix first, for readers; controllers sort the paths themselves.
*/}}
{{- define "todo.publicPaths" -}}
- {path: /.well-known/oauth-protected-resource, key: mcp}
- {path: /api/notifications, key: notification}
- {path: /api/auth, key: frontend}
- {path: /api, key: backend}
- {path: /mcp, key: mcp}
- {path: /sse, key: sseGateway, stream: true}
- {path: /, key: frontend}
{{- end }}
