"""Every exception a user of the SDK may catch, and what its class says about who has to act.

The class names, bases and error codes are those of the API that Windlass follows, so that an `except` clause written
for it keeps working; plain names without the `Flyte` prefix stand beside them (`RecoverableException`, …) and are the
same objects.

```
FlyteException                     has an error code; str() is "CODE: error=…[, cause=…]"
├ FlyteUserException               the author of a task or workflow has to act
│  ├ FlyteTypeException, FlyteValueException      also TypeError, ValueError
│  ├ FlyteAssertion                               also AssertionError; most mistakes in a workflow
│  ├ FlyteCompilationException                    a function whose signature can't be a task's
│  ├ FlyteInvalidInputException
│  └ FlyteRecoverableException                    raised by user code: "try this task again"
├ FlyteUserRuntimeException        wraps what user code raised (`.value`); deliberately not a FlyteUserException
├ BaseRecoverableException         whatever may be tried again
│  ├ FlyteRecoverableException
│  └ FlyteSystemException          the platform has to act
└ FlyteNonRecoverableSystemException
TypeTransformerFailedError         a value does not fit its type; a TypeError, AssertionError and ValueError at once
```

Nothing here knows of tasks or of Kubernetes; the runtime classifies a failure by these classes and puts `error_code` in
its record.
"""

# ruff: noqa: N818  the names are those of the API page; users' except clauses hold them


class _CodedClass(type):
    """Lets the code be read off the class (`FlyteTimeout.error_code`), that of a user's subclass included."""

    _ERROR_CODE: str

    @property
    def error_code(cls) -> str:
        return cls._ERROR_CODE


class FlyteException(Exception, metaclass=_CodedClass):
    """The root: an exception with an error code."""

    _ERROR_CODE = "UnknownFlyteException"

    @property
    def error_code(self) -> str:
        return self._ERROR_CODE

    def __str__(self) -> str:
        error = ",".join(str(argument) for argument in self.args) if self.args else "None"
        cause = str(self.__cause__) if self.__cause__ else ""
        return f"{self._ERROR_CODE}: error={error}" + (f", cause={cause}" if cause and cause not in error else "")


class BaseRecoverableException(FlyteException):
    """Whatever may be tried again: what users raise as `FlyteRecoverableException`, and failures of the platform."""

    _ERROR_CODE = "RecoverableFlyteException"


# ---- the author of the code has to act ------------------------------------------------------------------------------


class FlyteUserException(FlyteException):
    """A mistake in what the user wrote or passed."""

    _ERROR_CODE = "USER:Unknown"


class FlyteRecoverableException(FlyteUserException, BaseRecoverableException):
    """Raised in a task to say: this failure is passing, use one of my `retries`."""

    _ERROR_CODE = "USER:Recoverable"


class FlyteTypeException(FlyteUserException, TypeError):
    """A value of the wrong Python type."""

    _ERROR_CODE = "USER:TypeError"

    def __init__(
        self,
        received_type: object,
        expected_type: object,
        additional_msg: str | None = None,
        received_value: object = None,
    ) -> None:
        received = f"{received_type}" if received_value is None else f"{received_type} with value: {received_value!s}"
        one_of = " one of" if isinstance(expected_type, list | tuple | set) else ""
        text = f"Type error!  Received: {received}, Expected{one_of}: {expected_type}. {additional_msg or ''}"
        super().__init__(text.rstrip())


class FlyteValueException(FlyteUserException, ValueError):
    """A value of the right type that can't be used."""

    _ERROR_CODE = "USER:ValueError"

    def __init__(self, received_value: object, error_message: str) -> None:
        super().__init__(f"Value error!  Received: {received_value!s}. {error_message}")


class FlyteDataNotFoundException(FlyteValueException):
    """A file or folder that a value points to is not there."""

    def __init__(self, path: str) -> None:
        super().__init__(path, "File not found")


class FlyteEntityNotFoundException(FlyteValueException):
    """A module has no task or workflow of that name."""

    def __init__(self, module_name: str, entity_name: str) -> None:
        super().__init__(
            f"{module_name}.{entity_name}",
            "Task/Workflow not found; check that the name is right and that it is at module level",
        )


