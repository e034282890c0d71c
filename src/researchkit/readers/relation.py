"""A table that stays where it is: Parquet or CSV files behind DuckDB, or a table of a database behind SQLAlchemy.

Statements are SQLAlchemy expressions, so names are quoted and values travel beside the text, never in it. DuckDB takes
them in PostgreSQL's dialect. What comes back are counts, sums and the distinct entries of categories.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from researchkit.errors import DataError, some
from researchkit.faults import nearest
from researchkit.parts import File, Table
from researchkit.readers import Locate, paths_of
from researchkit.study import Study

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Engine, FromClause

# Beyond these a file stays where it is. Constants, not this machine's memory: a model must not depend on who runs it.
LARGE_ROWS, LARGE_TEXT = 5_000_000, 2 * 2**30
MEMORY = "2GB"  # of DuckDB; what needs more is written beside, and read again
PASSWORD = "RESEARCHKIT_PASSWORD"  # noqa: S105 - the name of a variable
NUMBERS = ("INT", "DOUBLE", "FLOAT", "REAL", "DECIMAL", "NUMERIC", "SERIAL", "BIGNUM")
FLOATS = ("DOUBLE", "FLOAT", "REAL", "DECIMAL", "NUMERIC", "BIGNUM")  # PostgreSQL's numeric knows NaN too
PARQUET, TEXT = (".parquet",), (".csv", ".tsv", ".tab", ".txt")
# What can be done to a table where it is: every other wish about a file takes its rows.
ASKED = {"path", "in_place", "database", "relation", "separator", "encoding", "missing", "rename", "drop", "sha256"}
Ask = Callable[[Any], pd.DataFrame]  # of a SELECT of SQLAlchemy


@dataclass(frozen=True, eq=False)
class Relation:
    """One table, asked in place.

    `kinds` says of each column, in order, whether it holds "number", "whole" (a number that is never NaN), "truth",
    "text", "date" or something else, "other". `number` reads a text as a number, NULL where it is none.
    """

    subject: str
    rows: FromClause
    kinds: dict[str, str]
    ask: Ask
    number: Callable[[ColumnElement[Any]], ColumnElement[Any]]
    close: Callable[[], None] = field(repr=False)
    hashed: Callable[[Sequence[ColumnElement[Any]]], ColumnElement[Any]] | None = None  # a whole number for a row
    nan: bool = True  # whether 'NaN' is a number there, which is taken for missing
    renamed: dict[str, str] = field(default_factory=dict)  # the study's name of a column -> the table's own

    def column(self, name: str) -> ColumnElement[Any]:
        found: ColumnElement[Any] = self.rows.c[self.renamed.get(name, name)]
        return found


def stays(study: Study, table: str) -> bool:
    """Whether a table is asked where it is: a database always, a file where the study says so, or for its size."""
    files = study.tables[table].files
    if any(file.database or file.in_place for file in files):
        return True
    return len(files) == 1 and files[0].in_place is None and large(study, files[0])


def large(study: Study, file: File) -> bool:
    """Whether a file is beyond what is read whole: by the rows that Parquet counts, or the bytes of a text."""
    if file.path is None or wishes(file):
        return False
    path = study.folder / file.path
    paths = [path] if path.exists() else sorted(study.folder.glob(file.path)) if "*" in file.path else []
    texts = [one for one in paths if one.suffix.lower() in TEXT and one.is_file()]
    stored = [one for one in paths if one.suffix.lower() in PARQUET and one.is_file()]
    if sum(one.stat().st_size for one in texts) > LARGE_TEXT:
        return True
    # a row takes a byte at least
    return sum(one.stat().st_size for one in stored) > LARGE_ROWS and counted(stored) > LARGE_ROWS


def wishes(file: File) -> list[str]:
    """What a study file wants done to a file that takes its rows."""
    return sorted(name for name in file.model_fields_set - ASKED if getattr(file, name) not in (None, (), {}, "plain"))


def counted(paths: Sequence[Path]) -> int:
    """The rows that Parquet files say they hold; 0 where one cannot be read, so that reading it says why."""
    try:
        import duckdb
    except ImportError:
        return 0
    try:
        with duckdb.connect() as connection:
            names = [str(path) for path in paths]
            found = connection.execute("SELECT count(*) FROM read_parquet(?)", [names]).fetchone()
    except duckdb.Error:
        return 0
    return int(found[0]) if found else 0


def relation(study: Study, table: str, locate: Locate) -> Relation:
    """The table, open; close it when all is asked.

    Raises
    ------
    DataError
        If it is not there or cannot be opened, or the study asks for what only rows in memory can have.
    """
    spec = study.tables[table]
    file = only(spec, table)
    try:
        import sqlalchemy  # noqa: F401
    except ImportError:
        raise DataError(
            f"Data that stay where they are need SQLAlchemy: `pip install 'researchkit[{wanted(file)}]'`."
        ) from None
    opened = in_database(file) if file.database else in_files(file, paths_of(study, file, locate))
    lacking = [old for old in file.rename if old not in opened.kinds]
    if lacking:
        opened.close()
        raise DataError(f"{opened.subject}: `rename` names {some(lacking)}, and no column is called so.")
    named = {file.rename.get(old, old): old for old in opened.kinds if old not in file.drop}
    kinds = {new: opened.kinds[old] for new, old in named.items()}
    made = Relation(
        opened.subject, opened.rows, kinds, opened.ask, opened.number, opened.close, opened.hashed, opened.nan, named
    )
    weakref.finalize(made, opened.close)  # for those that nobody closes
    return made


def wanted(file: File) -> str:
    return "warehouse" if file.database else "bigdata"


def only(spec: Table, table: str) -> File:
    """The one file of a table that stays in place, after a look at what is asked of it."""
    if len(spec.files) != 1:
        raise DataError(
            f"The table {table!r} stays where it is and is made from {len(spec.files)} files; one is wanted. Stack "
            "them by a glob, or join them there (a view of the database, or one Parquet file)."
        )
    file = spec.files[0]
    asked = wishes(file)
    if asked:
        raise DataError(
            f"The table {table!r} stays where it is, so `{asked[0]}` cannot be done to it. Do that there first (a view "
            "of the database, or another Parquet file), and name what comes out."
        )
    return file


def in_files(file: File, paths: Sequence[tuple[Path, str]]) -> Relation:
    """Parquet or CSV files through DuckDB, with little memory and a private folder for what exceeds it."""
    try:
        import duckdb
    except ImportError:
        raise DataError("Files that stay in place need DuckDB: `pip install 'researchkit[bigdata]'`.") from None
    subject, suffixes = some([name for _, name in paths], 3), {path.suffix.lower() for path, _ in paths}
    if len(suffixes) != 1 or not suffixes <= {*PARQUET, *TEXT}:
        raise DataError(f"{subject}: only Parquet files, or only text tables (.csv, .tsv), can be asked in place.")
    missing = [name for path, name in paths if not path.is_file()]
    if missing:
        raise DataError(f"There is no file {missing[0]}.")
    spill = tempfile.mkdtemp(prefix="researchkit-")  # readable by this user alone
    config: dict[str, Any] = {"threads": str(cores()), "memory_limit": MEMORY, "temp_directory": spill}
    connection = duckdb.connect(config=config)

    def close() -> None:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)

    try:
        quiet(connection)
        names = [str(path) for path, _ in paths]
        if suffixes <= {*PARQUET}:
            rows = connection.read_parquet(names)
        else:
            told = {"sep": file.separator, "encoding": file.encoding}
            said: dict[str, Any] = {name: value for name, value in told.items() if value}
            rows = connection.read_csv(names, header=True, all_varchar=True, **said)  # type: ignore[arg-type]
        rows.create_view("rows")
        types = [(str(name), str(kind)) for name, kind in zip(rows.columns, rows.types, strict=True)]
    except (duckdb.Error, UnicodeDecodeError) as error:
        close()
        raise DataError(f"{subject} cannot be read: {first_line(error)}") from None
    return Relation(subject, clause(["rows"], [name for name, _ in types]), kinds_of(types), duck(connection, subject),
                    tried, close, hashed)  # fmt: skip


def quiet(connection: Any) -> None:
    """No progress bar among what a command prints; in a notebook without widgets there is none to turn off."""
    import duckdb

    with suppress(duckdb.Error):
        connection.execute("SET enable_progress_bar = false")


def duck(connection: Any, subject: str) -> Ask:
    """What asks DuckDB: statements in PostgreSQL's dialect, values in the order of their question marks."""
    import duckdb
    from sqlalchemy.dialects import postgresql

    class Compiler(postgresql.dialect.statement_compiler):  # type: ignore[name-defined, misc]
        def visit_try_cast(self, element: Any, **_: Any) -> str:
            return f"TRY_CAST({self.process(element.clause)} AS {self.process(element.typeclause)})"

    dialect = postgresql.dialect(paramstyle="qmark")  # type: ignore[no-untyped-call]
    dialect.statement_compiler = Compiler

    def ask(statement: Any) -> pd.DataFrame:
        spelled = statement.compile(dialect=dialect).construct_expanded_state()
        values = list(spelled.positional_parameters)
        try:
            return pd.DataFrame(connection.execute(spelled.statement, values).fetchnumpy())
        except duckdb.Error as error:
            raise DataError(f"{subject} could not be asked: {first_line(error)}") from None

    return ask


