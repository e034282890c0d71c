# Rubin's rules, exact; and mice's own imputations of the simulated data, which ours meet within simulation error;
# see tests/test_missing.py.
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "common.R"))
suppressMessages(library(mice))
stays <- frame("stays"); contacts <- frame("contacts")
M <- 100

# Twenty answers to one question, each without every twentieth row: copies as good as any for the rules.
without <- function(formula) lapply(0:19, function(out) lm(formula, stays[seq_len(nrow(stays)) %% 20 != out, ]))
full <- without(length_of_stay ~ compassion + severity + age)
small <- without(length_of_stay ~ compassion)
q <- sapply(full, function(fit) coef(fit)["compassion"]); u <- sapply(full, function(fit) vcov(fit)["compassion", "compassion"])
rubin <- pool.scalar(q, u, n = 40, k = 4)
normal <- pool.scalar(q, u)
joint <- D1(as.mira(full), as.mira(small), dfcom = 36)$result

# One set of imputations, each copy answered by `answer` (an estimate and its variance), and what they scatter by.
told <- function(data, answer, ...) {
  imputed <- mice(data, m = M, printFlag = FALSE, seed = 20251101, ...)
  each <- sapply(seq_len(M), function(copy) answer(complete(imputed, copy)))
  all <- pool.scalar(each[1, ], each[2, ])
  list(estimate = all$qbar, within = all$ubar, between = all$b, variance = all$t, error = sqrt(all$b / M))
}
line <- function(formula) function(data) { fit <- lm(formula, data); c(coef(fit)["compassion"], vcov(fit)["compassion", "compassion"]) }

# An outcome of many values, 5 % missing.
one <- stays[, c("anxiety_after", "compassion", "severity", "anxiety_before")]
anxiety <- told(one, line(anxiety_after ~ compassion + severity + anxiety_before), method = "pmm", maxit = 1)

# Half of the outcome (five values), a few of the exposure, and a seventh of a category.
three <- contacts[, c("csat", "compassion", "severity", "tenure", "channel")]
three$channel[seq_len(nrow(three)) %% 7 == 0] <- NA
three$channel <- factor(three$channel)
csat <- told(three, line(csat ~ compassion + severity + tenure + channel), maxit = 5)

# All patients of some nurses and every fourth of the others, an intercept for each nurse, errors by nurse.
nursed <- data.frame(nurse = as.integer(factor(stays$nurse_id)), one, constant = 1)
nursed$anxiety_after[nursed$nurse %% 8 == 0 | seq_len(nrow(nursed)) %% 4 == 0] <- NA
how <- make.method(nursed); how["anxiety_after"] <- "2l.pan"
from <- make.predictorMatrix(nursed); from[, ] <- 0; from["anxiety_after", ] <- c(-2, 0, 1, 1, 1, 2)
by_nurse <- told(nursed, function(data) {
  fit <- lm(anxiety_after ~ compassion + severity + anxiety_before, data)
  c(coef(fit)["compassion"], clubSandwich::vcovCR(fit, cluster = data$nurse, type = "CR2")["compassion", "compassion"])
}, method = how, predictorMatrix = from, maxit = 1)

keep(
  list(
    rubin = list(estimate = rubin$qbar, se = sqrt(rubin$t), df = rubin$df, riv = rubin$r, fmi = rubin$fmi,
                 within = rubin$ubar, between = rubin$b, df_normal = normal$df),
    rubin_together = list(f = joint[1, "F.value"], df2 = joint[1, "df2"], p = joint[1, "P(>F)"]),
    mice_anxiety = anxiety, mice_csat = csat, mice_nurses = by_nurse
  ),
  list(
    rubin = "mice::pool.scalar(q, u, n = 40, k = 4); df_normal: without n",
    rubin_together = "mice::D1(as.mira(full), as.mira(small), dfcom = 36)",
    mice_anxiety = "mice(method = 'pmm', m = 100, seed = 20251101)",
    mice_csat = "mice(m = 100, maxit = 5, seed = 20251101): pmm, polyreg",
    mice_nurses = "mice(method = '2l.pan', m = 100, seed = 20251101), clubSandwich::vcovCR('CR2')"
  ),
  c("mice", "mitml", "pan", "clubSandwich", "jsonlite")
)
