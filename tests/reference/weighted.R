# Surveys: rows with weights, in wards; see tests/test_references.py for what each is compared with.
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "common.R"))
suppressMessages(library(survey))
stays <- frame("stays")
stays$weight <- 1 + stays$age / 50
stays$uneven <- 0.2 + (stays$age %% 7)^2
line <- lm(length_of_stay ~ compassion + severity + age, data = stays, weights = weight)
hc3 <- sandwich::vcovHC(line, type = "HC3")

# CR2, by clubSandwich's default: rows of equal variance whatever their weight.
cr2 <- function(line, cluster) {
  told <- clubSandwich::coef_test(line, vcov = "CR2", cluster = cluster, test = "Satterthwaite")
  at <- which(rownames(told) == "compassion" | told$Coef == "compassion")
  list(b = told$beta[at], se = told$SE[at], df = told$df[at])
}
by_ward <- cr2(line, stays$ward)
by_nurse <- cr2(lm(length_of_stay ~ compassion + severity + age, data = stays, weights = uneven), stays$nurse_id)
inside <- cr2(lm(length_of_stay ~ compassion + severity + factor(ward), data = stays, weights = uneven), stays$ward)

# The survey's own errors: G/(G - 1) with clusters, n/(n - 1) without.
average <- function(fit, weights, data, link, time = 1) {
  one <- none <- model.matrix(fit); one[, 2] <- 1; none[, 2] <- 0
  share <- weights * time / sum(weights * time)
  up <- drop(one %*% coef(fit)); down <- drop(none %*% coef(fit))
  gradient <- colSums(share * (link$mu.eta(up) * one - link$mu.eta(down) * none))
  value <- sum(share * (link$linkinv(up) - link$linkinv(down)))
  list(value = value, se = sqrt(drop(gradient %*% vcov(fit) %*% gradient)), b = unname(coef(fit)[2]),
       se_b = unname(sqrt(vcov(fit)[2, 2])))
}
back <- subset(stays, !is.na(readmitted_30d))
back$kind <- as.numeric(back$compassion > 3.4)
plain <- svydesign(ids = ~1, weights = ~uneven, data = back)
wards <- svydesign(ids = ~nurse_id, weights = ~uneven, data = back)
exact <- list(epsilon = 1e-14, maxit = 100)
again <- function(design) {
  fit <- svyglm(readmitted_30d ~ kind + severity + age, design, family = quasibinomial(), control = exact)
  average(fit, back$uneven, back, binomial())
}
days <- svyglm(length_of_stay ~ kind + severity + age, wards, family = quasipoisson(), control = exact)
mean_days <- svyglm(length_of_stay ~ kind + severity + age, wards)
back$long <- factor(pmin(back$length_of_stay, 5))
steps <- svyolr(long ~ kind + severity + age, svydesign(ids = ~nurse_id, weights = ~uneven, data = back),
                control = list(reltol = 1e-15, maxit = 1000))

keep(
  list(weighted_stay = list(b = unname(coef(line)["compassion"]), se_hc3 = sqrt(hc3["compassion", "compassion"])),
       weighted_cr2_wards = by_ward, weighted_cr2_nurses = by_nurse, weighted_cr2_inside = inside,
       svyglm_risk = again(plain), svyglm_risk_nurses = again(wards),
       svyglm_rate_nurses = average(days, back$uneven, back, poisson()),
       svyglm_mean_nurses = list(b = unname(coef(mean_days)[2]), se = unname(sqrt(vcov(mean_days)[2, 2]))),
       svyolr_nurses = list(b = unname(coef(steps)[1]), se = unname(sqrt(vcov(steps)[1, 1])),
                            deviance = steps$deviance, worth = sum(back$uneven)^2 / sum(back$uneven^2))),
  list(weighted_stay = "lm(weights), sandwich::vcovHC('HC3')",
       weighted_cr2_wards = "clubSandwich::coef_test(lm(weights), 'CR2', cluster, 'Satterthwaite'), 9 wards",
       weighted_cr2_nurses = "the same, weights that differ more, 30 nurses",
       weighted_cr2_inside = "the same, with an indicator for each ward inside the clusters",
       svyglm_risk = "survey::svyglm(quasibinomial, ids = ~1) and its averaged difference by the delta method",
       svyglm_risk_nurses = "the same, ids = ~nurse_id",
       svyglm_rate_nurses = "survey::svyglm(quasipoisson, ids = ~nurse_id) and its averaged difference",
       svyglm_mean_nurses = "survey::svyglm(gaussian, ids = ~nurse_id)",
       svyolr_nurses = "survey::svyolr, ids = ~nurse_id; Kish's effective sample size of its weights"),
  c("sandwich", "clubSandwich", "survey", "jsonlite")
)
