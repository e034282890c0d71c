"""Published datasets: which there are, where their files lie, and how they are fetched.

No real data lie in the repository. A study file names the address and the checksum of each file, and a file is used
only when it is the one named there, wherever it comes from: the download folder, a mirror, or the address itself.
`RESEARCHKIT_DATA` is the download folder, `RESEARCHKIT_MIRROR` a folder or URL that is asked before the address.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from urllib.request import url2pathname

from researchkit.errors import SourceError, listing
from researchkit.parts import File
from researchkit.study import Study, load_study


@dataclass(frozen=True)
class RealStudy:
    """One published dataset, as `researchkit data list` shows it; `bytes` is None where the study does not say."""

    name: str
    title: str
    licence: str
    citation: str
    page: str
    bytes: int | None
    at_hand: bool
    files: tuple[str, ...]  # each with its checksum


@dataclass(frozen=True)
class Origin:
    """One place to have a file from, its name there, and its checksum: `sha256:...`, `md5:...` or None.

    No place: the study names a path in a mirror, and no mirror is set. No checksum: the file is known by its content
    (`content` in the study file), which is checked on reading.
    """

    place: str | Path | None
    name: str
    checksum: str | None


def sources(data_folder: str | Path) -> list[RealStudy]:
    """The published studies among the folders of `data_folder`, by name.

    Raises
    ------
    StudyError
        If a study file there is not right.
    """
    studies = [load_study(path) for path in sorted(Path(data_folder).glob("*/study.yml"))]
    return [described(study) for study in studies if published(study)]


def described(study: Study) -> RealStudy:
    source = study.source
    terms = (source.licence, source.citation, source.page, source.bytes) if source else ("not stated", "", "", None)
    files = tuple(f"{one.name} {one.checksum or 'checked by its cells'}" for one in map(own_origin, published(study)))
    return RealStudy(study.name, study.title, *terms, at_hand=at_hand(study), files=files)


def own_origin(file: File) -> Origin:
    """The address of a file, which comes after the mirror."""
    return origins_of(file)[-1]


def published(study: Study) -> list[File]:
    """The files of a study that come from an address, each once."""
    return [file for file in each_file(study) if file.url]


def each_file(study: Study) -> list[File]:
    """One `File` for each file of the study: several tables may read the same one."""
    files = [file for table in study.tables.values() for file in table.files]
    return list({file.path or file.url or (file.database, file.relation): file for file in files}.values())


def at_hand(study: Study) -> bool:
    """Whether every file of the study, its own or published, can be read now."""
    return not missing(study)


def missing(study: Study) -> list[str]:
    """The files of the study that are not at hand, by name."""
    return [file.path or last_part(file.url or "") for file in each_file(study) if not present(study, file)]


def present(study: Study, file: File) -> bool:
    if file.database:
        return True  # whether it answers is seen when it is asked
    if file.path:
        return (study.folder / file.path).exists() or any(study.folder.glob(file.path))
    try:
        return locate(study, file).is_file()
    except SourceError:
        return False


def lying(study: Study, file: File) -> list[Path]:
    """The files that an entry is read from now, wherever they lie; their content is not looked at."""
    if file.url:
        return [path for path, _ in candidates(study, file) if path.is_file()]
    if file.database:
        return []
    path = study.folder / str(file.path)
    beside = [study.folder / file.dictionary] if file.dictionary and (study.folder / file.dictionary).is_file() else []
    return [*([path] if path.exists() else sorted(study.folder.glob(str(file.path)))), *beside]


def locate(study: Study, file: File) -> Path:
    """Where a published file lies: in the download folder, else in the mirror when that is a folder.

    Nothing is downloaded. The bytes found must have the checksum that the study file names.

    Raises
    ------
    SourceError
        If the file is in neither place, or what is there is another file; says how to get it.
    """
    places = candidates(study, file)
    for path, checksum in places:
        if right(path, checksum):
            return path
    subject = f"{study.name}: {last_part(file.url or '')}"
    advice = f"`researchkit data get {study.name}` downloads it; RESEARCHKIT_MIRROR may name a folder that holds it."
    others = [
        f"{path} is another file: expected {known}, got {digest(path, known)}."
        for path, known in places
        if path.is_file()
    ]
    raise SourceError(f"{listing(subject, others or ['not at hand.'])} {advice}")


def candidates(study: Study, file: File) -> list[tuple[Path, str | None]]:
    """The paths where a file may lie already, each with the checksum it must have there."""
    origins = origins_of(file)
    downloaded = [(download_folder() / study.name / origin.name, origin.checksum) for origin in origins]
    return downloaded + [(origin.place, origin.checksum) for origin in origins if isinstance(origin.place, Path)]


def right(path: Path, checksum: str | None) -> bool:
    """Whether the file is there and is the one named (None: the content is checked on reading)."""
    return path.is_file() and (checksum is None or digest(path, checksum) == checksum)


def origins_of(file: File) -> list[Origin]:
    """The mirror, where one is set and the study names a place in it, then the address."""
    address = file.url or ""
    known = f"sha256:{file.sha256}" if file.sha256 else f"md5:{file.md5}" if file.md5 else None
    found = [Origin(address, last_part(address), known)]
    mirror, under = os.environ.get("RESEARCHKIT_MIRROR"), file.mirror
    if under:
        name, checksum = PurePosixPath(under).name, f"sha256:{file.mirror_sha256 or file.sha256}"
        found.insert(0, Origin(within(mirror, under) if mirror else None, name, checksum))
    return found


def within(mirror: str, under: str) -> str | Path:
    """A place in the mirror: a path when the mirror is a folder, a URL when it is served."""
    parts = urlsplit(mirror)
    if parts.scheme in ("http", "https"):
        return f"{mirror.rstrip('/')}/{quote(under)}"
    return Path(url2pathname(parts.path) if parts.scheme == "file" else mirror).expanduser() / under


def last_part(address: str) -> str:
    """The file name at the end of an address, as people read it."""
    return unquote(PurePosixPath(urlsplit(address).path).name) or "data"


def download_folder() -> Path:
    """`RESEARCHKIT_DATA`, or the platform's folder for files that can be fetched again."""
    import pooch

    named = os.environ.get("RESEARCHKIT_DATA")
    return Path(named).expanduser() if named else Path(pooch.os_cache("researchkit"))


