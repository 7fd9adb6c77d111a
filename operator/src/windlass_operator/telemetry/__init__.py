"""Transitions and outcomes → metrics, Events and log lines. The only importer of ``prometheus_client``.

``core`` never mentions a metric: everything here hangs on the data that passes return. Labels come from enums only (no
names of Executions), so the number of series is bounded.
"""

from windlass_operator.telemetry.events import EventSink
from windlass_operator.telemetry.observer import Telemetry

__all__ = ["EventSink", "Telemetry"]
