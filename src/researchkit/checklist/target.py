"""TARGET, for observational studies that emulate a trial: 21 items, some in parts (Cashin and others 2025).

Numbers and order were compared with a list that others have checked against the statement's tables. Item 6 is the trial
that one would run, which only the author knows; item 7 is what was done with the data in its place.
"""

from researchkit.checklist import items as of
from researchkit.checklist.items import DISCUSSION, INTRO, METHODS, OTHER, RESULTS, TITLE, Guideline, Item

TARGET = Guideline(
    "TARGET",
    "The study file names the trial that this study stands in for, so the guideline is TARGET.",
    "Cashin and others (2025), JAMA 334, 1084-1093.",
    (
        Item("1a", "That a trial is emulated, the objectives, the trial in brief", TITLE, of.emulated, part=True),
        Item("1b", "Sources of the data", TITLE, of.data_from, part=True),
        Item("1c", "Main assumptions, methods, findings, conclusions", TITLE, of.finding, part=True),
        Item("2", "Background, and what is not known", INTRO),
        Item("3", "The causal question of the trial", INTRO, of.objective, part=True),
        Item("4", "Why a trial is emulated; trials it was modelled on", INTRO),
        Item("5", "Sources of the data: purpose, kind, place, time, linking", METHODS, of.data_from, part=True),
        Item("6a", "The trial: who could take part", METHODS),
        Item("6b", "The trial: the strategies compared", METHODS),
        Item("6c", "The trial: lots, and who knows of them", METHODS),
        Item("6d", "The trial: follow-up from assignment to its end", METHODS),
        Item("6e", "The trial: outcomes, their measurement and time", METHODS),
        Item("6f", "The trial: contrasts and measures of effect", METHODS),
        Item("6g", "The trial: assumptions, and variables for them", METHODS),
        Item("6h", "The trial: plan of analysis, with missing data", METHODS),
        Item("7a", "As done: who could take part", METHODS, of.kept, part=True),
        Item("7b", "As done: the strategies compared", METHODS, of.arms, part=True),
        Item("7c", "As done: assignment", METHODS),
        Item("7d", "As done: follow-up from assignment to its end", METHODS),
        Item("7e", "As done: outcomes", METHODS, of.outcome, part=True),
        Item("7f", "As done: contrasts and measures of effect", METHODS, of.quantities, part=True),
        Item("7g(i)", "As done: assumptions, with confounding at baseline", METHODS),
        Item("7g(ii)", "As done: the variables for them", METHODS, of.variables, part=True),
        Item("7h(i)", "As done: analysis, with missing data", METHODS, of.analysis, part=True),
        Item("7h(ii)", "As done: how far results depend on choices", METHODS, of.sensitivity),
        Item("8", "Numbers assessed, eligible, assigned; a flow diagram", RESULTS, of.flow, part=True),
        Item("9", "Characteristics at baseline by strategy", RESULTS),
        Item("10", "Length and end of follow-up by strategy", RESULTS),
        Item("11", "Missing data by strategy", RESULTS, of.lacking, part=True),
        Item("12", "Outcomes by strategy", RESULTS),
        Item("13", "Effect of each contrast, with precision", RESULTS, of.estimates, part=True),
        Item("14", "Results of all further analyses", RESULTS, of.others),
        Item("15", "A reading by the causal question", DISCUSSION, of.finding, part=True),
        Item("16", "Limitations: trial against emulation, assumptions", DISCUSSION, of.weaknesses, part=True),
        Item("17", "Ethical approval", OTHER),
        Item("18", "Registration: whether, when, where", OTHER, of.plan, part=True),
        Item("19", "Whether data and code can be had, and how", OTHER, of.data_from, part=True),
        Item("20", "Funding, and the role of those who paid", OTHER),
        Item("21", "Interests of the authors", OTHER),
    ),
)
