"""CONSORT 2025, for randomised trials: 30 items, some in parts.

The numbers were compared with copies of the statement's table (Hopewell and others 2025). The extension for cluster
trials asks for more.
"""

from researchkit.checklist import items as of
from researchkit.checklist.items import DISCUSSION, INTRO, METHODS, RESULTS, TITLE, Guideline, Item

OPEN = "Open science"

CONSORT = Guideline(
    "CONSORT 2025",
    "Lots were drawn over the exposure, so the guideline is CONSORT 2025. How they were drawn, only the author knows.",
    "Hopewell and others (2025), PLoS Medicine 22, e1004587.",
    (
        Item("1a", "Called a randomised trial", TITLE, of.design, part=True),
        Item("1b", "A structured summary", TITLE, of.finding, part=True),
        Item("2", "Registry, number and date", OPEN),
        Item("3", "Where protocol and plan of analysis can be read", OPEN, of.plan, part=True),
        Item("4", "Where data, code and other materials are", OPEN, of.data_from, part=True),
        Item("5a", "Funding, and the role of those who paid", OPEN),
        Item("5b", "Interests of the authors", OPEN),
        Item("6", "Background and reasons", INTRO),
        Item("7", "Objectives on benefits and harms", INTRO, of.objective, part=True),
        Item("8", "How patients or the public took part", METHODS),
        Item("9", "Kind of trial, ratio of allocation, framework", METHODS, of.design, part=True),
        Item("10", "Important changes after the start, with reasons", METHODS, of.changes, part=True),
        Item("11", "Settings and places", METHODS),
        Item("12a", "Who could take part", METHODS, of.kept, part=True),
        Item("12b", "Which sites and deliverers could take part", METHODS),
        Item("13", "Intervention and comparator, to be repeated by others", METHODS, of.arms, part=True),
        Item("14", "Outcomes, how and when assessed", METHODS, of.outcome, part=True),
        Item("15", "How harms were defined and assessed", METHODS),
        Item("16a", "How the size of the sample was settled", METHODS),
        Item("16b", "Interim analyses and rules for stopping", METHODS),
        Item("17a", "Who made the random sequence, and how", METHODS),
        Item("17b", "Kind of randomisation and its restrictions", METHODS),
        Item("18", "How the sequence was concealed", METHODS),
        Item("19", "Who could see the sequence on enrolling or assigning", METHODS),
        Item("20a", "Who was blinded", METHODS),
        Item("20b", "How blinding was kept", METHODS),
        Item("21a", "Statistical methods", METHODS, of.statistics),
        Item("21b", "Who is in each analysis, and in which group", METHODS, of.flow, part=True),
        Item("21c", "How missing data were handled", METHODS, of.missing),
        Item("21d", "Further analyses, planned ones told apart", METHODS, of.sensitivity, part=True),
        Item("22a", "Numbers assigned, treated and analysed in each group", RESULTS, of.flow, part=True),
        Item("22b", "Losses and exclusions in each group, with reasons", RESULTS, of.reasons, part=True),
        Item("23a", "Dates of recruitment and follow-up", RESULTS),
        Item("23b", "Why the trial ended", RESULTS),
        Item("24a", "What was delivered, and how well it was kept to", RESULTS),
        Item("24b", "Other care received", RESULTS),
        Item("25", "A table of the groups at the start", RESULTS),
        Item("26", "Results of each group, effect and precision", RESULTS, of.estimates, part=True),
        Item("27", "Harms in each group", RESULTS),
        Item("28", "Other analyses, planned ones told apart", RESULTS, of.others, part=True),
        Item("29", "A reading that weighs benefits, harms and other evidence", DISCUSSION),
        Item("30", "Limitations", DISCUSSION, of.weaknesses, part=True),
    ),
)
