"""What was planted in each world, question by question, and what a good answer would say.

The numbers are computed from the worlds' own chances; only the words are typed here. `how` says in a sentence what the
truth is an average of and why the crude comparison does or does not mislead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from researchkit.simulate import contact_centre as centre
from researchkit.simulate import hospital
from researchkit.simulate.draws import Columns, slope, step, switch

SUPPORTED, CONTRADICTED, SMALL, UNTOLD = "supported", "contradicted", "too small to matter", "cannot tell"


@dataclass(frozen=True)
class Planted:
    """One question's place in a world.

    `sort` is real, zero, small, reversed (the crude comparison has the wrong sign) or contrary (the truth is against
    the claim); `deserves` the verdict; `truth` gives the number, in `unit`, from a large population's columns.
    The crude comparison misleads where it is off by more than the smallest effect that matters.
    """

    question: str
    sort: str
    deserves: str
    crude_misleads: bool
    unit: str
    truth: Callable[[Any], float]
    how: str

    def entry(self, population: Any) -> dict[str, Any]:
        """As written to truth.yml; six decimals, for the population is itself a sample."""
        return {
            "truth": round(self.truth(population), 6),
            "unit": self.unit,
            "sort": self.sort,
            "deserves": self.deserves,
            "crude_misleads": self.crude_misleads,
            "how": self.how,
        }


def of_compassion(expected: Callable[[Columns], Any]) -> Callable[[Columns], float]:
    return lambda contacts: slope(expected, contacts, "compassion")


CONTACT_CENTRE = (
    Planted(
        "retention",
        "real",
        SUPPORTED,
        True,
        "probability",
        of_compassion(centre.stays_90),
        "Mean slope of the chance to stay 90 days, directly and through trust. Easy problems are handled kindly and"
        " keep customers, so the crude difference is about twice as large.",
    ),
    Planted(
        "days_as_customer",
        "real",
        SUPPORTED,
        True,
        "days up to day 180",
        lambda contacts: step(centre.days_here, contacts, "compassion"),
        "Mean gain in days as a customer up to day 180 from handling half a point less kind to half a point kinder. The"
        " crude gain is far larger, for the same reason as in `retention`.",
    ),
    Planted(
        "satisfaction",
        "real",
        SUPPORTED,
        True,
        "probability",
        of_compassion(centre.top_csat),
        "Mean slope of the chance of the top answer, over everybody, also those who did not answer. The crude"
        " difference is too large: hard problems are handled less kindly and please less.",
    ),
    Planted(
        "satisfaction_one_source",
        "real",
        SUPPORTED,
        True,
        "probability",
        of_compassion(centre.top_csat),
        "As `satisfaction`: what the handling does. The customer's own rating shares a mood with the customer's"
        " satisfaction, so its slope is too large however much is adjusted for.",
    ),
    Planted(
        "recommendation",
        "small",
        SMALL,
        True,
        "NPS points",
        of_compassion(centre.nps_points),
        "Mean slope of the Net Promoter Score: there, but far below what matters. The crude difference is large, all of"
        " it through severity.",
    ),
    Planted(
        "first_contact",
        "zero",
        SMALL,
        True,
        "probability",
        of_compassion(centre.first_time),
        "Compassion does nothing to the closing of the ticket; severity decides both. The crude difference is real.",
    ),
    Planted(
        "calling_back",
        "contrary",
        CONTRADICTED,
        True,
        "contacts in 90 days",
        centre.calls_slope,
        "Mean slope of the rate of further contacts, each weighed by the time watched: those kindly handled call again"
        " more. The crude difference says the opposite, for easy problems need no second call.",
    ),
    Planted(
        "handling_time",
        "reversed",
        SUPPORTED,
        True,
        "minutes",
        of_compassion(centre.minutes),
        "Mean slope of the minutes: kindness takes time, as the claim says. The crude difference says that it saves"
        " time, for easy problems are short and kindly handled.",
    ),
    Planted(
        "time_to_solution",
        "real",
        SUPPORTED,
        True,
        "days up to day 30",
        lambda contacts: step(centre.days_waiting, contacts, "compassion"),
        "Mean change in days to the solution up to day 30 from handling half a point less kind to half a point kinder."
        " The crude change is too large.",
    ),
    Planted(
        "training",
        "real",
        SUPPORTED,
        False,
        "points",
        lambda contacts: switch(centre.compassion, contacts, "trained"),
        "Mean rated compassion with everybody trained less that with nobody trained, the same at every site.",
    ),
    Planted(
        "trust",
        "real",
        SUPPORTED,
        True,
        "points",
        of_compassion(centre.trust),
        "Mean slope of trust. The crude difference is too large: hard problems lower both.",
    ),
    Planted(
        "won_back",
        "real",
        UNTOLD,
        False,
        "probability",
        lambda contacts: slope(centre.stays_90, centre.hard_new_email(contacts), "compassion"),
        "As `retention`, among new e-mail customers with a hard problem: real, but these few could not show it.",
    ),
)

HOSPITAL = (
    Planted(
        "anxiety_trial",
        "real",
        SUPPORTED,
        False,
        "points",
        lambda house: switch(hospital.anxiety_expected, house["stays"], "arm"),
        "Mean anxiety afterwards with everybody given the conversation less that with nobody given it. The lot decides,"
        " so the crude difference is right as well.",
    ),
    Planted(
        "anxiety_observed",
        "reversed",
        SUPPORTED,
        True,
        "points",
        lambda house: slope(hospital.anxiety_expected, house["stays"], "compassion"),
        "Mean slope of anxiety afterwards. The sickest get the most kindness and stay anxious, so without severity"
        " kindness looks harmful.",
    ),
    Planted(
        "recovery_time",
        "reversed",
        SUPPORTED,
        True,
        "days up to day 30",
        lambda house: step(hospital.days_ill, house["stays"], "compassion"),
        "Mean change in days without recovery up to day 30 from care half a point less kind to half a point kinder; the"
        " dead stay without it. Without severity kindness looks harmful.",
    ),
    Planted(
        "readmission",
        "zero",
        SMALL,
        True,
        "probability",
        lambda house: slope(hospital.readmission, house["stays"], "compassion"),
        "Compassion does nothing to readmission; severity decides both. The crude difference says that it harms.",
    ),
    Planted(
        "length_of_stay",
        "small",
        SMALL,
        False,
        "nights",
        lambda house: switch(hospital.nights, house["stays"], "arm"),
        "Mean nights with everybody given the conversation less that with nobody given it: there, but far below what"
        " matters. The lot decides, so the crude difference is right as well.",
    ),
    Planted(
        "leader",
        "real",
        SUPPORTED,
        True,
        "points",
        lambda house: slope(hospital.exhaustion_score, house["staff"], "leader"),
        "Mean slope of the exhaustion score, after the rounding of its items. The crude difference is too large:"
        " well-led wards have a lighter load.",
    ),
    Planted(
        "practice",
        "zero",
        SMALL,
        True,
        "points",
        lambda house: slope(hospital.exhaustion_score, house["staff"], "practised"),
        "Practising compassion does nothing to exhaustion; a light load makes people kinder and fresher. The crude"
        " difference is real.",
    ),
    Planted(
        "workload",
        "real",
        SUPPORTED,
        False,
        "points",
        lambda house: slope(hospital.exhaustion_score, house["staff"], "workload"),
        "Mean slope of the exhaustion score per patient a shift: the load wears out, as the claim says.",
    ),
    Planted(
        "leaving",
        "small",
        UNTOLD,
        False,
        "probability",
        lambda house: slope(hospital.thinks_of_leaving, house["staff"], "leader"),
        "Mean slope of the chance to think of leaving: next to nothing, but one wave of these few could not show that.",
    ),
)
