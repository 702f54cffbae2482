{{/*
Settings by their names in values, as environment: pingIntervalMs is PING_INTERVAL_MS. Numbers of a values file are floats
to Helm, which would write a large one as 8.64e+07. Argument: a map
*/}}
{{- define "roomcast.settings" -}}
{{- range $name, $value := . }}
- name: {{ regexReplaceAll "([A-Z])" $name "_${1}" | upper }}
  {{- if kindIs "float64" $value }}
  value: {{ int64 $value | quote }}
  {{- else }}
  value: {{ kindIs "slice" $value | ternary $value (list $value) | join "," | quote }}
  {{- end }}
{{- end -}}
{{- end -}}

{{/* Where the store is. A `$(…)` is put in by the kubelet. */}}
{{- define "roomcast.redisEnv" -}}
{{- if eq .Values.redis.mode "external" }}
- name: REDIS_URL
  valueFrom:
    secretKeyRef:
      {{- include "roomcast.redisUrlRef" . | nindent 6 }}
{{- else }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      {{- include "roomcast.redisPasswordRef" . | nindent 6 }}
- name: REDIS_URL
  value: redis://:$(REDIS_PASSWORD)@{{ include "roomcast.fullname" . }}-valkey:{{ include "roomcast.port" "valkey" }}
{{- end -}}
{{- end -}}

{{- define "roomcast.apiKeysEnv" -}}
{{- if include "roomcast.hasApiKeys" . }}
- name: API_KEYS
  valueFrom:
    secretKeyRef:
      {{- include "roomcast.apiKeysRef" . | nindent 6 }}
{{- end -}}
{{- end -}}

{{/* The headless Service of a component, which stands for every replica, as a URL. Argument: list $ component */}}
{{- define "roomcast.replicasUrl" -}}
{{- printf "http://%s-%s-headless:%s" (include "roomcast.fullname" (index . 0)) (index . 1) (include "roomcast.port" (index . 1)) -}}
{{- end -}}

{{/* What presence does besides counting. */}}
{{- define "roomcast.dutiesEnv" -}}
{{- with .Values.presence.kubernetes }}
{{- if .enabled }}
- name: POD_NAMESPACE
  valueFrom:
    fieldRef: { fieldPath: metadata.namespace }
- name: GATEWAY_SELECTOR
  value: {{ include "roomcast.gatewaySelector" $ }}
- name: LEASE_NAME
  value: {{ include "roomcast.leaseName" $ }}
- name: POD_DELETION_COST
  value: {{ .podDeletionCost | quote }}
{{- else }}
- name: PRESENCE_PEERS
  value: {{ include "roomcast.replicasUrl" (list $ "presence") }}
{{- end }}
{{- end }}
{{- with .Values.presence.rebalance }}
{{- if .enabled }}
- name: REBALANCE
  value: "true"
- name: REBALANCE_TOLERANCE_PERCENT
  value: {{ .tolerancePercent | int | quote }}
- name: REBALANCE_BATCH_PERCENT
  value: {{ .batchPercent | int | quote }}
- name: REBALANCE_INTERVAL_MS
  value: {{ mul 1000 .intervalSeconds | quote }}
{{- end }}
{{- end }}
{{- if include "roomcast.hasMetricsApi" . }}
- name: EXTERNAL_METRICS_PORT
  value: {{ include "roomcast.metricsApiPort" . | quote }}
- name: EXTERNAL_METRICS_CERT_FILE
  value: {{ include "roomcast.metricsApiDirectory" . }}/tls.crt
- name: EXTERNAL_METRICS_KEY_FILE
  value: {{ include "roomcast.metricsApiDirectory" . }}/tls.key
{{- end }}
{{- end -}}

{{/* What one caller may take. Argument: list $ component */}}
{{- define "roomcast.limitsEnv" -}}
{{- with (index . 0).Values.limits }}
{{- with .trustedProxies }}
- name: TRUSTED_PROXIES
  value: {{ kindIs "slice" . | ternary . (list .) | join "," | quote }}
{{- end }}
{{- if eq (index $ 1) "gateway" }}
- name: MAX_CONNECTIONS
  value: {{ .connectionsPerGateway | int64 | quote }}
- name: CONNECTIONS_PER_ADDRESS
  value: {{ .connectionsPerAddress | int64 | quote }}
- name: CONNECTIONS_PER_USER
  value: {{ .connectionsPerUser | int64 | quote }}
- name: CONNECT_RATE_PER_SECOND
  value: {{ .connectRatePerGateway | int64 | quote }}
- name: CONNECT_RATE_PER_ADDRESS
  value: {{ .connectRatePerAddress | int64 | quote }}
- name: JOIN_RATE_PER_ADDRESS
  value: {{ .joinRatePerAddress | int64 | quote }}
- name: ROOM_RATE_PER_SECOND
  value: {{ .messageRatePerRoom | int64 | quote }}
{{- else }}
- name: HTTP_RATE_PER_SECOND
  value: {{ .httpRatePerCaller | int64 | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The environment of a component. Argument: list $ component */}}
{{- define "roomcast.env" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $own := index $root.Values $component -}}
- name: INTERNAL_TOKEN
  valueFrom:
    secretKeyRef:
      {{- include "roomcast.internalTokenRef" $root | nindent 6 }}
- name: SHUTDOWN_TIMEOUT_MS
  # A second less than Kubernetes waits, so that a late end is told by the process itself.
  value: {{ mul 1000 (sub (add (include "roomcast.propagationSeconds" .) (include "roomcast.endSeconds" .)) 1) | quote }}
{{- if ne $component "broker" }}
- name: POD_NAME
  valueFrom:
    fieldRef: { fieldPath: metadata.name }
{{- end }}
{{- if eq $component "gateway" }}
- name: POD_IP
  valueFrom:
    fieldRef: { fieldPath: status.podIP }
- name: BROKER_URL
  value: {{ include "roomcast.replicasUrl" (list $root "broker") }}
- name: PRESENCE_URL
  value: {{ include "roomcast.replicasUrl" (list $root "presence") }}
- name: DRAIN_PROPAGATION_MS
  value: {{ mul 1000 (include "roomcast.propagationSeconds" .) | quote }}
- name: DRAIN_SPREAD_MS
  value: {{ mul 1000 $own.drain.spreadSeconds | quote }}
{{- with include "roomcast.affinityCookie" $root }}
- name: AFFINITY_COOKIE
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if ne $component "presence" }}
{{- include "roomcast.redisEnv" $root }}
{{- end }}
{{- if eq $component "broker" }}
{{- with $root.Values.redis.waitReplicas }}
- name: WAIT_REPLICAS
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if ne $component "gateway" }}
{{- include "roomcast.apiKeysEnv" $root }}
{{- end }}
{{- if eq $component "presence" }}
{{- include "roomcast.dutiesEnv" $root }}
{{- end }}
{{- include "roomcast.limitsEnv" . }}
{{- include "roomcast.settings" (mergeOverwrite (dict) $root.Values.settings $own.settings) }}
{{- with concat $root.Values.extraEnv $own.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
