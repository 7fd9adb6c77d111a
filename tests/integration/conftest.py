"""What tests against a real API server share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from localcluster.cluster import Cluster
from tests.harness import Api


@pytest.fixture
def api(control_plane: Cluster, new_namespace: Callable[[Cluster], str]) -> Api:
    """A namespace of the test's own."""
    return Api(control_plane, new_namespace(control_plane))
