"""Citations: entries that BibTeX reads whatever the data are called, and that claim no more than the result holds."""

import re

import pytest
import test_page
from hypothesis import given
from hypothesis import strategies as st

from researchkit import cite


def entries(text):
    """Kind, key and fields of each entry; fails where braces do not match."""
    found = []
    for block in text.strip().split("\n\n"):
        kind, key = re.match(r"@(\w+)\{([A-Za-z0-9-]+),\n", block).groups()
        fields = dict(re.findall(r"^  (\w+) = \{(.*)\},$", block, re.M))
        bare = re.sub(r"\\[{}]", "", block)
        assert bare.count("{") == bare.count("}") and block.endswith("\n}")
        assert len(fields) == block.count("\n") - 1, "a line that is no field"
        found.append((kind, key, fields))
    return found


def test_an_answer_and_the_toolkit_are_cited():
    (kind, key, fields), (_, toolkit, software) = entries(cite.bibtex(test_page.result()))
    assert kind == "misc" and key == "contact-centre-retention-site-North"
    assert fields["title"] == "{Do customers stay?}" and fields["year"] == "2026"
    assert "claim LOY-1" in fields["note"] and "sha256:9b" in fields["note"] and "simulated data" in fields["note"]
    assert "who asked" in fields["author"], "nobody is named whom the result does not name"
    assert toolkit == "researchkit-0-1-0" and software["version"] == "0.1.0"


def test_published_data_are_cited_as_their_study_file_does():
    source = {"page": "https://osf.io/x_1", "licence": "CC BY 4.0", "citation": "Carrard & others (2022)"}
    found = entries(cite.bibtex(test_page.result(source=source)))
    assert len(found) == 3 and found[1][2]["note"] == r"Carrard \& others (2022)"
    assert found[1][2]["howpublished"] == r"https://osf.io/x\_1" and "CC BY" in found[1][2]["annote"]


def test_a_result_without_a_question_is_not_cited():
    assert cite.bibtex({"study_title": "Contact centre"}) == ""


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_title_and_study_give_entries_that_can_be_read(title, study):
    found = entries(cite.bibtex(test_page.result(title=title or "t", study_title=study, study=study or "s")))
    assert [kind for kind, _, _ in found] == ["misc", "software"]


@pytest.mark.parametrize(("text", "told"), [("50 % of A&B_c #1 {x}", r"50 \% of A\&B\_c \#1 \{x\}"), ("a\n b", "a b")])
def test_signs_of_tex_are_printed_as_they_stand(text, told):
    assert cite.tex(text) == told


def test_the_name_of_the_authors_is_that_of_the_citation_file(root):
    assert cite.AUTHORS.strip("{}") in (root / "CITATION.cff").read_text(encoding="utf-8")
