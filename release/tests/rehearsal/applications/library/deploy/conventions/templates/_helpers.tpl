{{- define "conventions.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "conventions.image" -}}
{{- $root := index . 0 }}{{ $image := index . 1 -}}
{{ printf "%s/%s:%s" $root.Values.global.image.registry $image.repository $root.Values.global.image.tag | quote }}
{{- end }}

{{- define "conventions.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "conventions.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
{{- end }}

{{- define "conventions.database" -}}
- name: DATABASE_HOST
  value: {{ .Release.Name }}-catalogue
- name: DATABASE_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ .Values.catalogue.secret }}, key: password}}
{{- end }}
