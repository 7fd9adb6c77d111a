"""The one exception that a person is meant to read: it says what to do, and has no traceback."""

from __future__ import annotations


class LocalClusterError(Exception):
    """Something the caller can act upon; the command line prints it and ends with status 1."""
