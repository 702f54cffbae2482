{{/* Presence's dealings with Kubernetes: what it watches, by what it is elected, and the metrics API that it may serve. */}}

{{/* The labels of the gateways' pods as one text: a=b,c=d. */}}
{{- define "roomcast.gatewaySelector" -}}
{{- $pairs := list -}}
{{- range $key, $value := include "roomcast.selectorLabels" (list . "gateway") | fromYaml -}}
{{- $pairs = append $pairs (printf "%s=%s" $key $value) -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end -}}

{{- define "roomcast.leaseName" -}}
{{- include "roomcast.fullname" . }}-presence
{{- end -}}

{{/* Whether presence serves external.metrics.k8s.io: "true" or nothing. */}}
{{- define "roomcast.hasMetricsApi" -}}
{{- if eq .Values.autoscaling.type "connections" }}true{{ end -}}
{{- end -}}

{{- define "roomcast.metricsApiPort" -}}8443{{- end -}}
{{- define "roomcast.metricsApiDirectory" -}}/etc/roomcast/metrics-api{{- end -}}

{{/* Of which a cluster has one. */}}
{{- define "roomcast.apiServiceName" -}}v1beta1.external.metrics.k8s.io{{- end -}}

{{/* The Secret with the certificate of the metrics API. */}}
{{- define "roomcast.metricsApiSecret" -}}
{{- default (printf "%s-metrics-api" (include "roomcast.fullname" .)) .Values.autoscaling.connections.existingSecret -}}
{{- end -}}

{{/*
The generated certificate of the metrics API as YAML: ca, cert and key, in PEM. Kept as the cluster has it, else made, once in a
render, so that the Secret and the APIService agree.
*/}}
{{- define "roomcast.metricsApiCertificate" -}}
{{- if not (hasKey .Values "_certificate") -}}
{{- $found := default (dict) (lookup "v1" "Secret" .Release.Namespace (include "roomcast.metricsApiSecret" .)) -}}
{{- $data := default (dict) (get $found "data") -}}
{{- $kept := dict -}}
{{- if and (hasKey $data "ca.crt") (hasKey $data "tls.crt") (hasKey $data "tls.key") -}}
{{- $kept = dict "ca" (get $data "ca.crt" | b64dec) "cert" (get $data "tls.crt" | b64dec) "key" (get $data "tls.key" | b64dec) -}}
{{- else -}}
{{- $days := 3650 -}}
{{- $ca := genCA (printf "%s metrics API" (include "roomcast.fullname" .)) $days -}}
{{- $host := printf "%s-presence.%s.svc" (include "roomcast.fullname" .) .Release.Namespace -}}
{{- $made := genSignedCert (include "roomcast.leaseName" .) nil (list $host) $days $ca -}}
{{- $kept = dict "ca" $ca.Cert "cert" $made.Cert "key" $made.Key -}}
{{- end -}}
{{- $_ := set .Values "_certificate" $kept -}}
{{- end -}}
{{- toYaml .Values._certificate -}}
{{- end -}}
