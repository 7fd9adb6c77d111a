from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FromWorker(_message.Message):
    __slots__ = ("hello", "state", "wanted", "started", "result", "refused", "leaving", "inventory")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    WANTED_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    LEAVING_FIELD_NUMBER: _ClassVar[int]
    INVENTORY_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    state: State
    wanted: Wanted
    started: Started
    result: Result
    refused: Refused
    leaving: Leaving
    inventory: Inventory
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., state: _Optional[_Union[State, _Mapping]] = ..., wanted: _Optional[_Union[Wanted, _Mapping]] = ..., started: _Optional[_Union[Started, _Mapping]] = ..., result: _Optional[_Union[Result, _Mapping]] = ..., refused: _Optional[_Union[Refused, _Mapping]] = ..., leaving: _Optional[_Union[Leaving, _Mapping]] = ..., inventory: _Optional[_Union[Inventory, _Mapping]] = ...) -> None: ...

class ToWorker(_message.Message):
    __slots__ = ("welcome", "run", "bundle", "cancel", "acknowledge", "drain", "heartbeat", "ask")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGE_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    run: Run
    bundle: Bundle
    cancel: Cancel
    acknowledge: Acknowledge
    drain: Drain
    heartbeat: Heartbeat
    ask: Ask
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., run: _Optional[_Union[Run, _Mapping]] = ..., bundle: _Optional[_Union[Bundle, _Mapping]] = ..., cancel: _Optional[_Union[Cancel, _Mapping]] = ..., acknowledge: _Optional[_Union[Acknowledge, _Mapping]] = ..., drain: _Optional[_Union[Drain, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., ask: _Optional[_Union[Ask, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("namespace", "pool", "revision", "pod", "pod_uid", "version", "slots")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    pool: str
    revision: str
    pod: str
    pod_uid: str
    version: str
    slots: int
    def __init__(self, namespace: _Optional[str] = ..., pool: _Optional[str] = ..., revision: _Optional[str] = ..., pod: _Optional[str] = ..., pod_uid: _Optional[str] = ..., version: _Optional[str] = ..., slots: _Optional[int] = ...) -> None: ...

class Inventory(_message.Message):
    __slots__ = ("number", "running", "results", "code")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    number: int
    running: _containers.RepeatedScalarFieldContainer[str]
    results: _containers.RepeatedCompositeFieldContainer[Result]
    code: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, number: _Optional[int] = ..., running: _Optional[_Iterable[str]] = ..., results: _Optional[_Iterable[_Union[Result, _Mapping]]] = ..., code: _Optional[_Iterable[str]] = ...) -> None: ...

class State(_message.Message):
    __slots__ = ("free", "code")
    FREE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    free: int
    code: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, free: _Optional[int] = ..., code: _Optional[_Iterable[str]] = ...) -> None: ...

class Wanted(_message.Message):
    __slots__ = ("code",)
    CODE_FIELD_NUMBER: _ClassVar[int]
    code: str
    def __init__(self, code: _Optional[str] = ...) -> None: ...

class Started(_message.Message):
    __slots__ = ("call", "at")
    CALL_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    call: str
    at: float
    def __init__(self, call: _Optional[str] = ..., at: _Optional[float] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("call", "record", "started_at", "finished_at", "exit_code", "reason", "log_tail")
    CALL_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LOG_TAIL_FIELD_NUMBER: _ClassVar[int]
    call: str
    record: bytes
    started_at: float
    finished_at: float
    exit_code: int
    reason: str
    log_tail: bytes
    def __init__(self, call: _Optional[str] = ..., record: _Optional[bytes] = ..., started_at: _Optional[float] = ..., finished_at: _Optional[float] = ..., exit_code: _Optional[int] = ..., reason: _Optional[str] = ..., log_tail: _Optional[bytes] = ...) -> None: ...

class Refused(_message.Message):
    __slots__ = ("call", "reason")
    CALL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    call: str
    reason: str
    def __init__(self, call: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Leaving(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("peers", "heartbeat_seconds", "replica")
    PEERS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    peers: _containers.RepeatedScalarFieldContainer[str]
    heartbeat_seconds: float
    replica: str
    def __init__(self, peers: _Optional[_Iterable[str]] = ..., heartbeat_seconds: _Optional[float] = ..., replica: _Optional[str] = ...) -> None: ...

class Ask(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ("call", "order", "code", "timeout_seconds")
    CALL_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    call: str
    order: bytes
    code: str
    timeout_seconds: float
    def __init__(self, call: _Optional[str] = ..., order: _Optional[bytes] = ..., code: _Optional[str] = ..., timeout_seconds: _Optional[float] = ...) -> None: ...

class Bundle(_message.Message):
    __slots__ = ("code", "part", "last", "problem")
    CODE_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    code: str
    part: bytes
    last: bool
    problem: str
    def __init__(self, code: _Optional[str] = ..., part: _Optional[bytes] = ..., last: _Optional[bool] = ..., problem: _Optional[str] = ...) -> None: ...

class Cancel(_message.Message):
    __slots__ = ("call", "reason")
    CALL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    call: str
    reason: str
    def __init__(self, call: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Acknowledge(_message.Message):
    __slots__ = ("calls",)
    CALLS_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, calls: _Optional[_Iterable[str]] = ...) -> None: ...

class Drain(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...
