# One factor and its invariance by lavaan, agreement within teams by analysis of variance; see tests/test_factor.py.
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "common.R"))
suppressPackageStartupMessages(library(lavaan))
values <- list()
staff <- frame("staff")
items <- paste0("cbi_", 1:6)
model <- paste("f =~", paste(items, collapse = " + "))
# The six items of the world are alike but for chance; a drift of one of them in a wave is put in, so that not all fits.
staff$cbi_2[staff$wave == 2] <- staff$cbi_2[staff$wave == 2] + 10
staff$cbi_3 <- staff$cbi_3 + 0.4 * staff$cbi_4
staff[items] <- staff[items] / 25
tell <- function(fit) as.list(fitMeasures(fit, c("chisq", "df", "pvalue", "cfi", "rmsea", "rmsea.ci.lower", "rmsea.ci.upper", "srmr")))
tight <- list(iter.max = 10000)  # a tighter tolerance than the usual 1e-10 is never reached
one <- cfa(model, staff, control = tight)
values$one_factor <- c(tell(one), setNames(as.list(standardizedSolution(one)$est.std[1:6]), paste0("std_", items)))
for (by in c("wave", "role")) {
  equal <- list(configural = "", metric = "loadings", scalar = c("loadings", "intercepts"))
  for (level in names(equal)) {
    values[[paste("invariance", by, level, sep = "_")]] <-
      tell(cfa(model, staff, group = by, group.equal = equal[[level]], meanstructure = TRUE, control = tight))
  }
}
# ICC(1) and ICC(2) of wards from one wave, with the mean size corrected for unequal ones (Donner and Koval 1980)
wave <- subset(staff, wave == 1 & complete.cases(staff[items]))
wave$score <- rowMeans(wave[items])
found <- anova(lm(score ~ factor(ward), wave)); n <- table(wave$ward)
n0 <- (sum(n) - sum(n^2) / sum(n)) / (length(n) - 1)
F <- found[1, 4]; d <- found$Df; limits <- F / qf(c(.975, .025), d[1], d[2])
values$teams <- list(icc1 = (F - 1) / (F + n0 - 1), icc1_low = (limits[1] - 1) / (limits[1] + n0 - 1),
                     icc1_high = (limits[2] - 1) / (limits[2] + n0 - 1), icc2 = 1 - 1 / F,
                     icc2_low = 1 - 1 / limits[1], icc2_high = 1 - 1 / limits[2])
rwg <- sapply(split(wave[items], wave$ward), function(team) {  # James, Demaree and Wolf (1984); five answers, uniform
  ratio <- mean(sapply(team, var)) / ((5^2 - 1) / 12)
  if (ratio >= 1) 0 else 6 * (1 - ratio) / (6 * (1 - ratio) + ratio)
})
values$teams$rwg_median <- median(rwg)
keep(values, list(one_factor = "cfa(f =~ items)", invariance = "cfa(group =, group.equal =)", teams = "anova(lm(score ~ factor(ward)))"),
     c("jsonlite", "lavaan"))
