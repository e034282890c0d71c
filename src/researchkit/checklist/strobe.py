"""STROBE, for observational studies (version 4 of 2007): 22 items, some in parts.

The numbers are those of the combined checklist, read again in copies of the statement's table. Parts that are for one
kind of study alone (matching, case-control) are left out: the toolkit does neither.
"""

from researchkit.checklist import items as of
from researchkit.checklist.items import DISCUSSION, INTRO, METHODS, OTHER, RESULTS, TITLE, Guideline, Item

STROBE = Guideline(
    "STROBE",
    "Nobody drew lots over the exposure, so the guideline is STROBE.",
    "von Elm and others (2007), Annals of Internal Medicine 147, 573-577.",
    (
        Item("1a", "The design, by a common term, in title or abstract", TITLE, of.design, part=True),
        Item("1b", "What was done and found, in a balanced abstract", TITLE, of.finding, part=True),
        Item("2", "Background and reasons", INTRO),
        Item("3", "Objectives and hypotheses stated beforehand", INTRO, of.objective),
        Item("4", "Key elements of the design, early", METHODS, of.design, part=True),
        Item("5", "Setting, places and dates", METHODS),
        Item("6", "Who could take part, where they came from, follow-up", METHODS, of.kept, part=True),
        Item("7", "Outcomes, exposures, confounders, defined", METHODS, of.variables, part=True),
        Item("8", "Where each variable comes from and how it was measured", METHODS, of.sources, part=True),
        Item("9", "What was done against bias", METHODS, of.bias, part=True),
        Item("10", "How the size of the study was arrived at", METHODS),
        Item("11", "How numbers were handled; groupings and why", METHODS, of.quantities, part=True),
        Item("12a", "All statistical methods, with those against confounding", METHODS, of.statistics),
        Item("12b", "Subgroups and interactions", METHODS, of.subgroups),
        Item("12c", "How missing data were addressed", METHODS, of.missing),
        Item("12d", "Loss to follow-up, or the way of sampling", METHODS, of.clustering, part=True),
        Item("12e", "Sensitivity analyses", METHODS, of.sensitivity),
        Item("13a", "Numbers at each stage", RESULTS, of.flow, part=True),
        Item("13b", "Why people did not take part", RESULTS, of.reasons, part=True),
        Item("13c", "A flow diagram", RESULTS),
        Item("14a", "Who took part, exposures and confounders", RESULTS),
        Item("14b", "How many lack which variable", RESULTS, of.lacking),
        Item("14c", "Time of follow-up", RESULTS),
        Item("15", "Numbers of outcome events or summaries", RESULTS),
        Item("16a", "Estimates before and after adjustment, with precision", RESULTS, of.estimates),
        Item("16b", "Bounds of categories cut from numbers", RESULTS),
        Item("16c", "Relative as absolute risks", RESULTS, of.absolute),
        Item("17", "Other analyses", RESULTS, of.others),
        Item("18", "Key results by the objectives", DISCUSSION, of.finding),
        Item("19", "Limitations, with direction and size of bias", DISCUSSION, of.weaknesses, part=True),
        Item("20", "A cautious reading of it all", DISCUSSION),
        Item("21", "For whom else it holds", DISCUSSION),
        Item("22", "Funding, and the role of those who paid", OTHER),
    ),
)
