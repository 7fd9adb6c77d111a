"""The matrix: every behaviour of the engine that a user's code, or who runs it, can ask for; one row each."""

from __future__ import annotations

from typing import Any

from tests.matrix.row import CLUSTER, LOCAL, MEMORY, Act, Body, Differs, Row, Run

ENDS_THE_PROCESS = "it would end the process that all local tasks share"
NOT_TO_ACT_ON = "a local run is over before anybody could act on it"
NO_EXECUTION = "a local run is no object"
ONE_PROCESS = "local runs come one after the other"
NO_STATUS = "a local result is not kept in a status"
NO_LIMITS = "a local run has no limit of memory"

ZERO = {"user": 0, "system": 0}
RECOVERABLE = "FlyteRecoverableException"


def ok(inputs: Body, outputs: Any, **more: Any) -> Run:
    """A run that succeeds, with one output or with several by name."""
    return Run(inputs, outputs=outputs if isinstance(outputs, dict) else {"o0": outputs}, **more)


def bad(inputs: Body, type_: str, message: str, **more: Any) -> Run:
    """A run that fails with an exception."""
    error = {"type": type_, "message": message, **more.pop("error", {})}
    return Run(inputs, phase="Failed", error={part: text for part, text in error.items() if text}, **more)


def refused(inputs: Body, code: str, message: str, **more: Any) -> Run:
    """A run that fails by the engine's word."""
    error = {"code": code, "message": message, **more.pop("error", {})}
    return Run(inputs, phase="Failed", error={part: text for part, text in error.items() if text}, **more)


def skipped(*nodes: str) -> Body:
    """The phases of nodes that were not needed."""
    return dict.fromkeys(nodes, "Skipped")


def local(why: str, run: Run | None = None) -> tuple[Differs, ...]:
    """What is different without a cluster."""
    return (Differs(LOCAL, why, run),)


OVERRIDING = (
    Row(
        "overriding",
        "more_retries",
        "an override of a node counts more than the task's own",
        (ok({}, 2, attempts={"patient": 2}, failures={"patient": {"user": 2, "system": 0}}),),
    ),
    Row(
        "overriding",
        "more_retries",
        "a budget that is used up ends the node with the last error",
        (
            bad(
                {"attempt": 3},
                RECOVERABLE,
                "not yet",
                error={"node": "patient"},
                nodes={"patient": "Failed"},
                attempts={"patient": 2},
            ),
        ),
    ),
    Row("overriding", "resources", "overrides are merged, not replaced", (ok({}, "task x"),)),
    Row(
        "overriding",
        "shorter_timeout",
        "a timeout of a node",
        (refused({}, "TimeoutExpired", "timeout", error={"node": "n0"}, nodes={"n0": "Failed"}),),
        local("the name of the exception differs", bad({}, "TimeoutExpired", "in time")),
    ),
    Row(
        "overriding",
        "cached_here",
        "a cache of a node whose task has none",
        (ok({}, "task kept", cache={"n0": ("Stored", "")}), ok({}, "task kept", cache={"n0": ("Hit", "")})),
    ),
    Row(
        "overriding",
        "plain",
        "the overrides of one run are the strongest",
        (ok({}, "run x", spec={"overrides": {"env": {"LEVEL": "run"}, "interruptible": False}}),),
        local("a local run has no overrides of its own"),
    ),
)

