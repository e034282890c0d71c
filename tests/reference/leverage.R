# Likelihood models in few wards: CR2 and Satterthwaite's degrees of freedom; see tests/test_leverage.py.
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "common.R"))
stays <- frame("stays")
stays$kind <- as.numeric(stays$compassion > 3.4)
stays$taught <- as.numeric(as.integer(factor(stays$ward)) %% 3 == 0)
back <- subset(stays, !is.na(readmitted_30d))
exact <- list(epsilon = 1e-14, maxit = 100)

# The last step of a fit as least squares in whitened columns: there CR2's square root is the symmetric one whatever
# the variances. vcovCR on the glm itself takes another square root; `near` is its standard error of the difference.
told <- function(fit, cluster, term, link, share = 1) {
  at <- which(names(coef(fit)) == term)
  X <- model.matrix(fit); root <- sqrt(fit$weights)
  y <- root * (drop(X %*% coef(fit)) + residuals(fit, "working")); W <- root * X
  line <- lm(y ~ 0 + W)
  covariance <- clubSandwich::vcovCR(line, cluster = cluster, type = "CR2")
  each <- clubSandwich::coef_test(line, vcov = covariance, test = "Satterthwaite")
  one <- none <- X; one[, at] <- 1; none[, at] <- 0
  share <- share * rep(1, nrow(one)); share <- share / sum(share)
  up <- drop(one %*% coef(fit)); down <- drop(none %*% coef(fit))
  gradient <- colSums(share * (link$mu.eta(up) * one - link$mu.eta(down) * none))
  whole <- clubSandwich::Wald_test(line, constraints = matrix(gradient, 1), vcov = covariance, test = "HTZ")
  se <- function(covariance) sqrt(drop(gradient %*% as.matrix(covariance) %*% gradient))
  list(b = unname(coef(fit)[at]), se_b = each$SE[at], df_b = each$df[at],
       value = sum(share * (link$linkinv(up) - link$linkinv(down))), se = se(covariance), df = whole$df_denom,
       near = se(clubSandwich::vcovCR(fit, cluster = cluster, type = "CR2")))
}
risk <- function(term) {
  fit <- glm(reformulate(c(term, "severity", "age"), "readmitted_30d"), binomial, back, control = exact)
  told(fit, back$ward, term, binomial())
}
days <- glm(length_of_stay ~ kind + severity + offset(log(age)), poisson, stays, control = exact)
first <- back[1:80, ]
alone <- glm(readmitted_30d ~ kind + severity, binomial, first, control = exact)

keep(
  list(cr2_risk_within = risk("kind"), cr2_risk_between = risk("taught"),
       cr2_rate = told(days, stays$ward, "kind", poisson(), stays$age),
       hc2_risk = told(alone, seq_len(nrow(first)), "kind", binomial())),
  list(cr2_risk_within = paste("glm(binomial), its last step as lm in whitened columns, clubSandwich::vcovCR('CR2',",
                               "ward), coef_test('Satterthwaite'), Wald_test('HTZ') of the averaged difference"),
       cr2_risk_between = "the same, an exposure of whole wards",
       cr2_rate = "the same with glm(poisson, offset)", hc2_risk = "the same, every one of 80 rows its own cluster"),
  c("clubSandwich")
)