class FlyteAssertion(FlyteUserException, AssertionError):
    """Something in a workflow can't be as it is written."""

    _ERROR_CODE = "USER:AssertionError"


class FlyteValidationException(FlyteAssertion):
    """A workflow's shape is wrong: an output that can't be bound, an input nobody uses…"""

    _ERROR_CODE = "USER:ValidationError"


class FlyteFailureNodeInputMismatchException(FlyteAssertion):
    """The inputs of an `on_failure` handler do not match those of its workflow."""

    _ERROR_CODE = "USER:FailureNodeInputMismatch"


class FlyteDisapprovalException(FlyteAssertion):
    """A person answered no at an approval gate."""

    _ERROR_CODE = "USER:ResultNotApproved"


class FlyteEntityAlreadyExistsException(FlyteAssertion):
    """An object of that name is there already and differs."""

    _ERROR_CODE = "USER:EntityAlreadyExists"


class FlyteEntityNotExistException(FlyteAssertion):
    """An object of that name is not in the cluster."""

    _ERROR_CODE = "USER:EntityNotExist"


class FlyteTimeout(FlyteAssertion):
    """Waiting took longer than allowed."""

    _ERROR_CODE = "USER:Timeout"


class FlyteAuthenticationException(FlyteAssertion):
    """The cluster did not accept the credentials."""

    _ERROR_CODE = "USER:AuthenticationError"


class FlytePromiseAttributeResolveException(FlyteAssertion):
    """A path such as `p.attr` or `p[0]` leads nowhere in the value that the promise turned out to be."""

    _ERROR_CODE = "USER:PromiseAttributeResolveError"


class FlyteInvalidInputException(FlyteUserException):
    """The API refused a request; `.request` is what was sent."""

    _ERROR_CODE = "USER:BadInputToAPI"

    def __init__(self, request: object) -> None:
        self.request = request
        super().__init__(request)


class FlyteCompilationException(FlyteUserException):
    """A function that can't be turned into a task or workflow; `.fn` is the function."""

    _ERROR_CODE = "USER:CompileError"

    def __init__(self, fn: object, param_name: str | None = None) -> None:
        super().__init__(fn, param_name)
        self.fn = fn
        self.param_name = param_name

    @property
    def _function_name(self) -> str:
        return getattr(self.fn, "__qualname__", str(self.fn))


class FlyteMissingTypeException(FlyteCompilationException):
    """A parameter without an annotation: nothing says how its value travels."""

    _ERROR_CODE = "USER:MissingTypeError"

    def __str__(self) -> str:
        return (
            f"'{self.param_name}' has no type. Please add a type annotation to the input parameter"
            f" (in function {self._function_name})."
        )


class FlyteMissingReturnValueException(FlyteCompilationException):
    """A function that is annotated to return a value and has no `return` in its source."""

    _ERROR_CODE = "USER:MissingReturnValueError"

    def __str__(self) -> str:
        return (
            f"{self._function_name} function must return a value."
            " Please add a return statement at the end of the function, or annotate it with `-> None`."
        )


class FlyteUserRuntimeException(FlyteException):
    """What user code raised, carried through code of the platform; `.value` is the original."""

    _ERROR_CODE = "USER:RuntimeError"

    def __init__(self, exc_value: BaseException) -> None:
        super().__init__(str(exc_value))
        self._value = exc_value

    @property
    def value(self) -> BaseException:
        return self._value


# ---- the platform has to act ----------------------------------------------------------------------------------------


class FlyteSystemException(BaseRecoverableException):
    """A failure of the platform, not of the user's code; it may be tried again."""

    _ERROR_CODE = "SYSTEM:Unknown"


class FlyteSystemUnavailableException(FlyteSystemException):
    """The cluster could not be reached."""

    _ERROR_CODE = "SYSTEM:Unavailable"


class FlyteNotImplementedException(FlyteSystemException, NotImplementedError):
    """A part of the API that is not there."""

    _ERROR_CODE = "SYSTEM:NotImplemented"