CHOOSING = (
    Row("choosing", "three", "the first branch", (ok({"n": 101}, 404, nodes={"n1": "Skipped", "n2": "Skipped"}),)),
    Row("choosing", "three", "elif, by or", (ok({"n": 7}, -14, nodes={"n0": "Skipped", "n2": "Skipped"}),)),
    Row(
        "choosing",
        "three",
        "else, whose task fails",
        (
            bad(
                {"n": 8},
                "ValueError",
                "no branch for 8",
                error={"node": "n2"},
                nodes={"n0": "Skipped", "n1": "Skipped", "n2": "Failed", "n3": "Cancelled", "n4": "Cancelled"},
            ),
        ),
    ),
    Row("choosing", "or_fail", "the branch before fail", (ok({"n": 4}, 8),)),
    Row(
        "choosing",
        "or_fail",
        "else fails with its message",
        (
            bad(
                {"n": 0},
                "ValueError",
                "n must be positive",
                error={"node": "n1"},
                nodes={"n0": "Skipped", "n1": "Failed"},
            ),
        ),
    ),
    Row(
        "choosing",
        "nested",
        "a branch inside a branch",
        (ok({"n": 10}, 20, nodes=skipped("n2", "n4", "n5")),),
    ),
    Row("choosing", "nested", "the other one inside", (ok({"n": 9}, -9, nodes=skipped("n1", "n4", "n5")),)),
    Row(
        "choosing",
        "nested",
        "none of the inner ones",
        (ok({"n": 9, "deep": False}, 36, nodes=skipped("n1", "n2", "n3")),),
    ),
    Row(
        "choosing",
        "two_outputs",
        "several outputs",
        (ok({"n": 1}, {"o0": 1, "o1": "<1>"}, nodes=skipped("n1")),),
    ),
    Row(
        "choosing",
        "two_outputs",
        "several outputs of the other",
        (ok({"n": 2}, {"o0": 100, "o1": "<100>"}, nodes=skipped("n0")),),
    ),
    Row("choosing", "void", "branches without outputs", (ok({"n": 1}, 2, nodes=skipped("n1")),)),
    Row("choosing", "on_results", "on what tasks gave", (ok({"n": 3}, 12, nodes=skipped("n3")),)),
    Row("choosing", "on_results", "on what tasks gave, the other way", (ok({"n": 2}, 2, nodes=skipped("n2")),)),
)

MAPPING = (
    Row("mapping", "partial", "partial", (ok({"ns": [1, 2, 3]}, [3, 6, 9], elements={"n0": "S3"}),)),
    Row("mapping", "bound_to_a_result", "bound inputs that are promises", (ok({"n": 3}, [0, 30, 60]),)),
    Row("mapping", "bound_inputs", "bound_inputs", (ok({"ns": [1, 2]}, [7, 14]),)),
    Row("mapping", "whole_list", "a bound list stays whole", (ok({"ns": [2, 0]}, ["c", "a"]),)),
    Row("mapping", "one_at_a_time", "concurrency", (ok({"ns": [1, 2, 3]}, [10, 20, 30]),)),
    Row("mapping", "strict", "an empty list", (ok({"ns": []}, []),)),
    Row("mapping", "pairs", "two lists", (ok({"a": [1, 2], "b": [10, 20]}, [11, 22]),)),
    Row(
        "mapping",
        "pairs",
        "lists of unequal lengths",
        (refused({"a": [1, 2], "b": [1]}, "InvalidArrayLength", "length", nodes={"n0": "Failed"}),),
        local("its words are its own", bad({"a": [1, 2], "b": [1]}, "", "b has 1")),
    ),
    Row(
        "mapping",
        "strict",
        "one element fails, and so all",
        (bad({"ns": [1, -1, 3]}, "ValueError", "-1 is negative", error={"node": "n0"}, nodes={"n0": "Failed"}),),
    ),
    Row(
        "mapping",
        "most",
        "a ratio: null for those that failed",
        (ok({"ns": [1, -1, 3]}, [10, None, 30], elements={"n0": "S1F1S1"}),),
    ),
    Row(
        "mapping",
        "most",
        "a ratio that is missed",
        (bad({"ns": [1, -1, -2]}, "ValueError", "is negative", nodes={"n0": "Failed"}),),
    ),
    Row("mapping", "two", "a number of successes", (ok({"ns": [-1, 2, -3, 4]}, [None, 20, None, 40]),)),
    Row(
        "mapping",
        "two",
        "more successes are needed than there are elements",
        (refused({"ns": [1]}, "TooFewElements", "2", nodes={"n0": "Failed"}),),
        local("its words are its own", bad({"ns": [1]}, "FlyteValueException", "needs 2 successes")),
    ),
    Row("mapping", "of_plan", "over a launch plan", (ok({"ns": [1, 2]}, [10, 20], children=2),)),
    Row(
        "mapping",
        "of_plan",
        "over a launch plan, one of whose runs fails",
        (bad({"ns": [1, -2]}, "ValueError", "-2 is negative", nodes={"n0": "Failed"}, children=2),),
    ),
    Row(
        "mapping",
        "most_of_plan",
        "over a launch plan, one run at a time: null for the one that failed",
        (ok({"ns": [1, -2, 3]}, [10, None, 30], elements={"n0": "S1F1S1"}, children=3),),
    ),
    Row("mapping", "retried", "elements have retries of their own", (ok({"ns": [1, 2, 3]}, ["1:1", "2:0", "3:1"]),)),
    Row(
        "mapping",
        "large",
        "a result larger than a status keeps",
        (ok({"ns": [*range(10, 20)]}, 12000),),
    ),
    Row(
        "mapping",
        "killed",
        "an element that dies",
        (refused({"ns": [0, 1, 2]}, "ExitCode", "exit code 3", nodes={"n0": "Failed"}),),
        local(ENDS_THE_PROCESS),
    ),
)