def digest(path: Path, like: str | None = None) -> str:
    """The checksum of a file, made the way `like` was."""
    import pooch

    kind = like.split(":")[0] if like else "sha256"
    return f"{kind}:{pooch.file_hash(str(path), alg=kind)}"


def get(study: Study) -> list[Path]:
    """Download what the study names into the download folder, from the mirror first, then from the address.

    A file that is there already is not fetched again, and one is moved into place only when it is whole and has the
    right checksum, so an interrupted `get` can simply be repeated.

    Raises
    ------
    SourceError
        If a file cannot be had, or is not the one named; says what was expected, and that nothing was kept.
    """
    return [fetched(study, file) for file in published(study)]


def fetched(study: Study, file: File) -> Path:
    """The path of one file in the download folder, fetched from the first place that has the right one."""
    folder = download_folder() / study.name
    origins = origins_of(file)
    for origin in origins:
        if right(folder / origin.name, origin.checksum):
            return folder / origin.name
    problems = []
    for origin in origins:
        try:
            if origin.place is not None:
                return download(origin, folder)
        except (ValueError, OSError) as error:
            problems.append(f"{origin.place}: {reason(error)} Nothing was kept.")
    raise SourceError(listing(f"{study.name}: {last_part(file.url or '')}", problems))


def download(origin: Origin, folder: Path) -> Path:
    """Fetch one file: under a temporary name, then, when its checksum is right, under its own."""
    import pooch

    pooch.get_logger().setLevel("ERROR")  # the command says what happened; a library stays silent
    downloader = copied if isinstance(origin.place, Path) else None
    place = str(origin.place)
    return Path(pooch.retrieve(place, origin.checksum, fname=origin.name, path=folder, downloader=downloader))


def copied(place: str, output: str, pooch: Any) -> None:
    """pooch's downloader for a mirror that is a folder; `pooch` belongs to the interface and is not used."""
    import shutil

    shutil.copyfile(place, output)


def reason(error: Exception) -> str:
    """One sentence of an error of the network, the disk or the checksum."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file."
    words = " ".join(str(error).split()) or type(error).__name__
    return f"{words.rstrip('.')}."
