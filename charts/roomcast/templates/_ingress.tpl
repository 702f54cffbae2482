{{/* What each controller wants to be told, one helper for each kind of object that it reads. */}}

{{/* Whether the controller reads Ingresses (the others have routes of their own): "true" or nothing. */}}
{{- define "roomcast.readsIngress" -}}
{{- if not (has .Values.ingress.controller (list "contour" "envoy-gateway" "gateway-api" "istio")) }}true{{ end -}}
{{- end -}}

{{/* Whether a Gateway terminates TLS, not what this chart makes: "true" or nothing. */}}
{{- define "roomcast.hasGateway" -}}
{{- if has .Values.ingress.controller (list "envoy-gateway" "gateway-api" "istio") }}true{{ end -}}
{{- end -}}

{{/* GKE's controller has no class: it goes by an annotation. */}}
{{- define "roomcast.ingressClass" -}}
{{- $usual := dict "traefik" "traefik" "nginx" "nginx" "ingress-nginx" "nginx" "haproxy" "haproxy" "haproxytech" "haproxy" "alb" "alb" -}}
{{- default (get $usual .Values.ingress.controller) .Values.ingress.className -}}
{{- end -}}

{{/*
What comes in where: `sites`, each with its host and routes, the most particular path first. The one place that says which
paths are public: what begins with /internal is on none of them but the gateway's, which has no such path.
*/}}
{{- define "roomcast.sites" -}}
{{- $name := include "roomcast.fullname" . -}}
{{- with .Values.ingress -}}
{{- $apiHost := default .host .api.host -}}
sites:
  - host: {{ .host | quote }}
    routes:
      {{- if and .api.enabled (eq $apiHost .host) }}
      {{- include "roomcast.apiRoutes" (list $ "broker") | nindent 6 }}
      {{- end }}
      - { path: {{ .path | quote }}, type: Prefix, component: gateway, service: {{ $name }}-gateway, port: {{ $.Values.gateway.service.port }} }
  {{- if and .api.enabled (ne $apiHost .host) }}
  - host: {{ $apiHost }}
    routes:
      {{- include "roomcast.apiRoutes" (list $ "broker") | nindent 6 }}
  {{- end }}
  {{- if .presence.enabled }}
  - host: {{ .presence.host }}
    routes:
      {{- include "roomcast.apiRoutes" (list $ "presence") | nindent 6 }}
  {{- end }}
{{- end -}}
{{- end -}}

{{/* The public paths of an API; presence's has the dashboard too. Argument: list $ component */}}
{{- define "roomcast.apiRoutes" -}}
{{- $component := index . 1 -}}
{{- $target := printf "component: %s, service: %s-%s, port: %s" $component (include "roomcast.fullname" (index . 0)) $component (include "roomcast.port" $component) -}}
- { path: /openapi.json, type: Exact, {{ $target }} }
- { path: /v1, type: Prefix, {{ $target }} }
{{- if eq $component "presence" }}
- { path: /static, type: Prefix, {{ $target }} }
- { path: /favicon.ico, type: Exact, {{ $target }} }
- { path: /, type: Exact, {{ $target }} }
{{- end }}
{{- end -}}

{{/* The name of what belongs to the i-th site: the first is the chat's. Argument: list $ site i */}}
{{- define "roomcast.siteName" -}}
{{- $name := include "roomcast.fullname" (index . 0) -}}
{{- if eq (index . 2) 0 }}{{ $name }}{{ else }}{{ $name }}-{{ (first (index . 1).routes).component }}{{ end -}}
{{- end -}}

