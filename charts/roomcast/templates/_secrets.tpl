{{/*
A secret that is kept: the given value, else what the cluster has, else a new one. It is drawn once in a render, so that what
a Secret holds and what a checksum covers agree. Argument: list $ secret key given
*/}}
{{- define "roomcast.kept" -}}
{{- $root := index . 0 -}}
{{- $name := printf "%s-%s" (include "roomcast.fullname" $root) (index . 1) -}}
{{- $key := index . 2 -}}
{{- $given := index . 3 -}}
{{- if $given -}}
{{- $given -}}
{{- else -}}
{{- if not (hasKey $root.Values "_drawn") }}{{ $_ := set $root.Values "_drawn" dict }}{{ end -}}
{{- $drawn := $root.Values._drawn -}}
{{- if not (hasKey $drawn $name) -}}
{{- $found := lookup "v1" "Secret" $root.Release.Namespace $name -}}
{{- $kept := (dig "data" $key "" (default (dict) $found)) | b64dec -}}
{{- $_ := set $drawn $name (default (randAlphaNum 32) $kept) -}}
{{- end -}}
{{- index $drawn $name -}}
{{- end -}}
{{- end -}}

{{/* The tokens of the services, one a line: the first is presented, all are accepted. */}}
{{- define "roomcast.internalTokens" -}}
{{- $kept := include "roomcast.kept" (list . "internal" "token" .Values.internalToken.value) -}}
{{- join "\n" (prepend .Values.internalToken.alsoAccepted (splitList "\n" $kept | first)) -}}
{{- end -}}

{{/* The API keys, as the services read them: a JSON list, or a plain one. */}}
{{- define "roomcast.apiKeys" -}}
{{- with .Values.apiKeys -}}
{{- $given := .entries | empty | ternary (join "," .values) (toJson .entries) -}}
{{- include "roomcast.kept" (list $ "api-keys" "api-keys" $given) -}}
{{- end -}}
{{- end -}}

{{/* The secret by which hooks are signed. One that was drawn becomes bytes in base64. */}}
{{- define "roomcast.hookSecret" -}}
{{- $kept := include "roomcast.kept" (list . "hooks" "secret" .Values.hooks.secret.value) -}}
{{- hasPrefix "whsec_" $kept | ternary $kept (printf "whsec_%s" (b64enc $kept)) -}}
{{- end -}}

{{/* Whether a backend is asked about anything: "true" or nothing. */}}
{{- define "roomcast.hasHooks" -}}
{{- with .Values.hooks }}{{ if or .joinUrl .sayUrl }}true{{ end }}{{ end -}}
{{- end -}}

{{- define "roomcast.redisPassword" -}}
{{- include "roomcast.kept" (list . "valkey" "password" .Values.redis.embedded.auth.password) -}}
{{- end -}}

{{/* Whether there are API keys: "true" or nothing. */}}
{{- define "roomcast.hasApiKeys" -}}
{{- with .Values.apiKeys }}{{ if or .generate .values .entries .existingSecret }}true{{ end }}{{ end -}}
{{- end -}}

{{/* Whether tokens are signed by a secret, and whether any are required: "true" or nothing. */}}
{{- define "roomcast.hasJwtSecret" -}}
{{- with .Values.auth.jwt }}{{ if or .secret .existingSecret }}true{{ end }}{{ end -}}
{{- end -}}

{{- define "roomcast.hasAuth" -}}
{{- if or (include "roomcast.hasJwtSecret" .) .Values.auth.jwt.jwksUrl }}true{{ end -}}
{{- end -}}

{{/* Where a secret value is: `name` and `key` of a secretKeyRef. Argument: list $ secret key given-section */}}
{{- define "roomcast.secretRef" -}}
{{- $section := index . 3 -}}
name: {{ default (printf "%s-%s" (include "roomcast.fullname" (index . 0)) (index . 1)) $section.existingSecret }}
key: {{ $section.existingSecret | empty | ternary (index . 2) $section.existingSecretKey }}
{{- end -}}

{{- define "roomcast.internalTokenRef" -}}
{{- include "roomcast.secretRef" (list . "internal" "token" .Values.internalToken) -}}
{{- end -}}

{{- define "roomcast.apiKeysRef" -}}
{{- include "roomcast.secretRef" (list . "api-keys" "api-keys" .Values.apiKeys) -}}
{{- end -}}

{{- define "roomcast.hookSecretRef" -}}
{{- include "roomcast.secretRef" (list . "hooks" "secret" .Values.hooks.secret) -}}
{{- end -}}

{{/* Where the secrets are that a process reads again when they change. */}}
{{- define "roomcast.secretsDirectory" -}}/etc/roomcast/secrets{{- end -}}

{{/*
Those secrets of a component as sources of a projected volume, which the kubelet keeps up to date: no pod is replaced when one of them
changes. Argument: list $ component
*/}}
{{- define "roomcast.secretSources" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $files := dict "internal-token" (include "roomcast.internalTokenRef" $root | fromYaml) -}}
{{- if and (ne $component "gateway") (include "roomcast.hasApiKeys" $root) -}}
{{- $_ := set $files "api-keys" (include "roomcast.apiKeysRef" $root | fromYaml) -}}
{{- end -}}
{{- if and (eq $component "gateway") (include "roomcast.hasHooks" $root) -}}
{{- $_ := set $files "hook-secret" (include "roomcast.hookSecretRef" $root | fromYaml) -}}
{{- end -}}
{{- range $path, $ref := $files }}
- secret:
    name: {{ $ref.name }}
    items:
      - { key: {{ $ref.key }}, path: {{ $path }} }
{{- end -}}
{{- end -}}

{{- define "roomcast.jwtSecretRef" -}}
{{- include "roomcast.secretRef" (list . "auth" "jwt-secret" .Values.auth.jwt) -}}
{{- end -}}

{{- define "roomcast.redisPasswordRef" -}}
{{- include "roomcast.secretRef" (list . "valkey" "password" .Values.redis.embedded.auth) -}}
{{- end -}}

{{- define "roomcast.redisUrlRef" -}}
{{- include "roomcast.secretRef" (list . "redis" "url" .Values.redis.external) -}}
{{- end -}}

{{/*
A checksum of the secrets of a component that this chart knows and that are read at the start alone, so that its pods are replaced
when one changes. Existing Secrets are their owner's: a change of theirs needs `kubectl rollout restart`. Argument: list $ component
*/}}
{{- define "roomcast.secretsChecksum" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $all := dict -}}
{{- with $root.Values -}}
  {{- if and (eq $component "gateway") .auth.jwt.secret }}{{ $_ := set $all "jwtSecret" .auth.jwt.secret }}{{ end -}}
{{- if and (eq $component "presence") (include "roomcast.hasMetricsApi" $root) (not .autoscaling.connections.existingSecret) -}}
{{- $_ := set $all "metricsApi" (include "roomcast.metricsApiCertificate" $root | fromYaml).cert -}}
{{- end -}}
{{- if ne $component "presence" -}}
{{- if eq .redis.mode "external" -}}
{{- $_ := set $all "redisUrl" .redis.external.url -}}
{{- else if not .redis.embedded.auth.existingSecret -}}
{{- $_ := set $all "redisPassword" (include "roomcast.redisPassword" $root) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $all | sha256sum -}}
{{- end -}}