EXPANDING = (
    Row("expanding", "loop", "a call for each of a list", (ok({"ns": [1, 2, 3]}, [2, 4, 6], children=1),)),
    Row("expanding", "loop", "no call at all", (ok({"ns": []}, []),)),
    Row("expanding", "chain", "a chain of calls", (ok({}, 32, children=1, order=(("n0", "n1"),)),)),
    Row("expanding", "recursion", "recursion", (ok({"n": 2}, 200, children=1),)),
    Row("expanding", "plain", "plain outputs", (ok({"n": 1}, {"o0": 2, "o1": "plain"}),)),
    Row(
        "expanding",
        "failing_body",
        "the body fails",
        (
            bad(
                {"n": 1},
                "ValueError",
                "the body fails at 1",
                error={"node": "n0"},
                nodes={"n0": "Failed", "n1": "Cancelled"},
            ),
        ),
    ),
    Row(
        "expanding",
        "failing_child",
        "a call fails",
        (
            bad(
                {"n": 1},
                "KeyError",
                "no 2",
                error={"node": "n0"},
                nodes={"n0": "Failed", "n1": "Cancelled"},
                children=1,
            ),
        ),
    ),
    Row("expanding", "everything", "workflows, plans and maps", (ok({"n": 3}, [12, 12, 6], children=1),)),
    Row("expanding", "handed_on", "a result larger than a record", (ok({"n": 120}, 120, children=1, stored=("n0",)),)),
)

