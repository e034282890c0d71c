# Tests of what models assume, effects without it, and exact intervals of an NPS; see tests/test_assumptions.py.
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "common.R"))
suppressPackageStartupMessages({library(survival); library(ordinal)})
values <- list()
named <- function(numbers, names) setNames(as.list(unname(numbers)), names)
slope <- function(f, x) sapply(seq_along(x), function(i) {  # central differences, each in its own direction
  h <- replace(numeric(length(x)), i, 1e-5)
  (f(x + h) - f(x - h)) / 2e-5
})
f_test <- function(E) {  # E: one row a cluster, of effective scores
  G <- nrow(E); q <- ncol(E)
  t <- drop(colSums(E) %*% solve(crossprod(E), colSums(E)))
  f <- (G - q) * t / (q * (G - t))
  c(f, pf(f, q, G - q, lower.tail = FALSE))
}

# Proportional hazards: R's own test, with and without late entry
stays <- frame("stays")
stays$entry <- ifelse(seq_len(nrow(stays)) %% 2 == 0, pmin(stays$days_to_recovery - 1, 2), 0)
stays$event <- as.integer(stays$ending == 1)
columns <- c("compassion", "severity", "age")
fits <- list(plain = coxph(Surv(days_to_recovery, event) ~ compassion + severity + age, stays),
             entry = coxph(Surv(entry, days_to_recovery, event) ~ compassion + severity + age, stays))
for (kind in names(fits)) for (transform in c("km", "identity", "rank", "log")) {
  table <- cox.zph(fits[[kind]], transform, terms = FALSE)$table
  values[[paste("zph", kind, transform, sep = "_")]] <-
    c(named(table[, "chisq"], paste0("chisq_", c(columns, "all"))), named(table[, "p"], paste0("p_", c(columns, "all"))))
}

# The same with clusters: score residuals of a model in which each column times the clock is a column too
left <- function(t) { km <- survfit(Surv(days_to_recovery, event) ~ 1, stays); 1 - c(1, km$surv)[findInterval(t, km$time, left.open = TRUE) + 1] }
long <- survSplit(Surv(days_to_recovery, event) ~ ., stays, cut = sort(unique(stays$days_to_recovery[stays$event == 1])))
clock <- left(long$days_to_recovery)
X <- as.matrix(long[columns]); Z <- X * clock
start <- c(coef(fits$plain), 0, 0, 0)
full <- coxph(Surv(tstart, days_to_recovery, event) ~ X + Z, long, init = start, control = coxph.control(iter.max = 0))
scores <- residuals(full, type = "score", collapse = long$nurse_id)
I <- solve(full$var)
found <- sapply(list(4, 5, 6, 4:6), function(k) f_test(scores[, k, drop = FALSE] - scores[, 1:3] %*% solve(I[1:3, 1:3], I[1:3, k])))
values$zph_clustered <- c(named(found[1, ], paste0("f_", c(columns, "all"))), named(found[2, ], paste0("p_", c(columns, "all"))))

# Proportional odds: likelihood ratios
contacts <- subset(frame("contacts"), !is.na(csat) & !is.na(compassion))
predictors <- c("compassion", "severity", "tenure")
contacts$answer <- factor(contacts$csat)
exact <- clm.control(gradTol = 1e-10, maxIter = 200)
one <- clm(answer ~ compassion + severity + tenure, data = contacts, control = exact)
each <- lapply(predictors, function(name) {  # what nominal_test(one) does, converged further
  apart <- clm(answer ~ compassion + severity + tenure, nominal = as.formula(paste("~", name)), data = contacts, control = exact)
  2 * (apart$logLik - one$logLik)
})
all <- clm(answer ~ 1, nominal = ~ compassion + severity + tenure, data = contacts, control = exact)
values$odds <- c(named(each, paste0("lr_", predictors)), named(pchisq(unlist(each), 3, lower.tail = FALSE), paste0("p_", predictors)),
                 list(lr_all = 2 * (all$logLik - one$logLik), df_all = all$edf - one$edf))

