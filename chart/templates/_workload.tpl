{{/*
The body of a service's Deployment, Service, ServiceAccount and PodDisruptionBudget, and the parts that other pods
(migrations, Redis) share: security contexts, pull settings, placement. Each takes a scope unless it says otherwise.
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
  {{- /* The autoscaler owns the count where there is one; rendering it too would reset it at each release. */}}
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
      terminationGracePeriodSeconds: {{ include "todo.gracePeriodSeconds" . }}
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
          lifecycle:
            preStop:
              sleep:
                seconds: {{ .root.Values.shutdown.preStopSeconds }}
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          {{- include "todo.containerDefaults" . | nindent 10 }}
      volumes:
        {{- include "todo.volumes" . | nindent 8 }}
{{- end }}

{{/*
Startup may take two minutes on a busy node; afterwards /healthz says whether to restart and /readyz whether to route.
*/}}
{{- define "todo.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end }}

{{/*
Seconds from the start of a pod's termination until it is killed. The app sleeps (so that load balancers forget it),
then drains; the sidecar outlives it and then closes; the margin is for a slow node. Derived, so that no one of the
parts can outgrow it.
*/}}
{{- define "todo.gracePeriodSeconds" -}}
{{- with .root.Values -}}
{{- add .shutdown.preStopSeconds .shutdown.drainSeconds .dapr.gracefulShutdownSeconds .shutdown.marginSeconds }}
{{- end }}
{{- end }}

{{/* Pod settings that every pod of the release has. Takes the root context. */}}
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
Container settings that every container of the release has: nothing but /tmp can be written. The user stands here and
not on the pod, because daprd, which is injected beside them, refuses to run as any user but its own.
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

{{/* An identity of its own per service, without a token: the sidecar brings a projected one for Dapr's sentry. */}}
{{- define "todo.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "todo.name" . }}
  labels:
    {{- include "todo.labels" . | nindent 4 }}
automountServiceAccountToken: false
{{- end }}

{{/* maxUnavailable and not minAvailable: with one replica the latter would block every node upgrade. */}}
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
