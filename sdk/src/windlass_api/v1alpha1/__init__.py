"""The kinds of windlass.dev/v1alpha1: one module per kind, and what they share in `meta` and `overrides`."""
