"""Nine published studies: every figure that is known of them is found again.

The expected figures are those in the notes beside the published data, given as printed there: a figure is found again
when it rounds to the same digits. They come from the publications or were computed with pandas, statsmodels and R.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from researchkit.dataset import Dataset, load_dataset
from researchkit.errors import DataError
from researchkit.estimators import Effect, estimate
from researchkit.estimators.linear import cr1, least_squares
from researchkit.estimators.multilevel import icc, random_intercept
from researchkit.parts import Keep
from researchkit.scales import reliable_change
from researchkit.study import Study, load_study

NAMES = ("annomi_mi", "army_units", "carrard_2022", "cfpb_complaints", "claus_2020", "cms_hospitals", "hcahps_states")
NAMES += ("nhs_staff", "paskvan_2016")
DATA = Path(__file__).resolve().parents[1] / "data"


def printed(figure: str):
    """A figure as printed: equal to what rounds to it (a half may have been rounded either way)."""
    digits = len(figure.partition(".")[2].partition("e")[0])
    return pytest.approx(float(figure), abs=0.5 * 10.0**-digits + 1e-9)


def magnitude(figure: str):
    """A tiny p value as printed: its power of ten, give or take one, whichever errors were used."""
    return pytest.approx(np.log10(float(figure)), abs=1)


@functools.cache
def study(name: str) -> Study:
    return load_study(DATA / name)


@pytest.fixture(scope="module")
def data(mirror, tmp_path_factory):
    """Loads a table of a real study from the mirror, and from nowhere else; each once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESEARCHKIT_MIRROR", str(mirror))
        patch.setenv("RESEARCHKIT_DATA", str(tmp_path_factory.mktemp("downloads")))
        yield functools.cache(lambda name, table=None: load_dataset(study(name), table))


def answer(data, name: str, id: str, *, adjust=None, **changes) -> Effect:
    """The effect of one question, with `adjust` or other parts of the question changed."""
    asked = study(name).question(id).model_copy(update=changes)
    return estimate(data(name, study(name).table_of(asked)), asked, adjust=adjust)


def correlation(frame: pd.DataFrame, one: str, other: str) -> float:
    return float(frame[[one, other]].corr().iloc[0, 1])


def test_no_real_data_are_in_the_repository():
    for name in NAMES:
        assert sorted(path.name for path in (DATA / name).iterdir()) == ["README.md", "study.yml"]


@pytest.mark.parametrize("name", NAMES)
def test_every_file_comes_from_one_commit_and_says_on_what_terms(name):
    files = [file for table in study(name).tables.values() for file in table.files]
    pinned = re.compile(r"https://raw\.githubusercontent\.com/[\w-]+/[\w-]+/[0-9a-f]{40}/[\w%./-]+")
    assert all(pinned.fullmatch(file.url or "") for file in files)
    source, readme = study(name).source, (DATA / name / "README.md").read_text(encoding="utf-8")
    assert source is not None and source.licence and source.citation
    assert source.page in readme and "icence:**" in readme and f"researchkit data get {name}" in readme


@pytest.mark.parametrize("name", NAMES)
def test_every_question_is_answered(name, data):
    for question in study(name).questions:
        effect = answer(data, name, question.id)
        assert effect.low < effect.estimate < effect.high and effect.n > 0
        for alternative in question.alternatives:
            planned = study(name).alternatives[alternative]
            changed = {key: getattr(planned, key) for key in ("exposure", "outcome") if getattr(planned, key)}
            other = answer(data, name, question.id, adjust=planned.adjust, keep=planned.keep, **changed)
            assert np.isfinite(other.estimate)


# Carrard and colleagues 2022


