# Random-effects syntheses of published results, and of the 13 BCG trials that come with metafor: tests/test_synthesis.py.
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
source(file.path(here, "common.R"))
suppressMessages(library(metafor))
rows <- read.csv(file.path(here, "..", "..", "data", "published_evidence", "evidence.csv"))
fine <- list(threshold = 1e-14, maxiter = 10000)
one <- function(yi, vi) {
  found <- list()
  for (method in c("REML", "PM")) {
    model <- rma(yi, vi, method = method, test = "adhoc", control = if (method == "REML") fine else list(tol = 1e-14))
    reach <- qt(0.975, model$k - 2) * sqrt(model$tau2 + model$se^2)
    these <- c(tau2 = model$tau2, estimate = model$b[1], se = model$se, low = model$ci.lb, high = model$ci.ub, p = model$pval,
               q = model$QE, p_q = model$QEp, i2 = model$I2 / 100, next_low = model$b[1] - reach,
               next_high = model$b[1] + reach)
    found <- c(found, setNames(as.list(these), paste0(method, "_", names(these))))
  }
  out <- leave1out(rma(yi, vi, method = "REML", test = "adhoc", control = fine))
  c(found, setNames(as.list(out$estimate), paste0("without_", seq_along(yi))))
}
tried <- list()
for (name in c("REC_OBS", "REC_RCT", "SAT_R", "BUR_EE")) {
  part <- rows[rows$pool_set == name, ]
  tried[[paste0("pool_", name)]] <- one(part$yi, part$sei^2)
}
trials <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
egger <- regtest(trials$yi, trials$vi, model = "lm")
tried$pool_bcg <- c(one(as.numeric(trials$yi), as.numeric(trials$vi)),
                    list(egger_t = egger$zval, egger_p = egger$pval, egger_limit = egger$est),
                    setNames(as.list(as.numeric(trials$yi)), paste0("yi_", 1:13)),
                    setNames(as.list(as.numeric(trials$vi)), paste0("vi_", 1:13)))
keep(tried, lapply(tried, function(x) "rma(yi, vi, method, test = 'adhoc'), b -+ qt(0.975, k - 2) sqrt(tau2 + se^2), leave1out, regtest(model = 'lm')"),
     c("metafor", "jsonlite"))
