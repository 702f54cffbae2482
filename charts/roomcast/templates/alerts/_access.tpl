{{/* Do those get in who should? Argument: as that of roomcast.alerts.connections */}}
{{- define "roomcast.alerts.access" -}}
- alert: RoomcastHooksFailing
  severity: critical
  for: 2m
  summary: The backend that is asked by hooks does not answer
  description: '{{`{{ $value | humanizePercentage }} of the questions about {{ $labels.hook }} get no answer that can be used.`}}'
  expr: |-
    sum by (namespace, hook) (rate(roomcast_gateway_hook_requests_total{ {{- .gateway }}, result=~"timeout|failed|invalid|busy|rested"}[5m]))
    / sum by (namespace, hook) (rate(roomcast_gateway_hook_requests_total{ {{- .gateway -}} }[5m]))
    > {{ divf .thresholds.hooksFailingPercent 100 }}
- alert: RoomcastKeySetUnreadable
  severity: warning
  for: 5m
  summary: The keys of tokens can not be read
  description: '{{`{{ $labels.pod }} tried {{ $value | humanize }} times in five minutes to read the key set of tokens, and could not.`}}'
  expr: |-
    sum by (namespace, pod) (increase(roomcast_gateway_jwks_reads_total{ {{- .gateway }}, result="failed"}[5m])) > 1
    and
    sum by (namespace, pod) (increase(roomcast_gateway_jwks_reads_total{ {{- .gateway }}, result="read"}[5m])) == 0
- alert: RoomcastSecretUnreadable
  severity: warning
  for: 0s
  summary: A new secret is not in force
  description: '{{`{{ $labels.pod }} can not use what its file of {{ $labels.secret }} says since it changed, and goes on with what it had.`}}'
  expr: |-
    sum by (namespace, pod, secret) (
      increase(roomcast_gateway_secret_rereads_total{ {{- .gateway }}, result="failed"}[1h])
      or increase(roomcast_broker_secret_rereads_total{ {{- .broker }}, result="failed"}[1h])
      or increase(roomcast_presence_secret_rereads_total{ {{- .presence }}, result="failed"}[1h])
    ) > 0
{{- with int64 .root.Values.limits.connectRatePerGateway }}
- alert: RoomcastHandshakesWaiting
  severity: warning
  for: 2m
  summary: New connections wait for their turn
  description: '{{`{{ $value | humanize }} new connections wait at {{ $labels.pod }}.`}}'
  expr: |-
    max by (namespace, pod) (roomcast_gateway_waiting_handshakes{ {{- $.gateway -}} })
    > {{ mulf $.thresholds.handshakeWaitSeconds . }}
{{- end }}
- alert: RoomcastRefusingConnections
  severity: warning
  for: 5m
  summary: Connections are refused because of a limit
  description: '{{`{{ $value | humanize }} connections a second are refused: {{ $labels.reason }}.`}}'
  expr: |-
    sum by (namespace, reason) (rate(roomcast_gateway_refused_total{ {{- .gateway }}, reason=~"full|handshakes|address_connections|address_handshakes|origin"}[5m]))
    > {{ .thresholds.refusedPerSecond }}
{{- end -}}