def test_carrard_students(data):
    dataset = data("carrard_2022")
    everyone = dataset.arrived
    assert (dataset.rows, len(dataset.frame), everyone.shape[1]) == (886, 881, 20)
    assert everyone["sex"].value_counts().to_dict() == {"1": 275, "2": 606, "3": 5}
    assert everyone["id"].is_unique and not everyone.isna().any(axis=None)
    assert (everyone["age"].min(), everyone["age"].max()) == (17, 49)
    assert (everyone["stud_h"].min(), everyone["stud_h"].max()) == (0, 70)
    assert float((everyone["cesd"] >= 16).mean()) == printed("0.520")
    means = everyone.groupby("year")["mbi_ex"].mean()
    for year, mean in enumerate(["17.68", "18.47", "17.89", "16.59", "15.32", "14.03"], 1):
        assert means[year] == printed(mean)


@pytest.mark.parametrize(
    ("column", "r", "p"),
    [
        ("jspe", "-0.041", ".23"),
        ("qcae_cog", "-0.024", ".48"),
        ("qcae_aff", "0.216", None),
        ("amsp", "-0.073", ".030"),
        ("erec_mean", "0.015", ".65"),
        ("cesd", "0.606", None),
        ("stai_t", "0.530", None),
        ("mbi_cy", "0.505", None),
        ("mbi_ea", "-0.481", None),
    ],
)
def test_carrard_correlations_with_exhaustion(column, r, p, data):
    everyone = data("carrard_2022").arrived
    found = stats.pearsonr(everyone[column], everyone["mbi_ex"])
    assert found.statistic == printed(r)
    if p:
        assert found.pvalue == printed(p)


def test_carrard_affective_empathy_is_no_chance_find(data):
    everyone = data("carrard_2022").arrived
    assert np.log10(stats.pearsonr(everyone["qcae_aff"], everyone["mbi_ex"]).pvalue) == magnitude("8e-11")


EMPATHY = ["jspe", "qcae_cog", "qcae_aff", "amsp", "erec_mean"]
STANDARDISED = {  # jspe, qcae_cog, qcae_aff, amsp, erec_mean (standardised), year, woman, R squared; * p < 0.05
    "cesd": "-0.068 -0.030 0.236* -0.099* -0.009 -0.127* 0.298* .167",
    "stai_t": "-0.089* -0.065 0.325* -0.175* -0.010 -0.081* 0.283* .220",
    "mbi_ex": "-0.011 -0.053 0.217* -0.021 -0.014 -0.139* 0.161* .121",
    "mbi_cy": "-0.060 -0.053 0.152* 0.010 0.049 0.046* -0.072 .029",
    "mbi_ea": "0.073* 0.144* -0.159* 0.146* -0.029 -0.012 0.055 .083",
}


@pytest.mark.parametrize("outcome", STANDARDISED)
def test_carrard_standardised_coefficients(outcome, data):
    """The question's own model, each coefficient scaled by the standard deviations among all students."""
    asked = study("carrard_2022").question("care_exhaustion")
    aim = asked.outcome.model_copy(update={"column": outcome})
    effect = answer(data, "carrard_2022", asked.id, outcome=aim)
    terms = {term.term: term for term in effect.model.terms}
    spread = data("carrard_2022").arrived[[*EMPATHY, outcome]].std()
    *coefficients, _ = STANDARDISED[outcome].split()
    for name, figure in zip([*EMPATHY, "year", "sex: woman"], coefficients, strict=True):
        term = terms[asked.exposure.label if name == "jspe" else name]
        step = spread.get(name, 1.0) / (asked.exposure.per if name == "jspe" else 1)
        assert term.estimate * step / spread[outcome] == printed(figure.rstrip("*")), name
        assert (term.p < 0.05) == figure.endswith("*"), name


@pytest.mark.parametrize("outcome", STANDARDISED)
def test_carrard_explained_variance(outcome, data):
    asked = study("carrard_2022").question("care_exhaustion")
    sample = data("carrard_2022").sample(
        asked.model_copy(update={"outcome": asked.outcome.model_copy(update={"column": outcome})})
    )
    columns = np.column_stack([np.ones(len(sample.outcome)), sample.exposure, sample.covariates])
    rest = sample.outcome - columns @ np.linalg.lstsq(columns, sample.outcome, rcond=None)[0]
    assert 1 - rest.var() / sample.outcome.var() == printed(STANDARDISED[outcome].split()[-1])