# Score tests from the spread between agents: free (each step its own ratio) and as a trend over the steps
y <- as.integer(contacts$answer); W <- as.matrix(contacts[predictors])
chances <- function(cuts, B) {  # B: one row a threshold
  below <- plogis(matrix(cuts, nrow(W), 4, byrow = TRUE) - W %*% t(B))
  log(cbind(below, 1)[cbind(seq_along(y), y)] - cbind(0, below)[cbind(seq_along(y), y)])
}
cuts <- one$alpha; b <- one$beta
score_test <- function(k, trend) {
  moves <- if (trend) (0:3 - 1.5) else rbind(0, diag(3))
  value <- function(par) {
    B <- matrix(par[5:7], 4, 3, byrow = TRUE)
    B[, k] <- B[, k] + if (trend) moves * par[8] else moves %*% par[8:10]
    chances(par[1:4], B)
  }
  at <- c(cuts, b, numeric(if (trend) 1 else 3))
  S <- slope(value, at)
  I <- -slope(function(x) colSums(slope(value, x)), at)
  tested <- 8:length(at)
  f_test(rowsum(S[, tested, drop = FALSE] - S[, 1:7] %*% solve(I[1:7, 1:7], I[1:7, tested]), contacts$agent_id))
}
for (trend in c(FALSE, TRUE)) {
  found <- sapply(1:3, score_test, trend = trend)
  values[[if (trend) "odds_trend" else "odds_clustered"]] <-
    c(named(found[1, ], paste0("f_", predictors)), named(found[2, ], paste0("p_", predictors)))
}

# A baseline hazard of its own for each arm, with death as another end; the error from moving each ward's weight
horizon <- 30
restricted <- function(weights, arm, late) {
  own <- stays$arm == arm
  cumulative <- lapply(1:2, function(code) {
    response <- if (late) Surv(stays$entry, stays$days_to_recovery, stays$ending == code)
                else Surv(stays$days_to_recovery, stays$ending == code)
    fit <- coxph(response ~ severity + age + strata(arm), stays, weights = weights, control = coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 50))
    hazard <- subset(basehaz(fit, centered = FALSE), strata == arm)
    list(at = stepfun(hazard$time, c(0, hazard$hazard)), relative = exp(drop(as.matrix(stays[c("severity", "age")]) %*% coef(fit))))
  })
  times <- sort(unique(stays$days_to_recovery[own & stays$ending > 0])); times <- times[times < horizon]
  lost <- sapply(times, function(t) {
    before <- cumulative[[1]]$at(t - 0.5) * cumulative[[1]]$relative + cumulative[[2]]$at(t - 0.5) * cumulative[[2]]$relative
    step <- (cumulative[[1]]$at(t) - cumulative[[1]]$at(t - 0.5)) * cumulative[[1]]$relative
    mean(exp(-before) * (1 - exp(-step)))
  })
  horizon - sum((horizon - times) * lost)
}
for (late in c(FALSE, TRUE)) {
  difference <- function(w) restricted(w, "compassionate", late) - restricted(w, "usual", late)
  even <- rep(1, nrow(stays))
  moved <- sapply(unique(stays$ward), function(ward) {
    h <- 1e-3 * (stays$ward == ward)
    (difference(even + h) - difference(even - h)) / 2e-3
  })
  G <- length(moved)
  values[[if (late) "own_hazards_late" else "own_hazards"]] <- list(estimate = difference(even), se = sqrt(G / (G - 1) * sum(moved^2)))
}

# Pseudo-values: R's own for one way to end; with death as another end from moving each row's weight
pseudo_rows <- pseudo(survfit(Surv(days_to_recovery, event) ~ 1, stays), times = horizon, type = "rmst")
line <- lm(pseudo_rows ~ compassion + severity + age, stays)
cr2 <- clubSandwich::coef_test(line, "CR2", cluster = stays$ward, test = "Satterthwaite")
values$pseudo <- list(first = pseudo_rows[1], sum_of_squares = sum(pseudo_rows^2), b = coef(line)[["compassion"]],
                      se_hc3 = sqrt(sandwich::vcovHC(line, "HC3")["compassion", "compassion"]),
                      se_cr2 = cr2["compassion", "SE"])
waiting <- function(w) {  # area under one minus the share recovered (Aalen and Johansen)
  times <- sort(unique(stays$days_to_recovery[stays$ending > 0])); times <- times[times < horizon]
  free <- 1; lost <- 0
  for (t in times) {
    at_risk <- sum(w[stays$days_to_recovery >= t]); here <- stays$days_to_recovery == t
    lost <- lost + (horizon - t) * free * sum(w[here & stays$ending == 1]) / at_risk
    free <- free * (1 - sum(w[here & stays$ending > 0]) / at_risk)
  }
  horizon - lost
}
rows <- seq(1, nrow(stays), by = 25)
each <- sapply(rows, function(i) { h <- 1e-3 * (seq_len(nrow(stays)) == i); (waiting(even + h) - waiting(even - h)) / 2e-3 })
values$pseudo_competing <- list(mean = waiting(even), sum_of_squares = sum((waiting(even) + nrow(stays) * each)^2))

