"""A table in place that agrees with the study: the twin of `dataset.Dataset`, which holds rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from researchkit.dataset import Dataset, load_dataset
from researchkit.errors import DataError, StudyError, listing, some
from researchkit.faults import nearest
from researchkit.flow import Step
from researchkit.parts import Question
from researchkit.readers.relation import relation, stays
from researchkit.readers.values import by_size, canonical, written
from researchkit.sources import locate
from researchkit.study import Study
from researchkit.warehouse.columns import Look, fingerprint, looked
from researchkit.warehouse.doubts import doubts
from researchkit.warehouse.flow import Base, kept, total
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
    quiet: bool = False  # as of a dataset; what stays in place is shown under no profile that protects

    def __repr__(self) -> str:
        return f"Warehouse({self.study.name}, {self.table}: {self.rows:,} rows in place, {self.fingerprint[:19]})"

    def __getattr__(self, name: str) -> Any:
        if name in ("frame", "arrived", "origin"):
            raise DataError(f"The rows of the table {self.table!r} stay in place, and this needs every row.")
        raise AttributeError(name)

    @property
    def kept(self) -> int:
        """How many rows the table's own rules leave."""
        return self.rows - sum(step.rows for step in self.flow)

    @property
    def rows_seen(self) -> int:
        """The rows that the counts of columns are of: all of the table."""
        return self.look.rows

    @property
    def gaps(self) -> bool:
        """Whether any column lacks an entry somewhere."""
        return any(told.known < self.look.rows for told in self.look.told.values())

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

    def codes(self, name: str) -> list[str]:
        """The codes that a column holds, in order: those of a category, or whatever a number or an id holds.

        Raises
        ------
        DataError
            If they are too many to be fetched.
        """
        entry = self.look.entries[name]
        found = entry.often or self.look.levels(entry.value)
        if found is None:
            raise DataError(f"{self.study.name}: {name} has too many different entries to make groups by.")
        return sorted({canonical(raw if isinstance(raw, str) else written(raw)) for raw in found}, key=by_size)

    def complete_or_not(self, names: Sequence[str]) -> list[tuple[int, dict[str, tuple[float, int]]]]:
        """The rows with an entry in all of these columns, then the others: how many, each number's mean and entries."""
        import sqlalchemy as sa

        look = self.look
        here = [] if self.base.here is None else [self.base.here]
        rules = [kept(look, rule) for rule in self.study.tables[self.table].keep]
        whole = sa.and_(sa.true(), *(look.entries[name].value.is_not(None) for name in names))
        numbers = [look.entries[name] for name in names if look.entries[name].kind == "number"]
        sides = []
        for inside in (whole, sa.not_(whole)):
            asked: dict[Any, Any] = {"": sa.func.count()}
            for entry in numbers:
                asked |= {(entry.name, 0): sa.func.avg(entry.value), (entry.name, 1): sa.func.count(entry.value)}
            found = look.one(asked, sa.and_(sa.true(), *here, *rules, inside))
            each = {one.name: (found[one.name, 0], int(found[one.name, 1])) for one in numbers}
            sides.append((int(found[""]), each))
        return sides

    def repeats(self) -> list[str]:
        """Notes that cost long passes: how many people come more than once, and how many rows repeat another."""
        import sqlalchemy as sa

        look, told = self.look, []
        people = self.study.tables[self.table].people
        if people != "row":
            value = look.entries[people].value
            each = sa.select(sa.func.count().label("n")).where(value.is_not(None)).group_by(value).subquery()
            more = sa.func.count(sa.case((each.c.n > 1, 1)))
            heads, several = look.relation.ask(sa.select(sa.func.count().label("n"), more.label("m"))).iloc[0].tolist()
            told.append(
                f"{people}: {int(heads):,} people in {self.rows:,} rows, {int(several):,} of them in more than one."
            )
        every = [look.relation.column(name) for name in look.relation.kinds]
        marks = every if look.relation.hashed is None else [look.relation.hashed(every)]
        each = sa.select(sa.func.count().label("n")).select_from(look.relation.rows).group_by(*marks).subquery()
        alike = look.relation.ask(sa.select((sa.func.sum(each.c.n) - sa.func.count()).label("n")))["n"].iloc[0]
        return [*told, f"{int(alike):,} rows repeat an earlier row in every column."] if alike else told

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
    if heard := sorted(set(study.heard_in(table).values())):
        raise DataError(
            f"{study.name}: `transcripts: {heard[0]}` reads every turn, and the rows of {table!r} stay in place."
        )
    opened = relation(study, table, locate)
    try:
        look = looked(study, table, opened)
        scored(look)
        if look.problems:
            raise DataError(listing(opened.subject, look.problems))
        base = Base(look)
        rows, flow = base.arrived()
        doubted = doubts(look)
    except BaseException:
        opened.close()
        raise
    place = "a database" if study.tables[table].files[0].database else "files of any size"
    note = f"The rows stay where they are ({place}): counts and sums are computed there."
    held = Warehouse(study, table, look, base, rows, flow, (note, *look.notes, *doubted), fingerprint(look))
    if opened.hashed is None:
        held = replace(
            held, notes=(*held.notes, "The fingerprint is of counts and ends of columns, not of every value.")
        )
    return cast(Dataset, held)
