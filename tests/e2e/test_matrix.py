"""Every row of the matrix on a real node, by Windlass as it is installed: a namespace per module, several rows at once.

They are played together before the first test; each row is a test by itself, held to what it is in the other worlds
(tests/matrix).
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from localcluster.cluster import Cluster
from tests.container_images import compiled_image, shell_image
from tests.harness import Api
from tests.matrix.playing import EXAMPLES, MODULES, Picture, Play, apply
from tests.matrix.row import CLUSTER, Row, differences
from tests.matrix.rows import ROWS

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]  # the first row waits for all of them

PATIENCE = 840.0
AT_ONCE = 8
"""Rows that are under way at a time: enough to keep a small node busy, few enough for timeouts to mean something."""
PAUSE = 0.25
"""Seconds between two looks at all of them: looking costs the node what its pods need."""
PATHS = {**MODULES, **EXAMPLES}
HERE = [row for row in ROWS if row.runs_in(CLUSTER)]


@pytest.fixture(scope="module")
def plays(with_windlass: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Play]]:
    """All rows, played."""
    with_windlass.load_images([shell_image(), compiled_image(tmp_path_factory.mktemp("compiled"))])
    groups = {module: f"m-{module.rpartition('/')[2].replace('_', '-')}-{index}" for index, module in enumerate(PATHS)}
    groups = {module: name for module, name in groups.items() if any(row.module == module for row in HERE)}
    apis = {module: Api(with_windlass, namespace) for module, namespace in groups.items()}
    for module, namespace in groups.items():
        with_windlass.kubectl("create", "namespace", namespace)
        with_windlass.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
        apply(apis[module], PATHS[module])
    found = {
        str(row): Play(row, row.runs_in(CLUSTER), PATHS[row.module], apis[row.module], number)
        for number, row in enumerate(HERE)
    }
    _play(found, apis)
    yield found
    with_windlass.kubectl("delete", "namespace", *groups.values(), "--wait=false")


def _play(plays: dict[str, Play], apis: dict[str, Api]) -> None:
    left, deadline = list(plays.values()), time.monotonic() + PATIENCE
    while left and time.monotonic() < deadline:
        at_work = left[:AT_ONCE]
        for module in {play.row.module for play in at_work}:
            picture = Picture.of(apis[module])
            for play in at_work:
                if play.row.module == module:
                    play.step(picture)
        left = [play for play in left if not play.over]
        time.sleep(PAUSE)


@pytest.mark.parametrize("row", HERE, ids=str)
def test_a_row_comes_out_on_a_node_as_it_must(row: Row, plays: dict[str, Play]) -> None:
    play = plays[str(row)]
    wrong = [
        f"run {index}: {text}"
        for index, ended in enumerate(play.ended)
        for text in differences(play.runs[index], ended, play.ended)
    ]
    assert not wrong, "\n".join(wrong)
    assert play.over, f"it did not end: {play.told()}"