# US hospitals


def test_hospitals_are_joined_by_whole_numbers(data):
    frame = data("cms_hospitals", "hospitals").frame
    assert (len(frame), int(frame["nurses"].notna().sum())) == (4619, 4065)
    assert int((frame["nurses"].notna() & frame["mean_ratio"].notna()).sum()) == 3032
    ratios = data("cms_hospitals", "conditions").frame.dropna(subset=["ratio"])
    assert ratios["ccn"].nunique() == 3096
    assert set(ratios["ccn"].str.len()) == {6}


def test_hospitals_recommended(data):
    frame = data("cms_hospitals", "hospitals").frame
    assert correlation(frame, "nurses", "recommended") == printed(".648")
    assert correlation(frame, "doctors", "recommended") == printed(".482")
    assert correlation(frame, "nurses", "recommended") ** 2 == printed(".42")
    crude = answer(data, "cms_hospitals", "nurses_recommended", adjust=[])
    assert crude.estimate / 5 == printed("1.15")
    assert crude.n == 4065


@pytest.mark.parametrize(
    ("column", "r"), [("nurses", "-.228"), ("doctors", "-.184"), ("transition", "-.297"), ("recommended", "-.300")]
)
def test_hospitals_readmissions(column, r, data):
    assert correlation(data("cms_hospitals", "hospitals").frame, column, "mean_ratio") == printed(r)


def test_hospitals_readmissions_within_states(data):
    effect = answer(data, "cms_hospitals", "nurses_readmissions")
    assert effect.estimate / 5 == printed("-0.0026")
    assert effect.n == 3032
    assert np.log10(effect.p) == magnitude("2e-20")


@pytest.mark.parametrize(
    ("condition", "nurses", "recommended", "n"),
    [
        ("AMI", "-.175", "-.235", 2075),
        ("CABG", "-.105", "-.166", 1005),
        ("COPD", "-.123", "-.180", 2829),
        ("HF", "-.199", "-.290", 2836),
        ("HIP_KNEE", "-.101", "-.171", 2450),
        ("PN", "-.180", "-.190", 2897),
    ],
)
def test_hospitals_readmissions_by_condition(condition, nurses, recommended, n, data):
    frame = data("cms_hospitals", "conditions").only("condition", f"READM_30_{condition}_HRRP").frame
    assert correlation(frame, "nurses", "ratio") == printed(nurses)
    assert correlation(frame, "recommended", "ratio") == printed(recommended)
    assert len(frame.dropna(subset=["nurses", "ratio"])) == n


def copy_of_the_address(mirror: Path, folder: Path, change=lambda frame: frame) -> None:
    """The survey as it stands at its address: more columns, in another order, and zeros lost; into a download folder."""
    frame = pd.read_csv(
        mirror / "cms-hospital-2014-2017/hcahps_hospital_cms_columns.csv", dtype=str, keep_default_na=False
    )
    frame = change(frame[sorted(frame.columns, reverse=True)])
    more = {"Address": "1 Main Street", "lat": "31.2", "recommend": "9.3", "quiet": "9"}
    frame = frame.assign(**{"Provider.ID": frame["Provider.ID"].str.lstrip("0"), **more})
    folder.mkdir(parents=True)
    frame.to_csv(folder / "hcahps.csv")


def load_from(mirror: Path, folder: Path, monkeypatch) -> Dataset:
    """The hospitals, the survey from the download folder and the other two from the mirror."""
    monkeypatch.setenv("RESEARCHKIT_DATA", str(folder))
    monkeypatch.setenv("RESEARCHKIT_MIRROR", str(mirror))
    return load_dataset(study("cms_hospitals"), "hospitals")


