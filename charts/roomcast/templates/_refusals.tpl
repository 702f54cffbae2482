{{/* What can not be meant. Each refusal is one sentence that says what to set. */}}

{{- define "roomcast.refuse" -}}
{{- include "roomcast.refuseSecrets" . -}}
{{- include "roomcast.refuseRedis" . -}}
{{- range list "gateway" "broker" "presence" -}}
{{- include "roomcast.refuseComponent" (list $ .) -}}
{{- end -}}
{{- include "roomcast.refuseService" . -}}
{{- include "roomcast.refuseLimits" . -}}
{{- include "roomcast.refuseAutoscaling" . -}}
{{- if .Values.ingress.enabled }}{{ include "roomcast.refuseIngress" . }}{{ end -}}
{{- include "roomcast.refuseApis" . -}}
{{- include "roomcast.refusePolicy" . -}}
{{- end -}}

{{- define "roomcast.refuseSecrets" -}}
{{- with .Values.internalToken -}}
{{- if and .value .existingSecret }}{{ fail "The internal token is given twice: set internalToken.value or internalToken.existingSecret, not both." }}{{ end -}}
{{- end -}}
{{- with .Values.apiKeys -}}
{{- $ways := len (compact (list (.generate | ternary "generate" "") (join "," .values) .existingSecret)) -}}
{{- if gt $ways 1 }}{{ fail "The API keys are given in more than one way: set one of apiKeys.generate, apiKeys.values and apiKeys.existingSecret." }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "roomcast.refuseRedis" -}}
{{- $mode := .Values.redis.mode -}}
{{- if and (eq $mode "embedded") .Values.redis.waitReplicas }}{{ fail "redis.waitReplicas is set, but the embedded Valkey has no replicas: set redis.mode=external, or redis.waitReplicas=0." }}{{ end -}}
{{- with .Values.redis.external -}}
{{- if and .url .existingSecret }}{{ fail "The URL of Redis is given twice: set redis.external.url or redis.external.existingSecret, not both." }}{{ end -}}
{{- if and (eq $mode "external") (not .url) (not .existingSecret) }}{{ fail "redis.mode=external needs to know where Redis is: set redis.external.url or redis.external.existingSecret." }}{{ end -}}
{{- if and (eq $mode "embedded") (or .url .existingSecret) }}{{ fail "redis.external is set, but redis.mode is embedded: set redis.mode=external, or leave redis.external alone." }}{{ end -}}
{{- end -}}
{{- with .Values.redis.embedded.auth -}}
{{- if and .password .existingSecret }}{{ fail "The password of Valkey is given twice: set redis.embedded.auth.password or redis.embedded.auth.existingSecret, not both." }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "roomcast.refuseComponent" -}}
{{- $component := index . 1 -}}
{{- $least := include "roomcast.leastGraceSeconds" . | int -}}
{{- with index (index . 0).Values $component -}}
{{- $given := .terminationGracePeriodSeconds | int -}}
{{- if and $given (lt $given $least) -}}
{{- fail (printf "%s.terminationGracePeriodSeconds=%d would cut the end of a pod short: set it to %d or more, to 0 for just that, or shorten %s.drain." $component $given $least $component) -}}
{{- end -}}
{{- $isWhole := and (ne (toString .strategy.maxSurge) "0") (ne (toString .strategy.maxSurge) "0%") -}}
{{- if and (not $isWhole) (has (toString .strategy.maxUnavailable) (list "0" "0%")) -}}
{{- fail (printf "%s.strategy lets a rollout neither add a pod nor take one away: set %s.strategy.maxSurge or %s.strategy.maxUnavailable above 0." $component $component $component) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "roomcast.refuseService" -}}
{{- with .Values.gateway.service -}}
{{- if eq .type "ClusterIP" -}}
{{- if or .nodePort .externalTrafficPolicy }}{{ fail "gateway.service.nodePort and gateway.service.externalTrafficPolicy are for Services that are reached from outside: set gateway.service.type to NodePort or LoadBalancer." }}{{ end -}}
{{- end -}}
{{- if and (ne .type "LoadBalancer") (or .loadBalancerClass .loadBalancerSourceRanges) -}}
{{- fail "gateway.service.loadBalancerClass and gateway.service.loadBalancerSourceRanges are for load balancers: set gateway.service.type=LoadBalancer." -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "roomcast.refuseLimits" -}}
{{- $limits := .Values.limits -}}
{{- if and .Values.ingress.enabled (not $limits.trustedProxies) -}}
{{- range list "connectionsPerAddress" "connectRatePerAddress" "joinRatePerAddress" -}}
{{- if index $limits . -}}
{{- fail (printf "limits.%s would count all that come through the Ingress as one address: set limits.trustedProxies, for instance to 1, or limits.%s=0." . .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "roomcast.refuseAutoscaling" -}}
{{- $requests := default (dict) (.Values.gateway.resources).requests -}}
{{- with .Values.autoscaling -}}
{{- if ne .type "none" -}}
{{- if gt (int .minReplicas) (int .maxReplicas) }}{{ fail "autoscaling.minReplicas is above autoscaling.maxReplicas: set it to that or less." }}{{ end -}}
{{- end -}}
{{- if eq .type "connections" -}}
{{- include "roomcast.refuseMetricsApi" $ -}}
{{- else if or .connections.existingSecret .connections.caBundle .connections.apiServiceAnnotations -}}
{{- fail (printf "autoscaling.connections is set, but autoscaling.type is %s: set autoscaling.type=connections, or leave autoscaling.connections alone." .type) -}}
{{- end -}}
{{- if has .type (list "connections" "keda") -}}
{{- if eq (toString $.Values.presence.replicas) "0" }}{{ fail (printf "autoscaling.type=%s goes by what presence counts: set presence.replicas to 1 or more." .type) }}{{ end -}}
{{- end -}}
{{- if and (eq .type "cpu") (not (get $requests "cpu")) }}{{ fail "autoscaling.type=cpu compares with what gateways request: set gateway.resources.requests.cpu." }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "roomcast.refuseMetricsApi" -}}
{{- if not .Values.presence.kubernetes.enabled }}{{ fail "autoscaling.type=connections needs presence to use the Kubernetes API: set presence.kubernetes.enabled=true." }}{{ end -}}
{{- with .Values.autoscaling.connections -}}
{{- $isNamed := or .caBundle .apiServiceAnnotations -}}
{{- if and .existingSecret (not $isNamed) }}{{ fail "The API server has to know the certificate in autoscaling.connections.existingSecret: set autoscaling.connections.caBundle, or an annotation in autoscaling.connections.apiServiceAnnotations that puts its CA in." }}{{ end -}}
{{- if and .caBundle (not .existingSecret) }}{{ fail "autoscaling.connections.caBundle is for a certificate of your own: set autoscaling.connections.existingSecret too, or leave it empty." }}{{ end -}}
{{- end -}}
{{- $name := include "roomcast.apiServiceName" . -}}
{{- $found := lookup "apiregistration.k8s.io/v1" "APIService" "" $name -}}
{{- if $found -}}
{{- $owner := default (dict) $found.metadata.annotations -}}
{{- $release := get $owner "meta.helm.sh/release-name" -}}
{{- $namespace := get $owner "meta.helm.sh/release-namespace" -}}
{{- if not (and (eq $release .Release.Name) (eq $namespace .Release.Namespace)) -}}
{{- $whose := printf "is served by %s" (dig "spec" "service" "name" "something else" $found) -}}
{{- if $release }}{{ $whose = printf "belongs to the release %s in the namespace %s" $release $namespace }}{{ end -}}
{{- fail (printf "The APIService %s, of which a cluster has one, %s: set autoscaling.type=keda or cpu here." $name $whose) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "roomcast.refuseIngress" -}}
{{- with .Values.ingress -}}
{{- $c := .controller -}}
{{- if and (eq .affinity.sameSite "None") (not .affinity.secure) .affinity.enabled }}{{ fail "Browsers drop a cookie with SameSite=None that is not Secure: set ingress.affinity.secure=true." }}{{ end -}}
{{- if and (has $c (list "gateway-api" "envoy-gateway")) (not .gatewayApi.parentRefs) }}{{ fail (printf "ingress.controller=%s needs a Gateway to attach to: set ingress.gatewayApi.parentRefs." $c) }}{{ end -}}
{{- if and (eq $c "gateway-api") .affinity.enabled (not .gatewayApi.sessionPersistence) }}{{ fail "Affinity is an experimental field of the Gateway API with two forms: set ingress.gatewayApi.sessionPersistence to the one that your CRDs have, v1.6 or v1.7, or ingress.affinity.enabled=false." }}{{ end -}}
{{- if and (ne $c "gateway-api") .gatewayApi.sessionPersistence }}{{ fail "ingress.gatewayApi.sessionPersistence is for ingress.controller=gateway-api alone: leave it empty." }}{{ end -}}
{{- if and (eq $c "istio") (not .istio.gateways) }}{{ fail "ingress.controller=istio needs a Gateway to attach to: set ingress.istio.gateways, for instance to [istio-system/ingressgateway]." }}{{ end -}}
{{- if and (has $c (list "contour" "nginx")) (not .host) }}{{ fail (printf "ingress.controller=%s needs a host: set ingress.host." $c) }}{{ end -}}
{{- if .tls.enabled -}}
{{- if include "roomcast.hasGateway" $ }}{{ fail (printf "With ingress.controller=%s the Gateway terminates TLS: configure it there, and set ingress.tls.enabled=false." $c) }}{{ end -}}
{{- if not .host }}{{ fail "A certificate is for a host: set ingress.host, or ingress.tls.enabled=false." }}{{ end -}}
{{- if and (eq $c "contour") (not .tls.secretName) }}{{ fail "ingress.controller=contour needs the certificate's Secret: set ingress.tls.secretName." }}{{ end -}}
{{- end -}}
{{- if and (eq $c "alb") (gt (int .idleTimeoutSeconds) 4000) }}{{ fail "An ALB can wait for 4000 s at most: set ingress.idleTimeoutSeconds to that or less." }}{{ end -}}
{{- if and (eq $c "gce") (gt (int .idleTimeoutSeconds) 86400) }}{{ fail "GKE's load balancer can wait for 86400 s at most: set ingress.idleTimeoutSeconds to that or less." }}{{ end -}}
{{- if and (eq $c "gce") .affinity.enabled (gt (int .affinity.maxAgeSeconds) 86400) }}{{ fail "GKE's cookie lives for 86400 s at most: set ingress.affinity.maxAgeSeconds to that or less." }}{{ end -}}
{{- if and (eq $c "alb") .affinity.enabled (gt (int .affinity.maxAgeSeconds) 604800) }}{{ fail "An ALB's cookie lives for 604800 s at most: set ingress.affinity.maxAgeSeconds to that or less." }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "roomcast.refuseApis" -}}
{{- $hasKeys := include "roomcast.hasApiKeys" . -}}
{{- with .Values.ingress -}}
{{- $ingress := . -}}
{{- range list "api" "presence" -}}
{{- if (index $ingress .).enabled -}}
{{- if not $ingress.enabled }}{{ fail (printf "ingress.%s.enabled has no effect by itself: set ingress.enabled=true." .) }}{{ end -}}
{{- if not $hasKeys }}{{ fail (printf "ingress.%s.enabled would let everybody in: set apiKeys.generate=true, apiKeys.values or apiKeys.existingSecret." .) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if .presence.enabled -}}
{{- if or (not .presence.host) (has .presence.host (list .host .api.host)) }}{{ fail "The paths of presence and of the others are alike: set ingress.presence.host to a host of its own." }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "roomcast.refusePolicy" -}}
{{- with .Values.networkPolicy -}}
{{- if and .enabled (not .apiClients) -}}
{{- if eq $.Values.autoscaling.type "keda" }}{{ fail "networkPolicy.enabled would keep KEDA from what presence counts: set networkPolicy.apiClients to let it in." }}{{ end -}}
{{- range list "api" "presence" -}}
{{- if (index $.Values.ingress .).enabled }}{{ fail (printf "networkPolicy.enabled would keep the ingress controller from what ingress.%s.enabled makes public: set networkPolicy.apiClients to let it in." .) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
