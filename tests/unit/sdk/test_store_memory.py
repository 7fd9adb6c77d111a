"""Files of any size go through the store in little memory: what a process needs at most, for a small and a large."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.sdk.conftest import S3Server

MIB = 1 << 20
LARGE = int(os.environ.get("WINDLASS_STORE_MIB", "256")) * MIB  # by hand: 5120 for 5 GiB (docs/guides/store.md)
EXTRA = 96 * MIB
"""What the parts under way may take: a few times 8 MiB, and the buffers of as many connections."""

COPY = """
import hashlib, json, os, resource, sys
from windlass import _store

place, folder, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
block = os.urandom(1 << 20)
sent = hashlib.sha256()
with _store.open(place, "wb") as stream:
    for _ in range(size >> 20):
        stream.write(block)
        sent.update(block)
read = hashlib.sha256()
with _store.open(place, "rb") as stream:
    while part := stream.read(1 << 20):
        read.update(part)
path = _store.get_file(place, os.path.join(folder, "copy"))
_store.put_file(path, place + "-again")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"peak": peak, "same": sent.digest() == read.digest(), "size": os.path.getsize(path)}))
"""


@pytest.mark.timeout(300 + LARGE // MIB)
def test_a_large_file_takes_hardly_more_memory_than_a_small_one(s3_server: S3Server, tmp_path: Path) -> None:
    def copied(size: int) -> dict[str, int]:
        command = [sys.executable, "-c", COPY, s3_server.uri(f"of-{size}"), str(tmp_path), str(size)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found: dict[str, int] = json.loads(done.stdout)
        assert found["same"]
        assert found["size"] == size
        return found

    small, large = copied(MIB)["peak"], copied(LARGE)["peak"]
    told = f"{small >> 20} MiB for 1 MiB, {large >> 20} MiB for {LARGE >> 20} MiB"
    print(told)
    assert large - small < EXTRA, told
    assert s3_server.client.head_object(Bucket=s3_server.bucket, Key=f"of-{LARGE}-again")["ContentLength"] == LARGE
