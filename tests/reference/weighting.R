# Inverse probability weights and the doubly robust estimate, by hand; see tests/test_weighting.py.
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "common.R"))
exact <- glm.control(epsilon = 1e-14, maxit = 100)
fitting <- function(y, x, family, weights)
  suppressWarnings(glm.fit(x, y, weights = weights, family = family, control = exact))

# Standard error of a sum of influences, by cluster with G/(G - 1) where there are clusters.
error <- function(influence, cluster) {
  if (is.null(cluster)) return(sqrt(sum(influence^2)))
  total <- rowsum(influence, cluster); g <- nrow(total)
  sqrt(g / (g - 1) * sum(total^2))
}

# Hajek: the equations of the propensity and of the two means stacked, their derivative taken numerically.
hajek <- function(y, t, x, s = rep(1, length(y)), time = rep(1, length(y)), cluster = NULL) {
  x <- cbind(1, scale(as.matrix(x)))
  fit <- fitting(t, x, quasibinomial(), s)
  e <- fit$fitted.values; m <- s * time
  one <- sum(m * t * y / e) / sum(m * t / e); none <- sum(m * (1 - t) * y / (1 - e)) / sum(m * (1 - t) / (1 - e))
  equations <- function(at) {
    k <- ncol(x); e <- plogis(drop(x %*% at[1:k]))
    cbind(s * (t - e) * x, m * t / e * (y - at[k + 1]), m * (1 - t) / (1 - e) * (y - at[k + 2]))
  }
  at <- c(coef(fit), one, none)
  slope <- sapply(seq_along(at), function(j) {
    h <- 1e-5 * max(1, abs(at[j])); up <- down <- at; up[j] <- up[j] + h; down[j] <- down[j] - h
    colSums(equations(up) - equations(down)) / (2 * h)
  })
  each <- -equations(at) %*% t(solve(slope)); k <- ncol(x)
  list(value = one - none, se = error(each[, k + 1] - each[, k + 2], cluster), one = one, none = none,
       se_one = error(each[, k + 1], cluster), worth_one = sum(t * s / e)^2 / sum((t * s / e)^2), lowest = min(e))
}

# AIPW with folds = row number modulo 5.
predicted <- function(y, x, s, family, learn, what) {
  fit <- fitting(y[learn], cbind(1, x[learn, ]), family, s[learn])
  family$linkinv(drop(cbind(1, what) %*% coef(fit)))
}
augmented <- function(y, t, x, family, s = rep(1, length(y)), time = rep(1, length(y)), cluster = NULL) {
  x <- as.matrix(x); fold <- seq_along(y) %% 5; one <- none <- e <- numeric(length(y)); m <- s * time
  for (f in 0:4) {
    learn <- fold != f; at <- fold == f
    one[at] <- predicted(y, cbind(t, x), m, family, learn, cbind(1, x[at, ]))
    none[at] <- predicted(y, cbind(t, x), m, family, learn, cbind(0, x[at, ]))
    e[at] <- predicted(t, x, s, quasibinomial(), learn, x[at, ])
  }
  each <- one - none + t * (y - one) / e - (1 - t) * (y - none) / (1 - e)
  value <- sum(m * each) / sum(m)
  list(value = value, se = error(m * (each - value) / sum(m), cluster))
}
partial <- function(y, d, x, family, s = rep(1, length(y)), time = rep(1, length(y)), cluster = NULL) {
  x <- as.matrix(x); fold <- seq_along(y) %% 5; m <- s * time; u <- y; v <- d
  for (f in 0:4) {
    learn <- fold != f; at <- fold == f
    u[at] <- y[at] - predicted(y, x, m, family, learn, x[at, ])
    v[at] <- d[at] - predicted(d, x, s, gaussian(), learn, x[at, ])
  }
  value <- sum(m * u * v) / sum(m * v^2)
  list(value = value, se = error(m * v * (u - value * v) / sum(m * v^2), cluster))
}

stays <- frame("stays"); stays$kind <- as.numeric(stays$compassion > 3.4); stays$uneven <- 0.2 + (stays$age %% 7)^2
again <- subset(stays, !is.na(anxiety_after)); back <- subset(stays, !is.na(readmitted_30d))
contacts <- frame("contacts"); said <- subset(contacts, !is.na(csat)); likely <- subset(contacts, !is.na(nps))
two <- c("severity", "age"); own <- c("severity", "tenure")
top <- as.numeric(said$csat == 5); points <- 100 * (likely$nps >= 9) - 100 * (likely$nps <= 6)
rate <- contacts$contacts_next_90d / contacts$days_observed
values <- list(
  ipw_change = hajek(again$anxiety_after, again$kind, again[c("anxiety_before", two)], cluster = again$nurse_id),
  ipw_risk = hajek(back$readmitted_30d, back$kind, back[two]),
  ipw_risk_weighted = hajek(back$readmitted_30d, back$kind, back[two], s = back$uneven, cluster = back$nurse_id),
  ipw_rate = hajek(rate, contacts$trained, contacts[own], time = contacts$days_observed, cluster = contacts$agent_id),
  ipw_top = hajek(top, said$trained, said[own]),
  ipw_nps = hajek(points, likely$trained, likely[own]),
  aipw_change = augmented(again$anxiety_after, again$kind, again[c("anxiety_before", two)], gaussian(),
                          cluster = again$nurse_id),
  aipw_risk = augmented(back$readmitted_30d, back$kind, back[two], quasibinomial()),
  aipw_risk_weighted = augmented(back$readmitted_30d, back$kind, back[two], quasibinomial(), s = back$uneven,
                                 cluster = back$nurse_id),
  aipw_rate = augmented(rate, contacts$trained, contacts[own], quasipoisson(), time = contacts$days_observed,
                        cluster = contacts$agent_id),
  aipw_top = augmented(top, said$trained, said[own], quasibinomial()),
  aipw_nps = augmented(points, likely$trained, likely[own], gaussian()),
  partial_score = partial(stays$length_of_stay, stays$compassion, stays[two], gaussian(), cluster = stays$nurse_id),
  partial_risk = partial(back$readmitted_30d, back$compassion, back[two], quasibinomial(), s = back$uneven),
  partial_rate = partial(rate, contacts$severity, contacts[c("tenure", "month")], quasipoisson(),
                         time = contacts$days_observed)
)
calls <- list()
for (name in names(values)) calls[[name]] <- switch(strsplit(name, "_")[[1]][1],
  ipw = "glm(exposure, binomial), weighted means, errors by stacked estimating equations with numerical derivatives",
  aipw = "glm by fold (row number modulo 5) for outcome and exposure, AIPW and its influences by hand",
  partial = "glm by fold (row number modulo 5), residual on residual by hand")
keep(values, calls, "jsonlite")
