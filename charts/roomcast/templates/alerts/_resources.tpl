{{/* Do the processes have what they need? Argument: as that of roomcast.alerts.connections */}}
{{- define "roomcast.alerts.resources" -}}
- alert: RoomcastEventLoopBlocked
  severity: warning
  for: 5m
  summary: A process does not get round to its work
  description: '{{`The event loop of {{ $labels.pod }} is late by {{ $value | humanizeDuration }}.`}}'
  expr: |-
    max by (namespace, pod) (nodejs_eventloop_delay_p99{ {{- .all -}} }) > {{ .thresholds.eventLoopSeconds }}
- alert: RoomcastGatewayBusy
  severity: warning
  for: 10m
  summary: A gateway has no CPU to spare
  description: '{{`{{ $labels.pod }} uses {{ $value | humanizePercentage }} of a CPU, and can use little more than one.`}}'
  expr: |-
    sum by (namespace, pod) (rate(process_cpu_seconds_total{ {{- .gateway -}} }[5m])) > {{ .thresholds.gatewayCpus }}
{{- with include "roomcast.alerts.memory" . }}
- alert: RoomcastMemoryHigh
  severity: warning
  for: 5m
  summary: A pod is close to its memory limit
  description: '{{`{{ $labels.pod }} uses {{ $value | humanizePercentage }} of the memory that it may have.`}}'
  expr: |-
    {{- . | nindent 4 }}
{{- end }}
{{- end -}}

{{/*
Each component's share of its limit, where it has one: as Kubernetes counts it, which is what the limit is for, or where nobody
scrapes that, as the process sees itself. Argument: as that of roomcast.alerts.connections
*/}}
{{- define "roomcast.alerts.memory" -}}
{{- $root := .root -}}
{{- $least := divf .thresholds.memoryPercent 100 -}}
{{- $shares := list -}}
{{- range $component := list "gateway" "broker" "presence" -}}
{{- with dig "limits" "memory" "" (default dict (index $root.Values $component).resources) -}}
{{- $series := include "roomcast.series" (list $root $component) -}}
{{- $used := printf "max by (namespace, pod) (container_memory_working_set_bytes{%s, container=\"%s\"})\n  or max by (namespace, pod) (process_resident_memory_bytes{%s})" $series $component $series -}}
{{- $shares = append $shares (printf "(\n  %s\n) / %s > %v" $used (include "roomcast.bytes" .) $least) -}}
{{- end -}}
{{- end -}}
{{- with dig "limits" "memory" "" (default dict $root.Values.redis.embedded.resources) -}}
{{- if eq $root.Values.redis.mode "embedded" -}}
{{- $pods := printf "namespace=\"%s\", pod=~\"%s-valkey-[0-9]+\", container=\"valkey\"" $root.Release.Namespace (include "roomcast.fullname" $root) -}}
{{- $shares = append $shares (printf "max by (namespace, pod) (container_memory_working_set_bytes{%s}) / %s > %v" $pods (include "roomcast.bytes" .) $least) -}}
{{- end -}}
{{- end -}}
{{- join "\nor\n" $shares -}}
{{- end -}}