def in_database(file: File) -> Relation:
    """A table or view of a database, in one transaction that only reads, so that all answers are about one state."""
    import sqlalchemy as sa

    subject = f"the relation {'.'.join(file.relation)}"
    try:
        url = sa.make_url(str(file.database))
        secret = os.environ.get(PASSWORD)
        engine = sa.create_engine(url.set(password=secret) if secret else url, poolclass=sa.NullPool)
    except (sa.exc.ArgumentError, ImportError) as error:
        raise DataError(f"The database of {subject} cannot be reached: {first_line(error)}") from None
    try:
        types = described(engine, file, subject)
        options = {"postgresql_readonly": True} if engine.dialect.name == "postgresql" else {}
        calm = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
        connection = engine.connect().execution_options(**options, **calm)
    except sa.exc.SQLAlchemyError as error:
        raise DataError(f"The database of {subject} cannot be asked: {first_line(error)}") from None

    def ask(statement: Any) -> pd.DataFrame:
        try:
            told = connection.execute(statement)
        except sa.exc.SQLAlchemyError as error:
            connection.rollback()  # else nothing more could be asked
            raise DataError(f"The database of {subject} cannot answer: {first_line(error)}") from None
        return pd.DataFrame(told.fetchall(), columns=list(told.keys()))

    rows = clause(file.relation, [name for name, _ in types])
    if engine.dialect.name == "postgresql":
        return Relation(subject, rows, kinds_of(types), ask, matched, connection.close, hashed_as_text)
    return Relation(subject, rows, kinds_of(types), ask, matched, connection.close, nan=False)