NESTING = (
    Row("nesting", "defaults", "a sub-workflow's defaults", (ok({}, "8+20"),)),
    Row(
        "nesting",
        "defaults",
        "one at a time, as the run says",
        (ok({}, "8+20", spec={"maxParallelism": 1}, order=(("n0", "n1"),)),),
        local(NO_EXECUTION),
    ),
    Row("nesting", "nesting-plan", "a plan by itself, with its default", (ok({}, 12),)),
    Row("nesting", "nesting-plan", "a plan by itself, with another value", (ok({"n": 1}, 2),)),
    Row(
        "nesting",
        "nesting-plan",
        "a fixed input can't be given",
        (refused({"n": 1, "by": 3}, "InvalidInputs", "by"),),
        local("its words are its own", bad({"n": 1, "by": 3}, "", "no input --by")),
    ),
    Row("nesting", "by_plan", "a plan's inputs", (ok({}, "12+2", children=2),)),
    Row(
        "nesting",
        "by_failing_plan",
        "a plan's run fails",
        (bad({"n": 1}, "ValueError", "no 1", error={"node": "n0"}, nodes={"n0": "Failed"}, children=1),),
    ),
    Row(
        "nesting",
        "fail_at_once",
        "what runs is stopped after a failure, and nothing starts",
        (
            bad(
                {"n": 1},
                "ValueError",
                "no 1",
                error={"node": "n0"},
                nodes={"n0": "Failed", "n1": "Cancelled", "n2": "Cancelled"},
            ),
        ),
    ),
    Row(
        "nesting",
        "finish",
        "what can run is finished",
        (
            bad(
                {"n": 1},
                "ValueError",
                "no 1",
                error={"node": "n0"},
                nodes={"n0": "Failed", "n3": "Cancelled"},
                gave={"n2": {"o0": 4}},
            ),
        ),
    ),
    Row("nesting", "well", "a handler that is not needed", (ok({"n": 2}, 4),)),
    Row(
        "nesting",
        "careful",
        "a handler gets the inputs and the error",
        (
            bad(
                {"n": 3},
                "ValueError",
                "no 3",
                error={"node": "n0"},
                nodes={"n0": "Failed", "n1": "Cancelled"},
                gave={"fn0": {"o0": "3: ValueError: no 3 at n0"}},
            ),
        ),
    ),
    Row(
        "nesting",
        "careful_of_outputs",
        "a handler runs when the outputs can't be made, too",
        (
            refused(
                {"n": 3},
                "UnresolvableReference",
                "outputs.o0: ",
                gave={"fn0": {"o0": "3: outputs.o0: there is no `unknown` in the map; it has `known` at "}},
            ),
        ),
        local("its words are its own", bad({"n": 3}, "FlytePromiseAttributeResolveException", "unknown")),
    ),
    Row(
        "nesting",
        "careful_by_workflow",
        "a handler that is a workflow",
        (
            bad(
                {"n": 3},
                "ValueError",
                "no 3",
                error={"node": "n0"},
                nodes={"n0": "Failed", "n1": "Cancelled"},
                gave={"fn0": {"o0": "3: ValueError: no 3 at n0"}},
            ),
        ),
    ),
    Row(
        "nesting",
        "careful_in_vain",
        "a handler that fails changes nothing about the error",
        (bad({"n": 3}, "ValueError", "no 3", error={"node": "n0"}, nodes={"n0": "Failed", "fn0": "Failed"}),),
        local("its own exception is what is seen", bad({"n": 3}, "", "no 3")),
    ),
    Row(
        "nesting",
        "careful_inside",
        "a sub-workflow's handler",
        (
            bad(
                {"n": 3},
                "ValueError",
                "no 3",
                error={"node": "n0.n0"},
                nodes={"n0": "Failed", "n0.n0": "Failed", "n0.n1": "Cancelled", "n1": "Cancelled"},
                gave={"n0.fn0": {"o0": "3: ValueError: no 3 at n0"}},
            ),
        ),
    ),
    Row(
        "nesting",
        "careful_twice",
        "the handlers of both",
        (
            bad(
                {"n": 3},
                "ValueError",
                "no 3",
                error={"node": "n0.n0"},
                nodes={"n0": "Failed", "n0.n0": "Failed", "n0.n1": "Cancelled"},
                gave={
                    "n0.fn0": {"o0": "3: ValueError: no 3 at n0"},
                    "fn0": {"o0": "3: ValueError: no 3 at n0.n0"},
                },
            ),
        ),
    ),
)

APPROVED: Body = {"approved": True}

GATING = (
    Row("gating", "approval", "approved", (ok({}, "2 - 1 None", answers={"fine?": (APPROVED,)}),)),
    Row(
        "gating",
        "approval",
        "rejected",
        (
            refused(
                {},
                "ReceivedRejectSignal",
                "fine? was rejected",
                answers={"fine?": ({"approved": False},)},
                error={"type": "FlyteDisapprovalException"},
                nodes={"n1": "Failed", "n2": "Cancelled"},
            ),
        ),
        local(
            "its words are its own",
            bad({}, "FlyteDisapprovalException", "fine?", answers={"fine?": ({"approved": False},)}),
        ),
    ),
    Row(
        "gating",
        "inputs",
        "values of several types",
        (
            ok(
                {},
                "1 hi 2.5 ['a']",
                answers={"note": ({"value": "hi"},), "factor": ({"value": 2.5},), "names": ({"value": ["a"]},)},
            ),
        ),
    ),
    Row(
        "gating",
        "number",
        "an answer that does not fit, and another",
        (ok({}, 42, answers={"number": ({"value": "many"}, {"value": 41})}),),
    ),
    Row(
        "gating",
        "same_name",
        "two gates of one name are one question",
        (ok({"n": 1}, "3 - 1 None", answers={"once": (APPROVED,)}),),
        local("a terminal is asked each time", ok({"n": 1}, "3 - 1 None", answers={"once": (APPROVED, APPROVED)})),
    ),
    Row(
        "gating",
        "impatient",
        "nobody answers in time",
        (refused({"n": 1}, "TimeoutExpired", "nobody answered", nodes={"n1": "Failed", "n2": "Cancelled"}),),
        local("a terminal waits for real, and so would this test"),
    ),
    Row("gating", "pause", "sleep", (ok({}, 2, order=(("n0", "n1"), ("n1", "n2"))),)),
)

