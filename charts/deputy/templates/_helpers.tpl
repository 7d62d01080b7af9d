{{- define "deputy.labels" -}}
app.kubernetes.io/name: deputy
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels of one component's objects. Arguments: root, name. */}}
{{- define "deputy.componentLabels" -}}
{{ include "deputy.labels" .root }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{/* What selects one component's pods; never changes. Arguments: root, name. */}}
{{- define "deputy.selector" -}}
app.kubernetes.io/name: deputy
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{/* A reference to an image. Arguments: image (repository, tag, digest), default (the tag). */}}
{{- define "deputy.imageReference" -}}
{{ .image.repository }}
{{- if or .image.tag (not .image.digest) }}:{{ .image.tag | default .default }}{{ end }}
{{- with .image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- define "deputy.image" -}}
{{ include "deputy.imageReference" (dict "image" .Values.image "default" .Chart.AppVersion) }}
{{- end }}

{{- define "deputy.agentImage" -}}
{{- $own := dict "repository" (printf "%s-agent" .Values.image.repository) }}
{{- with .Values.agent.image.repository }}{{ $_ := set $own "repository" . }}{{ end }}
{{- $image := merge $own .Values.agent.image }}
{{- include "deputy.imageReference" (dict "image" $image "default" (.Values.image.tag | default .Chart.AppVersion)) }}
{{- end }}

{{/* The Secrets with which images are pulled: names, or objects with a name as in a pod. */}}
{{- define "deputy.imagePullSecrets" -}}
{{- with .Values.imagePullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ if kindIs "map" . }}{{ .name }}{{ else }}{{ . }}{{ end }}
  {{- end }}
{{- end }}
{{- end }}

