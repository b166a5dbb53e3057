{{/*
The HorizontalPodAutoscaler of a service. It measures only the app's container, because the average with an idle sidecar
would hide a busy app. It scales up fast and down slowly. Takes a scope.
*/}}
{{- define "todo.autoscaler" -}}
{{- $hpa := (index .root.Values .key).hpa -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "todo.name" . }}-hpa
  labels:
    {{- include "todo.labels" . | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "todo.name" . }}
  minReplicas: {{ $hpa.minReplicas }}
  maxReplicas: {{ $hpa.maxReplicas }}
  metrics:
    - type: ContainerResource
      containerResource:
        container: {{ (include "todo.service" . | fromYaml).id }}
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ $hpa.cpuTargetPercent }}
  behavior:
    scaleUp:
      stabilizationWindowSeconds: 60
      policies:
        - type: Pods
          value: 2
          periodSeconds: 60
    scaleDown:
      stabilizationWindowSeconds: 300
      policies:
        - type: Pods
          value: 1
          periodSeconds: 120
{{- end }}
