"""The cache: a task with equal inputs is not run twice.

    @task(cache=Cache(version="1", ignored_inputs=("verbose",)))
    def train(data: FlyteFile, verbose: bool) -> float: ...

    versions.py  what users write: Cache, policies, and the version that they give
    local.py     looking up and keeping, for local runs
    disk.py      the folder that it keeps them in

In a cluster the operator keeps results, and finds them by the same key (`windlass_api.cache_key`).
"""

from windlass._cache.versions import Cache, CacheFunctionBody, CachePolicy, VersionParameters

__all__ = ["Cache", "CacheFunctionBody", "CachePolicy", "VersionParameters"]
