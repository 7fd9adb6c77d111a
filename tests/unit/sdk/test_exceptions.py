"""The exceptions that users catch: names, bases, codes and texts are a contract."""

from __future__ import annotations

import pickle

import pytest

from windlass import _exceptions as exceptions

BASES = [
    ("FlyteUserException", "FlyteException"),
    ("FlyteTypeException", "FlyteUserException"),
    ("FlyteTypeException", "TypeError"),
    ("FlyteValueException", "ValueError"),
    ("FlyteDataNotFoundException", "FlyteValueException"),
    ("FlyteEntityNotFoundException", "FlyteValueException"),
    ("FlyteAssertion", "AssertionError"),
    ("FlyteValidationException", "FlyteAssertion"),
    ("FlyteTimeout", "FlyteAssertion"),
    ("FlyteFailureNodeInputMismatchException", "FlyteAssertion"),
    ("FlytePromiseAttributeResolveException", "FlyteAssertion"),
    ("FlyteMissingTypeException", "FlyteCompilationException"),
    ("FlyteMissingReturnValueException", "FlyteCompilationException"),
    ("FlyteRecoverableException", "FlyteUserException"),
    ("FlyteRecoverableException", "BaseRecoverableException"),
    ("FlyteSystemException", "BaseRecoverableException"),
    ("FlyteNotImplementedException", "NotImplementedError"),
    ("FlyteSystemAssertion", "AssertionError"),
    ("TypeTransformerFailedError", "TypeError"),
    ("TypeTransformerFailedError", "AssertionError"),
    ("TypeTransformerFailedError", "ValueError"),
    ("DuplicateHandlerError", "ValueError"),
]


@pytest.mark.parametrize(("name", "base"), BASES)
def test_an_except_clause_for_the_base_catches_it(name: str, base: str) -> None:
    wanted = getattr(exceptions, base, None) or getattr(__import__("builtins"), base)
    assert issubclass(getattr(exceptions, name), wanted)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("FlyteUserException", "USER:Unknown"),
        ("FlyteRecoverableException", "USER:Recoverable"),
        ("FlyteAssertion", "USER:AssertionError"),
        ("FlyteValidationException", "USER:ValidationError"),
        ("FlyteUserRuntimeException", "USER:RuntimeError"),
        ("FlyteSystemException", "SYSTEM:Unknown"),
    ],
)
def test_the_code_is_on_the_class_and_on_its_instances(name: str, code: str) -> None:
    found = getattr(exceptions, name)
    assert found.error_code == code
    assert found("x").error_code == code


def test_the_text_has_code_message_and_cause() -> None:
    error = exceptions.FlyteAssertion("no", 3)
    assert str(error) == "USER:AssertionError: error=no,3"
    error.__cause__ = KeyError("k")
    assert str(error) == "USER:AssertionError: error=no,3, cause='k'"
    assert str(exceptions.FlyteTimeout()) == "USER:Timeout: error=None"


def test_a_cause_that_the_message_tells_already_is_not_repeated() -> None:
    error = exceptions.FlyteValidationException("flow.py:3: no int: 'x'")
    error.__cause__ = ValueError("no int: 'x'")
    assert str(error) == "USER:ValidationError: error=flow.py:3: no int: 'x'"


def test_texts_that_users_grep_for() -> None:
    def nameless(a):  # type: ignore[no-untyped-def]  # that is what it is about
        return a

    assert "'a' has no type. Please add a type annotation" in str(exceptions.FlyteMissingTypeException(nameless, "a"))
    assert "nameless function must return a value" in str(exceptions.FlyteMissingReturnValueException(nameless))
    assert "Received: <class 'str'> with value: x, Expected one of: [1]" in str(
        exceptions.FlyteTypeException(str, [1], received_value="x")
    )
    assert "Value error!  Received: 3. too many" in str(exceptions.FlyteValueException(3, "too many"))
    assert "m.f" in str(exceptions.FlyteEntityNotFoundException("m", "f"))
    assert "Entrypoint is not loadable" in str(exceptions.FlyteEntrypointNotLoadable("m", "f", "gone"))


def test_wrappers_keep_what_they_wrap() -> None:
    cause = ValueError("x")
    assert exceptions.FlyteUserRuntimeException(cause).value is cause
    assert exceptions.FlyteNonRecoverableSystemException(cause).value is cause
    assert not issubclass(exceptions.FlyteUserRuntimeException, exceptions.FlyteUserException)
    assert exceptions.FlyteInvalidInputException("request").request == "request"
    assert "gone.txt" in str(exceptions.FlyteDataNotFoundException("gone.txt"))


def test_plain_names_are_the_same_classes() -> None:
    assert exceptions.RecoverableException is exceptions.FlyteRecoverableException
    assert exceptions.WindlassException is exceptions.FlyteException
    flyte = {value for name, value in vars(exceptions).items() if name.startswith("Flyte")}
    plain = {value for name, value in vars(exceptions).items() if not name.startswith(("Flyte", "_"))}
    assert flyte <= plain


def test_they_survive_a_trip_between_processes() -> None:
    error = pickle.loads(pickle.dumps(exceptions.FlyteRecoverableException("later")))
    assert (type(error), str(error)) == (exceptions.FlyteRecoverableException, "USER:Recoverable: error=later")
