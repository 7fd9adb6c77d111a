"""Conditionals: which tasks run is decided by values that are not there yet.

    windlass run examples/conditions.py triage --amount 40
    windlass run examples/conditions.py triage --amount 4000
    windlass run examples/conditions.py triage --amount -1          # fails with the message of the last branch

In the manifest a conditional is flat: every call inside a branch carries the branch's condition as `when`, and one
`select` node hands on the result of the branch that ran. The other calls end as Skipped.
"""

from windlass import conditional, task, workflow


@task
def fee(amount: float) -> float:
    return round(amount * 0.02, 2)


@task
def discounted_fee(amount: float, percent: int) -> float:
    return round(amount * percent / 1000, 2)


@task
def statement(amount: float, fee: float) -> str:
    return f"{amount:g} with a fee of {fee:g}"


@workflow
def triage(amount: float = 100.0, member: bool = False) -> str:
    """The fee of an amount: small ones pay in full, members less, and nothing is owed for less than nothing."""
    owed = (
        conditional("fee")
        .if_((amount > 0.0) & (amount < 1000.0))
        .then(
            conditional("membership")
            .if_(member.is_true())  # type: ignore[attr-defined]  # a promise of a bool
            .then(discounted_fee(amount=amount, percent=5))
            .else_()
            .then(fee(amount=amount))
        )
        .elif_(amount >= 1000.0)
        .then(discounted_fee(amount=amount, percent=10))
        .else_()
        .fail("an amount must be more than 0")
    )
    return statement(amount=amount, fee=owed)
