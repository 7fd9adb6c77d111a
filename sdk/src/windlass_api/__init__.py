"""The contract between author, operator and cluster: kinds, types, references, rules.

The SDK writes it, the cluster stores it, the operator reads it; this package is the only place where any of them
learns what it looks like. It is pure: no clock, no I/O, no logging, no randomness. Import its modules by name, for
this file stays empty so that nobody pays for what they don't use:

    names         the group, labels, and the name of every object, as functions of their inputs
    findings      what is wrong, where, and why, in one shape
    types         type expressions (`list[int]`), values against them
    durations     `90s`, `1h30m`
    cron          when a schedule's expression comes true
    quantities    `500m`, `1.5Gi`
    refs          `$ref` and `$literal` inside values
    references    the files, tables and pickles inside a value
    cache_key     what a result is found by, and why one was not found
    maps          how many elements of a map have to succeed
    artifacts     what Artifacts are called, and the labels they are found by
    cel           the expressions of `when`
    graph         who waits for whom
    wiring        what a node takes and gives, whatever it is, and the types of references
    conditions    metav1 conditions, changed only when something changes
    overrides     what a later layer may change, and the one merge
    validation    the rules which one object, or a workflow with its tasks, has to keep
    v1alpha1      the models of the kinds                                   (loads pydantic)
    manifests_check   a folder of manifests against all of the above        (loads pydantic)
    schema, reference   models → CRDs, models → documentation               (load pydantic)

All but the last three are plain standard library on plain dicts: they run in every pod.
"""
