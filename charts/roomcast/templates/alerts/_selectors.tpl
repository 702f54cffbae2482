{{/*
What picks the series of a component's pods, between the braces of PromQL: by namespace and pod, which every way of scraping sets.
A pod's name has two words after that of its Deployment, or one where the name is at its longest. Argument: list $ component, or
several components as `gateway|broker`
*/}}
{{- define "roomcast.series" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- if contains "|" $component }}{{ $component = printf "(%s)" $component }}{{ end -}}
namespace="{{ $root.Release.Namespace }}", pod=~"{{ include "roomcast.fullname" $root }}-{{ $component }}-[^-]+(-[^-]+)?"
{{- end -}}

{{/* An amount of memory as Kubernetes writes it, such as 512Mi, in bytes. Argument: the amount */}}
{{- define "roomcast.bytes" -}}
{{- $amount := toString . -}}
{{- $unit := regexFind "[A-Za-z]*$" $amount -}}
{{- $factor := index (dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776) $unit -}}
{{- if not $factor }}{{ fail (printf "%s is no amount of memory that an alert can be made of: set it in Mi or Gi." $amount) }}{{ end -}}
{{- mulf (trimSuffix $unit $amount | float64) $factor | int64 -}}
{{- end -}}
