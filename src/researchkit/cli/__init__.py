"""The `researchkit` command: words to calls.

An expected error is one message and a non-zero exit; an unknown one keeps its traceback.
"""

from __future__ import annotations

import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, TextIO, cast

import click

from researchkit import wording
from researchkit.cli.health import doctor
from researchkit.cli.lab import lab
from researchkit.cli.ledger import claims
from researchkit.cli.lessons import lessons
from researchkit.cli.plans import plan
from researchkit.cli.runs import GOOD, NOT_ALL_GOOD, NOTHING_STARTED, compare, make_all
from researchkit.cli.screen import Screen, harmless
from researchkit.cli.sizes import power
from researchkit.cli.take import share, take
from researchkit.cli.trouble import trouble
from researchkit.disclosure import LABELS, PROFILES
from researchkit.errors import ResearchkitError
from researchkit.places import CLOSED

PROFILE = click.Choice([*PROFILES, *LABELS])  # refused before it can put a page of failure in the place of a report


class Command(click.Group):
    """Turns our own errors into one message, whichever command they come from."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with redirect_stdout(cast(TextIO, Screen(sys.stdout))):
                return super().invoke(ctx)
        except ResearchkitError as error:
            raise click.ClickException(harmless(str(error))) from error
        except OSError as error:
            if error.errno not in CLOSED:
                raise
            raise click.ClickException(
                harmless(f"{error.filename or 'What was to be written'}: {error.strerror}.")
            ) from error
        except click.ClickException as error:
            if harmless(error.message) != error.message:
                raise click.ClickException(harmless(error.message)) from error
            raise


@click.group(
    cls=Command,
    commands=[claims, doctor, lab, lessons, plan, power, share, take, trouble],
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Something went wrong? `researchkit trouble WORDS OF THE MESSAGE` says why and what to do; "
    "`researchkit doctor` looks at the machine.",
)
@click.version_option(package_name="researchkit", message="researchkit %(version)s")
def main() -> None:
    """Does compassionate handling go with loyalty, recovery and burnout?

    A study file in, judged reports out.

    Example: researchkit run data/contact_centre
    """


@main.command()
@click.argument("study", nargs=-1, type=click.Path(path_type=Path))
@click.option("--question", metavar="ID", help="Only this question.")
@click.option("--by", metavar="COLUMN", help="One report for each value of a column, such as site.")
@click.option("--set", "settings", nargs=2, multiple=True, metavar="NAME VALUE", help="A parameter of the notebook.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Workers; as many as there are cores by default.")
@click.option("--rows", type=click.Path(path_type=Path), metavar="CSV", help="One report a row of parameters.")
@click.option("--notebook", type=click.Path(path_type=Path), metavar="FILE", help="In place of the family's own.")
@click.option("--fresh/--resume", help="Make all of them, up to date or not; or (as is usual) only what is not.")
@click.option("--seconds", type=click.FloatRange(1), metavar="N", help="What one report may take in all.")
@click.option("--cell-seconds", type=click.IntRange(1), default=600, show_default=True, help="What one cell may take.")
@click.option("--memory", type=click.IntRange(200), metavar="MB", help="What one report may hold in memory.")
@click.option("--dask", metavar="ADDRESS", help="By the workers of a Dask cluster: its scheduler's address or file.")
@click.option("--through", metavar="ADDRESS", help="What they share with this machine, if not the reports folder.")
@click.option("--check-fork", is_flag=True, help="Write nothing; compare forked kernels with ordinary ones.")
@click.option("--disclosure", type=PROFILE, help="A profile in place of the study's own.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
def run(
    study: tuple[Path, ...],
    question: str | None,
    by: str | None,
    settings: tuple[tuple[str, str], ...],
    jobs: int | None,
    rows: Path | None,
    notebook: Path | None,
    fresh: bool,
    seconds: float | None,
    cell_seconds: int,
    memory: int | None,
    dask: str | None,
    through: str | None,
    check_fork: bool,
    disclosure: str | None,
    out: Path,
) -> None:
    """Write the reports of every STUDY (all under data/ whose data are at hand, if none is named).

    A report whose data, study file, notebook and package have not changed is left as it is; `researchkit why` says what
    has changed.

    Example: researchkit run data/contact_centre --question retention --by site
    """
    from researchkit import batch
    from researchkit.places import prepare

    try:
        chosen = batch.studies(study, Path("data"))
        parameters = {name: batch.literal(value) for name, value in settings}
        asked = {"question": question, "by": by, "disclosure": disclosure}
        plan = batch.plan(chosen, **asked, parameters=parameters, rows=rows, notebook=notebook)
    except ResearchkitError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(NOTHING_STARTED)
    if not plan:
        click.echo(
            "No study under data/ has its data at hand. `researchkit data list` shows where to get them.", err=True
        )
        sys.exit(NOTHING_STARTED)
    limits = batch.Limits(cell_seconds, (memory or 0) * 2**20)
    if check_fork:
        sys.exit(compare(plan, limits))
    try:
        prepare(out)
    except OSError as error:
        click.echo(f"Error: {out} cannot be written to: {error.strerror}.", err=True)
        sys.exit(NOTHING_STARTED)
    sys.exit(make_all(plan, out, jobs, fresh=fresh, limits=limits, seconds=seconds, dask=dask, through=through))


@main.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.argument("question")
@click.argument("by", required=False)
@click.option("--disclosure", type=PROFILE, help="The profile that the report was made with.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
def why(study: Path, question: str, by: str | None, disclosure: str | None, out: Path) -> None:
    """Say what has changed since the report on QUESTION (and BY, as site=North) was made.

    Example: researchkit why data/contact_centre retention site=North
    """
    from researchkit import batch
    from researchkit.study import load_study

    loaded = load_study(study)
    job = batch.Job(loaded.path, loaded.question(question).id, by, disclosure)
    changes = batch.why(job, out)
    click.echo("\n".join(f"changed: {one}" for one in changes) if changes else "Nothing has changed since it was made.")


@main.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.argument("question")
@click.option("--by", metavar="COLUMN=VALUE", help="Only the rows with this value.")
@click.option("--disclosure", metavar="PROFILE", help="In place of the study's own profile.")
@click.option("--json", "as_json", is_flag=True, help="The whole result, full precision.")
def effect(study: Path, question: str, by: str | None, disclosure: str | None, as_json: bool) -> None:
    """Answer one QUESTION of a STUDY, without a notebook.

    Example: researchkit effect data/contact_centre retention
    """
    from researchkit.answer import answer_question

    answer = answer_question(study, question, by=by, disclosure=disclosure)
    click.echo(answer.to_json() if as_json else str(answer.verdict))


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Where the study goes; beside FILE.")
def new(file: Path, out: Path | None) -> None:
    """Draft a study file from a table: its columns as they seem to be, the question left to you.

    Example: researchkit new exports/october.csv --out data/october
    """
    from researchkit.draft import write_draft

    target = write_draft(file, out or file.parent)
    place = shlex.quote(str(target.parent))
    click.echo(
        f"{target}: a draft. What is next:\n"
        "  1. Open it, look at every column, and fill in what says FILL_IN, before you look at any result.\n"
        f"  2. researchkit check {place}\n  3. researchkit run {place}"
    )


@main.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--against", type=click.Path(path_type=Path), metavar="OLD", help="An earlier export, or their folder.")
def check(study: Path, against: Path | None) -> None:
    """Check a STUDY file and its data: every problem, or OK; and what changed since an earlier export.

    Example: researchkit check data/contact_centre
    """
    from researchkit.cli.scores import account_of, changed, drawn
    from researchkit.errors import listing
    from researchkit.study import load_study
    from researchkit.warehouse import load

    loaded = load_study(study)
    for line in changed(loaded, against):
        click.echo(line)
    problems: list[str] = []
    for table in loaded.tables:
        try:
            dataset = load(loaded, table)
        except ResearchkitError as error:
            problems.append(str(error))
            continue
        for line in account_of(dataset):
            click.echo(line)
        for question in loaded.questions:
            if loaded.table_of(question) == table:
                problems += drawn(dataset, question)
    if problems:
        raise click.ClickException(problems[0] if len(problems) == 1 else listing(str(study), problems))
    asked = wording.units("question", str(len(loaded.questions)))
    click.echo(f"OK, {len(loaded.questions)} {asked}: {loaded.title}")


@main.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="CSV", help="Write the scores, a line a row of the file."
)
def score(study: Path, out: Path | None) -> None:
    """Score every scale of a STUDY: by which key, from how many answers, and how well its items go together.

    Example: researchkit score data/hospital
    """
    from researchkit.cli.scores import told, written
    from researchkit.study import load_study

    loaded = load_study(study)
    for line in told(loaded):
        click.echo(line)
    if out:
        click.echo(f"{written(loaded, out):,} rows of scores: {out}")


@main.command()
def instruments() -> None:
    """The questionnaires whose keys are at hand: forms, scales, licence, and what of a key is unverified.

    Example: researchkit instruments
    """
    from researchkit.cli.scores import shelf

    for line in shelf():
        click.echo(line)


@main.group()
def data() -> None:
    """The real studies: where their data come from, on what terms, and how to get them.

    Example: researchkit data list
    """


@data.command("list")
def data_list() -> None:
    """The published datasets that the studies under data/ use.

    Example: researchkit data list
    """
    from researchkit import sources

    for source in sources.sources(Path("data")):
        state = "at hand" if source.at_hand else "not at hand"
        size = wording.count(source.bytes) + " bytes" if source.bytes else "size not known"
        click.echo(f"{source.name}: {source.title} ({state}, {size})")
        for line in (source.licence, source.citation, source.page, *source.files):
            click.echo(f"  {line}")


@data.command("get")
@click.argument("name", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every dataset in the list.")
def data_get(name: tuple[str, ...], everything: bool) -> None:
    """Download the data of the studies NAMEd, from the mirror if there is one, and check their sha256.

    Example: researchkit data get carrard_2022
    """
    from researchkit import sources
    from researchkit.study import load_study

    wanted = [source.name for source in sources.sources(Path("data"))] if everything else list(name)
    if not wanted:
        raise click.UsageError("Name a dataset, or say --all; `researchkit data list` names them.")
    failed = 0
    for one in wanted:
        try:
            for path in sources.get(load_study(Path("data") / one)):
                click.echo(f"{one}: {path}")
        except ResearchkitError as error:  # one dataset that is gone does not keep the others away
            failed += 1
            click.echo(f"Error: {error}", err=True)
    sys.exit(NOT_ALL_GOOD if failed else GOOD)


@main.command()
@click.argument("world")
@click.option("--rows", type=click.IntRange(1), metavar="N", help="How many rows; the committed size by default.")
@click.option("--seed", type=int, metavar="N", help="Another seed gives another draw of the same world.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to write to.")
def simulate(world: str, rows: int | None, seed: int | None, out: Path) -> None:
    """Make a WORLD whose truth is known: contact_centre or hospital.

    Example: researchkit simulate contact_centre --rows 1000 --out /tmp/world
    """
    from researchkit.simulate import write_world

    for path in write_world(world, out, rows=rows, seed=seed):
        click.echo(path)