FAILING = (
    Row(
        "failing",
        "ordinary",
        "an ordinary exception is not tried again",
        (
            bad(
                {"n": 1},
                "ValueError",
                "no 1",
                error={"node": "n0"},
                nodes={"n0": "Failed"},
                failures={"n0": {"user": 1, "system": 0}},
            ),
        ),
    ),
    Row("failing", "recoverable", "a recoverable one is", (ok({"until": 2}, 2, attempts={"n0": 2}),)),
    Row(
        "failing",
        "recoverable",
        "as often as there are retries",
        (bad({"until": 9}, RECOVERABLE, "not at 2", nodes={"n0": "Failed"}, attempts={"n0": 2}),),
    ),
    Row("failing", "on_class", "retry_on a class", (ok({"n": 1}, 1, attempts={"n0": 1}),)),
    Row(
        "failing",
        "not_on_class",
        "retry_on another class",
        (bad({"n": 1}, "LookupError", "no kind of OSError", nodes={"n0": "Failed"}),),
    ),
    Row("failing", "on_any", "retry_on any", (ok({"n": 1}, 1, attempts={"n0": 1}),)),
    Row("failing", "slow_at_first", "a timeout is tried again", (ok({"n": 1}, 1, attempts={"n0": 1}),)),
    Row(
        "failing",
        "exit_code",
        "an exit code is tried again",
        (ok({"n": 3}, 3, attempts={"n0": 1}),),
        local(ENDS_THE_PROCESS),
    ),
    Row(
        "failing",
        "exits",
        "exit code 0 without a result",
        (refused({"n": 0}, "NoResult", "exit code 0", nodes={"n0": "Failed"}),),
        local(ENDS_THE_PROCESS),
    ),
    Row(
        "failing",
        "exits",
        "another exit code",
        (refused({"n": 5}, "ExitCode", "exit code 5", nodes={"n0": "Failed"}),),
        local(ENDS_THE_PROCESS),
    ),
    Row(
        "failing",
        "sys_exits",
        "sys.exit",
        (bad({"n": 4}, "SystemExit", "4", nodes={"n0": "Failed"}),),
        local(ENDS_THE_PROCESS),
    ),
    Row(
        "failing",
        "killed",
        "whoever was killed is the system's failure",
        (ok({"n": 1}, 1, attempts={"n0": 1}, failures={"n0": {"user": 0, "system": 1}}),),
        local(ENDS_THE_PROCESS),
    ),
    Row(
        "failing",
        "hungry",
        "out of memory: more of it each time",
        (ok({"mebibytes": 110}, "110 at 2", attempts={"n0": 2}, failures={"n0": {**ZERO, "oom": 2}}),),
        local(NO_LIMITS, ok({"mebibytes": 110}, "110 at 0")),
    ),
    Row(
        "failing",
        "hungry",
        "out of memory with all of it",
        (
            refused(
                {"mebibytes": 400},
                "OOMKilled",
                "memory",
                nodes={"n0": "Failed"},
                attempts={"n0": 2},
                failures={"n0": {"user": 1, "system": 0, "oom": 2}},
            ),
        ),
        local(NO_LIMITS),
    ),
    Row(
        "failing",
        "hungry_without_more",
        "out of memory without max_memory is the user's failure",
        (refused({"mebibytes": 100}, "OOMKilled", "memory", nodes={"n0": "Failed"}),),
        local(NO_LIMITS),
    ),
    Row(
        "failing",
        "wrong_type",
        "a result of another type",
        (bad({"n": 1}, "TypeTransformerFailedError", "int", nodes={"n0": "Failed"}),),
    ),
    Row(
        "failing",
        "a_file",
        "a file, where there is no store",
        (bad({"n": 1}, "", "store", nodes={"n0": "Failed"}),),
        local(NO_STATUS),
    ),
    Row(
        "failing",
        "too_large",
        "a result that needs a store, where there is none",
        (refused({"n": 9000}, "OutputTooLarge", "4,096", nodes={"n0": "Failed"}),),
        local(NO_STATUS),
    ),
)

