{{/* Every name that the chart gives, in one place. */}}
{{- define "retraining.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "retraining.jobAccount" -}}{{ include "retraining.name" . }}-job{{- end }}

{{/* The ConfigMap that the operator keeps its offsets in. */}}
{{- define "retraining.ledger" -}}{{ include "retraining.name" . }}-offsets{{- end }}

{{- define "retraining.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "retraining.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "retraining.image" -}}{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}{{- end }}

{{/* The Secret that holds a URL: the user's own, or the chart's. */}}
{{- define "retraining.secret" -}}
{{- $store := index .root.Values .store -}}
{{- if $store.existingSecret -}}
name: {{ $store.existingSecret }}
key: {{ $store.existingSecretKey }}
{{- else -}}
name: {{ include "retraining.name" .root }}-{{ .store }}
key: url
{{- end -}}
{{- end }}

{{/* The operator's configuration file, in the order of values.yaml. */}}
{{- define "retraining.config" -}}
namespace: {{ .Release.Namespace }}
ledgerName: {{ include "retraining.ledger" . }}
leaderElection: {{- toYaml .Values.leaderElection | nindent 2 }}
kafka: {{- toYaml .Values.kafka | nindent 2 }}
redis: {{- include "retraining.secret" (dict "root" . "store" "redis") | nindent 2 }}
database: {{- include "retraining.secret" (dict "root" . "store" "database") | nindent 2 }}
{{- with .Values.signing }}{{ if .existingSecret }}
signing: {name: {{ .existingSecret }}, key: {{ .existingSecretKey }}}
{{- end }}{{ end }}
triggers: {{- toYaml .Values.triggers | nindent 2 }}
retention: {{- toYaml .Values.retention | nindent 2 }}
job:
  image: {{ include "retraining.image" (dict "root" . "image" .Values.jobImage) }}
  imagePullPolicy: {{ .Values.jobImage.pullPolicy }}
  imagePullSecrets: {{ toJson .Values.imagePullSecrets }}
  serviceAccountName: {{ include "retraining.jobAccount" . }}
  {{- toYaml .Values.job | nindent 2 }}
trainer: {{- toYaml .Values.trainer | nindent 2 }}
logFormat: {{ .Values.logFormat }}
logLevel: {{ .Values.logLevel }}
{{- end }}

{{- define "retraining.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "retraining.podSecurity" -}}
runAsNonRoot: true
seccompProfile: {type: RuntimeDefault}
{{- end }}