def test_hospitals_are_the_same_from_the_address(data, mirror, tmp_path, monkeypatch):
    copy_of_the_address(mirror, tmp_path / "cms_hospitals")
    elsewhere = load_from(mirror, tmp_path, monkeypatch)
    assert any(note.startswith("hcahps.csv: dropped at import: unnamed_1, Address, lat") for note in elsewhere.notes)
    assert elsewhere.fingerprint == data("cms_hospitals", "hospitals").fingerprint


def test_hospitals_with_one_other_answer_are_refused(mirror, tmp_path, monkeypatch):
    copy_of_the_address(
        mirror, tmp_path / "cms_hospitals", lambda frame: frame.replace({"H_QUIET_HSP_U_P": {"26": "27"}})
    )
    with pytest.raises(DataError, match=r"hcahps\.csv does not hold the table .* Delete the file and get it again"):
        load_from(mirror, tmp_path, monkeypatch)


# NHS trusts


def test_trusts(data):
    dataset = data("nhs_staff")
    assert (dataset.rows, len(dataset.frame)) == (1075, 494)
    assert (dataset.arrived["trust"].nunique(), dataset.frame["trust"].nunique()) == (325, 126)
    assert int(dataset.arrived["region"].isna().sum()) == 220
    means = dataset.frame.groupby("year")[["burnt_out", "exhausting"]].mean()
    for year, burnt_out, exhausting in zip(
        ["2021", "2022", "2023", "2024"],
        ["35.1", "34.9", "31.1", "31.0"],
        ["37.9", "37.4", "34.1", "34.0"],
        strict=True,
    ):
        assert means.loc[year, "burnt_out"] == printed(burnt_out)
        assert means.loc[year, "exhausting"] == printed(exhausting)


@pytest.mark.parametrize(
    ("column", "r"),
    [
        ("enough_staff", "-.760"),
        ("abuse_manager", ".631"),
        ("valued", "-.609"),
        ("improvements", "-.591"),
        ("abuse_colleagues", ".574"),
        ("abuse_public", ".571"),
    ],
)
def test_trusts_correlations_with_burnout(column, r, data):
    assert correlation(data("nhs_staff").frame, column, "burnt_out") == printed(r)


@pytest.mark.parametrize(
    ("id", "alternative", "coefficient", "p"),
    [
        ("valued", "also_abuse", "-0.312", "1e-5"),
        ("enough_staff", "also_climate", "-0.397", "0"),
        ("abuse_by_managers", "also_valued", "0.092", ".24"),
    ],
)
def test_trusts_compared_with_themselves(id, alternative, coefficient, p, data):
    """Each of the three adjusted for the other two. The p values known are by CR1 errors; the answer itself uses CR2."""
    adjust = study("nhs_staff").alternatives[alternative].adjust
    effect = answer(data, "nhs_staff", id, adjust=adjust)
    assert effect.estimate == printed(coefficient)
    assert effect.clusters == 126
    sample = data("nhs_staff").sample(study("nhs_staff").question(id), adjust=adjust)
    columns = np.column_stack([np.ones(len(sample.outcome)), sample.exposure, sample.covariates])
    spread = cr1(least_squares(columns, sample.outcome), sample.cluster)
    found = 2 * stats.t.sf(abs(effect.estimate) / np.sqrt(spread.covariance[1, 1]), df=125)
    assert found == printed(p) if p == ".24" else found == pytest.approx(float(p), abs=5e-6)


def test_trusts_and_states_within_themselves(data):
    """By the design that compares each with itself; beside it stands the comparison between them."""
    trusts, states = answer(data, "nhs_staff", "valued_within"), answer(data, "hcahps_states", "recommended")
    assert (trusts.estimate, states.estimate) == (printed("-0.312"), printed("0.79"))
    assert (states.n, states.clusters) == (458, 51)
    assert states.se == pytest.approx(0.085, abs=0.004)  # known by CR1 errors; here CR2
    between = next(term for term in states.model.terms if term.term.startswith("between: "))
    assert between.estimate > states.high


# Claus and colleagues 2020


