{{- define "windlass.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "windlass.name" .) .Release.Name -}}
{{- printf "%s-operator" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s-operator" .Release.Name (include "windlass.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "windlass.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "windlass.selectorLabels" -}}
app.kubernetes.io/name: {{ include "windlass.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "windlass.labels" -}}
{{ include "windlass.selectorLabels" . }}
app.kubernetes.io/part-of: windlass
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "windlass.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "windlass.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "windlass.image" -}}
{{- default (printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag)) .Values.image.reference -}}
{{- end -}}

{{- define "windlass.runtimeImage" -}}
{{- $beside := .Values.image.repository | trimSuffix "windlass-operator" -}}
{{- default (printf "%swindlass-runtime:%s" $beside (default .Chart.AppVersion .Values.image.tag)) .Values.runtime.image -}}
{{- end -}}

{{/* The keys of the dispatcher of actors. */}}
{{- define "windlass.dispatcherSecret" -}}
{{- default (printf "%s-dispatcher" (include "windlass.fullname" .) | trunc 253) .Values.actors.secret -}}
{{- end -}}

{{/* What the pods of tasks are like, in JSON without a dollar sign: Kubernetes would expand it in an argument. */}}
{{- define "windlass.pods" -}}
{{- $pods := dict "template" .Values.pods.template "namespaces" .Values.pods.namespaces "accelerators" .Values.pods.accelerators -}}
{{- $rest := dict "defaultSecret" .Values.pods.defaultSecret "readOnlyRootFilesystem" .Values.pods.readOnlyRootFilesystem -}}
{{- merge $pods $rest | toJson | replace "$" "\\u0024" -}}
{{- end -}}

{{/* Everything the operator may do to namespaced objects. Not among it: Secrets, and writing any spec of a user. */}}
{{- define "windlass.rules" -}}
- apiGroups: [windlass.dev]
  resources: [tasks, workflows, launchplans, actorenvironments, backfills, apps]
  verbs: [get, list, watch]
- apiGroups: [windlass.dev]
  resources: [executions, signals] # children and runs that are kept long enough; the questions of gates
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [windlass.dev]
  resources: [cacheentries] # results
  verbs: [get, list, create, delete]
- apiGroups: [windlass.dev]
  resources: [tasks/status, workflows/status, launchplans/status, actorenvironments/status, executions/status, signals/status, backfills/status, apps/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""]
  resources: [configmaps] # code bundles are copied for running Executions; large values; the results of maps
  verbs: [get, list, create, patch, delete]
- apiGroups: [apps]
  resources: [controllerrevisions] # revisions of Tasks and Workflows, closures of Executions
  verbs: [get, list, create, patch, delete]
- apiGroups: [coordination.k8s.io]
  resources: [leases] # who computes a result that others wait for; which replica has which Executions
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: [""]
  resources: [podtemplates] # what tasks name by podTemplateName
  verbs: [get]
- apiGroups: [""]
  resources: [events] # what happened to nodes of runs; and why kubelets can't mount volumes, which only Events tell
  verbs: [create, list, watch]
{{- end -}}

{{/* What the collector of the store reads, to know what is still referred to. It writes nothing in the cluster. */}}
{{- define "windlass.collectorRules" -}}
- apiGroups: [windlass.dev]
  resources: [tasks, workflows, launchplans, actorenvironments, executions, signals, artifacts, cacheentries, backfills, apps]
  verbs: [list]
- apiGroups: [""]
  resources: [configmaps] # large values
  verbs: [list]
- apiGroups: [apps]
  resources: [controllerrevisions] # what running Executions are pinned to
  verbs: [list]
{{- end -}}

{{/* What the keeper of logs sees. It writes nothing in the cluster. */}}
{{- define "windlass.logKeeperRules" -}}
- apiGroups: [windlass.dev]
  resources: [executions] # where the logs of a run go
  verbs: [get]
- apiGroups: [""]
  resources: [pods] # which containers have ended
  verbs: [list, watch]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
{{- end -}}

{{/* The account of a process beside the operator, and its rights where the operator looks: of {root, name, annotations, rules}. */}}
{{- define "windlass.reader" -}}
{{- $subject := dict "kind" "ServiceAccount" "name" .name "namespace" .root.Release.Namespace -}}
{{- $labels := include "windlass.labels" .root -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- range .root.Values.watchNamespaces }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $.name }}
  namespace: {{ . }}
  labels: {{- $labels | nindent 4 }}
rules: {{- $.rules | nindent 0 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $.name }}
  namespace: {{ . }}
  labels: {{- $labels | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ $.name }}}
subjects: [{{ toJson $subject }}]
{{- else }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ .name }}
  labels: {{- $labels | nindent 4 }}
rules: {{- .rules | nindent 0 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ .name }}
  labels: {{- $labels | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ .name }}}
subjects: [{{ toJson $subject }}]
{{- end }}
{{- end -}}

{{/* How a process of the operator's image gets at the store: its environment. */}}
{{- define "windlass.storeEnv" -}}
- {name: PYTHONPATH, value: "/app:/runtime"}
- {name: HOME, value: /tmp}
{{- with .Values.store.endpoint }}
- {name: AWS_ENDPOINT_URL_S3, value: {{ . | quote }}}
{{- end }}
{{- with .Values.store.region }}
- {name: AWS_DEFAULT_REGION, value: {{ . | quote }}}
{{- end }}
{{- if .Values.store.pathStyle }}
- {name: WINDLASS_S3_PATH_STYLE, value: "true"}
{{- end }}
{{- range $key, $value := .Values.store.env }}
- {name: {{ $key }}, value: {{ $value | quote }}}
{{- end }}
{{- if .Values.store.secret }}
{{- range list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" "AWS_SESSION_TOKEN" }}
- name: {{ . }}
  valueFrom:
    secretKeyRef: {name: {{ $.Values.store.secret }}, key: {{ . }}, optional: {{ eq . "AWS_SESSION_TOKEN" }}}
{{- end }}
{{- end }}
{{- end -}}
