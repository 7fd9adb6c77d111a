"""The small nouns of launch plans and runs, and what each becomes in the contract.

Wherever the API wraps a plain value (`Labels({...})`, `RawOutputDataConfig("s3://…")`), the value alone will do.
Called by LaunchPlan, and by the remote for the `options` of a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from windlass._modules import caller

if TYPE_CHECKING:
    from windlass._notifications import Notification


class _Noun:
    """Equal where its parts are; its repr shows them."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment]  # most have dicts in them

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


class Labels(_Noun):
    """Labels of every execution of a plan, and of its pods."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = dict(values)


class Annotations(Labels):
    """Annotations of every execution of a plan, and of its pods."""


class RawOutputDataConfig(_Noun):
    """Where files and tables that tasks give are written: a URI such as `s3://bucket/folder`."""

    def __init__(self, output_location_prefix: str) -> None:
        self.output_location_prefix = output_location_prefix


class Identity(_Noun):
    """Who a pod is. Kubernetes knows service accounts; a cloud's roles are bound to these, not to pods."""

    def __init__(
        self,
        iam_role: str | None = None,
        k8s_service_account: str | None = None,
        oauth2_client: object = None,
        execution_identity: str | None = None,
    ) -> None:
        self.iam_role = iam_role
        self.k8s_service_account = k8s_service_account
        self.oauth2_client = oauth2_client
        self.execution_identity = execution_identity


class SecurityContext(_Noun):
    """As whom the pods of a run act. Secrets are asked for by the tasks that read them (`secret_requests`)."""

    def __init__(self, run_as: Identity | None = None, secrets: object = None, tokens: object = None) -> None:
        self.run_as = run_as
        self.secrets = secrets
        self.tokens = tokens


class AuthRole(_Noun):
    """The older form of a SecurityContext."""

    def __init__(self, assumable_iam_role: str | None = None, kubernetes_service_account: str | None = None) -> None:
        self.assumable_iam_role = assumable_iam_role
        self.kubernetes_service_account = kubernetes_service_account


class ConcurrencyLimitBehavior:
    """What becomes of a run that would be one too many."""

    SKIP = "Skip"


class ConcurrencyPolicy(_Noun):
    """How many executions of a plan may run at a time.

    >>> ConcurrencyPolicy(max_concurrency=1).manifest()
    {'max': 1, 'behavior': 'Skip'}
    """

    def __init__(self, max_concurrency: int = 1, behavior: str = ConcurrencyLimitBehavior.SKIP) -> None:
        if isinstance(max_concurrency, bool) or not isinstance(max_concurrency, int) or max_concurrency < 1:
            raise ValueError(f"{caller()}: max_concurrency takes a number, 1 or more, not {max_concurrency!r}")
        if behavior != ConcurrencyLimitBehavior.SKIP:
            raise ValueError(f"{caller()}: behavior takes ConcurrencyLimitBehavior.SKIP, not {behavior!r}")
        self.max_concurrency = max_concurrency
        self.behavior = behavior

    def manifest(self) -> dict[str, Any]:
        """The policy as the contract says it."""
        return {"max": self.max_concurrency, "behavior": self.behavior}


class Options(_Noun):
    """Settings of a run, or, on a workflow, of its default plan: `workflow(default_options=Options(...))`."""

    def __init__(
        self,
        labels: Labels | Mapping[str, str] | None = None,
        annotations: Annotations | Mapping[str, str] | None = None,
        raw_output_data_config: RawOutputDataConfig | str | None = None,
        security_context: SecurityContext | str | None = None,
        max_parallelism: int | None = None,
        notifications: Iterable[Notification] | None = None,
        disable_notifications: bool | None = None,
        overwrite_cache: bool | None = None,
    ) -> None:
        self.labels = labels
        self.annotations = annotations
        self.raw_output_data_config = raw_output_data_config
        self.security_context = security_context
        self.max_parallelism = max_parallelism
        self.notifications = None if notifications is None else list(notifications)
        self.disable_notifications = disable_notifications
        self.overwrite_cache = overwrite_cache

    @classmethod
    def default_from(cls, k8s_service_account: str | None = None, raw_data_prefix: str | None = None) -> Options:
        """Options with a service account and a place for data."""
        return cls(raw_output_data_config=raw_data_prefix, security_context=k8s_service_account)

    def settings(self) -> dict[str, Any]:
        """The options that LaunchPlan takes by the same names; only what was given."""
        found = {name: value for name, value in vars(self).items() if name != "disable_notifications"}
        if self.disable_notifications:
            found["notifications"] = []
        return {name: value for name, value in found.items() if value is not None}