{{/*
The cookie of the affinity with its attributes, so that a gateway that ends can take it back. Nothing where there is none, and
where the load balancer's own can not be taken back.
*/}}
{{- define "roomcast.affinityCookie" -}}
{{- with .Values.ingress -}}
{{- if and .enabled .affinity.enabled (not (has .controller (list "alb" "gce" "none"))) -}}
{{- eq .controller "contour" | ternary "X-Contour-Session-Affinity" .affinity.cookieName }}; Path={{ .affinity.path }}; SameSite={{ .affinity.sameSite }}
{{- if .affinity.secure }}; Secure{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Annotations of the Ingress, by controller. */}}
{{- define "roomcast.ingressAnnotations" -}}
{{- $service := printf "%s-gateway" (include "roomcast.fullname" .) -}}
{{- $drainSeconds := include "roomcast.leastGraceSeconds" (list . "gateway") -}}
{{- with .Values.ingress -}}
{{- $idle := .idleTimeoutSeconds | int -}}
{{- $cookie := .affinity -}}
{{- if eq .controller "traefik" -}}
{{- if .tls.enabled }}
traefik.ingress.kubernetes.io/router.tls: "true"
{{- end }}
{{- else if eq .controller "nginx" -}}
nginx.org/websocket-services: {{ $service }}
nginx.org/proxy-read-timeout: {{ $idle }}s
nginx.org/proxy-send-timeout: {{ $idle }}s
{{- if $cookie.enabled }}
nginx.org/sticky-cookie-services: serviceName={{ $service }} {{ $cookie.cookieName }} expires={{ $cookie.maxAgeSeconds | int }}s httponly{{ if $cookie.secure }} secure{{ end }} path={{ $cookie.path }}
{{- end }}
{{- else if eq .controller "ingress-nginx" -}}
nginx.ingress.kubernetes.io/proxy-read-timeout: {{ $idle | quote }}
nginx.ingress.kubernetes.io/proxy-send-timeout: {{ $idle | quote }}
{{- if $cookie.enabled }}
nginx.ingress.kubernetes.io/affinity: cookie
nginx.ingress.kubernetes.io/affinity-mode: persistent
nginx.ingress.kubernetes.io/session-cookie-name: {{ $cookie.cookieName }}
nginx.ingress.kubernetes.io/session-cookie-max-age: {{ $cookie.maxAgeSeconds | int | quote }}
nginx.ingress.kubernetes.io/session-cookie-expires: {{ $cookie.maxAgeSeconds | int | quote }}
nginx.ingress.kubernetes.io/session-cookie-path: {{ $cookie.path }}
nginx.ingress.kubernetes.io/session-cookie-samesite: {{ $cookie.sameSite }}
nginx.ingress.kubernetes.io/session-cookie-secure: {{ $cookie.secure | quote }}
nginx.ingress.kubernetes.io/session-cookie-change-on-failure: "true"
{{- end }}
{{- else if eq .controller "haproxy" -}}
haproxy-ingress.github.io/timeout-tunnel: {{ $idle }}s
haproxy-ingress.github.io/timeout-server: {{ $idle }}s
{{- if $cookie.enabled }}
haproxy-ingress.github.io/affinity: cookie
haproxy-ingress.github.io/session-cookie-name: {{ $cookie.cookieName }}
haproxy-ingress.github.io/session-cookie-strategy: insert
haproxy-ingress.github.io/session-cookie-keywords: indirect nocache httponly{{ if and $cookie.secure (ne $cookie.sameSite "None") }} secure{{ end }}
haproxy-ingress.github.io/session-cookie-same-site: {{ eq $cookie.sameSite "None" | quote }}
{{- end }}
{{- else if eq .controller "alb" -}}
alb.ingress.kubernetes.io/target-type: ip
alb.ingress.kubernetes.io/healthcheck-port: "9464"
alb.ingress.kubernetes.io/healthcheck-path: /readyz
alb.ingress.kubernetes.io/load-balancer-attributes: idle_timeout.timeout_seconds={{ $idle }}
alb.ingress.kubernetes.io/target-group-attributes: deregistration_delay.timeout_seconds={{ $drainSeconds }}{{ if $cookie.enabled }},stickiness.enabled=true,stickiness.type=lb_cookie,stickiness.lb_cookie.duration_seconds={{ $cookie.maxAgeSeconds | int }}{{ end }}
{{- if .tls.enabled }}
alb.ingress.kubernetes.io/listen-ports: '[{"HTTP": 80}, {"HTTPS": 443}]'
alb.ingress.kubernetes.io/ssl-redirect: "443"
{{- end }}
{{- else if eq .controller "gce" -}}
kubernetes.io/ingress.class: gce
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Annotations of a Service behind the Ingress, by controller. Argument: list $ component */}}
{{- define "roomcast.serviceAnnotations" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $isPublic := or (eq $component "gateway")
  (and (eq $component "broker") $root.Values.ingress.api.enabled)
  (and (eq $component "presence") $root.Values.ingress.presence.enabled) -}}
{{- with $root.Values.ingress -}}
{{- $cookie := .affinity -}}
{{- if not (and .enabled $isPublic) -}}
{{- else if eq .controller "gce" -}}
cloud.google.com/neg: '{"ingress": true}'
cloud.google.com/backend-config: '{"default": "{{ include "roomcast.fullname" $root }}-{{ $component }}"}'
{{- else if ne $component "gateway" -}}
{{- else if and (eq .controller "traefik") $cookie.enabled -}}
traefik.ingress.kubernetes.io/service.sticky.cookie: "true"
traefik.ingress.kubernetes.io/service.sticky.cookie.name: {{ $cookie.cookieName }}
traefik.ingress.kubernetes.io/service.sticky.cookie.httponly: "true"
traefik.ingress.kubernetes.io/service.sticky.cookie.samesite: {{ $cookie.sameSite | lower }}
traefik.ingress.kubernetes.io/service.sticky.cookie.secure: {{ $cookie.secure | quote }}
traefik.ingress.kubernetes.io/service.sticky.cookie.maxage: {{ $cookie.maxAgeSeconds | int | quote }}
{{- if ne $cookie.path "/" }}
traefik.ingress.kubernetes.io/service.sticky.cookie.path: {{ $cookie.path }}
{{- end }}
{{- else if eq .controller "haproxytech" -}}
haproxy.org/timeout-server: {{ .idleTimeoutSeconds | int }}s
{{- if $cookie.enabled }}
haproxy.org/cookie-persistence: {{ $cookie.cookieName }}
{{- end }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The Service's own annotations over the controller's. Argument: list $ component */}}
{{- define "roomcast.allServiceAnnotations" -}}
{{- $own := (index (index . 0).Values (index . 1)).service.annotations -}}
{{- with mergeOverwrite (include "roomcast.serviceAnnotations" . | fromYaml) $own }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* The metadata of what `ingress` makes. Argument: list $ name annotations-as-text */}}
{{- define "roomcast.ingressMetadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 }}
labels:
  {{- include "roomcast.labels" (list $root "gateway" $root.Values.ingress.labels) | nindent 2 }}
{{- with mergeOverwrite (index . 2 | fromYaml) $root.Values.ingress.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