{{/* What every pod of Deputy's is held to, and every container in it. */}}
{{- define "deputy.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  {{- with .Values.runAsUser }}
  runAsUser: {{ int64 . }}
  runAsGroup: {{ int64 . }}
  fsGroup: {{ int64 . }}
  {{- end }}
  seccompProfile: {type: RuntimeDefault}
{{- end }}
{{- define "deputy.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* The volume with a ServiceAccount's token, as the API server would mount one. */}}
{{- define "deputy.kubeAPIAccess" -}}
- name: kube-api-access
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3607}
      - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
      - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
{{- end }}

{{/* What runs before the release goes, and is there for that alone. Argument: its weight. */}}
{{- define "deputy.uninstallHook" -}}
helm.sh/hook: pre-delete
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/* Where agents on nodes listen. */}}
{{- define "deputy.nodeAgentAddress" -}}
{{ eq .Values.injection.node.ipFamily "IPv6" | ternary "[fd00:ec2::23]" "169.254.170.23" }}:{{ int64 .Values.injection.node.port }}
{{- end }}

{{/* Namespaces whose pods the webhook never sees, except kube-system, which has a rule of its own. */}}
{{- define "deputy.excludedNamespaces" -}}
{{ concat (list .Release.Namespace "kube-node-lease") .Values.webhook.excludedNamespaces | uniq | toJson }}
{{- end }}

{{/*
ServiceAccount, Deployment and PodDisruptionBudget of one component.
Arguments: root, name, values, env (a list), port (TLS; optional), people (another one, for the API server; optional), aws (whether it calls AWS; optional),
secret (name, volume, path; optional).
*/}}
{{- define "deputy.workload" -}}
{{- $root := .root }}
{{- $admin := dig "ports" "admin" 8080 .values | int64 }}
{{- $probes := dig "ports" "probes" 8081 .values | int64 }}
{{- $onNode := .values.hostNetwork | default false }}
{{- $anywhere := dict }}
{{- with .values.rolesAnywhere }}{{ if .trustAnchorARN }}{{ $anywhere = . }}{{ end }}{{ end }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: deputy-{{ .name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "deputy.componentLabels" . | nindent 4 }}
  {{- with (.values.serviceAccount).annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: deputy-{{ .name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "deputy.componentLabels" . | nindent 4 }}
spec:
  replicas: {{ .values.replicas }}
  selector:
    matchLabels: {{- include "deputy.selector" . | nindent 6 }}
  strategy:
    {{- if $onNode }}
    # A node has each port once, so a new pod may have to wait for an old one to go.
    rollingUpdate: {maxSurge: 0, maxUnavailable: 1}
    {{- else }}
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
    {{- end }}
  template:
    metadata:
      labels:
        {{- include "deputy.componentLabels" . | nindent 8 }}
        {{- with .values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .values.podAnnotations }}
      annotations: {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: deputy-{{ .name }}
      {{- if $onNode }}
      hostNetwork: true
      dnsPolicy: ClusterFirstWithHostNet
      {{- end }}
      # The token is projected below: rotated, and only where it is used.
      automountServiceAccountToken: false
      enableServiceLinks: false
      {{- with include "deputy.imagePullSecrets" $root }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- with .values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      # Draining takes 5 s, requests in flight another 5 s at most.
      terminationGracePeriodSeconds: 30
      {{- include "deputy.podSecurity" $root | nindent 6 }}
      containers:
        - name: {{ .name }}
          image: {{ include "deputy.image" $root }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [{{ .name }}]
          env:
            - name: DEPUTY_CLUSTER_NAME
              value: {{ $root.Values.clusterName | quote }}
            - name: POD_NAMESPACE
              valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
            - name: POD_NAME
              valueFrom: {fieldRef: {fieldPath: metadata.name}}
            - name: DEPUTY_LOG
              value: {{ $root.Values.logLevel | quote }}
            # Both families of addresses; on a node without IPv6 the processes fall back to 0.0.0.0.
            - name: DEPUTY_ADMIN_ADDRESS
              value: "[::]:{{ $admin }}"
            - name: DEPUTY_PROBES_ADDRESS
              value: "[::]:{{ $probes }}"
            {{- if .port }}
            - name: DEPUTY_LISTEN
              value: "[::]:{{ .port }}"
            {{- end }}
            {{- if and .aws $root.Values.proxy.httpsProxy }}
            # For calls to AWS alone.
            - name: HTTPS_PROXY
              value: {{ $root.Values.proxy.httpsProxy | quote }}
            - name: NO_PROXY
              value: {{ $root.Values.proxy.noProxy | quote }}
            {{- end }}
            {{- with $anywhere }}
            - name: DEPUTY_ROLES_ANYWHERE_TRUST_ANCHOR
              value: {{ .trustAnchorARN | quote }}
            - name: DEPUTY_ROLES_ANYWHERE_PROFILE
              value: {{ .profileARN | quote }}
            - name: DEPUTY_ROLES_ANYWHERE_ROLE
              value: {{ .roleARN | quote }}
            - name: DEPUTY_ROLES_ANYWHERE_SESSION_SECONDS
              value: {{ .sessionSeconds | default 3600 | int64 | quote }}
            {{- with .endpoint }}
            - name: DEPUTY_ROLES_ANYWHERE_ENDPOINT
              value: {{ . | quote }}
            {{- end }}
            {{- end }}
            {{- if .people }}
            - name: DEPUTY_PEOPLE_LISTEN
              value: "[::]:{{ .people }}"
            {{- end }}
            {{- range .env }}
            - name: {{ .name }}
              value: {{ .value | quote }}
            {{- end }}
            {{- with .values.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            - {name: admin, containerPort: {{ $admin }}}
            - {name: probes, containerPort: {{ $probes }}}
            {{- if .port }}
            - {name: https, containerPort: {{ .port }}}
            {{- end }}
            {{- if .people }}
            - {name: people, containerPort: {{ .people }}}
            {{- end }}
          livenessProbe:
            httpGet: {path: /healthz, port: probes}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet: {path: /readyz, port: probes}
            periodSeconds: 2
            timeoutSeconds: 2
          {{- with .values.resources }}
          resources: {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- include "deputy.containerSecurity" $root | nindent 10 }}
          volumeMounts:
            - {name: kube-api-access, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
            {{- with .secret }}
            - {name: {{ .volume }}, mountPath: {{ .path }}, readOnly: true}
            {{- end }}
            {{- if $anywhere }}
            - {name: roles-anywhere, mountPath: /var/run/secrets/deputy.dev/roles-anywhere, readOnly: true}
            {{- end }}
            {{- with .values.extraVolumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
      volumes:
        {{- include "deputy.kubeAPIAccess" $root | nindent 8 }}
        {{- with .secret }}
        # Without it the process does all else, and the conditions of accounts say what is missing.
        - name: {{ .volume }}
          secret: {secretName: {{ .name }}, defaultMode: 0440, optional: true}
        {{- end }}
        {{- with $anywhere }}
        # Its own certificate and key, and nothing else of that Secret.
        - name: roles-anywhere
          secret:
            secretName: {{ .certificateSecret }}
            defaultMode: 0440
            items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]
        {{- end }}
        {{- with .values.extraVolumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      topologySpreadConstraints:
        {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - maxSkew: 1
          topologyKey: {{ . }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{- include "deputy.selector" $ | nindent 14 }}
        {{- end }}
      {{- with .values.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.affinity }}
      affinity: {{- toYaml . | nindent 8 }}
      {{- end }}
{{- if $root.Values.podDisruptionBudget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: deputy-{{ .name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "deputy.componentLabels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "deputy.selector" . | nindent 6 }}
{{- end }}
{{- end }}

{{/* Binds the ClusterRole (and, if asked, the Role) of a component to its ServiceAccount. Arguments: root, name, role (bool). */}}
{{- define "deputy.bindings" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: deputy-{{ .name }}
  labels: {{- include "deputy.componentLabels" . | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: deputy-{{ .name }}}
subjects:
  - {kind: ServiceAccount, name: deputy-{{ .name }}, namespace: {{ .root.Release.Namespace }}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: deputy-{{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "deputy.componentLabels" . | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: deputy-{{ .name }}}
subjects:
  - {kind: ServiceAccount, name: deputy-{{ .name }}, namespace: {{ .root.Release.Namespace }}}
{{- end }}

{{/* The match condition that leaves out the API server's image of a static pod, which can't be changed. */}}
{{- define "deputy.notAMirrorPod" -}}
- name: not-a-mirror-pod
  expression: "!('kubernetes.io/config.mirror' in object.metadata.?annotations.orValue({}))"
{{- end }}

{{/* What the policies ask of a pod that is to get credentials: `settled`, and what it is made of. */}}
{{- define "deputy.injectionVariables" -}}
- name: containers
  expression: (object.spec.containers + object.spec.?initContainers.orValue([])).filter(c, c.name != 'deputy-agent')
- name: says
  expression: object.metadata.?annotations[?'deputy.dev/injected'].orValue('')
- name: hasSidecar
  expression: object.spec.?initContainers.orValue([]).exists(c, c.name == 'deputy-agent')
- name: hostNetwork
  expression: object.spec.?hostNetwork.orValue(false)
{{- if .Values.injection.node.enabled }}
# Containers without the whole way to the agent on the node: its address, the token's file, and where that is mounted.
{{- $uri := printf "http://%s/v1/credentials" (include "deputy.nodeAgentAddress" .) }}
{{- $token := "/var/run/secrets/deputy.dev/serviceaccount" }}
- name: notOfTheNode
  expression: >-
    variables.containers.filter(c, !(c.?env.orValue([]).exists(e, e.name == 'AWS_CONTAINER_CREDENTIALS_FULL_URI'
    && (e.?value.orValue('') == '{{ $uri }}' || e.?value.orValue('').startsWith('{{ $uri }}/')))
    && c.?env.orValue([]).exists(e, e.name == 'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE' && e.?value.orValue('') == '{{ $token }}/token')
    && c.?volumeMounts.orValue([]).exists(m, m.name == 'deputy-token' && m.mountPath == '{{ $token }}')))
# The agent on the node serves a pod that has the token, and in which each container has the whole way to it, or a provider of its own
# (or half of one, where the webhook can't tell which binding it uses) and nothing of that way. A mesh's container may come after the
# webhook's last word.
- name: byTheNode
  expression: >-
    variables.says == 'node' && !variables.hasSidecar && variables.notOfTheNode.size() < variables.containers.size()
    && object.spec.?volumes.orValue([]).exists(v, v.name == 'deputy-token'
    && v.?projected.?sources.orValue([]).exists(s, s.?serviceAccountToken.?audience.orValue('') == 'deputy'))
    && variables.notOfTheNode.all(c, c.name.matches('^(istio|linkerd|kuma|consul)-')
    || c.?env.orValue([]).exists(e, e.name in ['AWS_ROLE_ARN', 'AWS_WEB_IDENTITY_TOKEN_FILE'])
    || c.?env.orValue([]).exists(e, e.name in ['AWS_CONTAINER_CREDENTIALS_FULL_URI', 'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE']
    && !e.?value.orValue('').startsWith('{{ $uri }}') && e.?value.orValue('') != '{{ $token }}/token')
    || c.?volumeMounts.orValue([]).exists(m, m.name != 'deputy-token' && m.mountPath.startsWith('{{ $token }}')
    || m.mountPath.startsWith('/var/run/secrets/eks.amazonaws.com/serviceaccount')))
{{- end }}
# With the sidecar, served by the agent on the node, or with what a container needs to call STS itself (method AssumeRoleWithWebIdentity).
- name: injected
  expression: >-
    variables.says == 'v1' && variables.hasSidecar && !variables.hostNetwork
    {{- if .Values.injection.node.enabled }}
    || variables.byTheNode
    {{- end }}
    || variables.says == 'web-identity' && variables.containers.exists(c,
    ['AWS_ROLE_ARN', 'AWS_WEB_IDENTITY_TOKEN_FILE'].all(name, c.?env.orValue([]).exists(e, e.name == name)))
# Why the webhook left a pod alone that asks: its own list (tests/contracts).
- name: skipped
  expression: >-
    variables.says in ['skipped: disabled', 'skipped: host-network', 'skipped: windows', 'skipped: irsa', 'skipped: own-credentials']
# Pods that can't be injected: they pass unless they carry the label themselves.
- name: impossible
  expression: >-
    variables.hostNetwork ? 'it uses the network of its node'
    : object.spec.?os.?name.orValue('') == 'windows'
    || object.spec.?nodeSelector[?'kubernetes.io/os'].orValue('') == 'windows' ? 'it is a Windows pod'
    : ''
# Pods with IAM roles for service accounts in every container are left alone, with the webhook and without.
- name: webIdentity
  expression: >-
    variables.containers.all(c,
    ['AWS_ROLE_ARN', 'AWS_WEB_IDENTITY_TOKEN_FILE'].all(name, c.?env.orValue([]).exists(e, e.name == name)))
- name: settled
  expression: variables.injected || variables.skipped || variables.webIdentity || variables.impossible != ''
{{- end }}

{{/* What both webhooks for pods have in common. */}}
{{- define "deputy.podWebhook" -}}
clientConfig:
  service: {name: deputy-webhook, namespace: {{ .Release.Namespace }}, path: /mutate, port: 443}
rules:
  - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods], scope: Namespaced}
matchConditions:
  {{- include "deputy.notAMirrorPod" . | nindent 2 }}
admissionReviewVersions: [v1]
failurePolicy: {{ .Values.webhook.pods.failurePolicy }}
matchPolicy: Equivalent
# Injectors that run later add containers that need the environment too.
reinvocationPolicy: IfNeeded
# The event about a warning is left out in a dry run.
sideEffects: NoneOnDryRun
timeoutSeconds: {{ .Values.webhook.pods.timeoutSeconds }}
{{- end }}
