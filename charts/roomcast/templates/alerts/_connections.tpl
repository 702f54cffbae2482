{{/* Are people connected? Argument: dict of root, gateway, broker, presence, all, thresholds; see prometheusrule.yaml */}}
{{- define "roomcast.alerts.connections" -}}
- alert: RoomcastNoGateway
  severity: critical
  for: 1m
  summary: Nobody can connect
  description: No gateway is ready, or none is scraped.
  expr: |-
    sum by (namespace) (roomcast_ready{ {{- .gateway -}} }) == 0
    or absent(roomcast_ready{ {{- .gateway -}} })
- alert: RoomcastConnectionsLost
  severity: critical
  for: 1m
  summary: Most connections are gone
  description: '{{`{{ $value | humanizePercentage }}`}} of the connections of ten minutes ago are left.'
  expr: |-
    sum by (namespace) (roomcast_gateway_connections{ {{- .gateway -}} })
    / (sum by (namespace) (roomcast_gateway_connections{ {{- .gateway -}} } offset 10m) >= {{ int .thresholds.connectionsLostAtLeast }})
    < {{ divf (subf 100 .thresholds.connectionsLostPercent) 100 }}
- alert: RoomcastNotReady
  severity: warning
  for: 5m
  summary: A replica does not become ready
  description: '{{`{{ $labels.pod }}`}} is not ready.'
  expr: |-
    max by (namespace, pod) (roomcast_ready{ {{- .all -}} }) == 0
    unless on (namespace, pod) roomcast_gateway_draining{ {{- .gateway -}} } == 1
- alert: RoomcastConnectionsHigh
  severity: warning
  for: 10m
  summary: A gateway has more connections than it should
  description: '{{`{{ $labels.pod }} has {{ $value | humanize }} connections.`}}'
  expr: |-
    sum by (namespace, pod) (roomcast_gateway_connections{ {{- .gateway -}} }) > {{ include "roomcast.alerts.connectionsHigh" . }}
- alert: RoomcastSlowConnections
  severity: warning
  for: 5m
  summary: Connections are ended because they do not read
  description: '{{`{{ $value | humanize }} connections were ended in ten minutes because too much was unsent.`}}'
  expr: |-
    sum by (namespace) (increase(roomcast_gateway_closed_total{ {{- .gateway }}, reason="slow"}[10m])) > 10
    and
    sum by (namespace) (increase(roomcast_gateway_closed_total{ {{- .gateway }}, reason="slow"}[10m]))
    > {{ divf .thresholds.slowPercent 100 }} * sum by (namespace) (roomcast_gateway_connections{ {{- .gateway -}} })
- alert: RoomcastRecoveriesFailing
  severity: warning
  for: 5m
  summary: Clients that come back are not recovered
  description: '{{`{{ $value | humanizePercentage }} of the clients that came back could not be given what they had missed.`}}'
  expr: |-
    sum by (namespace) (rate(roomcast_gateway_recoveries_total{ {{- .gateway }}, result=~"other_log|trimmed|too_many|unavailable"}[10m]))
    / (sum by (namespace) (rate(roomcast_gateway_recoveries_total{ {{- .gateway -}} }[10m])) > 0.05)
    > {{ divf .thresholds.recoveriesFailingPercent 100 }}
- alert: RoomcastDrainStuck
  severity: warning
  for: {{ add (include "roomcast.graceSeconds" (list .root "gateway")) 60 }}s
  summary: A gateway does not end
  description: '{{`{{ $labels.pod }} was told to end, and is still there after the time that it has for it.`}}'
  expr: |-
    max by (namespace, pod) (roomcast_gateway_draining{ {{- .gateway -}} }) == 1
{{- end -}}

{{/* From how many connections on a gateway has too many. Argument: as that of roomcast.alerts.connections */}}
{{- define "roomcast.alerts.connectionsHigh" -}}
{{- $limit := int64 .root.Values.limits.connectionsPerGateway -}}
{{- with int64 .thresholds.connectionsPerGateway -}}
{{ . }}
{{- else -}}
{{- ternary (div (mul $limit 8) 10) 10000 (gt $limit 0) -}}
{{- end -}}
{{- end -}}
