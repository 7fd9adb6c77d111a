"""The thin shell around the core: ``gather → plan → apply → record → one status write → telemetry``, one worker per
key.

If a function here awaits, it does not decide; what it does is asked for by a plan.
"""
