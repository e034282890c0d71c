# Shares, correlations, forecasts, raters, corrected effects, two outcomes and three arms; see tests/test_detection.py
# and tests/test_tradeoff.py for what each is compared with.
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "common.R"))
contacts <- frame("contacts")
known <- subset(contacts, !is.na(compassion))
found <- prop.test(sum(known$resolved), nrow(known), correct = FALSE)

# A correlation: its influence in closed form, by agent, with G / (G - 3).
influence <- function(x, y) {
  zx <- (x - mean(x)) / sqrt(mean((x - mean(x))^2)); zy <- (y - mean(y)) / sqrt(mean((y - mean(y))^2))
  r <- mean(zx * zy); list(r = r, each = zx * zy - r * (zx^2 + zy^2) / 2)
}
one <- influence(known$compassion, known$trust)
pulls <- rowsum(one$each, known$agent_id) / nrow(known)
together <- list(r = one$r, se = sqrt(sum(pulls^2) * length(pulls) / (length(pulls) - 3)),
                 se_rows = sqrt(sum(one$each^2)) / nrow(known) * sqrt(nrow(known) / (nrow(known) - 3)))

# Range restriction: x chosen itself (case 2), or something else that goes with it (case 3).
population <- function(v) sqrt(mean((v - mean(v))^2))
two <- psych::rangeCorrection(cor(known$compassion, known$trust), sdu = 2 * population(known$compassion), sdr = population(known$compassion), case = 2)
S <- cov(known[c("compassion", "trust", "tenure")]); b <- S[, 3] / S[3, 3]  # Lawley's matrices, for choice by tenure
whole <- S + 3 * S[3, 3] * outer(b, b)  # its variance among all is four times that among the chosen
three <- cov2cor(whole)[1, 2]

# Forecasts: any chance will do; here that of a crude rule.
known$odds <- 1.5 - 0.25 * known$severity
exact <- glm.control(epsilon = 1e-14, maxit = 100)
robust <- function(fit) sandwich::vcovCL(fit, cluster = known$agent_id, type = "HC0")  # with G / (G - 1)
at <- glm(resolved ~ offset(odds), binomial, known, control = exact)
by <- glm(resolved ~ odds, binomial, known, control = exact)
forecast <- list(intercept = unname(coef(at)), se_intercept = sqrt(robust(at)[1, 1]), slope = unname(coef(by)[2]),
                 se_slope = sqrt(robust(by)[2, 2]), brier = mean((plogis(known$odds) - known$resolved)^2))

# Raters and occasions: a table that anybody can make again, in which every source of variance is there.
table <- expand.grid(person = 1:15, rater = 1:4, occasion = 1:4)
table$score <- with(table, 3 * sin(person) + 4 * cos(2 * rater) + 4 * sin(3 * occasion) + 2 * sin(person * rater) +
                    1.5 * cos(2 * person * occasion) + cos(1.7 * rater * occasion) +
                    0.6 * sin(7 * person * rater * occasion))
for (name in c("person", "rater", "occasion")) table[[name]] <- factor(table[[name]])
tight <- lme4::lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e6))
variances <- function(fit) {
  stopifnot(!lme4::isSingular(fit)); v <- as.data.frame(lme4::VarCorr(fit)); setNames(as.list(v$vcov), v$grp)
}
crossed <- variances(lme4::lmer(score ~ 1 + (1 | person) + (1 | rater), subset(table, occasion == 1), control = tight))
full <- variances(lme4::lmer(score ~ 1 + (1 | person) + (1 | rater) + (1 | occasion) + (1 | person:rater) +
                             (1 | person:occasion) + (1 | rater:occasion), table, control = tight))

# An effect freed of error: the slope in all rows by that of the review on the measure, one row in three reviewed.
known$seen <- (seq_len(nrow(known)) - 1) %% 3 == 0
rough <- lm(trust ~ compassion_customer + severity, known)
review <- lm(compassion ~ compassion_customer + severity, known, subset = seen)
pull <- function(fit) {
  X <- model.matrix(fit); drop((residuals(fit) / (1 - hatvalues(fit))) * (X %*% solve(crossprod(X)))[, 2])
}
b <- coef(rough)[[2]]; c <- coef(review)[[2]]
each <- pull(rough) / c; each[known$seen] <- each[known$seen] - b / c^2 * pull(review)
sums <- rowsum(each, known$agent_id)
corrected <- list(value = b / c, se = sqrt(sum(sums^2) * length(sums) / (length(sums) - 1)))

# Two outcomes: the line of one less the price of the other, at two prices.
priced <- function(price) {
  fit <- lm(I(trust - price * handle_minutes) ~ compassion + severity, known)
  row <- clubSandwich::coef_test(fit, vcov = "CR2", cluster = known$agent_id, test = "Satterthwaite")[2, ]
  list(value = row$beta, se = row$SE, df = row$df_Satt)
}

# Three arms: phone stands for no failure, chat for the usual recovery, e-mail for the kind one.
known$usual <- as.numeric(known$channel == "chat"); known$kind <- as.numeric(known$channel == "email")
failed <- known$usual + known$kind == 1
known$bad <- ifelse(failed, known$severity - mean(known$severity[failed]), 0)
arms <- lm(trust ~ kind + usual + tenure + bad, known)
contrast <- function(weights) {
  row <- clubSandwich::linear_contrast(arms, vcov = "CR2", cluster = known$agent_id, contrasts = matrix(weights, 1),
                                       test = "Satterthwaite")
  list(value = row$Est, se = row$SE, df = row$df)
}
keep(
  list(share_wilson = list(value = unname(found$estimate), low = found$conf.int[1], high = found$conf.int[2]),
       correlation = together, range_case_2 = list(r = two), range_case_3 = list(r = three), forecast = forecast,
       raters = crossed, raters_and_occasions = full, corrected = corrected,
       tradeoff_cheap = priced(0.05), tradeoff_dear = priced(0.5),
       recovery_kind = contrast(c(0, 1, 0, 0, 0)), recovery_usual = contrast(c(0, 0, 1, 0, 0)),
       recovery_between = contrast(c(0, 1, -1, 0, 0))),
  list(share_wilson = "prop.test(correct = FALSE)", correlation = "closed-form influence by agent",
       range_case_2 = "psych::rangeCorrection(case = 2)", range_case_3 = "Lawley's formula in matrices",
       forecast = "glm(offset), glm; sandwich::vcovCL(type = 'HC0')", raters = "lme4::lmer, person and rater",
       raters_and_occasions = "lme4::lmer, with occasions and all two-way terms",
       corrected = "ratio of two lm, its error by influence", tradeoff_cheap = "clubSandwich::coef_test(CR2)",
       tradeoff_dear = "the same at ten times the price", recovery_kind = "clubSandwich::linear_contrast(CR2)",
       recovery_usual = "the same, usual against none", recovery_between = "the same, kind against usual"),
  c("psych", "sandwich", "clubSandwich", "lme4", "jsonlite")
)
