"""CROSS, for surveys: 19 items, some in parts (Sharma and others 2021).

Items 1 to 6a were read again in copies of the table. The numbers from 6b on are from memory and unchecked.
"""

from researchkit.checklist import items as of
from researchkit.checklist.items import DISCUSSION, INTRO, METHODS, OTHER, RESULTS, TITLE, Guideline, Item

CROSS = Guideline(
    "CROSS",
    "The outcome was asked of people, by a scale or a form, so the guideline is CROSS, for surveys.",
    "Sharma and others (2021), Journal of General Internal Medicine 36, 3179-3187.",
    (
        Item("1a", "The word survey with the design in title or abstract", TITLE),
        Item("1b", "An informative abstract", TITLE, of.finding, part=True),
        Item("2", "Background, and why this survey", INTRO),
        Item("3", "Aims and objectives", INTRO, of.objective),
        Item("4", "The design by a common term", METHODS, of.design, part=True),
        Item("5a", "The questionnaire: parts, questions, instruments", METHODS, of.instruments, part=True),
        Item("5b", "Each instrument: validity, reliability, scoring", METHODS, of.instruments, part=True),
        Item("5c", "Pretesting", METHODS),
        Item("5d", "The questionnaire itself", METHODS),
        Item("6a", "The population, who could take part", METHODS, of.kept, part=True),
        Item("6b", "How people were sampled", METHODS),
        Item("6c", "How the size of the sample was settled", METHODS),
        Item("6d", "How well the sample stands for the population", METHODS),
        Item("7a", "How, where and when people were asked", METHODS),
        Item("7b", "When the survey ran", METHODS),
        Item("7c", "How one answer a person was ensured", METHODS),
        Item("8", "How interviewers were prepared", METHODS),
        Item("9a", "Ethical approval and consent", METHODS),
        Item("9b", "Anonymity and protection of data", METHODS),
        Item("10a", "Statistical methods and software", METHODS, of.statistics_and_software),
        Item("10b", "Variables changed or grouped for the analysis", METHODS, of.quantities, part=True),
        Item("10c", "How missing data were handled", METHODS, of.missing),
        Item("10d", "How errors of not answering were addressed", METHODS),
        Item("10e", "Loss between waves", METHODS),
        Item("10f", "Weights and other adjustment for sampling", METHODS, of.weighting),
        Item("10g", "Sensitivity analyses", METHODS, of.sensitivity),
        Item("11a", "Numbers at each stage", RESULTS, of.flow, part=True),
        Item("11b", "Why people did not take part", RESULTS, of.reasons, part=True),
        Item("11c", "Response rate", RESULTS),
        Item("11d", "How unique visitors were told, and the rate of viewing", RESULTS),
        Item("12", "Characteristics of those who answered", RESULTS),
        Item("13a", "Estimates before and after adjustment, with precision", RESULTS, of.estimates),
        Item("13b", "The model, how it was built, its assumptions", RESULTS, of.statistics, part=True),
        Item("13c", "Results of sensitivity analyses", RESULTS, of.others),
        Item("14", "Limitations", DISCUSSION, of.weaknesses, part=True),
        Item("15", "A cautious reading", DISCUSSION),
        Item("16", "For whom else it holds", DISCUSSION),
        Item("17", "Role of those who paid", OTHER),
        Item("18", "Interests of the authors", OTHER),
        Item("19", "Acknowledgements", OTHER),
    ),
    "Numbers from 6b on are unchecked.",
)
