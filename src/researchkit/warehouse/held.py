"""A table in place that agrees with the study: the twin of `dataset.Dataset`, which holds rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from researchkit.dataset import Dataset, load_dataset
from researchkit.errors import DataError, StudyError, some
from researchkit.faults import nearest
from researchkit.flow import Step
from researchkit.parts import Question
from researchkit.readers.relation import relation, stays
from researchkit.readers.values import by_size, canonical
from researchkit.sources import locate
from researchkit.study import Study
from researchkit.warehouse.columns import Look, fingerprint, finished, looked
from researchkit.warehouse.flow import Base, total
from researchkit.warehouse.scores import scored
from researchkit.warehouse.summed import Summed, draw


@dataclass(frozen=True, repr=False)
class Warehouse:
    """One table of a study, asked in place. Close it when all is asked: what was found stays."""

    study: Study
    table: str
    look: Look = field(compare=False)
    base: Base = field(compare=False)
    rows: int  # that arrived
    flow: tuple[Step, ...]
    notes: tuple[str, ...]
    fingerprint: str

    def __repr__(self) -> str:
        return f"Warehouse({self.study.name}, {self.table}: {self.rows:,} rows in place, {self.fingerprint[:19]})"

    @property
    def kept(self) -> int:
        """How many rows the table's own rules leave."""
        return self.rows - sum(step.rows for step in self.flow)

    def close(self) -> None:
        """Let go of the file or the database, and remove what was written beside."""
        self.look.relation.close()

    def only(self, by: str, value: object) -> Warehouse:
        """The rows of one site, team or other value, as if no others had arrived.

        Raises
        ------
        DataError
            If there is no such column, or it never holds the value.
        """
        if by not in self.look.entries:
            known = nearest(by, self.look.entries)
            raise DataError(f"{self.study.name}: {by!r} is no column that the study uses or declares{known}.")
        entry = self.look.entries[by]
        here = entry.among([str(value)]).is_(True)
        base = Base(self.look, here)
        rows, flow = base.arrived()
        rows = rows if flow else total(base, None)
        if not rows:
            there = some([repr(code) for code in sorted(map(canonical, entry.often), key=by_size)], 20)
            raise DataError(f"{self.study.name}: {by} is never {str(value)!r}; it is {there or 'something else'}.")
        return replace(self, base=base, rows=rows, flow=flow, fingerprint=f"{self.fingerprint}/{by}={value}")

    def sample(self, question: Question, *, adjust: Sequence[str] | None = None) -> Summed:
        """The sums that a question is answered from; `adjust` in place of the question's own.

        Raises
        ------
        ResearchkitError
            As `summed.draw`.
        """
        return draw(self.base, question, adjust)


def load(study: Study, table: str | None = None) -> Dataset:
    """One table of a study: read whole, or opened where it is because the study says so or for its size.

    The second is a `Warehouse`, which passes as a dataset wherever its sample's sums are enough; what shows rows looks
    first.

    Raises
    ------
    DataError
        With every problem at once, told by counts where the rows stay in place.
    """
    table = table or next(iter(study.tables))
    if table not in study.tables:
        raise StudyError(f"{study.path} has no table {table!r}{nearest(table, study.tables)}.")
    if not stays(study, table):
        return load_dataset(study, table)
    opened = relation(study, table, locate)
    try:
        look = looked(study, table, opened)
        scored(look)
        finished(look)
        base = Base(look)
        rows, flow = base.arrived()
    except BaseException:
        opened.close()
        raise
    place = "a database" if study.tables[table].files[0].database else "files of any size"
    note = f"The rows stay where they are ({place}): counts and sums are computed there."
    held = Warehouse(study, table, look, base, rows, flow, (note, *look.notes), fingerprint(look))
    return cast(Dataset, held)
