"""Effective specs → Kubernetes objects, as plain dicts. Pure, and the only place that knows what a pod looks like."""
