"""Tables: data frames travel as Parquet, and a consumer reads just the columns it names.

    pip install pandas pyarrow
    windlass run examples/tables.py ages

`StructuredDataset` is a table of whatever library: it is opened as the frame that the reader likes. A task that writes
a deck shows what it saw: `deck.html` lies where the run says.
"""

from typing import Annotated

import pandas as pd

from windlass import Deck, MarkdownRenderer, StructuredDataset, TopFrameRenderer, kwtypes, task, workflow


@task
def people() -> pd.DataFrame:
    return pd.DataFrame({"name": ["Ada", "Grace", "Edsger"], "age": [36, 85, 72], "city": ["London", "NYC", "Nuenen"]})


@task(enable_deck=True)
def older_than(table: Annotated[StructuredDataset, kwtypes(name=str, age=int)], age: int) -> StructuredDataset:
    """Reads two of the three columns."""
    frame = table.open(pd.DataFrame).all()
    kept = frame[frame["age"] > age]
    Deck("Kept", TopFrameRenderer(10).to_html(kept))
    Deck("Notes", MarkdownRenderer().to_html(f"**{len(kept)}** of {len(frame)} rows"))
    return StructuredDataset(dataframe=kept)


@task
def describe(table: pd.DataFrame) -> str:
    return f"{', '.join(table['name'])} ({', '.join(table.columns)})"


@workflow
def ages(age: int = 50) -> str:
    return describe(table=older_than(table=people(), age=age))
