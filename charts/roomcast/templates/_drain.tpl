{{/* Whether the API server knows `sleep` as a preStop hook: "true" or nothing. */}}
{{- define "roomcast.hasSleep" -}}
{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version }}true{{ end -}}
{{- end -}}

{{/*
How long the service itself may take to end, in seconds: what is left after the preStop hook. A gateway closes its
connections, and waits for those who do not come back elsewhere before it announces them. Argument: list $ component
*/}}
{{- define "roomcast.endSeconds" -}}
{{- with index (index . 0).Values (index . 1) -}}
{{- $graceMs := hasKey .drain "spreadSeconds" | ternary (dig "quitGraceMs" 5000 .settings) 0 -}}
{{- add (default 0 .drain.spreadSeconds) (divf $graceMs 1000 | ceil | int) .drain.slackSeconds -}}
{{- end -}}
{{- end -}}

{{/* How long the service itself goes on as if nothing happened, in seconds: where no preStop hook does it. Argument: list $ component */}}
{{- define "roomcast.propagationSeconds" -}}
{{- if include "roomcast.hasSleep" (index . 0) }}0{{ else }}{{ (index (index . 0).Values (index . 1)).drain.endpointPropagationSeconds }}{{ end -}}
{{- end -}}

{{/* The least that a pod needs for its end, in seconds. Argument: list $ component */}}
{{- define "roomcast.leastGraceSeconds" -}}
{{- add (index (index . 0).Values (index . 1)).drain.endpointPropagationSeconds (include "roomcast.endSeconds" .) -}}
{{- end -}}

{{- define "roomcast.graceSeconds" -}}
{{- default (include "roomcast.leastGraceSeconds" .) (index (index . 0).Values (index . 1)).terminationGracePeriodSeconds -}}
{{- end -}}