KEEPING = (
    Row(
        "keeping",
        "cached",
        "the second run is answered by the cache",
        (
            Run({"n": 1}, cache={"n0": ("Stored", "")}),
            Run({"n": 1}, cache={"n0": ("Hit", "")}, same=(0,)),
            Run({"n": 2}, cache={"n0": ("Stored", "n")}, other=(0,)),
        ),
    ),
    Row(
        "keeping",
        "twice",
        "ignored inputs do not count",
        (
            Run({"n": 10}, cache={"n0": ("Stored", ""), "n1": ("Hit", "")}),
            Run({"n": 10, "first": "Edsger"}, cache={"n0": ("Hit", ""), "n1": ("Hit", "")}, same=(0,)),
        ),
    ),
    Row(
        "keeping",
        "change",
        "another version misses, and says so",
        (
            Run({"n": 20}, cache={"n0": ("Stored", "")}),
            Run({"n": 20}, cache={"n0": ("Stored", "version")}, other=(0,), changed=True),
        ),
        local("the module is loaded once in this process"),
    ),
    Row(
        "keeping",
        "cached",
        "a run that overwrites the cache",
        (
            Run({"n": 30}, cache={"n0": ("Stored", "")}),
            Run({"n": 30}, cache={"n0": ("Stored", "overwrite")}, other=(0,), spec={"overwriteCache": True}),
            Run({"n": 30}, cache={"n0": ("Hit", "")}, same=(1,), other=(0,)),
        ),
        local("overwriteCache is an Execution's"),
    ),
    Row(
        "keeping",
        "serialized",
        "two runs at once compute once",
        (Run({"n": 40}), Run({"n": 40}, same=(0,), beside=True)),
        local(ONE_PROCESS),
    ),
    Row(
        "keeping",
        "serialized_twice",
        "two equal calls of one run compute once",
        (Run({"n": 41}, equal=True),),
    ),
    Row(
        "keeping",
        "elements",
        "each element of a map",
        (
            Run({"ns": [51, 52]}, elements={"n0": "S2"}),
            Run({"ns": [51, 52]}, elements={"n0": "S2"}, same=(0,)),
            Run({"ns": [52, 53]}, elements={"n0": "S2"}, other=(0,)),
        ),
    ),
    Row(
        "keeping",
        "retried",
        "what a later attempt gave is kept",
        (
            Run({"n": 60}, attempts={"n0": 1}, cache={"n0": ("Stored", "")}),
            Run({"n": 60}, cache={"n0": ("Hit", "")}, same=(0,)),
        ),
    ),
    Row(
        "keeping",
        "fails",
        "a failure is not kept",
        (
            bad({"n": 70}, "ValueError", "70 at", nodes={"n0": "Failed"}, cache={"n0": ("Miss", "")}),
            bad({"n": 70}, "ValueError", "70 at", nodes={"n0": "Failed"}, cache={"n0": ("Miss", "")}),
        ),
    ),
)

