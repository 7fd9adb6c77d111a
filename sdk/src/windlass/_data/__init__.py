"""Data that is too big to be a value: files, folders and frames travel as references. And decks, pages about it.

    files ─ FlyteFile and its formats        datasets ─ StructuredDataset      deck ─ Deck
    folders ─ FlyteDirectory                 handlers ─ who writes what        renderers ─ HTML of frames, Markdown…
       └── blobs ─ what both are                 └── builtin ─ our own         page ─ all decks of a task in one file
    transformers, frames ─ all of these on the wire

Everything here is loaded by the annotation or the name that needs it. Bytes are moved by `_store` alone.
"""
