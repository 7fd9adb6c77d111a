"""Images that tasks run in: `ImageSpec`, and everything that becomes of one.

    spec            what an image holds; all that a pod ever loads
    context         the files that it names, and the digest of their content
    containerfile   both as the text that builders read
    registry        asking a registry whether it has an image
    builders        docker, podman, buildah, users' own
    names           from what an author wrote to what a manifest says

A user's module that makes a spec is loaded in every pod, so only `spec` is loaded from here.
"""

from windlass._image.spec import CopyFileDetection, ImageSpec

__all__ = ["CopyFileDetection", "ImageSpec"]
