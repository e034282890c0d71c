# Effects that differ between groups, and curves over a dose; see tests/test_subgroup.py for what each is compared with.
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "common.R"))
exact <- glm.control(epsilon = 1e-14, maxit = 100)
contacts <- na.omit(frame("contacts")[c("compassion", "channel", "severity", "handle_minutes", "resolved", "agent_id",
                                        "contacts_next_90d", "days_observed", "trust")])
contacts$channel <- relevel(factor(contacts$channel), "phone")
stays <- na.omit(frame("stays")[c("compassion", "severity", "age", "arm", "anxiety_after", "length_of_stay", "nurse_id")])
stays$arm <- as.numeric(stays$arm == "compassionate")
steps <- na.omit(frame("contacts")[c("csat", "trained", "severity", "tenure")])

# A straight line: chat less phone, by agent.
line <- lm(trust ~ compassion * channel + severity, contacts)
chat <- clubSandwich::coef_test(line, vcov = "CR2", cluster = contacts$agent_id, test = "Satterthwaite",
                                coefs = "compassion:channelchat")
# A number as the moderator: the effect of the arm at severity 7 less that at 3.
arms <- lm(anxiety_after ~ arm * severity + age, stays)
hc3 <- function(fit, c) sqrt(drop(c %*% sandwich::vcovHC(fit, "HC3") %*% c))
wide <- as.numeric(names(coef(arms)) == "arm:severity") * 4

# Averages of a model on the outcome's own scale: the mean under a what-if, with its gradient.
mean_of <- function(fit, data, time = rep(1, nrow(data))) {
  x <- model.matrix(delete.response(terms(formula(fit, fixed.only = TRUE))), data)
  x <- x[, colnames(x) %in% names(coef(fit))]
  eta <- drop(x %*% coef(fit)[colnames(x)])
  share <- time / sum(time)
  list(value = sum(share * family(fit)$linkinv(eta)), gradient = colSums(share * family(fit)$mu.eta(eta) * x))
}
slope_at <- function(fit, data, place, time = rep(1, nrow(data)), h = 1e-5) {
  data$channel <- factor(place, levels(contacts$channel))
  up <- down <- data; up$compassion <- up$compassion + h; down$compassion <- down$compassion - h
  one <- mean_of(fit, up, time); other <- mean_of(fit, down, time)
  list(value = (one$value - other$value) / (2 * h), gradient = (one$gradient - other$gradient) / (2 * h))
}
apart <- function(fit, time = rep(1, nrow(contacts)), v = vcov(fit)) {
  one <- slope_at(fit, contacts, "chat", time); other <- slope_at(fit, contacts, "phone", time)
  gradient <- one$gradient - other$gradient
  list(value = one$value - other$value, se = sqrt(drop(gradient %*% v %*% gradient)),
       at_phone = other$value, at_chat = one$value)
}
logit <- glm(resolved ~ compassion * channel + severity, binomial, contacts, control = exact)
rate <- glm(contacts_next_90d ~ compassion * channel + severity, poisson, contacts, offset = log(contacts$days_observed),
            control = exact)
# Ordered: the share of the top answer, trained or not, at tenure 8 less that at 2.
odds <- MASS::polr(factor(csat) ~ trained * tenure + severity, data = steps, Hess = TRUE,
                   control = list(reltol = 1e-16, maxit = 2000))
top <- function(trained, tenure) {
  eta <- coef(odds)["trained"] * trained + coef(odds)["tenure"] * tenure + coef(odds)["severity"] * steps$severity +
    coef(odds)["trained:tenure"] * trained * tenure
  mean(plogis(eta - odds$zeta[length(odds$zeta)]))
}
# A curve: nights at severity 8 less at 4.
bent <- lm(length_of_stay ~ splines::ns(severity, df = 6) + age, stays)
basis <- function(at) c(1, predict(splines::ns(stays$severity, df = 6), at), 0)
gap <- basis(8) - basis(4)
# Either side of 5: the step from 4 to 5 less the step from 5 to 6.
two <- lm(length_of_stay ~ pmin(severity - 5, 0) + pmax(severity - 5, 0) + age, stays)
kink <- c(0, 1, -1, 0)
# Lind and Mehlum: slopes at both ends, one-sided; Fieller's interval of the turning point.
stays$bowl <- stays$length_of_stay + 0.4 * (stays$severity - 6)^2
bowl <- lm(bowl ~ severity + I(severity^2) + age, stays)
b <- coef(bowl)[2:3]; v <- sandwich::vcovHC(bowl, "HC3")[2:3, 2:3]; df <- df.residual(bowl)
ends <- range(stays$severity)
t_end <- sapply(ends, function(e) (b[1] + 2 * b[2] * e) / sqrt(v[1, 1] + 4 * e * v[1, 2] + 4 * e^2 * v[2, 2]))
q <- qt(.975, df)^2
fieller <- sort(Re(polyroot(c(b[1]^2 - q * v[1, 1], 4 * (b[1] * b[2] - q * v[1, 2]), 4 * (b[2]^2 - q * v[2, 2])))))
keep(
  list(subgroup_line = list(value = chat$beta, se = chat$SE, df = chat$df_Satt),
       subgroup_number = list(value = drop(wide %*% coef(arms)), se = hc3(arms, wide)),
       subgroup_risk = c(apart(logit), ratio = unname(exp(coef(logit)["compassion:channelchat"]))),
       subgroup_rate = apart(rate, contacts$days_observed, sandwich::vcovHC(rate, "HC0")),
       subgroup_share = list(value = top(1, 8) - top(0, 8) - top(1, 2) + top(0, 2)),
       dose_spline = list(value = drop(gap %*% coef(bent)), se = hc3(bent, gap)),
       dose_kink = list(value = drop(kink %*% coef(two)), se = hc3(two, kink)),
       dose_turning = list(at = unname(-b[1] / (2 * b[2])), low = fieller[1], high = fieller[2],
                           p = max(pt(-abs(t_end), df)))),
  list(subgroup_line = "clubSandwich::coef_test(lm(trust ~ compassion * channel + severity), 'CR2', agent_id)",
       subgroup_number = "lm(anxiety_after ~ arm * severity + age), sandwich::vcovHC(type = 'HC3')",
       subgroup_risk = "glm(resolved ~ compassion * channel + severity, binomial): averages by hand, delta method",
       subgroup_rate = "glm(contacts_next_90d ~ ..., poisson, offset = log(days_observed)): the same, vcovHC 'HC0'",
       subgroup_share = "MASS::polr(factor(csat) ~ trained * tenure + severity): the share of the top answer",
       dose_spline = "lm(length_of_stay ~ splines::ns(severity, df = 6) + age), vcovHC 'HC3'",
       dose_kink = "lm(length_of_stay ~ pmin(severity - 5, 0) + pmax(severity - 5, 0) + age), vcovHC 'HC3'",
       dose_turning = "lm(bowl ~ severity + I(severity^2) + age), vcovHC 'HC3'; the rest by hand"),
  c("sandwich", "clubSandwich", "MASS", "jsonlite")
)