def test_trial_patients(data):
    visits, patients = data("claus_2020", "visits").frame, data("claus_2020", "patients").frame
    assert (len(visits), len(patients)) == (172, 43)
    assert patients["treatment"].value_counts().to_dict() == {"PA": 23, "TAU": 20}
    assert visits[["bdi", "shaps", "who", "hamd"]].isna().sum().to_list() == [9, 10, 9, 8]
    means = visits.groupby(["treatment", "time"])["bdi"].mean()
    for arm, figures in {"PA": ["33.4", "27.1", "22.2", "20.1"], "TAU": ["37.3", "33.3", "29.0", "32.0"]}.items():
        for time, figure in enumerate(figures, 1):
            assert means[arm, time] == pytest.approx(float(figure), abs=0.055)  # rounded to two digits, then to one


def test_trial_reliable_change_as_published(data):
    """J Stat Softw 111(1): Jacobson and Truax, reliability 0.801, functional population 7.69 (7.52)."""
    frame = data("claus_2020", "patients").frame.dropna(subset=["bdi_1", "bdi_4"])
    mean, sd = frame["bdi_1"].mean(), frame["bdi_1"].std()
    assert (len(frame), mean, sd) == (40, printed("35.48"), printed("8.16"))
    assert (sd * 7.69 + 7.52 * mean) / (sd + 7.52) == printed("21.02")
    change = reliable_change(
        frame["bdi_1"], frame["bdi_4"], reliability=0.801, functional_mean=7.69, functional_sd=7.52
    )
    assert change.value_counts().to_dict() == {"unchanged": 22, "recovered": 10, "improved": 8}
    by_arm = pd.crosstab(frame["treatment"], change)
    assert by_arm.loc["PA", ["recovered", "improved", "unchanged"]].to_list() == [7, 6, 8]
    assert by_arm.loc["TAU", ["recovered", "improved", "unchanged"]].to_list() == [3, 2, 14]


def test_trial_slopes(data):
    """A random intercept for each patient; the slope of PA, and how much flatter the usual treatment is."""
    frame = data("claus_2020", "visits").frame.dropna(subset=["bdi"])
    time, usual = frame["time"].to_numpy(), (frame["treatment"] == "TAU").to_numpy(dtype=float)
    matrix = np.column_stack([np.ones(len(frame)), usual, time, usual * time])
    fit = random_intercept(frame["bdi"].to_numpy(), matrix, pd.factorize(frame["id"])[0])
    assert fit.coefficients[2] == printed("-4.68")
    assert fit.coefficients[3] == printed("2.73")
    z = fit.coefficients[3] / np.sqrt(fit.covariance[3, 3])
    assert 2 * stats.norm.sf(z) == printed(".0016")


def test_trial_is_told_as_a_trial(data):
    effect = answer(data, "claus_2020", "depression")
    assert effect.n == 40
    assert study("claus_2020").design_of(study("claus_2020").question("depression")) == "randomised"


# Complaints


def test_complaints(data):
    dataset = data("cfpb_complaints")
    answered = dataset.frame.dropna(subset=["disputed"])
    assert (dataset.rows, len(answered), int(dataset.frame["state"].isna().sum())) == (3186, 3129, 20)
    assert "11 rows repeat an earlier row in every column." in dataset.notes
    assert (answered["disputed"] == "Yes").mean() == printed("0.190")


@pytest.mark.parametrize(
    ("column", "value", "share", "n"),
    [
        ("closing", "Closed with monetary relief", "7.4", 215),
        ("closing", "Closed with non-monetary relief", "10.8", 380),
        ("closing", "Closed with explanation", "21.3", 2468),
        ("closing", "Closed", "19.7", 66),
        ("timely", "Yes", "19.1", 3070),
        ("timely", "No", "16.9", 59),
    ],
)
def test_complaints_disputed(column, value, share, n, data):
    answered = data("cfpb_complaints").only(column, value).frame.dropna(subset=["disputed"])
    assert len(answered) == n
    assert 100 * (answered["disputed"] == "Yes").mean() == printed(share)


