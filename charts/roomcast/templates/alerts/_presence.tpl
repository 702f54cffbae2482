{{/* Is known who is where? Argument: as that of roomcast.alerts.connections */}}
{{- define "roomcast.alerts.presence" -}}
- alert: RoomcastNoPresence
  severity: critical
  for: 2m
  summary: Nobody counts
  description: No replica of presence is ready, or none is scraped.
  expr: |-
    sum by (namespace) (roomcast_ready{ {{- .presence -}} }) == 0
    or absent(roomcast_ready{ {{- .presence -}} })
- alert: RoomcastNoLeader
  severity: warning
  for: 2m
  summary: No replica of presence acts
  description: Nobody writes deletion costs, rebalances, or has the quits of lost gateways announced.
  expr: |-
    sum by (namespace) (roomcast_presence_leader{ {{- .presence -}} }) == 0
- alert: RoomcastTwoLeaders
  severity: warning
  for: 2m
  summary: More than one replica of presence acts
  description: '{{`{{ $value }} replicas of presence lead.`}}'
  expr: |-
    sum by (namespace) (roomcast_presence_leader{ {{- .presence -}} }) > 1
- alert: RoomcastGatewaysNotReporting
  severity: warning
  for: 2m
  summary: Presence does not hear every gateway
  description: '{{`{{ $value }} gateways are not heard by a replica of presence.`}}'
  expr: |-
    max by (namespace) (roomcast_presence_silent_pods{ {{- .presence -}} }) > 0
    or
    sum by (namespace) (roomcast_ready{ {{- .gateway -}} })
    - min by (namespace) (roomcast_presence_reporting_gateways{ {{- .presence -}} }) > 0
- alert: RoomcastCountsDisagree
  severity: warning
  for: 10m
  summary: Presence counts otherwise than the gateways
  description: '{{`Presence and the gateways differ by {{ $value | humanize }} connections.`}}'
  expr: |-
    abs(
      sum by (namespace) (roomcast_gateway_connections{ {{- .gateway -}} })
      - max by (namespace) (sum by (namespace, pod) (roomcast_presence_connections{ {{- .presence -}} }))
    )
    > 10 + 0.1 * sum by (namespace) (roomcast_gateway_connections{ {{- .gateway -}} })
- alert: RoomcastLeasesExpiring
  severity: warning
  for: 0s
  summary: Gateways fall silent
  description: '{{`{{ $value | humanize }} times in 15 minutes a gateway was silent for so long that presence forgot it.`}}'
  expr: |-
    max by (namespace) (increase(roomcast_presence_expired_leases_total{ {{- .presence -}} }[15m])) > 3
- alert: RoomcastKubernetesFailing
  severity: warning
  for: 10m
  summary: Presence can not use the Kubernetes API
  description: '{{`{{ $value | humanize }} requests a second for {{ $labels.use }} fail.`}}'
  expr: |-
    sum by (namespace, use) (rate(roomcast_presence_kubernetes_failures_total{ {{- .presence -}} }[5m])) > 0
{{- end -}}
