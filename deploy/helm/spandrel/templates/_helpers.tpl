{{/* The name of all that has no name of Jaeger's. */}}
{{- define "spandrel.name" -}}
{{- if contains "spandrel" .Release.Name }}{{ .Release.Name | trunc 52 }}{{ else }}{{ printf "%s-spandrel" .Release.Name | trunc 52 }}{{ end }}
{{- end }}

{{/* What selects the pod. It must not change in the life of a release. */}}
{{- define "spandrel.selector" -}}
{{- if .Values.jaegerNames }}
app: jaeger
{{- end }}
app.kubernetes.io/name: spandrel
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "spandrel.labels" -}}
{{ include "spandrel.selector" . | trim }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "spandrel.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "spandrel.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "spandrel.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Whether health and metrics on 14269 are behind TLS: "true" or nothing. */}}
{{- define "spandrel.adminTLS" -}}
{{- if and .Values.tls.existingSecret (has "admin" .Values.tls.listeners) }}true{{ end }}
{{- end }}

{{/* The flags' prefix of a listener of values.tls. */}}
{{- define "spandrel.tlsFlag" -}}
{{ get (dict "zipkin" "collector.zipkin" "otlp-grpc" "collector.otlp.grpc" "otlp-http" "collector.otlp.http" "query-http" "query.http" "query-grpc" "query.grpc" "admin" "admin.http" "health" "healthcheck.http" "metrics" "metrics.http") . }}
{{- end }}