class FlyteEntrypointNotLoadable(FlyteSystemException):
    """The module or function that a Task names could not be loaded."""

    _ERROR_CODE = "SYSTEM:UnloadableCode"

    def __init__(self, task_module: str, task_name: str | None = None, additional_msg: str | None = None) -> None:
        what = f"the module '{task_module}'" if task_name is None else f"the task '{task_name}' in '{task_module}'"
        why = f": {additional_msg}" if additional_msg else ""
        super().__init__(f"Entrypoint is not loadable! Could not load {what}{why}")


class FlyteSystemAssertion(FlyteSystemException, AssertionError):
    """The platform found itself in a state it believed impossible: a bug."""

    _ERROR_CODE = "SYSTEM:AssertionError"


class FlyteConnectorNotFound(FlyteSystemException, AssertionError):
    """No connector serves this kind of task."""

    _ERROR_CODE = "SYSTEM:ConnectorNotFound"


class FlyteAgentNotFound(FlyteSystemException, AssertionError):
    """The older name for a connector that is not there."""

    _ERROR_CODE = "SYSTEM:AgentNotFound"


class FlyteDownloadDataException(FlyteSystemException):
    """Data could not be read from the store."""

    _ERROR_CODE = "SYSTEM:DownloadDataError"


class FlyteUploadDataException(FlyteSystemException):
    """Data could not be written to the store."""

    _ERROR_CODE = "SYSTEM:UploadDataError"


class FlyteNonRecoverableSystemException(FlyteException):
    """A failure of the platform that trying again won't cure; `.value` is what was raised."""

    _ERROR_CODE = "USER:NonRecoverableSystemError"

    def __init__(self, exc_value: BaseException) -> None:
        super().__init__(str(exc_value))
        self._value = exc_value

    @property
    def value(self) -> BaseException:
        return self._value


# ---- without an error code ------------------------------------------------------------------------------------------


class TypeTransformerFailedError(TypeError, AssertionError, ValueError):
    """A value does not fit the type it was declared with; three bases at once, since users catch any of them."""


class UnsupportedTypeError(TypeTransformerFailedError):
    """An annotation that Windlass can't carry between tasks."""


class RestrictedTypeError(Exception):
    """An annotation that is refused on purpose: a tuple is how several outputs are written, not a value."""


class DuplicateHandlerError(ValueError):
    """Two handlers were registered for one type."""


class EagerException(Exception):
    """An entity that an eager workflow awaited has failed."""


class IgnoreOutputs(Exception):
    """Raised in a task whose outputs must not be recorded (a worker of a distributed job)."""


# ---- plain names ----------------------------------------------------------------------------------------------------

WindlassException = FlyteException
UserException = FlyteUserException
RecoverableException = FlyteRecoverableException
TypeException = FlyteTypeException
ValueException = FlyteValueException
DataNotFoundException = FlyteDataNotFoundException
EntityNotFoundException = FlyteEntityNotFoundException
AssertionException = FlyteAssertion
ValidationException = FlyteValidationException
FailureNodeInputMismatchException = FlyteFailureNodeInputMismatchException
DisapprovalException = FlyteDisapprovalException
EntityAlreadyExistsException = FlyteEntityAlreadyExistsException
EntityNotExistException = FlyteEntityNotExistException
WindlassTimeout = FlyteTimeout
AuthenticationException = FlyteAuthenticationException
PromiseAttributeResolveException = FlytePromiseAttributeResolveException
InvalidInputException = FlyteInvalidInputException
CompilationException = FlyteCompilationException
MissingTypeException = FlyteMissingTypeException
MissingReturnValueException = FlyteMissingReturnValueException
UserRuntimeException = FlyteUserRuntimeException
SystemException = FlyteSystemException
SystemUnavailableException = FlyteSystemUnavailableException
NotImplementedException = FlyteNotImplementedException
EntrypointNotLoadable = FlyteEntrypointNotLoadable
SystemAssertion = FlyteSystemAssertion
ConnectorNotFound = FlyteConnectorNotFound
AgentNotFound = FlyteAgentNotFound
DownloadDataException = FlyteDownloadDataException
UploadDataException = FlyteUploadDataException
NonRecoverableSystemException = FlyteNonRecoverableSystemException


class Terminated(BaseException):
    """Raised inside the user's function when the pod is told to end (SIGTERM), so that `finally` blocks run.

    Not an Exception, so that an `except Exception` of the user's code does not swallow it.
    """
