"""Typed Python workflows on Kubernetes with nothing but Kubernetes.

    from windlass import task, workflow

    @task
    def greet(name: str) -> str:
        return f"Hello, {name}!"

    @workflow
    def hello(name: str = "world") -> str:
        return greet(name=name)

`hello()` runs here; `windlass render` turns the file into manifests, and `windlass run --remote` runs it in a cluster.

Importing this package is paid in every pod, so a name is loaded when it is first asked for. The table below says where
each lives; type checkers and editors read the same from the imports above it (a test holds both together).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from windlass import accelerators as accelerators
    from windlass._actor import (
        ActorEnvironment as ActorEnvironment,
        actor_cache as actor_cache,
    )
    from windlass._app import (
        App as App,
    )
    from windlass._artifacts import (
        Artifact as Artifact,
        ArtifactID as ArtifactID,
        ArtifactKey as ArtifactKey,
        ArtifactQuery as ArtifactQuery,
        Card as Card,
        DataCard as DataCard,
        Granularity as Granularity,
        Inputs as Inputs,
        ModelCard as ModelCard,
        OnArtifact as OnArtifact,
        Op as Op,
        Partition as Partition,
        Partitions as Partitions,
        TimePartition as TimePartition,
    )
    from windlass._cache import (
        Cache as Cache,
        CacheFunctionBody as CacheFunctionBody,
        CachePolicy as CachePolicy,
        VersionParameters as VersionParameters,
    )
    from windlass._checkpoint import (
        Checkpoint as Checkpoint,
        SyncCheckpoint as SyncCheckpoint,
    )
    from windlass._conditional import (
        conditional as conditional,
    )
    from windlass._container_task import (
        ContainerTask as ContainerTask,
    )
    from windlass._context import (
        current_context as current_context,
    )
    from windlass._create_node import (
        create_node as create_node,
    )
    from windlass._data.datasets import (
        FlyteSchema as FlyteSchema,
        StructuredDataset as StructuredDataset,
    )
    from windlass._data.deck import (
        Deck as Deck,
        DeckField as DeckField,
        TimeLineDeck as TimeLineDeck,
    )
    from windlass._data.files import (
        CSVFile as CSVFile,
        FileExt as FileExt,
        FlyteFile as FlyteFile,
        HDF5EncodedFile as HDF5EncodedFile,
        HTMLPage as HTMLPage,
        JoblibSerializedFile as JoblibSerializedFile,
        JPEGImageFile as JPEGImageFile,
        JSONLFile as JSONLFile,
        ONNXFile as ONNXFile,
        PDFFile as PDFFile,
        PNGImageFile as PNGImageFile,
        PythonNotebook as PythonNotebook,
        PythonPickledFile as PythonPickledFile,
        SVGImageFile as SVGImageFile,
        TFRecordFile as TFRecordFile,
    )
    from windlass._data.folders import (
        FlyteDirectory as FlyteDirectory,
        TensorboardLogs as TensorboardLogs,
        TFRecordsDirectory as TFRecordsDirectory,
    )
    from windlass._data.handlers import (
        DatasetColumn as DatasetColumn,
        LiteralStructuredDataset as LiteralStructuredDataset,
        StructuredDatasetDecoder as StructuredDatasetDecoder,
        StructuredDatasetEncoder as StructuredDatasetEncoder,
        StructuredDatasetMetadata as StructuredDatasetMetadata,
        StructuredDatasetTransformerEngine as StructuredDatasetTransformerEngine,
        StructuredDatasetType as StructuredDatasetType,
    )
    from windlass._data.renderers import (
        ArrowRenderer as ArrowRenderer,
        BoxRenderer as BoxRenderer,
        GanttChartRenderer as GanttChartRenderer,
        HistogramRenderer as HistogramRenderer,
        ImageRenderer as ImageRenderer,
        MarkdownRenderer as MarkdownRenderer,
        PythonDependencyRenderer as PythonDependencyRenderer,
        Renderable as Renderable,
        SourceCodeRenderer as SourceCodeRenderer,
        TableRenderer as TableRenderer,
        TopFrameRenderer as TopFrameRenderer,
    )
    from windlass._documentation import (
        Description as Description,
        Documentation as Documentation,
        SourceCode as SourceCode,
    )
    from windlass._dynamic import (
        dynamic as dynamic,
    )
    from windlass._eager import (
        eager as eager,
    )
    from windlass._exceptions import (
        AgentNotFound as AgentNotFound,
        AssertionException as AssertionException,
        AuthenticationException as AuthenticationException,
        BaseRecoverableException as BaseRecoverableException,
        CompilationException as CompilationException,
        ConnectorNotFound as ConnectorNotFound,
        DataNotFoundException as DataNotFoundException,
        DisapprovalException as DisapprovalException,
        DownloadDataException as DownloadDataException,
        DuplicateHandlerError as DuplicateHandlerError,
        EagerException as EagerException,
        EntityAlreadyExistsException as EntityAlreadyExistsException,
        EntityNotExistException as EntityNotExistException,
        EntityNotFoundException as EntityNotFoundException,
        EntrypointNotLoadable as EntrypointNotLoadable,
        FailureNodeInputMismatchException as FailureNodeInputMismatchException,
        FlyteAgentNotFound as FlyteAgentNotFound,
        FlyteAssertion as FlyteAssertion,
        FlyteAuthenticationException as FlyteAuthenticationException,
        FlyteCompilationException as FlyteCompilationException,
        FlyteConnectorNotFound as FlyteConnectorNotFound,
        FlyteDataNotFoundException as FlyteDataNotFoundException,
        FlyteDisapprovalException as FlyteDisapprovalException,
        FlyteDownloadDataException as FlyteDownloadDataException,
        FlyteEntityAlreadyExistsException as FlyteEntityAlreadyExistsException,
        FlyteEntityNotExistException as FlyteEntityNotExistException,
        FlyteEntityNotFoundException as FlyteEntityNotFoundException,
        FlyteEntrypointNotLoadable as FlyteEntrypointNotLoadable,
        FlyteException as FlyteException,
        FlyteFailureNodeInputMismatchException as FlyteFailureNodeInputMismatchException,
        FlyteInvalidInputException as FlyteInvalidInputException,
        FlyteMissingReturnValueException as FlyteMissingReturnValueException,
        FlyteMissingTypeException as FlyteMissingTypeException,
        FlyteNonRecoverableSystemException as FlyteNonRecoverableSystemException,
        FlyteNotImplementedException as FlyteNotImplementedException,
        FlytePromiseAttributeResolveException as FlytePromiseAttributeResolveException,
        FlyteRecoverableException as FlyteRecoverableException,
        FlyteSystemAssertion as FlyteSystemAssertion,
        FlyteSystemException as FlyteSystemException,
        FlyteSystemUnavailableException as FlyteSystemUnavailableException,
        FlyteTimeout as FlyteTimeout,
        FlyteTypeException as FlyteTypeException,
        FlyteUploadDataException as FlyteUploadDataException,
        FlyteUserException as FlyteUserException,
        FlyteUserRuntimeException as FlyteUserRuntimeException,
        FlyteValidationException as FlyteValidationException,
        FlyteValueException as FlyteValueException,
        IgnoreOutputs as IgnoreOutputs,
        InvalidInputException as InvalidInputException,
        MissingReturnValueException as MissingReturnValueException,
        MissingTypeException as MissingTypeException,
        NonRecoverableSystemException as NonRecoverableSystemException,
        NotImplementedException as NotImplementedException,
        PromiseAttributeResolveException as PromiseAttributeResolveException,
        RecoverableException as RecoverableException,
        RestrictedTypeError as RestrictedTypeError,
        SystemAssertion as SystemAssertion,
        SystemException as SystemException,
        SystemUnavailableException as SystemUnavailableException,
        TypeException as TypeException,
        TypeTransformerFailedError as TypeTransformerFailedError,
        UnsupportedTypeError as UnsupportedTypeError,
        UploadDataException as UploadDataException,
        UserException as UserException,
        UserRuntimeException as UserRuntimeException,
        ValidationException as ValidationException,
        ValueException as ValueException,
        WindlassException as WindlassException,
        WindlassTimeout as WindlassTimeout,
    )
    from windlass._gates import (
        approve as approve,
        sleep as sleep,
        wait_for_input as wait_for_input,
    )
    from windlass._image import (
        CopyFileDetection as CopyFileDetection,
        ImageSpec as ImageSpec,
    )
    from windlass._image.builders import (
        ImageBuildEngine as ImageBuildEngine,
        ImageBuildError as ImageBuildError,
        ImageSpecBuilder as ImageSpecBuilder,
    )
    from windlass._imperative import (
        ImperativeWorkflow as ImperativeWorkflow,
        Workflow as Workflow,
    )
    from windlass._launch_plan import (
        LaunchPlan as LaunchPlan,
    )
    from windlass._map import (
        map as map,  # noqa: A004  its name in the API
        map_task as map_task,
    )
    from windlass._metadata import (
        TaskMetadata as TaskMetadata,
    )
    from windlass._notifications import (
        Email as Email,
        PagerDuty as PagerDuty,
        Slack as Slack,
        WorkflowExecutionPhase as WorkflowExecutionPhase,
    )
    from windlass._parameters import (
        ExecutionParameters as ExecutionParameters,
    )
    from windlass._plan_options import (
        Annotations as Annotations,
        AuthRole as AuthRole,
        ConcurrencyLimitBehavior as ConcurrencyLimitBehavior,
        ConcurrencyPolicy as ConcurrencyPolicy,
        Identity as Identity,
        Labels as Labels,
        Options as Options,
        RawOutputDataConfig as RawOutputDataConfig,
        SecurityContext as SecurityContext,
    )
    from windlass._pod_template import (
        PodTemplate as PodTemplate,
    )
    from windlass._reference import (
        ReferenceLaunchPlan as ReferenceLaunchPlan,
        ReferenceTask as ReferenceTask,
        ReferenceWorkflow as ReferenceWorkflow,
        patch as patch,
        reference_launch_plan as reference_launch_plan,
        reference_task as reference_task,
        reference_workflow as reference_workflow,
        task_mock as task_mock,
    )
    from windlass._remote.remote import (
        FlyteRemote as FlyteRemote,
        Remote as Remote,
        UnionRemote as UnionRemote,
    )
    from windlass._resources import (
        Resources as Resources,
    )
    from windlass._schedules import (
        CronSchedule as CronSchedule,
        FixedRate as FixedRate,
        OnSchedule as OnSchedule,
    )
    from windlass._secrets import (
        MountType as MountType,
        Secret as Secret,
    )
    from windlass._shell_task import (
        OutputLocation as OutputLocation,
        ShellTask as ShellTask,
    )
    from windlass._task import (
        PythonTask as PythonTask,
        task as task,
    )
    from windlass._types.annotated import (
        BatchSize as BatchSize,
        HashMethod as HashMethod,
        kwtypes as kwtypes,
    )
    from windlass._types.error import (
        FlyteError as FlyteError,
    )
    from windlass._types.json_lines import (
        JSON as JSON,
    )
    from windlass._types.transformer import (
        TypeEngine as TypeEngine,
        TypeTransformer as TypeTransformer,
    )
    from windlass._workflow import (
        WorkflowFailurePolicy as WorkflowFailurePolicy,
        workflow as workflow,
    )

_HOMES: dict[str, tuple[str, ...]] = {
    # what runs
    "_task": (
        "task",
        "PythonTask",
    ),
    "_workflow": (
        "workflow",
        "WorkflowFailurePolicy",
    ),
    "_map": (
        "map",
        "map_task",
    ),
    "_dynamic": ("dynamic",),
    "_eager": ("eager",),
    "_conditional": ("conditional",),
    "_gates": (
        "approve",
        "sleep",
        "wait_for_input",
    ),
    "_imperative": (
        "Workflow",
        "ImperativeWorkflow",
    ),
    "_create_node": ("create_node",),
    "_container_task": ("ContainerTask",),
    "_shell_task": (
        "OutputLocation",
        "ShellTask",
    ),
    "_actor": (
        "ActorEnvironment",
        "actor_cache",
    ),
    "_reference": (
        "ReferenceLaunchPlan",
        "ReferenceTask",
        "ReferenceWorkflow",
        "patch",
        "reference_launch_plan",
        "reference_task",
        "reference_workflow",
        "task_mock",
    ),
    # launch plans
    "_launch_plan": ("LaunchPlan",),
    "_plan_options": (
        "Annotations",
        "AuthRole",
        "ConcurrencyLimitBehavior",
        "ConcurrencyPolicy",
        "Identity",
        "Labels",
        "Options",
        "RawOutputDataConfig",
        "SecurityContext",
    ),
    "_schedules": (
        "CronSchedule",
        "FixedRate",
        "OnSchedule",
    ),
    "_notifications": (
        "Email",
        "PagerDuty",
        "Slack",
        "WorkflowExecutionPhase",
    ),
    "_artifacts": (
        "Artifact",
        "ArtifactID",
        "ArtifactKey",
        "ArtifactQuery",
        "Card",
        "DataCard",
        "Granularity",
        "Inputs",
        "ModelCard",
        "OnArtifact",
        "Op",
        "Partition",
        "Partitions",
        "TimePartition",
    ),
    # how a task runs
    "_resources": ("Resources",),
    "_cache": (
        "Cache",
        "CacheFunctionBody",
        "CachePolicy",
        "VersionParameters",
    ),
    "_secrets": (
        "MountType",
        "Secret",
    ),
    "_pod_template": ("PodTemplate",),
    "accelerators": ("accelerators",),
    "_image": (
        "CopyFileDetection",
        "ImageSpec",
    ),
    "_image.builders": (
        "ImageBuildEngine",
        "ImageBuildError",
        "ImageSpecBuilder",
    ),
    "_metadata": ("TaskMetadata",),
    "_documentation": (
        "Description",
        "Documentation",
        "SourceCode",
    ),
    "_context": ("current_context",),
    "_checkpoint": (
        "Checkpoint",
        "SyncCheckpoint",
    ),
    "_parameters": ("ExecutionParameters",),
    # types and data
    "_types.annotated": (
        "BatchSize",
        "HashMethod",
        "kwtypes",
    ),
    "_types.transformer": (
        "TypeEngine",
        "TypeTransformer",
    ),
    "_types.error": ("FlyteError",),
    "_types.json_lines": ("JSON",),
    "_data.files": (
        "CSVFile",
        "FileExt",
        "FlyteFile",
        "HDF5EncodedFile",
        "HTMLPage",
        "JPEGImageFile",
        "JSONLFile",
        "JoblibSerializedFile",
        "ONNXFile",
        "PDFFile",
        "PNGImageFile",
        "PythonNotebook",
        "PythonPickledFile",
        "SVGImageFile",
        "TFRecordFile",
    ),
    "_data.folders": (
        "FlyteDirectory",
        "TFRecordsDirectory",
        "TensorboardLogs",
    ),
    "_data.datasets": (
        "FlyteSchema",
        "StructuredDataset",
    ),
    "_data.handlers": (
        "DatasetColumn",
        "LiteralStructuredDataset",
        "StructuredDatasetDecoder",
        "StructuredDatasetEncoder",
        "StructuredDatasetMetadata",
        "StructuredDatasetTransformerEngine",
        "StructuredDatasetType",
    ),
    "_data.deck": (
        "Deck",
        "DeckField",
        "TimeLineDeck",
    ),
    "_data.renderers": (
        "ArrowRenderer",
        "BoxRenderer",
        "GanttChartRenderer",
        "HistogramRenderer",
        "ImageRenderer",
        "MarkdownRenderer",
        "PythonDependencyRenderer",
        "Renderable",
        "SourceCodeRenderer",
        "TableRenderer",
        "TopFrameRenderer",
    ),
    # a cluster
    "_remote.remote": (
        "FlyteRemote",
        "Remote",
        "UnionRemote",
    ),
    "_app": ("App",),
    # exceptions, by the names that users of the API catch, and by plain ones
    "_exceptions": (
        "AgentNotFound",
        "AssertionException",
        "AuthenticationException",
        "BaseRecoverableException",
        "CompilationException",
        "ConnectorNotFound",
        "DataNotFoundException",
        "DisapprovalException",
        "DownloadDataException",
        "DuplicateHandlerError",
        "EagerException",
        "EntityAlreadyExistsException",
        "EntityNotExistException",
        "EntityNotFoundException",
        "EntrypointNotLoadable",
        "FailureNodeInputMismatchException",
        "FlyteAgentNotFound",
        "FlyteAssertion",
        "FlyteAuthenticationException",
        "FlyteCompilationException",
        "FlyteConnectorNotFound",
        "FlyteDataNotFoundException",
        "FlyteDisapprovalException",
        "FlyteDownloadDataException",
        "FlyteEntityAlreadyExistsException",
        "FlyteEntityNotExistException",
        "FlyteEntityNotFoundException",
        "FlyteEntrypointNotLoadable",
        "FlyteException",
        "FlyteFailureNodeInputMismatchException",
        "FlyteInvalidInputException",
        "FlyteMissingReturnValueException",
        "FlyteMissingTypeException",
        "FlyteNonRecoverableSystemException",
        "FlyteNotImplementedException",
        "FlytePromiseAttributeResolveException",
        "FlyteRecoverableException",
        "FlyteSystemAssertion",
        "FlyteSystemException",
        "FlyteSystemUnavailableException",
        "FlyteTimeout",
        "FlyteTypeException",
        "FlyteUploadDataException",
        "FlyteUserException",
        "FlyteUserRuntimeException",
        "FlyteValidationException",
        "FlyteValueException",
        "IgnoreOutputs",
        "InvalidInputException",
        "MissingReturnValueException",
        "MissingTypeException",
        "NonRecoverableSystemException",
        "NotImplementedException",
        "PromiseAttributeResolveException",
        "RecoverableException",
        "RestrictedTypeError",
        "SystemAssertion",
        "SystemException",
        "SystemUnavailableException",
        "TypeException",
        "TypeTransformerFailedError",
        "UnsupportedTypeError",
        "UploadDataException",
        "UserException",
        "UserRuntimeException",
        "ValidationException",
        "ValueException",
        "WindlassException",
        "WindlassTimeout",
    ),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    """A name of the table, loaded on first use and kept."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'windlass' has no attribute {name!r}")
    module = __import__(f"windlass.{home}", fromlist=("windlass",))
    value = module if home == name else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *(name for name in __all__ if name not in globals())]
