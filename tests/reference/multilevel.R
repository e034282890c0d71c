# Mixed models of scores in wards and by nurses; see tests/test_multilevel.py for what each is compared with.
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "common.R"))
suppressMessages(library(lmerTest))
stays <- frame("stays")
staff <- na.omit(frame("staff"))
staff$burnout <- rowMeans(staff[paste0("cbi_", 1:6)])
again <- subset(stays, !is.na(anxiety_after))
again$kind <- as.numeric(again$arm == "compassionate")
# An outcome in which the wards do not differ beyond chance: its ward means are taken away.
stays$even <- stays$length_of_stay - ave(stays$length_of_stay, stays$ward)
careful <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 0.02, rhoend = 1e-12, maxfun = 1e5),
                       check.conv.singular = "ignore")
told <- function(fit, name) {
  line <- summary(fit)$coefficients[name, ]
  group <- as.data.frame(VarCorr(fit))
  sds <- group$sdcor[is.na(group$var2)]
  list(b = unname(line["Estimate"]), se = unname(line["Std. Error"]), df = unname(line["df"]),
       p = unname(line["Pr(>|t|)"]), icc = group$vcov[1] / (group$vcov[1] + sigma(fit)^2),
       slope_sd = if (length(sds) > 2) sds[2] else NA, singular = as.numeric(isSingular(fit)))
}
scaled <- function(x) (x - mean(x)) / sd(x)
intercept <- lmer(burnout ~ leader_compassion + workload + (1 | ward), staff, control = careful)
person <- lmer(burnout ~ leader_compassion + workload + (1 | staff_id), staff, control = careful)
centre <- mean(staff$leader_compassion)
slope <- lmer(burnout ~ leader_compassion + workload + (I(leader_compassion - centre) | staff_id), staff, control = careful)
change <- lmer(anxiety_after ~ kind + anxiety_before + severity + (1 | nurse_id), again, control = careful)
nurse_slope <- lmer(anxiety_after ~ kind + anxiety_before + severity + (I(kind - mean(kind)) | nurse_id), again,
                    control = careful)
none <- lmer(even ~ compassion + severity + (1 | ward), stays, control = careful)
keep(
  list(lmer_wards = told(intercept, "leader_compassion"), lmer_people = told(person, "leader_compassion"),
       lmer_people_slope = told(slope, "leader_compassion"), lmer_change = told(change, "kind"),
       lmer_change_slope = told(nurse_slope, "kind"), lmer_singular = told(none, "compassion")),
  list(lmer_wards = "lmerTest::lmer(burnout ~ leader_compassion + workload + (1 | ward)), staff without gaps",
       lmer_people = "the same by staff_id", lmer_people_slope = "the same, (leader_compassion centred | staff_id)",
       lmer_change = "lmerTest::lmer(anxiety_after ~ arm + anxiety_before + severity + (1 | nurse_id))",
       lmer_change_slope = "the same, (arm centred | nurse_id)",
       lmer_singular = "lmerTest::lmer(length of stay less its ward's mean ~ compassion + severity + (1 | ward))"),
  c("lme4", "lmerTest", "jsonlite")
)
