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