def described(engine: Engine, file: File, subject: str) -> list[tuple[str, str]]:
    """Each column of a relation with its type; DataError where there is no such relation."""
    import sqlalchemy as sa

    schema, name = (file.relation if len(file.relation) == 2 else (None, *file.relation))[-2:]
    look = sa.inspect(engine)
    there = [*look.get_table_names(schema=schema), *look.get_view_names(schema=schema)]
    if name not in there:
        raise DataError(f"There is no relation {name!r}{nearest(str(name), there)} in the database of {subject}.")
    return [(str(one["name"]), str(one["type"])) for one in look.get_columns(str(name), schema=schema)]


def clause(place: Sequence[str], columns: Sequence[str]) -> FromClause:
    """The table in SQL, every name quoted as it stands."""
    import sqlalchemy as sa

    schema, name = place if len(place) == 2 else (None, place[0])
    quoted: list[Any] = [sa.column(sa.quoted_name(column, True)) for column in columns]
    within = {} if schema is None else {"schema": sa.quoted_name(schema, True)}
    return sa.table(sa.quoted_name(name, True), *quoted, **within)


def kinds_of(types: Sequence[tuple[str, str]]) -> dict[str, str]:
    return {name: kind_of(kind.upper()) for name, kind in types}


def kind_of(kind: str) -> str:
    """What a type of a database holds, from its name."""
    if kind.startswith("BOOL"):
        return "truth"
    if kind.startswith(("DATE", "TIMESTAMP")):
        return "date"
    if kind.startswith(("VARCHAR", "TEXT", "CHAR", "ENUM", "STRING", "CITEXT", "UUID", "BPCHAR", "NAME")):
        return "text"
    if "[" in kind or kind.startswith(("STRUCT", "MAP", "LIST", "INTERVAL")) or not any(n in kind for n in NUMBERS):
        return "other"
    return "number" if any(name in kind for name in FLOATS) else "whole"


def tried(text: ColumnElement[Any]) -> ColumnElement[Any]:
    """DuckDB's way to read a number."""
    import sqlalchemy as sa

    return sa.try_cast(text, sa.Double)


def matched(text: ColumnElement[Any]) -> ColumnElement[Any]:
    """The standard way: what looks like a number is cast, anything else is NULL."""
    import sqlalchemy as sa

    looks = text.regexp_match(r"^\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,2})?\s*$")
    return sa.case((looks, sa.cast(text, sa.Double)))


def hashed(columns: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
    """One whole number for a row, by DuckDB."""
    import sqlalchemy as sa

    found: ColumnElement[Any] = sa.func.hash(*columns)
    return found


def hashed_as_text(columns: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
    """The same by PostgreSQL, as a decimal: sums of its whole numbers would not fit."""
    import sqlalchemy as sa

    row = sa.cast(sa.func.row(*columns), sa.Text)
    return sa.cast(sa.func.hashtextextended(row, 0), sa.Numeric)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def first_line(error: Exception) -> str:
    """What a library says, in one line; never the address, which may hold a name."""
    said = str(getattr(error, "orig", None) or error).strip()
    return said.splitlines()[0] if said else type(error).__name__
