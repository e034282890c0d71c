# Holm's correction of p-values that the worlds' own columns give; see tests/test_several.py.
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "common.R"))
stays <- frame("stays")
outcomes <- c("length_of_stay", "days_to_recovery", "readmitted_30d", "anxiety_after", "anxiety_before", "severity")
p <- sapply(outcomes, function(name) summary(lm(stays[[name]] ~ stays$compassion))$coefficients[2, 4])
corrected <- p.adjust(c(p, p[1]), "holm")
keep(
  list(holm = setNames(as.list(unname(corrected)), c(outcomes, "tied"))),
  list(holm = "p.adjust(c(p, p[1]), 'holm'), p of lm(outcome ~ compassion)"),
  "jsonlite"
)