def run_fields(
    *,
    labels: Labels | Mapping[str, str] | None = None,
    annotations: Annotations | Mapping[str, str] | None = None,
    raw_output_data_config: RawOutputDataConfig | str | None = None,
    max_parallelism: int | None = None,
    security_context: SecurityContext | str | None = None,
    auth_role: AuthRole | str | None = None,
    overwrite_cache: bool | None = None,
) -> dict[str, Any]:
    """The settings as fields of the contract; only what was given."""
    if security_context is not None and auth_role is not None:
        raise ValueError(f"{caller()}: security_context and auth_role say the same; give security_context")
    found = {
        "labels": _texts("labels", labels),
        "annotations": _texts("annotations", annotations),
        "rawOutputPrefix": _prefix(raw_output_data_config),
        "maxParallelism": _parallelism(max_parallelism),
        "serviceAccountName": _service_account(security_context) or _account_of_role(auth_role),
        "overwriteCache": overwrite_cache,
    }
    return {name: value for name, value in found.items() if value not in (None, {})}


def _texts(what: str, values: Any) -> dict[str, str] | None:
    plain = values.values if isinstance(values, Labels) else values
    if plain is None:
        return None
    if not isinstance(plain, Mapping) or not all(isinstance(part, str) for item in plain.items() for part in item):
        raise TypeError(f"{caller()}: {what} takes a dict of texts, not {plain!r}")
    return dict(plain)


def _prefix(place: Any) -> str | None:
    found = place.output_location_prefix if isinstance(place, RawOutputDataConfig) else place
    if found is not None and not (isinstance(found, str) and found):
        raise TypeError(f"{caller()}: raw_output_data_config takes a URI such as 's3://bucket/folder', not {found!r}")
    return found


def _parallelism(number: Any) -> int | None:
    if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 0):
        raise ValueError(f"{caller()}: max_parallelism takes a number, 0 (no limit) or more, not {number!r}")
    return number


def _service_account(context: Any) -> str | None:
    if context is None or isinstance(context, str):
        return context
    if not isinstance(context, SecurityContext):
        raise TypeError(
            f"{caller()}: security_context takes a SecurityContext or a service account's name, not {context!r}"
        )
    if context.secrets or context.tokens:
        raise ValueError(
            f"{caller()}: a plan's security_context can't hand out secrets or tokens: name them where they are read,"
            " @task(secret_requests=[...])"
        )
    run_as = context.run_as or Identity()
    if run_as.iam_role or run_as.oauth2_client or run_as.execution_identity:
        raise _no_roles()
    return run_as.k8s_service_account


def _account_of_role(role: Any) -> str | None:
    if role is None or isinstance(role, str):
        return role
    if not isinstance(role, AuthRole):
        raise TypeError(f"{caller()}: auth_role takes an AuthRole or a service account's name, not {role!r}")
    if role.assumable_iam_role:
        raise _no_roles()
    return role.kubernetes_service_account


def _no_roles() -> ValueError:
    return ValueError(
        f"{caller()}: pods act as a Kubernetes service account; a cloud's role is bound to that account (IRSA, Workload"
        " Identity), not to a run: give k8s_service_account"
    )
