{{/* Where a pod may run. Argument: list $ own-section component */}}
{{- define "roomcast.scheduling" -}}
{{- $all := (index . 0).Values -}}
{{- $own := index . 1 -}}
{{- with default $all.nodeSelector $own.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat $all.tolerations $own.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with default $all.affinity $own.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with default $all.priorityClassName $own.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* Spreads pods over nodes and zones, softly: where there is one node they still run. Argument: list $ component */}}
{{- define "roomcast.topologySpread" -}}
{{- with (index (index . 0).Values (index . 1)).topologySpreadConstraints }}
{{- toYaml . }}
{{- else }}
{{- $labels := include "roomcast.selectorLabels" . }}
{{- range $i, $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- topologyKey: {{ $key }}
  maxSkew: 1
  whenUnsatisfiable: ScheduleAnyway
  matchLabelKeys: [pod-template-hash]
  labelSelector:
    matchLabels:
      {{- $labels | nindent 6 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Annotations by which a Prometheus without an operator finds a pod. */}}
{{- define "roomcast.scrapeAnnotations" -}}
{{- if and .Values.metrics.scrapeAnnotations (not .Values.metrics.serviceMonitor.enabled) -}}
prometheus.io/scrape: "true"
prometheus.io/port: "9464"
prometheus.io/path: /metrics
{{- end -}}
{{- end -}}

{{/* The three probes. They ask the metrics port, which outlives everything else of the process. */}}
{{- define "roomcast.probes" -}}
startupProbe:
  httpGet: { path: /livez, port: metrics }
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 60
readinessProbe:
  httpGet: { path: /readyz, port: metrics }
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 3
livenessProbe:
  httpGet: { path: /livez, port: metrics }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
{{- end -}}

{{/*
The number that a Deployment has, as long as it is still this release's: a field that its owner by server-side apply leaves out
falls back to Kubernetes' default of one pod. As soon as an autoscaler or `kubectl scale` sets another number, that owns it, and
here is nothing. Nothing also without server-side apply (Helm 3), which would take the field back later. Argument: list $ component
*/}}
{{- define "roomcast.handedOverReplicas" -}}
{{- $root := index . 0 -}}
{{- $name := printf "%s-%s" (include "roomcast.fullname" $root) (index . 1) -}}
{{- with lookup "apps/v1" "Deployment" $root.Release.Namespace $name -}}
{{- $replicas := .spec.replicas -}}
{{- range .metadata.managedFields -}}
{{- if and (eq .manager "helm") (eq .operation "Apply") (hasKey (dig "f:spec" dict .fieldsV1) "f:replicas") }}{{ $replicas }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The Deployment of a component. Argument: list $ component */}}
{{- define "roomcast.deployment" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $own := index $root.Values $component -}}
{{- $isScaled := and (eq $component "gateway") (ne $root.Values.autoscaling.type "none") -}}
{{- $hasMetricsApi := and (eq $component "presence") (include "roomcast.hasMetricsApi" $root) -}}
{{- $volumes := list (dict "name" "secrets" "projected" (dict "sources" (include "roomcast.secretSources" . | fromYamlArray))) -}}
{{- $mounts := list (dict "name" "secrets" "mountPath" (include "roomcast.secretsDirectory" $root) "readOnly" true) -}}
{{- if $hasMetricsApi -}}
{{- $volumes = append $volumes (dict "name" "metrics-api" "secret" (dict "secretName" (include "roomcast.metricsApiSecret" $root))) -}}
{{- $mounts = append $mounts (dict "name" "metrics-api" "mountPath" (include "roomcast.metricsApiDirectory" $root) "readOnly" true) -}}
{{- end -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "roomcast.fullname" $root }}-{{ $component }}
  labels:
    {{- include "roomcast.labels" . | nindent 4 }}
spec:
  {{- if not (or $isScaled (kindIs "invalid" $own.replicas)) }}
  replicas: {{ $own.replicas }}
  {{- else }}
  {{- with include "roomcast.handedOverReplicas" . }}
  replicas: {{ . }}
  {{- end }}
  {{- end }}
  revisionHistoryLimit: 3
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: {{ $own.strategy.maxSurge }}
      maxUnavailable: {{ $own.strategy.maxUnavailable }}
  selector:
    matchLabels:
      {{- include "roomcast.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      annotations:
        checksum/secrets: {{ include "roomcast.secretsChecksum" . }}
        {{- with include "roomcast.scrapeAnnotations" $root }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- with mergeOverwrite (dict) $root.Values.podAnnotations $own.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      labels:
        {{- mergeOverwrite (dict "app.kubernetes.io/part-of" "roomcast") $root.Values.podLabels $own.podLabels (include "roomcast.selectorLabels" . | fromYaml) | toYaml | nindent 8 }}
    spec:
      serviceAccountName: {{ include "roomcast.serviceAccountName" . }}
      automountServiceAccountToken: {{ and (eq $component "presence") $own.kubernetes.enabled }}
      enableServiceLinks: false
      {{- with include "roomcast.imagePullSecrets" $root }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- with $root.Values.podSecurityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      terminationGracePeriodSeconds: {{ include "roomcast.graceSeconds" . }}
      containers:
        - name: {{ $component }}
          image: {{ include "roomcast.image" (list $root $root.Values.image $root.Chart.AppVersion) }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          command: [node, --enable-source-maps{{ if eq $component "gateway" }}, --max-semi-space-size=4{{ end }}, services/{{ $component }}/dist/main.js]
          ports:
            - { name: http, containerPort: {{ include "roomcast.port" $component }} }
            - { name: metrics, containerPort: 9464 }
            {{- if $hasMetricsApi }}
            - { name: metrics-api, containerPort: {{ include "roomcast.metricsApiPort" $root }} }
            {{- end }}
          env:
            {{- include "roomcast.env" . | nindent 12 }}
          {{- with concat $root.Values.extraEnvFrom $own.extraEnvFrom }}
          envFrom:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- if and (include "roomcast.hasSleep" $root) $own.drain.endpointPropagationSeconds }}
          lifecycle:
            preStop:
              sleep: { seconds: {{ $own.drain.endpointPropagationSeconds }} }
          {{- end }}
          {{- include "roomcast.probes" $root | nindent 10 }}
          {{- with $own.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with $root.Values.securityContext }}
          securityContext:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with concat $mounts $root.Values.extraVolumeMounts $own.extraVolumeMounts }}
          volumeMounts:
            {{- toYaml . | nindent 12 }}
          {{- end }}
      {{- with concat $volumes $root.Values.extraVolumes $own.extraVolumes }}
      volumes:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      topologySpreadConstraints:
        {{- include "roomcast.topologySpread" . | nindent 8 }}
      {{- with include "roomcast.scheduling" (list $root $own) }}
      {{- . | nindent 6 }}
      {{- end }}
{{- end -}}

{{/* The disruption budget of a component. Pods that are not ready may always be evicted. Argument: list $ component */}}
{{- define "roomcast.pdb" -}}
{{- $root := index . 0 -}}
{{- with (index $root.Values (index . 1)).pdb -}}
{{- if .enabled -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "roomcast.fullname" $root }}-{{ index $ 1 }}
  labels:
    {{- include "roomcast.labels" $ | nindent 4 }}
spec:
  {{- if ne (toString .minAvailable) "" }}
  minAvailable: {{ .minAvailable }}
  {{- else }}
  maxUnavailable: {{ .maxUnavailable }}
  {{- end }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "roomcast.selectorLabels" $ | nindent 6 }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The service account of a component. Nothing mounts its token unless a pod asks for it. Argument: list $ component */}}
{{- define "roomcast.serviceAccount" -}}
{{- $root := index . 0 -}}
{{- with (index $root.Values (index . 1)).serviceAccount -}}
{{- if .create -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "roomcast.serviceAccountName" $ }}
  labels:
    {{- include "roomcast.labels" $ | nindent 4 }}
  {{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
The headless Service of a component: its replicas by name, and where metrics are scraped. Argument: list $ component
Presence's has replicas that are not ready too: one that warms up gets ready by what gateways report to it.
*/}}
{{- define "roomcast.headlessService" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "roomcast.fullname" $root }}-{{ $component }}-headless
  labels:
    {{- include "roomcast.labels" . | nindent 4 }}
spec:
  type: ClusterIP
  clusterIP: None
  publishNotReadyAddresses: {{ eq $component "presence" }}
  selector:
    {{- include "roomcast.selectorLabels" . | nindent 4 }}
  ports:
    - { name: http, port: {{ include "roomcast.port" $component }}, targetPort: http, appProtocol: http }
    - { name: metrics, port: 9464, targetPort: metrics, appProtocol: http }
{{- end -}}

{{/* The Service of an HTTP API, for backends: ready replicas alone. Argument: list $ component */}}
{{- define "roomcast.apiService" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "roomcast.fullname" $root }}-{{ $component }}
  labels:
    {{- include "roomcast.labels" (list $root $component (index $root.Values $component).service.labels) | nindent 4 }}
  {{- with include "roomcast.allServiceAnnotations" . }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
spec:
  type: ClusterIP
  selector:
    {{- include "roomcast.selectorLabels" . | nindent 4 }}
  ports:
    - { name: http, port: {{ include "roomcast.port" $component }}, targetPort: http, appProtocol: http }
    {{- if and (eq $component "presence") (include "roomcast.hasMetricsApi" $root) }}
    - { name: metrics-api, port: 443, targetPort: metrics-api, appProtocol: https }
    {{- end }}
{{- end -}}
