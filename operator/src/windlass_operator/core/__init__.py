"""The decisions: frozen observations in, plans out. Pure functions only; nothing here awaits, logs or looks at a
clock.

Read in this order: ``states`` (phases and legal moves), ``closure`` (what an Execution is pinned to), ``admission``
(may it start?), ``observed`` (what is known), ``settling`` (evidence → state), ``gates`` (may this node start?),
``plan_execution`` (the pass), ``actions`` (what a plan asks for), ``record`` (what came of it), ``status`` (state →
what people read).
"""
