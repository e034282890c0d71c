# Roll-outs by hand, and the regressions beside them; see tests/test_rollout.py for what each is compared with.
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "common.R"))
suppressMessages(library(lmerTest))
contacts <- frame("contacts")
start <- tapply(ifelse(contacts$trained == 1, contacts$month, 99), contacts$site, min)
contacts$start <- start[contacts$site]
# Differences of differences, each cohort and month by itself; `from` gives the base periods, `free` the comparisons.
att <- function(rows, comparison, from = "last", equal = FALSE) {
  mean_of <- tapply(rows$y, list(rows$site, rows$month), mean)
  weight <- if (equal) rep(1, nrow(mean_of)) else as.vector(table(rows$site))
  begins <- start[rownames(mean_of)]
  told <- NULL
  for (g in sort(unique(begins[begins < 99]))) for (t in 1:12) {
    if (from == "last" && t == g - 1) next
    base <- if (from == "last") mean_of[, as.character(g - 1)] else rowMeans(mean_of[, as.character(1:(g - 1)), drop = FALSE])
    free <- if (comparison == "never") begins == 99 else begins > max(t, g - 1) & begins != g
    if (!any(free)) next
    change <- mean_of[, as.character(t)] - base
    one <- begins == g
    told <- rbind(told, data.frame(g = g, t = t, mass = sum(weight[one]),
      att = weighted.mean(change[one], weight[one]) - weighted.mean(change[free], weight[free])))
  }
  after <- told[told$t >= told$g, ]
  list(each = told, overall = weighted.mean(after$att, after$mass))
}
jackknife <- function(rows, ...) {
  whole <- att(rows, ...)$overall
  left <- sapply(unique(rows$site), function(one) att(rows[rows$site != one, ], ...)$overall)
  sqrt((length(left) - 1) / length(left) * sum((left - whole)^2))
}
contacts$y <- contacts$handle_minutes
not_yet <- att(contacts, "not yet"); never <- att(contacts, "never"); every <- att(contacts, "not yet", "all", TRUE)
event <- function(found, e) with(subset(found$each, t - g == e), weighted.mean(att, mass))
slope <- coef(lm(y ~ severity + factor(site) + factor(month), contacts, subset = trained == 0))["severity"]
fair <- transform(contacts, y = y - slope * severity)
# Sun and Abraham: never-treated as reference, one coefficient a cohort and month, on unweighted cells.
cells <- aggregate(y ~ site + month + start, contacts, mean)
cells$cell <- with(cells, ifelse(start == 99 | month == start - 1, "0", paste0("g", start, "_", month)))
saturated <- coef(lm(y ~ factor(site) + factor(month) + cell, cells))
equal <- att(contacts, "never", "last", TRUE)
two_way <- lm(y ~ trained + factor(site) + factor(month), contacts)
wedge <- lmer(y ~ trained + factor(month) + (1 | site), contacts,
              control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 0.02, rhoend = 1e-12, maxfun = 1e5)))
line <- summary(wedge)$coefficients["trained", ]
keep(
  list(rollout_not_yet = list(overall = not_yet$overall, se = jackknife(contacts, "not yet"), at_start = event(not_yet, 0),
                              after_3 = event(not_yet, 3), before_2 = event(not_yet, -2)),
       rollout_never = list(overall = never$overall, se = jackknife(contacts, "never")),
       rollout_all_units = list(overall = every$overall, se = jackknife(contacts, "not yet", "all", TRUE)),
       rollout_adjusted = list(overall = att(fair, "not yet")$overall, slope = unname(slope)),
       rollout_saturated = list(g5_t8 = unname(saturated["cellg5_8"]), g9_t12 = unname(saturated["cellg9_12"]),
                                by_hand = equal$each$att[equal$each$g == 5 & equal$each$t == 8]),
       rollout_two_way = list(b = unname(coef(two_way)["trained"]),
                              se = sqrt(sandwich::vcovCL(two_way, ~ site, type = "HC0")["trained", "trained"])),
       rollout_wedge = list(b = unname(line["Estimate"]), se = unname(line["Std. Error"]), df = unname(line["df"]))),
  list(rollout_not_yet = "differences of differences by hand, not-yet-trained sites; leave-one-site-out",
       rollout_never = "the same, never-trained sites",
       rollout_all_units = "the same, not yet, from the mean of all months before, sites counted the same",
       rollout_adjusted = "the same of y less its slope on severity, lm(y ~ severity + site + month) of untrained rows",
       rollout_saturated = "lm(y ~ site + month + cohort:month), means of cells, never-trained sites (Sun and Abraham)",
       rollout_two_way = "lm(y ~ trained + site + month); sandwich::vcovCL(~ site, type = 'HC0'), which is G / (G - 1) of it",
       rollout_wedge = "lmerTest::lmer(y ~ trained + factor(month) + (1 | site))"),
  c("lme4", "lmerTest", "sandwich", "jsonlite")
)
