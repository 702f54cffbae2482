{{/* Do messages flow, and is something losing them? Argument: as that of roomcast.alerts.connections */}}
{{- define "roomcast.alerts.messages" -}}
- alert: RoomcastNoBroker
  severity: critical
  for: 1m
  summary: Nobody can send
  description: No broker is ready, or none is scraped.
  expr: |-
    sum by (namespace) (roomcast_ready{ {{- .broker -}} }) == 0
    or absent(roomcast_ready{ {{- .broker -}} })
- alert: RoomcastDegraded
  severity: critical
  for: 1m
  summary: Redis is out of reach
  description: '{{`{{ $value | humanize }} gateways and brokers do not reach the room log.`}}'
  expr: |-
    sum by (namespace) (
      roomcast_gateway_degraded{ {{- .gateway -}} }
      or roomcast_broker_degraded{ {{- .broker -}} }
    ) > 0
- alert: RoomcastMessagesRefused
  severity: critical
  for: 2m
  summary: Clients are refused what should work
  description: '{{`{{ $value | humanize }} requests a second get busy or unavailable.`}}'
  expr: |-
    sum by (namespace) (rate(roomcast_gateway_request_errors_total{ {{- .gateway }}, code=~"busy|unavailable"}[5m]))
    > {{ divf .thresholds.failingPercent 100 }} * sum by (namespace) (rate(roomcast_gateway_messages_received_total{ {{- .gateway -}} }[5m]))
- alert: RoomcastMessagesLost
  severity: critical
  for: 0s
  summary: Members missed messages
  description: '{{`{{ $value | humanize }} times in ten minutes messages were no longer in the log when a gateway came to read them.`}}'
  expr: |-
    sum by (namespace) (increase(roomcast_gateway_lost_total{ {{- .gateway -}} }[10m])) > 0
- alert: RoomcastAppendsFailing
  severity: critical
  for: 2m
  summary: The room log does not take messages
  description: '{{`{{ $value | humanizePercentage }} of the appends fail.`}}'
  expr: |-
    sum by (namespace) (rate(roomcast_broker_appends_total{ {{- .broker }}, result="failed"}[5m]))
    / sum by (namespace) (rate(roomcast_broker_appends_total{ {{- .broker -}} }[5m]))
    > {{ divf .thresholds.failingPercent 100 }}
- alert: RoomcastAppendsSlow
  severity: warning
  for: 5m
  summary: The room log is slow
  description: '{{`One append of a hundred takes {{ $value | humanizeDuration }} or longer.`}}'
  expr: |-
    histogram_quantile(0.99, sum by (namespace, le) (rate(roomcast_broker_append_duration_seconds_bucket{ {{- .broker -}} }[5m])))
    > {{ .thresholds.appendSeconds }}
- alert: RoomcastDeliverySlow
  severity: warning
  for: 5m
  summary: Messages arrive late
  description: '{{`One delivery of a hundred takes {{ $value | humanizeDuration }} or longer after the append.`}}'
  expr: |-
    histogram_quantile(0.99, sum by (namespace, le) (rate(roomcast_gateway_delivery_latency_seconds_bucket{ {{- .gateway -}} }[5m])))
    > {{ .thresholds.deliverySeconds }}
- alert: RoomcastOutboxFilling
  severity: warning
  for: 2m
  summary: Messages wait for a broker
  description: '{{`{{ $value | humanize }} messages wait in {{ $labels.pod }}.`}}'
  expr: |-
    max by (namespace, pod) (roomcast_gateway_outbox_messages{ {{- .gateway -}} })
    > {{ divf .thresholds.outboxPercent 100 | mulf (dig "outboxMaxMessages" 10000 .root.Values.gateway.settings) | int }}
- alert: RoomcastGaps
  severity: warning
  for: 5m
  summary: Gateways miss what brokers publish
  description: '{{`{{ $value | humanize }} times a second a gateway finds that messages did not come, and reads them from the log.`}}'
  expr: |-
    sum by (namespace) (rate(roomcast_gateway_gaps_total{ {{- .gateway }}, reason=~"gap|behind"}[5m])) > {{ .thresholds.gapsPerSecond }}
- alert: RoomcastInternalErrors
  severity: warning
  for: 0s
  summary: A gateway has a fault
  description: '{{`{{ $value | humanize }} requests in ten minutes were answered with internal.`}}'
  expr: |-
    sum by (namespace) (increase(roomcast_gateway_request_errors_total{ {{- .gateway }}, code="internal"}[10m])) > 0
- alert: RoomcastUnreadableMessages
  severity: warning
  for: 0s
  summary: The log holds what brokers can not read
  description: '{{`{{ $value | humanize }} times in ten minutes a message was left out because it could not be read.`}}'
  expr: |-
    sum by (namespace) (increase(roomcast_broker_unreadable_messages_total{ {{- .broker -}} }[10m])) > 0
{{- end -}}
