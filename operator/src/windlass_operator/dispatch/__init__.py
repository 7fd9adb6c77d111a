"""The dispatcher of actors: hands calls to warm workers, and takes their results.

::

    loop ── Dispatch, Recall, Acknowledge ──► Dispatcher ── Switchboard ──► streams ──► workers
      ▲                                           │  (decides; pure)        (gRPC)        │
      └────────── views of calls, news ◄──────────┘◄──────────── results ◄────────────────┘

    messages.py     what workers and we say, as plain values
    calls.py        what a call is called, and how far it has come
    switchboard.py  who gets which call, and what is known of each: a state machine without clock and I/O
    dispatcher.py   the switchboard with a clock, as the loop, pools and streams see it
    server.py       the streams: the only door to gRPC, loaded when there is an ActorEnvironment

docs/decisions/0040-actors.md says why, 0041 how a replica learns what it did not see.
"""