# The average slope where the line may bend; CR2 in the rows that least squares would have, so with a symmetric root
cr2_of <- function(model, cluster) {
  D <- model.matrix(model) * sqrt(model$weights); r <- residuals(model, "working") * sqrt(model$weights)
  M <- solve(crossprod(D))
  adjusted <- sapply(split(seq_along(r), cluster), function(own) {
    left <- eigen(diag(length(own)) - D[own, , drop = FALSE] %*% M %*% t(D[own, , drop = FALSE]), symmetric = TRUE)
    t(D[own, , drop = FALSE]) %*% left$vectors %*% (crossprod(left$vectors, r[own]) / sqrt(left$values))
  })
  M %*% tcrossprod(adjusted) %*% M
}
bent <- subset(frame("contacts"), !is.na(compassion))
bent$away <- bent$compassion - mean(bent$compassion)
models <- list(risk = glm(retained_90d ~ compassion + I(away^2) + severity, binomial, bent, epsilon = 1e-14),
               rate = glm(contacts_next_90d ~ compassion + I(away^2) + severity, poisson, bent, offset = log(days_observed), epsilon = 1e-14))
for (name in names(models)) {
  model <- models[[name]]
  D <- model.matrix(model); share <- if (name == "rate") bent$days_observed / sum(bent$days_observed) else 1 / nrow(bent)
  average <- function(b) sum(share * model$family$mu.eta(drop(D %*% b)) * (b[2] + 2 * b[3] * bent$away))
  gradient <- slope(average, coef(model))
  V <- cr2_of(model, bent$agent_id)
  values[[paste0("bent_", name)]] <- list(estimate = average(coef(model)), se = sqrt(drop(gradient %*% V %*% gradient)),
                                          b_square = coef(model)[[3]], se_square = sqrt(V[3, 3]))
}

# NPS: Tango's interval by the root of his statistic, the exact one by all tables and a fine grid of the nuisance share
tango <- function(b, c, n, d) {
  A <- 2 * n; B <- -b - c + (2 * n - b + c) * d; C <- -c * d * (1 - d)
  q <- (sqrt(B^2 - 4 * A * C) - B) / (2 * A)
  (b - c - n * d) / sqrt(n * (2 * q + d * (1 - d)))
}
lower <- function(b, c, n) uniroot(function(d) tango(b, c, n, d) - qnorm(0.975), c(-1 + 1e-9, (b - c) / n), tol = 1e-13)$root
for (one in list(c(30, 20, 100), c(3, 0, 40), c(0, 7, 25), c(120, 90, 400))) {
  b <- one[1]; c <- one[2]; n <- one[3]
  values[[paste(c("tango", one), collapse = "_")]] <- list(low = 100 * lower(b, c, n), high = -100 * lower(c, b, n))
}
exact_lower <- function(b, c, n) {
  all <- subset(expand.grid(b = 0:n, c = 0:n), b + c <= n)
  p_value <- function(d) {
    tail <- all[tango(all$b, all$c, n, d) >= tango(b, c, n, d) - 1e-9, ]
    shares <- seq(max(0, -d), (1 - d) / 2, length.out = 4001)
    ways <- lgamma(n + 1) - lgamma(tail$b + 1) - lgamma(tail$c + 1) - lgamma(n - tail$b - tail$c + 1)
    power <- function(p, k) ifelse(k == 0, 1, p^k)
    max(sapply(shares, function(q) sum(exp(ways) * power(q + d, tail$b) * power(q, tail$c) * power(max(1 - 2 * q - d, 0), n - tail$b - tail$c))))
  }
  uniroot(function(d) p_value(d) - 0.025, c(-0.999, (b - c) / n), tol = 1e-7)$root
}
for (one in list(c(5, 2, 12), c(8, 1, 10))) {
  b <- one[1]; c <- one[2]; n <- one[3]
  values[[paste(c("exact", one), collapse = "_")]] <- list(low = 100 * exact_lower(b, c, n), high = -100 * exact_lower(c, b, n))
}

keep(
  values,
  list(zph = "cox.zph(coxph(...), transform, terms = FALSE)", odds = "ordinal::nominal_test(clm(...))",
       own_hazards = "coxph(... + strata(arm)), basehaz, by hand", pseudo = "survival::pseudo(survfit, type = 'rmst'), lm, vcovHC, clubSandwich",
       bent = "glm; errors and slope by hand", clustered = "by hand (Boos 1992)", tango = "by hand (Tango 1998)",
       exact = "by hand (Hsueh, Liu and Chen 2001)"),
  c("survival", "ordinal", "sandwich", "clubSandwich", "jsonlite")
)
