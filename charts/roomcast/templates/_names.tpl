{{/* Names and labels. `$` below is the chart's root; a component is gateway, broker, presence or valkey. */}}

{{- define "roomcast.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 44 | trimSuffix "-" -}}
{{- end -}}

{{/* What the names of resources begin with: at most 44 characters, so that `-presence-headless` fits into a DNS label. */}}
{{- define "roomcast.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 44 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 44 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 44 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "roomcast.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* What never changes: the labels by which pods are selected. Argument: list $ component */}}
{{- define "roomcast.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "roomcast.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* The labels of a resource. Argument: list $ component [more labels] */}}
{{- define "roomcast.labels" -}}
{{- $root := index . 0 -}}
{{- $own := dict
  "helm.sh/chart" (include "roomcast.chart" $root)
  "app.kubernetes.io/version" ($root.Chart.AppVersion | toString)
  "app.kubernetes.io/part-of" "roomcast"
  "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- $selector := include "roomcast.selectorLabels" . | fromYaml -}}
{{- $more := dict -}}
{{- if gt (len .) 2 }}{{ $more = index . 2 }}{{ end -}}
{{- mergeOverwrite (dict) $root.Values.commonLabels $more $own $selector | toYaml -}}
{{- end -}}

{{/* The service account of a component. Argument: list $ component */}}
{{- define "roomcast.serviceAccountName" -}}
{{- $root := index . 0 -}}
{{- $account := (index $root.Values (index . 1)).serviceAccount -}}
{{- if $account.create -}}
{{- default (printf "%s-%s" (include "roomcast.fullname" $root) (index . 1)) $account.name -}}
{{- else -}}
{{- default "default" $account.name -}}
{{- end -}}
{{- end -}}

{{/* The port of a component's own protocol. */}}
{{- define "roomcast.port" -}}
{{- index (dict "gateway" 8080 "broker" 8070 "presence" 8090 "valkey" 6379) . -}}
{{- end -}}
