"""The images of container tasks in tests: one with a shell, and one with a compiled program and nothing else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from localcluster import images, rootfs, toolchain
from localcluster.images import Configuration, Image

ROOT = Path(__file__).parent.parent
SHELL = "docker.io/library/bash:5.3"
COMPILED = "localhost/windlass-longest-word:1"


def shell_image() -> Image:
    """Debian, which has a bash, under the name of the image that users would pull."""
    return Image((SHELL,), (rootfs.base_layer(),))


def compiled_image(folder: Path) -> Image:
    """The program of `examples/longest_word`, built as its Containerfile says."""
    content = folder / "content"
    content.mkdir()
    source = ROOT / "examples" / "longest_word" / "main.go"
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-trimpath"}
    command = [str(toolchain.find_go()), "build", "-o", str(content / "longest-word"), str(source)]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    layer = images.pack_layer(content, folder / "layer.tar")
    return Image((COMPILED,), (layer,), Configuration(entrypoint=("/longest-word",)))