CONTROLLING = (
    Row(
        "controlling",
        "steps",
        "suspended, it starts nothing; and goes on",
        (
            ok(
                {"n": 1},
                3,
                acts=(
                    Act({"n1": "Running"}, {"spec": {"suspend": True}}),
                    Act({"n1": "Succeeded", "": "Suspended"}, {"spec": {"suspend": False}}, holds={"n2": "Pending"}),
                ),
            ),
        ),
        local(NOT_TO_ACT_ON),
    ),
    Row(
        "controlling",
        "endless",
        "cancelled",
        (
            Run(
                {"n": 1},
                phase="Cancelled",
                nodes={"n1": "Cancelled", "n2": "Cancelled"},
                acts=(Act({"n1": "Running"}, {"spec": {"cancel": True}}),),
            ),
        ),
        local(NOT_TO_ACT_ON),
    ),
    Row(
        "controlling",
        "family",
        "cancelled with its children",
        (
            Run(
                {"n": 1},
                phase="Cancelled",
                nodes={"n0": "Cancelled", "n1": "Cancelled", "n2": "Cancelled"},
                children=1,
                acts=(Act({"n0": "Running", "n1": "Running"}, {"spec": {"cancel": True}}),),
            ),
        ),
        local(NOT_TO_ACT_ON),
    ),
    Row(
        "controlling",
        "resumable",
        "resumed with a module that was mended: what succeeded is not computed again",
        (
            bad({"n": 1}, "ValueError", "stumbles at 1", nodes={"n1": "Failed", "n2": "Cancelled"}),
            Run({"n": 1}, resumes=0, changed=True, reasons={"n0": "taken from", "n1": "it was Failed there"}),
            Run({"n": 2}, resumes=1, reasons={"n0": "its input n differs", "n1": "differ"}, other=(1,)),
        ),
        local(NO_EXECUTION),
    ),
    Row(
        "controlling",
        "steps",
        "it goes when its time is up",
        (ok({"n": 5}, 7, spec={"ttlAfterFinished": "1s"}, gone=True),),
        local(NO_EXECUTION),
    ),
)

NO_STORE = "a cluster without a store can't hand over files"
REFUSED = "NotSupported"


NO_IMAGES = "there are no images where tasks are processes"
LATER = "a cluster can't do that yet"
EAGER = "an eager body has no manifest, which rendering says (decided: docs/compatibility.md)"
NO_GPUS = "no node here has such a part of a GPU: it would wait for ever (test_pods_of_tasks.py has the like)"


def needs(what: str, **more: Any) -> Run:
    """What a cluster can't do yet is refused by name, before anything starts."""
    return Run(**more, phase="Failed", error={"code": REFUSED, "message": what})


EXAMPLES = (
    Row("examples/hello", "hello", "hello", (ok({"name": "Ada"}, "Hello, Ada!!!"),)),
    Row("examples/shapes", "shapes", "shapes", (Run({"sides": 4}),)),
    Row("examples/types_of_values", "tour", "types", (ok({}, "1:00:00.000005 21 2:7 {'n': [1, 2.5, None, True]}"),)),
    Row(
        "examples/conditions",
        "triage",
        "conditionals",
        (ok({"amount": 40.0}, "40 with a fee of 0.8", nodes=skipped("n0", "n3")),),
    ),
    Row(
        "examples/conditions",
        "triage",
        "nested ones",
        (ok({"amount": 40.0, "member": True}, "40 with a fee of 0.2", nodes=skipped("n1", "n3")),),
    ),
    Row(
        "examples/conditions",
        "triage",
        "the last branch",
        (
            bad(
                {"amount": -1.0},
                "ValueError",
                "more than 0",
                nodes={**skipped("n0", "n1", "n2", "n3"), "n4": "Failed", "n5": "Cancelled"},
            ),
        ),
    ),
    Row("examples/maps", "survey", "maps", (ok({}, "2 of 3 reached, 190 bytes; squares add up to 14"),)),
    Row("examples/dynamic", "sums", "a dynamic loop", (ok({"text": "3 4 5"}, 12, children=1),)),
    Row("examples/dynamic", "countdown", "recursion", (ok({"n": 2}, "0!", children=1),)),
    Row("examples/plans", "weekly", "plans", (ok({"region": "us"}, "us: 4, eu: 4", children=1),)),
    Row("examples/plans", "report-eu", "a plan by itself", (ok({}, "eu: 4"),)),
    Row("examples/caching", "twice", "the cache", (ok({"n": 3}, {"o0": 9, "o1": True}),)),
    Row(
        "examples/step_by_step",
        "greetings",
        "imperative",
        (ok({"names": ["Ada", "Grace"]}, {"line": "Hello, Ada! Hello, Grace!"}),),
    ),
    Row(
        "examples/failures",
        "careful",
        "failures",
        (bad({}, "ValueError", "2 words are too many", nodes={"n1": "Failed"}, attempts={"n0": 1}),),
    ),
    Row(
        "examples/failures", "careful", "no failure", (ok({"words": ["a"]}, {"o0": "A", "o1": 1}, attempts={"n0": 1}),)
    ),
    Row(
        "examples/gates",
        "release",
        "gates",
        (
            ok(
                {"version": "1.2"},
                "app-1.2.tar is in stable",
                answers={"looks-good": (APPROVED,), "channel": ({"value": "stable"},)},
            ),
        ),
    ),
    Row("examples/containers", "shout", "shell scripts", (Run({}),)),
    Row("examples/eager", "best", "eager", (ok({"start": 3}, 5),), (Differs(MEMORY, EAGER), Differs(CLUSTER, EAGER))),
    Row(
        "examples/actors",
        "classify",
        "actors",
        (ok({}, ["windlass: noun", "haul: verb", "xyzzy: unknown"]),),
    ),
    Row("examples/artifacts", "build_then_use", "artifacts", (needs("artifact"),), local(LATER, Run({}))),
    Row(
        "examples/files",
        "lines",
        "files",
        (
            bad(
                {"source": {"uri": "/nowhere.txt"}},
                "FileNotFoundError",
                "/nowhere.txt",
                nodes={"n0": "Failed", "n1": "Cancelled", "n2": "Cancelled"},
            ),
        ),
        local(LATER, ok({"source": "examples/data/windlass.txt"}, 3)),
    ),
    Row(
        "examples/tables",
        "ages",
        "tables, in an image that has no library for them",
        (refused({}, "", "No module named 'pandas'", nodes={"n0": "Failed", "n1": "Cancelled", "n2": "Cancelled"}),),
        local("pandas is here", Run({})),
    ),
    Row(
        "examples/pods",
        "train",
        "secrets and pod templates",
        (bad({}, "ValueError", "secret"),),
        (Differs(MEMORY, NO_GPUS), Differs(CLUSTER, NO_GPUS)),
    ),
    Row(
        "examples/images",
        "average",
        "images that nobody has built",
        (refused({}, "", "registry.example.com/team", nodes={"n0": "Failed", "n1": "Cancelled"}, attempts=None),),
        (*local(NO_IMAGES, ok({}, "2.50")), Differs(MEMORY, NO_IMAGES, ok({}, "2.50"))),
    ),
    Row("examples/wordcount", "wordcount", "words", (Run({"text": "to be or not to be", "top": 2}),)),
)

