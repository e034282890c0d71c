# The answer without one cluster, without one row and without a few; equivalence; robustness values. By hand on lm(),
# for no package in Debian has them; see tests/test_robustness.py.
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "common.R"))
stays <- frame("stays")
staff <- frame("staff")

# Without each cluster: the coefficient and its CR1 error of the others, by a fit of the others.
without_each <- function(formula, data, cluster, term) {
  sapply(sort(unique(data[[cluster]])), function(one) {
    rest <- data[data[[cluster]] != one, ]
    line <- lm(formula, rest)
    errors <- sandwich::vcovCL(line, rest[[cluster]], type = "HC1")
    c(b = unname(coef(line)[term]), se = sqrt(errors[term, term]))
  })
}
told <- function(found) {
  list(b_first = found["b", 1], b_second = found["b", 2], b_low = min(found["b", ]), b_high = max(found["b", ]),
       se_first = found["se", 1], se_second = found["se", 2], se_low = min(found["se", ]), se_high = max(found["se", ]))
}
nurses <- without_each(length_of_stay ~ compassion + severity + age, stays, "nurse_id", "compassion")
staff <- staff[complete.cases(staff[, c("cbi_1", "workload", "ward")]), ]
wards <- without_each(cbi_1 ~ workload + factor(ward), staff, "ward", "workload")

# Without each row, and without the fewest rows that turn the sign: single influences added up, and a refit.
model <- length_of_stay ~ age + severity
line <- lm(model, stays)
dfbeta <- -lm.influence(line)$coefficients[, "age"]
weighted_dfbeta <- -lm.influence(lm(model, stays, weights = 1 + compassion))$coefficients[, "age"]
b <- unname(coef(line)["age"])
reach <- sort(-sign(b) * dfbeta, decreasing = TRUE)
few <- which(cumsum(reach) >= abs(b))[1]
repeat {
  rest <- stays[setdiff(rownames(stays), names(reach)[1:few]), ]
  turned <- unname(coef(lm(model, rest))["age"])
  if (sign(turned) != sign(b)) break
  few <- few + max(1, few %/% 4)
}

# Equivalence: two one-sided tests of the difference between the arms.
arms <- split(stays$length_of_stay, stays$arm)
lower <- t.test(arms$compassionate, arms$usual, mu = -0.5, alternative = "greater")
upper <- t.test(arms$compassionate, arms$usual, mu = 0.5, alternative = "less")

# The strength of a cause that brings the limit of an interval to zero, found by search (Cinelli and Hazlett 2020: the
# bias and the error beside a cause with partial R2 `d` and `y`, each at most r).
limit <- function(r, b, se, half, df) {
  worst <- function(y) abs(b) - se * sqrt(df) * sqrt(y * r / (1 - r)) - half * sqrt((1 - y) / (1 - r) * df / (df - 1))
  min(worst(r), optimize(worst, c(0, r), tol = 1e-12)$objective)
}
needed <- function(line, half) {
  table <- summary(line)$coefficients[2, ]
  uniroot(limit, c(1e-9, 1 - 1e-9), table[1], table[2], half, line$df.residual, tol = 1e-13)$root
}
nursed <- stays[complete.cases(stays[, c("anxiety_after", "anxiety_before")]), ]
line_of_limit <- lm(anxiety_after ~ compassion + severity + anxiety_before, nursed)
strong <- lm(I(anxiety_before + anxiety_after) ~ anxiety_before, nursed[1:12, ])
classical <- function(line) qt(0.975, line$df.residual - 1) * summary(line)$coefficients[2, 2]
clustered <- sqrt(sandwich::vcovCL(line_of_limit, nursed$nurse_id, type = "HC1")[2, 2])
groups <- length(unique(nursed$nurse_id))
f_f <- function(line) {
  found <- summary(line)$coefficients[2, 3] / sqrt(line$df.residual)
  unname(found * qt(0.975, line$df.residual - 1) / sqrt(line$df.residual - 1))
}
hazard <- function(hr) (1 - 0.5^sqrt(hr)) / (1 - 0.5^sqrt(1 / hr))

keep(
  list(
    without_nurses = told(nurses), without_wards = told(wards),
    without_rows = list(b = b, first = dfbeta[[1]], last = dfbeta[[length(dfbeta)]], low = min(dfbeta),
                        high = max(dfbeta), weighted_first = weighted_dfbeta[[1]], weighted_high = max(weighted_dfbeta),
                        rows_to_turn = few, turned = turned),
    equivalence = list(b = unname(diff(rev(lower$estimate))), se = lower$stderr, df = unname(lower$parameter),
                       p_lower = lower$p.value, p_upper = upper$p.value,
                       low = t.test(arms$compassionate, arms$usual, conf.level = 0.9)$conf.int[1],
                       high = t.test(arms$compassionate, arms$usual, conf.level = 0.9)$conf.int[2]),
    limit_of_the_interval = list(
      rv_classical = needed(line_of_limit, classical(line_of_limit)), rv_strong = needed(strong, classical(strong)),
      rv_clustered = needed(line_of_limit, qt(0.975, groups - 1) * clustered), se_clustered = clustered,
      se_classical = summary(line_of_limit)$coefficients[2, 2], product_strong = f_f(strong), groups = groups),
    hazards = list(risk_ratio = hazard(0.56), e_value = (function(r) r + sqrt(r * (r - 1)))(1 / hazard(0.56)))
  ),
  list(
    without_nurses = "lm(length_of_stay ~ compassion + severity + age) and sandwich::vcovCL('HC1') without each nurse_id",
    without_wards = "lm(cbi_1 ~ workload + factor(ward)) and sandwich::vcovCL('HC1') without each ward",
    without_rows = "lm.influence(lm(length_of_stay ~ age + severity)) and refits",
    equivalence = "t.test(compassionate, usual, mu = -0.5, 'greater') and (mu = 0.5, 'less') of length_of_stay",
    limit_of_the_interval = "uniroot over the formulas of Cinelli and Hazlett (2020) on lm()",
    hazards = "VanderWeele (2017): (1 - 0.5^sqrt(HR))/(1 - 0.5^sqrt(1/HR)), HR 0.56; its E-value"
  ),
  c("sandwich", "jsonlite")
)
