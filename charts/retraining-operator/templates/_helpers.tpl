{{/* The names of the chart's objects. */}}
{{- define "retraining.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "retraining.jobAccount" -}}{{ include "retraining.name" . }}-job{{- end }}

{{/* The ConfigMap of the handled offsets. */}}
{{- define "retraining.handledOffsets" -}}{{ include "retraining.name" . }}-offsets{{- end }}

{{/* Policies belong to the whole cluster. A namespace has no dots, so these names are unique. */}}
{{- define "retraining.requestPolicy" -}}{{ include "retraining.name" . }}.{{ .Release.Namespace }}.requests{{- end }}
{{- define "retraining.approvalPolicy" -}}{{ include "retraining.name" . }}.{{ .Release.Namespace }}.approvals{{- end }}
{{- define "retraining.requesterPolicy" -}}{{ include "retraining.name" . }}.{{ .Release.Namespace }}.requesters{{- end }}

{{/* What a policy applies to: the namespace of the release. */}}
{{- define "retraining.ownNamespace" -}}
namespaceSelector:
  matchLabels:
    kubernetes.io/metadata.name: {{ .Release.Namespace }}
{{- end }}

{{/* The rules of the Roles for people. */}}
{{- define "retraining.rules.viewer" -}}
- apiGroups: [retraining.dev]
  resources: [retrainrequests, retrainapprovals]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [list]  # `kubectl describe` shows them
{{- end }}

{{- define "retraining.rules.requester" -}}
{{ include "retraining.rules.viewer" . }}
- apiGroups: [retraining.dev]
  resources: [retrainrequests]
  verbs: [create, patch]  # patch sets spec.suspend
{{- end }}

{{- define "retraining.rules.approver" -}}
{{ include "retraining.rules.viewer" . }}
- apiGroups: [retraining.dev]
  resources: [retrainapprovals]
  verbs: [patch]  # only the operator creates them
{{- end }}

{{- define "retraining.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "retraining.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: operator
{{- end }}

{{/* The reference of an image: registry, repository, tag and digest. The repository may contain the last two. */}}
{{- define "retraining.image" -}}
{{- $tag := include "retraining.tag" . -}}
{{- $digest := .image.digest | default "" -}}
{{- $repository := .image.repository -}}
{{- with .image.registry }}{{ $repository = printf "%s/%s" (trimSuffix "/" .) $repository }}{{ end -}}
{{- if and $digest (not (regexMatch "^[a-z0-9+._-]+:[0-9a-fA-F]{32,}$" $digest)) -}}
{{- fail (printf "%s.digest must look like sha256:0123..., with the whole digest" .name) -}}
{{- end -}}
{{- if or (contains "@" $repository) (contains ":" (splitList "/" $repository | last)) -}}
{{- if or $tag $digest -}}
{{- fail (printf "%s.repository has a tag or a digest already, so leave %s.tag and %s.digest empty" .name .name .name) -}}
{{- end -}}
{{ $repository }}
{{- else if $digest -}}
{{ $repository }}{{ with $tag }}:{{ . }}{{ end }}@{{ $digest }}
{{- else -}}
{{ $repository }}:{{ $tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* A tag as it was written. In a file, YAML turns 20240115, 0x1f or 1.10 into a number before Helm reads it. */}}
{{- define "retraining.tag" -}}
{{- $tag := .image.tag -}}
{{- if or (kindIs "int64" $tag) (kindIs "int" $tag) -}}
{{- $tag = printf "%d" $tag -}}{{/* from --set, which keeps the digits */}}
{{- else if kindIs "invalid" $tag -}}
{{- $tag = "" -}}
{{- else if not (kindIs "string" $tag) -}}
{{- fail (printf "%s.tag must be in quotes, such as tag: \"20240115\", because YAML would read it as a number or a boolean" .name) -}}
{{- end -}}
{{- if and $tag (not (regexMatch "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$" $tag)) -}}
{{- fail (printf "%s.tag is not a valid tag: it may have letters, digits, dots, dashes and underscores" .name) -}}
{{- end -}}
{{ $tag }}
{{- end }}

{{/* A value that Kubernetes requires as text: booleans and whole numbers as they are written. */}}
{{- define "retraining.text" -}}
{{- $value := .value -}}
{{- if or (kindIs "string" $value) (kindIs "bool" $value) -}}{{ $value }}
{{- else if or (kindIs "int64" $value) (kindIs "int" $value) -}}{{ printf "%d" $value }}
{{- else if kindIs "invalid" $value -}}
{{- else if and (kindIs "float64" $value) (eq $value (floor $value)) (lt $value 9007199254740992.0) (gt $value -9007199254740992.0) -}}{{ printf "%.0f" $value }}
{{- else -}}{{ fail (printf "%s must be in quotes, because YAML does not read it as text" .path) }}
{{- end -}}
{{- end }}

{{/* A map of such texts, as YAML. */}}
{{- define "retraining.texts" -}}
{{- $path := .path -}}
{{- $texts := dict -}}
{{- range $key, $value := .values -}}
{{- $_ := set $texts $key (include "retraining.text" (dict "value" $value "path" (printf "%s.%s" $path $key))) -}}
{{- end -}}
{{- toYaml $texts -}}
{{- end }}

{{/* Labels or annotations as YAML: the chart's own, then those from the values. */}}
{{- define "retraining.added" -}}
{{- $added := include "retraining.texts" (dict "values" .values "path" .path) | fromYaml -}}
{{- toYaml (merge (fromYaml .own) $added) -}}
{{- end }}

{{/* A list of variables or tolerations, whose `value` is such a text, as YAML. */}}
{{- define "retraining.valued" -}}
{{- $path := .path -}}
{{- $entries := list -}}
{{- range $entry := .values -}}
{{- $entry = deepCopy $entry -}}
{{- if hasKey $entry "value" -}}
{{- $_ := set $entry "value" (include "retraining.text" (dict "value" $entry.value "path" (printf "%s: the value of %s" $path ($entry.name | default $entry.key)))) -}}
{{- end -}}
{{- $entries = append $entries $entry -}}
{{- end -}}
{{- toYaml $entries -}}
{{- end }}

{{/* A container's resources; quantities may be numbers, as in every manifest. */}}
{{- define "retraining.resources" -}}
{{- $resources := dict -}}
{{- range $kind, $quantities := . -}}
{{- if kindIs "map" $quantities -}}
{{- $texts := dict -}}
{{- range $key, $value := $quantities -}}
{{- if and (kindIs "float64" $value) (eq $value (floor $value)) -}}{{- $value = printf "%.0f" $value -}}{{- end -}}
{{- if not (kindIs "invalid" $value) -}}{{- $_ := set $texts $key (toString $value) -}}{{- end -}}
{{- end -}}
{{- $_ := set $resources $kind $texts -}}
{{- else if not (kindIs "invalid" $quantities) -}}
{{- $_ := set $resources $kind $quantities -}}
{{- end -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end }}

{{/* imagePullSecrets, also if only their names are given. */}}
{{- define "retraining.pullSecrets" -}}
{{- $secrets := list -}}
{{- range .Values.imagePullSecrets -}}
{{- $secrets = append $secrets (kindIs "string" . | ternary (dict "name" .) .) -}}
{{- end -}}
{{- toJson $secrets -}}
{{- end }}

{{/* The Secret that has a URL: the user's or the chart's. */}}
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

{{/* The Secret that has the URL for the migration: its own, or that of the database. */}}
{{- define "retraining.migrationSecret" -}}
{{- if .Values.migration.existingSecret -}}
name: {{ .Values.migration.existingSecret }}
key: {{ .Values.migration.existingSecretKey }}
{{- else -}}
{{ include "retraining.secret" (dict "root" . "store" "database") }}
{{- end -}}
{{- end }}

{{/* The operator's configuration file, in the order of values.yaml. */}}
{{- define "retraining.config" -}}
handledOffsetsName: {{ include "retraining.handledOffsets" . }}
leaderElection: {{- toYaml .Values.leaderElection | nindent 2 }}
kafka: {{- toYaml .Values.kafka | nindent 2 }}
redis: {{- include "retraining.secret" (dict "root" . "store" "redis") | nindent 2 }}
database: {{- include "retraining.secret" (dict "root" . "store" "database") | nindent 2 }}
{{- with .Values.signing }}{{ if .existingSecret }}
signing: {name: {{ .existingSecret }}, key: {{ .existingSecretKey }}}
{{- if .previousSecretKey }}
previousSigning: {name: {{ .existingSecret }}, key: {{ .previousSecretKey }}}
{{- end }}
{{- end }}{{ end }}
triggers: {{- toYaml .Values.triggers | nindent 2 }}
requests: {{- toYaml (omit .Values.requests "policy") | nindent 2 }}
approvals: {{- toYaml (omit .Values.approvals "policy") | nindent 2 }}
retention: {{- toYaml .Values.retention | nindent 2 }}
job:
  image: {{ include "retraining.image" (dict "root" . "image" .Values.jobImage "name" "jobImage") }}
  imagePullPolicy: {{ .Values.jobImage.pullPolicy }}
  imagePullSecrets: {{ include "retraining.pullSecrets" . }}
  serviceAccountName: {{ include "retraining.jobAccount" . }}
  resources: {{- include "retraining.resources" .Values.job.resources | nindent 4 }}
  labels: {{- include "retraining.texts" (dict "values" .Values.job.labels "path" "job.labels") | nindent 4 }}
  annotations: {{- include "retraining.texts" (dict "values" .Values.job.annotations "path" "job.annotations") | nindent 4 }}
  nodeSelector: {{- include "retraining.texts" (dict "values" .Values.job.nodeSelector "path" "job.nodeSelector") | nindent 4 }}
  tolerations: {{- include "retraining.valued" (dict "values" .Values.job.tolerations "path" "job.tolerations") | nindent 4 }}
  env: {{- include "retraining.valued" (dict "values" .Values.job.env "path" "job.env") | nindent 4 }}
  {{- toYaml (omit .Values.job "resources" "labels" "annotations" "nodeSelector" "tolerations" "env") | nindent 2 }}
trainer: {{- toYaml .Values.trainer | nindent 2 }}
logFormat: {{ .Values.logFormat }}
logLevel: {{ .Values.logLevel }}
{{- end }}

{{/* Both satisfy the Pod Security Standard "restricted". The values may add to them or override them. */}}
{{- define "retraining.containerSecurity" -}}
{{- $default := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) -}}
{{- toYaml (merge (deepCopy (. | default dict)) $default) -}}
{{- end }}

{{- define "retraining.podSecurity" -}}
{{- $default := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- toYaml (merge (deepCopy (. | default dict)) $default) -}}
{{- end }}

{{/* A rule of a NetworkPolicy's egress: the ports of a service, and optionally its peers. */}}
{{- define "retraining.egress" -}}
- ports:
  {{- range $port := .target.ports }}
  {{- range $protocol := $.protocols | default (list "TCP") }}
    - {port: {{ $port }}, protocol: {{ $protocol }}}
  {{- end }}
  {{- end }}
  {{- with .target.peers }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* Placement and security context of a pod, from the section `job`, or from the root for the operator. */}}
{{- define "retraining.placement" -}}
{{- $path := .path -}}
{{- with .section.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .section.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .section.nodeSelector }}
nodeSelector: {{- include "retraining.texts" (dict "values" . "path" (printf "%snodeSelector" $path)) | nindent 2 }}
{{- end }}
{{- with .section.tolerations }}
tolerations: {{- include "retraining.valued" (dict "values" . "path" (printf "%stolerations" $path)) | nindent 2 }}
{{- end }}
{{- with .section.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The specification of the Job that migrates the database: the trainer's pod, with another command. */}}
{{- define "retraining.migration" -}}
backoffLimit: 6
activeDeadlineSeconds: {{ int .Values.migration.deadlineSeconds }}
ttlSecondsAfterFinished: {{ int .Values.migration.ttlSeconds }}
template:
  metadata:
    {{- $own := printf "%s\napp.kubernetes.io/component: migrate" (include "retraining.labels" .) }}
    labels: {{- include "retraining.added" (dict "own" $own "values" .Values.job.labels "path" "job.labels") | nindent 6 }}
    {{- with .Values.job.annotations }}
    annotations: {{- include "retraining.texts" (dict "values" . "path" "job.annotations") | nindent 6 }}
    {{- end }}
  spec:
    restartPolicy: Never
    serviceAccountName: {{ include "retraining.jobAccount" . }}
    automountServiceAccountToken: {{ .Values.job.automountServiceAccountToken }}
    enableServiceLinks: false
    {{- with .Values.imagePullSecrets }}
    imagePullSecrets: {{ include "retraining.pullSecrets" $ }}
    {{- end }}
    securityContext: {{- include "retraining.podSecurity" .Values.job.podSecurityContext | nindent 6 }}
    {{- with .Values.job.topologySpreadConstraints }}
    topologySpreadConstraints: {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with include "retraining.placement" (dict "section" .Values.job "path" "job.") | trim }}
    {{- . | nindent 4 }}
    {{- end }}
    containers:
      - name: migrate
        image: {{ include "retraining.image" (dict "root" . "image" .Values.jobImage "name" "jobImage") }}
        imagePullPolicy: {{ .Values.jobImage.pullPolicy }}
        args: [migrate]
        env:
          {{- with .Values.job.env }}{{ include "retraining.valued" (dict "values" . "path" "job.env") | nindent 10 }}{{ end }}
          - name: RETRAIN_EVENTS_TABLE
            value: {{ .Values.trainer.eventsTable | quote }}
          - name: DATABASE_URL
            valueFrom:
              secretKeyRef: {{- include "retraining.migrationSecret" . | nindent 16 }}
        {{- with .Values.job.envFrom }}
        envFrom: {{- toYaml . | nindent 10 }}
        {{- end }}
        resources: {{- include "retraining.resources" .Values.migration.resources | nindent 10 }}
        terminationMessagePolicy: FallbackToLogsOnError
        securityContext: {{- include "retraining.containerSecurity" .Values.job.securityContext | nindent 10 }}
        {{- with .Values.job.volumeMounts }}
        volumeMounts: {{- toYaml . | nindent 10 }}
        {{- end }}
    {{- with .Values.job.volumes }}
    volumes: {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
