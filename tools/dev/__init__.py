"""What the Makefile calls: small programs of the standard library, so that they run before anything is installed.

::

    demo        the whole path: input file → cluster → images → chart → a run with its result
    verify      lint, generate, no drift, fast tests
    generate    everything that is checked in and derived: CRDs, chart copies, reference pages, goldens, snippets
    reference   command lines and metrics → docs/reference   snippets   commands in documents → their real output
    prepare     what tests would wait for                    images     built, and brought to where a cluster finds them
    bootstrap   .venv and system packages; instant when nothing changed
    console     how these programs run others and what they print

A program knows only those below it.
"""
