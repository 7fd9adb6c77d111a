"""A seekable stream over something that hands out ranges of bytes: how remote objects are read without a download.

What it keeps of what it has read is the `cache_type` that `FlyteFile.open` takes, by the names users know:

| cache_type | keeps | good for |
|---|---|---|
| `readahead` (default), `bytes` | the block last read, and reads ahead to its end | reading from front to back |
| `none` | nothing: each read asks the server | a few big reads at known places |
| `first` | the first block, e.g. a header that is visited again | formats with a header |
| `blockcache` | the last `maxblocks` blocks (default 32) | jumping around |
| `background` | the same, and fetches the next block meanwhile | slow front to back reading of big files |
| `mmap` | every block it has read, in a temporary file | reading all of it, more than once |
| `all` | the whole object, in memory | small files |

`cache_options`: `block_size` in bytes (default 1 MiB), `maxblocks`.
"""

from __future__ import annotations

import io
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

Fetch = Callable[[int, int], bytes]  # (start, stop) → exactly those bytes
CACHES = ("readahead", "bytes", "none", "first", "blockcache", "background", "mmap", "all")
_BLOCK = 1 << 20
_OPTIONS = ("block_size", "maxblocks")


def reader(fetch: Fetch, size: int, cache_type: str | None, cache_options: Mapping[str, Any], name: str) -> IO[bytes]:
    """A buffered binary stream of `size` bytes that asks `fetch` for what it does not have."""
    kind = cache_type or "readahead"
    if kind not in CACHES:
        raise ValueError(f"cache_type is {kind!r}; it is one of {', '.join(CACHES)}")
    unknown = sorted(set(cache_options) - set(_OPTIONS))
    if unknown:
        raise ValueError(f"cache_options has {', '.join(unknown)}; it may have {' and '.join(_OPTIONS)}")
    block = _positive(cache_options, "block_size", _BLOCK)
    if kind == "none":
        return io.BufferedReader(_Ranges(fetch, size, name), 1)
    blocks = _Blocks(fetch, size, size or 1 if kind == "all" else block, _keeper(kind, cache_options, block))
    return io.BufferedReader(_Ranges(blocks.read, size, name, blocks.close), io.DEFAULT_BUFFER_SIZE)


def _positive(options: Mapping[str, Any], name: str, default: int) -> int:
    value = options.get(name, default)
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"cache_options[{name!r}] is {value!r}; it is a number of at least 1")
    return value


class _Ranges(io.RawIOBase):
    """The position, and the rest of what Python wants of a stream."""

    def __init__(self, fetch: Fetch, size: int, name: str, done: Callable[[], None] = lambda: None) -> None:
        self._fetch = fetch
        self._size = size
        self._at = 0
        self._done = done
        self.name = name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        at = offset + (0, self._at, self._size)[whence]
        if at < 0:
            raise ValueError(f"can't seek to {at}, before the start of {self.name}")
        self._at = at
        return at

    def readinto(self, buffer: Any) -> int:
        stop = min(self._at + len(buffer), self._size)
        if stop <= self._at:
            return 0
        data = self._fetch(self._at, stop)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._done()
        super().close()


# ---- what is kept ----------------------------------------------------------------------------------------------------


class _Kept:
    """The last `most` blocks, by number; `pinned` ones stay."""

    def __init__(self, most: int, pinned: frozenset[int] = frozenset()) -> None:
        self._most = most
        self._pinned = pinned
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def get(self, number: int) -> bytes | None:
        data = self._blocks.get(number)
        if data is not None:
            self._blocks.move_to_end(number)
        return data

    def put(self, number: int, data: bytes) -> None:
        self._blocks[number] = data
        loose = [known for known in self._blocks if known not in self._pinned]
        for old in loose[: max(0, len(loose) - self._most)]:
            del self._blocks[old]

    def close(self) -> None:
        self._blocks.clear()


class _KeptOnDisk(_Kept):
    """Every block, in a temporary file without a name, at its own place."""

    def __init__(self, block: int) -> None:
        super().__init__(0)
        self._file = tempfile.TemporaryFile(prefix="windlass-")  # noqa: SIM115  closed with the stream
        self._lengths: dict[int, int] = {}
        self._block = block

    def get(self, number: int) -> bytes | None:
        if number not in self._lengths:
            return None
        self._file.seek(number * self._block)
        return self._file.read(self._lengths[number])

    def put(self, number: int, data: bytes) -> None:
        self._file.seek(number * self._block)
        self._file.write(data)
        self._lengths[number] = len(data)

    def close(self) -> None:
        self._file.close()


class _KeptAhead(_Kept):
    """The last blocks, and the next one already on its way: `read_ahead` is told how to fetch it."""

    ahead = True


def _keeper(kind: str, options: Mapping[str, Any], block: int) -> _Kept:
    if kind == "mmap":
        return _KeptOnDisk(block)
    most = _positive(options, "maxblocks", 32)
    if kind == "background":
        return _KeptAhead(most)
    if kind == "blockcache":
        return _Kept(most)
    return _Kept(1, frozenset([0]) if kind == "first" else frozenset())


class _Blocks:
    """Ranges made of blocks, each fetched once for as long as it is kept; neighbours are fetched in one go."""

    def __init__(self, fetch: Fetch, size: int, block: int, kept: _Kept) -> None:
        self._fetch = fetch
        self._size = size
        self._block = block
        self._kept = kept
        self._pool: ThreadPoolExecutor | None = None
        self._coming: tuple[int, Future[bytes]] | None = None

    def read(self, start: int, stop: int) -> bytes:
        first, last = start // self._block, (stop - 1) // self._block
        whole = b"".join(self._get(number) for number in range(first, last + 1))
        if isinstance(self._kept, _KeptAhead):
            self._fetch_ahead(last + 1)
        return whole[start - first * self._block : stop - first * self._block]

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._kept.close()

    def _get(self, number: int) -> bytes:
        data = self._kept.get(number)
        if data is None:
            if self._coming is not None and self._coming[0] == number:
                data = self._coming[1].result()
                self._coming = None
            else:
                data = self._load(number)
            self._kept.put(number, data)
        return data

    def _load(self, number: int) -> bytes:
        return self._fetch(number * self._block, min((number + 1) * self._block, self._size))

    def _fetch_ahead(self, number: int) -> None:
        wanted = number * self._block < self._size and self._kept.get(number) is None
        if not wanted or (self._coming is not None and self._coming[0] == number):
            return
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  only for this kind of cache

            self._pool = ThreadPoolExecutor(1, "windlass-read-ahead")
        self._coming = (number, self._pool.submit(self._load, number))