def test_complaints_relief(data):
    """The known interval takes complaints as independent and leaves out the two products with the fewest of them."""
    crude = answer(data, "cfpb_complaints", "relief", adjust=[], clusters=())
    assert crude.also["odds ratio"][0] == printed("0.393")
    few = Keep(column="product", not_values=("Prepaid card", "Other financial service"), why="few complaints")
    adjusted = answer(data, "cfpb_complaints", "relief", clusters=(), keep=(few,))
    estimate, low, high = adjusted.also["odds ratio"]
    assert (estimate, low, high) == (printed("0.413"), printed("0.307"), printed("0.555"))
    assert np.log10(adjusted.model.terms[0].p) == magnitude("5e-9")
    assert answer(data, "cfpb_complaints", "timely").low < 0 < answer(data, "cfpb_complaints", "timely").high


# Army units


def cluster_of(frame: pd.DataFrame, column: str):
    return pd.factorize(frame[column])[0]


@pytest.mark.parametrize(
    ("column", "single", "mean"),
    [("wellbeing", ".0434", ".772"), ("hours", ".133", ".920"), ("leadership", ".127", ".916")],
)
def test_companies_share(column, single, mean, data):
    frame = data("army_units", "soldiers").frame
    assert (len(frame), frame["company"].nunique()) == (7382, 99)
    assert icc(frame[column].to_numpy(), cluster_of(frame, "company")) == (printed(single), printed(mean))


@pytest.mark.parametrize(
    ("columns", "coefficients"),
    [
        (["hours", "company_hours"], ["4.740831", "-0.046461", "-0.126926"]),
        (["leadership", "company_leadership", "hours"], [None, ".507", "-.128", "-.032"]),
    ],
)
def test_companies_random_intercept(columns, coefficients, data):
    frame = data("army_units", "soldiers").frame
    matrix = np.column_stack([np.ones(len(frame)), frame[columns]])
    fit = random_intercept(frame["wellbeing"].to_numpy(), matrix, cluster_of(frame, "company"))
    for found, figure in zip(fit.coefficients, coefficients, strict=True):
        assert figure is None or found == printed(figure)
    if columns[0] == "hours":
        t = np.abs(fit.coefficients / np.sqrt(np.diag(fit.covariance)))
        degrees = np.array([7282, 7282, 97])  # as nlme counts them
        _, hours, company = 2 * stats.t.sf(t, degrees)
        assert np.log10(hours) == magnitude("3e-21")
        assert company == pytest.approx(3e-9, abs=0.5e-9)


def test_soldiers_correlations(data):
    assert correlation(data("army_units", "soldiers").frame, "leadership", "wellbeing") == printed(".426")
    haiti = data("army_units", "haiti").frame
    assert (len(haiti), haiti["company"].nunique()) == (2042, 49)
    assert correlation(haiti, "leadership", "hostility") == printed("-.382")


def test_soldiers_and_leaders_are_asked_apart(data):
    """With one half of a company on each side the slope is smaller than with each soldier on both."""
    effect = answer(data, "army_units", "leadership_halves")
    same = next(term for term in effect.model.terms if term.term == "one person on both sides")
    assert same.estimate == pytest.approx(answer(data, "army_units", "leadership_wellbeing").estimate)
    assert 0 < effect.high < same.low and effect.clusters == 99


def test_soldiers_over_time(data):
    frame = data("army_units", "career").frame
    assert (len(frame), frame["soldier"].nunique()) == (1485, 495)
    assert frame[["satisfaction", "commitment", "readiness"]].isna().sum().to_list() == [89, 79, 96]
    assert correlation(frame, "satisfaction", "commitment") == printed(".544")
    there = frame.dropna(subset=["satisfaction"])
    matrix = np.column_stack([np.ones(len(there)), there["time"]])
    fit = random_intercept(there["satisfaction"].to_numpy(), matrix, cluster_of(there, "soldier"))
    assert (fit.coefficients[0], fit.coefficients[1]) == (printed("3.2189"), printed("0.0518"))
