"""For tests of workflows: mocks in the place of tasks, and a clean slate.

from windlass.testing import task_mock

with task_mock(load) as mock:
    mock.return_value = 7
    assert report(region="dubai") == 14
"""

from windlass._reference import patch, task_mock

__all__ = ["patch", "task_mock"]
