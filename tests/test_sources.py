"""Published data: found by checksum, fetched from a mirror first, never kept when wrong. No network but the loopback."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from pathlib import Path

import pytest

from researchkit.errors import SourceError, StudyError
from researchkit.sources import at_hand, get, locate, missing, sources
from researchkit.study import Study, load_study

TABLE = b"kind,stays\n1,0\n5,1\n3,1\n"
OTHER = b"kind,stays\n1,1\n5,1\n3,1\n"
NOWHERE = "http://127.0.0.1:9/data/a%20table.csv"  # the port that throws everything away: nobody answers there


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def study_with(folder: Path, files: str) -> Study:
    """A published study in a folder of its own below `folder`."""
    home = folder / "published"
    home.mkdir(parents=True, exist_ok=True)
    (home / "study.yml").write_text(
        "title: Do the kindly treated stay?\nseed: 1\ndesign: observational\n"
        f"files: {files}\n"
        "questions: {id: stays, title: 'Do they stay?', claim: LOY-1, exposure: kind,"
        " outcome: {column: stays, kind: yes_no}, smallest_effect: 0.1}\n"
        "source: {page: 'https://example.org', licence: CC0, citation: Nobody (2020), bytes: 24}\n",
        encoding="utf-8",
    )
    return load_study(home)


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty download folder, and no mirror."""
    folder = tmp_path / "downloads"
    monkeypatch.setenv("RESEARCHKIT_DATA", str(folder))
    monkeypatch.delenv("RESEARCHKIT_MIRROR", raising=False)
    return folder


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A mirror that is a folder, with the table in it."""
    folder = tmp_path / "a shelf"
    (folder / "set one").mkdir(parents=True)
    (folder / "set one" / "a table.csv").write_bytes(TABLE)
    return folder


@pytest.fixture
def served(shelf: Path):
    """The same mirror, served; gives its address and the requests that it had."""
    asked: list[str] = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format, *args):
            asked.append(self.path)

    handler = functools.partial(Quiet, directory=str(shelf))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


MIRRORED = f"{{url: '{NOWHERE}', sha256: {sha256(TABLE)}, mirror: set one/a table.csv}}"


def kept_in(folder: Path) -> list[str]:
    """Whatever lies below a folder, half-fetched files too."""
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_not_at_hand_is_said_with_the_way_out(tmp_path, downloads):
    study = study_with(tmp_path, MIRRORED)
    with pytest.raises(SourceError, match=r"published: a table\.csv: not at hand\. `researchkit data get published`"):
        locate(study, study.tables["data"].files[0])
    assert not at_hand(study)
    assert missing(study) == ["a table.csv"]


def test_a_mirror_that_is_a_folder_is_used_in_place(tmp_path, downloads, shelf, monkeypatch):
    study = study_with(tmp_path, MIRRORED)
    for named in (str(shelf), shelf.as_uri()):
        monkeypatch.setenv("RESEARCHKIT_MIRROR", named)
        assert locate(study, study.tables["data"].files[0]) == shelf / "set one" / "a table.csv"
        assert at_hand(study)
    assert not downloads.exists()


def test_a_mirrors_copy_may_have_other_bytes_when_the_study_says_which(tmp_path, downloads, shelf, monkeypatch):
    monkeypatch.setenv("RESEARCHKIT_MIRROR", str(shelf))
    both = f"sha256: {sha256(OTHER)}, mirror: set one/a table.csv, mirror_sha256: {sha256(TABLE)}"
    assert at_hand(study_with(tmp_path, f"{{url: '{NOWHERE}', {both}}}"))


def test_another_file_in_the_mirror_is_refused_by_its_checksum(tmp_path, downloads, shelf, monkeypatch):
    monkeypatch.setenv("RESEARCHKIT_MIRROR", str(shelf))
    (shelf / "set one" / "a table.csv").write_bytes(OTHER)
    study = study_with(tmp_path, MIRRORED)
    words = f"a table.csv is another file: expected sha256:{sha256(TABLE)}, got sha256:{sha256(OTHER)}"
    with pytest.raises(SourceError, match=words):
        locate(study, study.tables["data"].files[0])
    assert missing(study) == ["a table.csv"]


def test_get_keeps_nothing_of_a_wrong_file(tmp_path, downloads, shelf, monkeypatch):
    monkeypatch.setenv("RESEARCHKIT_MIRROR", str(shelf))
    (shelf / "set one" / "a table.csv").write_bytes(OTHER)
    with pytest.raises(SourceError) as caught:
        get(study_with(tmp_path, MIRRORED))
    message = str(caught.value)
    assert f"expected sha256:{sha256(TABLE)} but got {sha256(OTHER)}" in message
    assert "2 problems" in message and NOWHERE in message  # the address was tried after the mirror
    assert message.count("Nothing was kept.") == 2
    assert kept_in(downloads) == []


def test_get_copies_from_a_folder_and_locate_finds_the_copy_without_it(tmp_path, downloads, shelf, monkeypatch):
    study = study_with(tmp_path, MIRRORED)
    monkeypatch.setenv("RESEARCHKIT_MIRROR", str(shelf))
    assert get(study) == [downloads / "published" / "a table.csv"]
    monkeypatch.delenv("RESEARCHKIT_MIRROR")
    assert locate(study, study.tables["data"].files[0]).read_bytes() == TABLE
    assert kept_in(downloads) == ["a table.csv"]


def test_a_served_mirror_is_for_get_alone(tmp_path, downloads, served, monkeypatch):
    address, asked = served
    monkeypatch.setenv("RESEARCHKIT_MIRROR", address + "/")
    study = study_with(tmp_path, MIRRORED)
    assert not at_hand(study)
    assert asked == []  # looking downloads nothing
    get(study)
    assert asked == ["/set%20one/a%20table.csv"]
    assert at_hand(study)
    get(study)
    assert len(asked) == 1  # what is there is not fetched again


def test_the_address_is_used_when_there_is_no_mirror(tmp_path, downloads, served):
    address, asked = served
    url = f"{address}/set%20one/a%20table.csv"
    (path,) = get(study_with(tmp_path, f"{{url: '{url}', md5: {md5(TABLE)}}}"))
    assert path.read_bytes() == TABLE
    assert asked == ["/set%20one/a%20table.csv"]


def test_a_wrong_md5_is_refused_too(tmp_path, downloads, served):
    url = f"{served[0]}/set%20one/a%20table.csv"
    with pytest.raises(SourceError, match=f"expected md5:{md5(OTHER)} but got {md5(TABLE)}"):
        get(study_with(tmp_path, f"{{url: '{url}', md5: {md5(OTHER)}}}"))
    assert kept_in(downloads) == []


def test_a_download_that_was_changed_afterwards_is_refused_then_fetched_anew(tmp_path, downloads, shelf, monkeypatch):
    monkeypatch.setenv("RESEARCHKIT_MIRROR", str(shelf))
    study = study_with(tmp_path, MIRRORED)
    (path,) = get(study)
    path.write_bytes(OTHER)
    monkeypatch.delenv("RESEARCHKIT_MIRROR")
    with pytest.raises(SourceError, match="is another file"):
        locate(study, study.tables["data"].files[0])
    monkeypatch.setenv("RESEARCHKIT_MIRROR", str(shelf))
    assert get(study)[0].read_bytes() == TABLE


def test_a_file_that_is_not_there_is_said_in_words(tmp_path, downloads, served):
    url = f"{served[0]}/nothing.csv"
    with pytest.raises(SourceError, match=r"published: nothing\.csv: http://127.*404 .*Nothing was kept"):
        get(study_with(tmp_path, f"{{url: '{url}', sha256: {sha256(TABLE)}}}"))


def test_only_published_studies_are_listed(tmp_path, downloads, shelf, monkeypatch):
    monkeypatch.setenv("RESEARCHKIT_MIRROR", str(shelf))
    study_with(tmp_path / "data", MIRRORED)
    own = tmp_path / "data" / "own"
    own.mkdir()
    text = (tmp_path / "data" / "published" / "study.yml").read_text(encoding="utf-8")
    (own / "study.yml").write_text(text.replace(f"files: {MIRRORED}", "files: mine.csv"), encoding="utf-8")
    (entry,) = sources(tmp_path / "data")
    assert (entry.name, entry.licence, entry.citation, entry.bytes) == ("published", "CC0", "Nobody (2020)", 24)
    assert entry.at_hand
    assert missing(load_study(own)) == ["mine.csv"]
    (own / "mine.csv").write_bytes(TABLE)
    assert at_hand(load_study(own))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ("{url: 'https://example.org/a.csv'}", "needs the `sha256`"),
        (f"{{url: 'https://example.org/a.csv', content: {sha256(TABLE)}, mirror: a.csv}}", "needs the `mirror_sha256`"),
    ],
)
def test_an_address_without_a_checksum_is_refused(tmp_path, files, words):
    with pytest.raises(StudyError, match=words):
        study_with(tmp_path, files)
