"""Projects and domains are namespaces: `{project}-{domain}`, unless WINDLASS_NAMESPACE_TEMPLATE says otherwise."""

from __future__ import annotations

import os

TEMPLATE = "WINDLASS_NAMESPACE_TEMPLATE"
DEFAULT_PROJECT, DEFAULT_DOMAIN = "flytesnacks", "development"


def namespace_of(project: str | None, domain: str | None) -> str:
    """The namespace of a project and domain; where one is not said, the default of the API stands in.

    >>> namespace_of("shop", "production"), namespace_of("shop", None)
    ('shop-production', 'shop-development')
    """
    template = os.environ.get(TEMPLATE) or "{project}-{domain}"
    return template.replace("{project}", project or DEFAULT_PROJECT).replace("{domain}", domain or DEFAULT_DOMAIN)


def parts_of(namespace: str) -> tuple[str, str] | None:
    """The project and domain that a namespace stands for; None where it stands for none.

    >>> parts_of("my-shop-production"), parts_of("default")
    (('my-shop', 'production'), None)
    """
    import re  # noqa: PLC0415  only who lists projects asks

    template = os.environ.get(TEMPLATE) or "{project}-{domain}"
    pattern = re.escape(template).replace(r"\{project\}", "(?P<project>.+)").replace(r"\{domain\}", "(?P<domain>[^-]+)")
    found = re.fullmatch(pattern, namespace)
    if found is None:
        return None
    parts = found.groupdict()
    return parts.get("project") or DEFAULT_PROJECT, parts.get("domain") or DEFAULT_DOMAIN