ON_A_NODE = (
    Differs(LOCAL, "docker or podman may not be there (tests/integration/containers plays the like in podman)"),
    Differs(MEMORY, "its kubelet runs Python alone"),
)
CONTAINERS = (
    Row("containers", "squares", "a map over a container", (ok({"n": [1, 2, 3]}, [1, 4, 9]),), ON_A_NODE),
    Row(
        "containers",
        "squares",
        "an element of a container's map that fails",
        (refused({"n": [1, 9]}, "ExitCode", "exited with 4", error={"node": "n0"}, nodes={"n0": "Failed"}),),
        ON_A_NODE,
    ),
    Row(
        "containers",
        "tries",
        "an exit code other than 0 is retried",
        (ok({}, 1, attempts={"n0": 1}, failures={"n0": {"user": 1, "system": 0}}),),
        ON_A_NODE,
    ),
    Row(
        "containers",
        "once",
        "the result of a container is cached",
        (Run(cache={"n0": ("Stored", "")}), Run(same=(0,), cache={"n0": ("Hit", "")})),
        ON_A_NODE,
    ),
    Row(
        "containers",
        "refused",
        "what a container says is for good",
        (bad({}, "FlyteUserRuntimeException", "no, thanks", error={"node": "n0"}, nodes={"n0": "Failed"}),),
        ON_A_NODE,
    ),
    Row("examples/containers", "greet", "bash", (ok({"name": "Ada"}, "Hello, Ada! Hello, Ada! (24)"),), ON_A_NODE),
    Row("examples/containers", "longest", "a compiled program", (ok({}, "programs (8)"),), ON_A_NODE),
)

ROWS: tuple[Row, ...] = (
    *OVERRIDING,
    *CHOOSING,
    *MAPPING,
    *EXPANDING,
    *NESTING,
    *GATING,
    *FAILING,
    *KEEPING,
    *CONTROLLING,
    *CONTAINERS,
    *EXAMPLES,
)
