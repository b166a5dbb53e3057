{{/*
The bodies of a service's Deployment, Service, ServiceAccount and PodDisruptionBudget, and the settings that other pods
(migrations, Redis) share: security contexts, pull settings, placement. Each takes a scope unless noted.
*/}}

{{- define "todo.deployment" -}}
{{- $values := index .root.Values .key -}}
{{- $service := include "todo.service" . | fromYaml -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "todo.name" . }}
  labels:
    {{- include "todo.labels" . | nindent 4 }}
spec:
  {{- /* With an autoscaler the count is its own; rendering it too would reset it in each release. */}}
  {{- if not .root.Values.hpa.enabled }}
  replicas: {{ $values.replicaCount }}
  {{- end }}
  revisionHistoryLimit: 5
  progressDeadlineSeconds: {{ .root.Values.rollout.progressDeadlineSeconds }}
  minReadySeconds: {{ .root.Values.rollout.minReadySeconds }}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  selector:
    matchLabels:
      {{- include "todo.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "todo.podLabels" . | nindent 8 }}
      {{- if $service.sidecar }}
      annotations:
        {{- include "todo.dapr.annotations" . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ include "todo.name" . }}
      terminationGracePeriodSeconds: {{ (include "todo.shutdown" . | fromYaml).graceSeconds }}
      {{- include "todo.podDefaults" .root | nindent 6 }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "todo.selectorLabels" . | nindent 14 }}
          matchLabelKeys: [pod-template-hash]
      containers:
        - name: {{ $service.id }}
          image: {{ include "todo.image" . }}
          imagePullPolicy: {{ .root.Values.global.imagePullPolicy }}
          ports:
            - name: http
              containerPort: {{ $service.port }}
          env:
            {{- include (printf "todo.environment.%s" .key) . | nindent 12 }}
          {{- include "todo.probes" . | nindent 10 }}
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          {{- include "todo.containerDefaults" . | nindent 10 }}
      volumes:
        {{- include "todo.volumes" . | nindent 8 }}
{{- end }}

{{/*
The start may take two minutes on a busy node. Afterwards /healthz decides about restarts and /readyz about routing.
*/}}
{{- define "todo.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 120
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 3
readinessProbe:
  {{- (include "todo.shutdown" . | fromYaml).readiness | toYaml | nindent 2 }}
{{- end }}

{{/* Settings of every pod of the release. Takes the root context. */}}
{{- define "todo.podDefaults" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.global.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{/*
Settings of every container of the release: only /tmp is writable. The user is set here and not on the pod, because the
injected daprd refuses to run as any user but its own.
*/}}
{{- define "todo.containerDefaults" -}}
securityContext:
  runAsUser: 10001
  runAsGroup: 10001
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  - name: tmp
    mountPath: /tmp
{{- end }}

{{- define "todo.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- end }}

{{- define "todo.networkService" -}}
{{- $service := include "todo.service" . | fromYaml -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "todo.name" . }}
  labels:
    {{- include "todo.labels" . | nindent 4 }}
spec:
  selector:
    {{- include "todo.selectorLabels" . | nindent 4 }}
  ports:
    - name: http
      port: {{ $service.port }}
      targetPort: http
{{- end }}

{{/* A separate identity for each service, without a token: the sidecar has a projected one for Dapr's sentry. */}}
{{- define "todo.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "todo.name" . }}
  labels:
    {{- include "todo.labels" . | nindent 4 }}
automountServiceAccountToken: false
{{- end }}

{{/* maxUnavailable, because with one replica minAvailable would block every node upgrade. */}}
{{- define "todo.podDisruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "todo.name" . }}
  labels:
    {{- include "todo.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "todo.selectorLabels" . | nindent 6 }}
{{- end }}
