{{- define "services.claim" -}}
- metadata: {name: data}
  spec:
    accessModes: [ReadWriteOnce]
    resources: {requests: {storage: 1Gi}}
    {{- with .Values.storageClassName }}
    storageClassName: {{ . }}
    {{- end }}
{{- end -}}

{{- define "services.pod" -}}
runAsUser: {{ . }}
runAsGroup: {{ . }}
runAsNonRoot: true
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "services.container" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
{{- end -}}
