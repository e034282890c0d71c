# Errors clustered two ways, by agent and by month; see tests/test_crossed.py for what each is compared with.
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "common.R"))
contacts <- frame("contacts")
two <- function(fit, factor) {
  v <- sandwich::vcovCL(fit, cluster = ~ agent_id + month, type = factor)
  list(b = unname(coef(fit)["trained"]), se = sqrt(v["trained", "trained"]))
}
exact <- glm.control(epsilon = 1e-14, maxit = 100)
line <- lm(handle_minutes ~ trained + severity + tenure, data = contacts)
heavy <- lm(handle_minutes ~ trained + severity + tenure, data = contacts, weights = 1 + tenure)
logit <- glm(resolved ~ trained + severity + tenure, binomial, contacts, control = exact)
rate <- glm(contacts_next_90d ~ trained + severity + tenure + offset(log(days_observed)), poisson,
            contacts, control = exact)
average <- function(fit) {
  one <- none <- model.matrix(fit); one[, 2] <- 1; none[, 2] <- 0
  up <- drop(one %*% coef(fit)); down <- drop(none %*% coef(fit)); link <- family(fit)
  gradient <- colMeans(link$mu.eta(up) * one - link$mu.eta(down) * none)
  v <- sandwich::vcovCL(fit, cluster = ~ agent_id + month, type = "HC1")
  list(value = mean(link$linkinv(up) - link$linkinv(down)), se = sqrt(drop(gradient %*% v %*% gradient)))
}
steps <- na.omit(contacts[c("csat", "trained", "severity", "tenure", "agent_id", "month")])
odds <- MASS::polr(factor(csat) ~ trained + severity + tenure, data = steps, Hess = TRUE,
                   control = list(reltol = 1e-15, maxit = 1000))
keep(
  list(two_way_line = two(line, "HC1"), two_way_line_weighted = two(heavy, "HC1"), two_way_logit = two(logit, "HC1"),
       two_way_risk = average(logit), two_way_rate = two(rate, "HC1"), two_way_odds = two(odds, "HC1")),
  list(two_way_line = "sandwich::vcovCL(lm, cluster = ~ agent_id + month)",
       two_way_line_weighted = "the same of lm(weights = 1 + tenure)",
       two_way_logit = "sandwich::vcovCL(glm(binomial), cluster = ~ agent_id + month, type = 'HC1')",
       two_way_risk = "the averaged difference of that model by the delta method",
       two_way_rate = "the same of glm(poisson, offset = log(days_observed))",
       two_way_odds = "the same of MASS::polr"),
  c("sandwich", "MASS", "jsonlite")
)
