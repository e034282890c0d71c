# Paths of a mechanism: lavaan's estimates, and clubSandwich's and sandwich's errors of the two lines; see
# tests/test_mechanism.py.
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "common.R"))
suppressMessages({library(lavaan); library(clubSandwich); library(sandwich)})
stays <- frame("stays")
stays <- stays[!is.na(stays$anxiety_after), c("nurse_id", "compassion", "anxiety_after", "length_of_stay", "severity", "age")]
names(stays) <- c("nurse", "x", "m", "y", "z", "w")

paths <- function(data) {
  fit <- sem("m ~ a*x + z + w\n y ~ b*m + c*x + z + w\n ab := a*b\n total := c + a*b", data)
  found <- parameterEstimates(fit)
  setNames(lapply(c("a", "b", "c", "ab", "total"), function(one) found$est[found$label == one]),
           c("a", "b", "direct", "indirect", "total"))
}
errors <- function(data) {
  first <- lm(m ~ x + z + w, data); second <- lm(y ~ m + x + z + w, data)
  cr2 <- function(fit, name) coef_test(fit, vcov = "CR2", cluster = data$nurse, test = "Satterthwaite", coefs = name)
  a <- cr2(first, "x"); b <- cr2(second, "m"); direct <- cr2(second, "x")
  list(a_se = a$SE, a_df = a$df_Satt, b_se = b$SE, b_df = b$df_Satt, direct_se = direct$SE, direct_df = direct$df_Satt,
       a_hc3 = sqrt(vcovHC(first, "HC3")["x", "x"]), b_hc3 = sqrt(vcovHC(second, "HC3")["m", "m"]))
}
# Nothing but the means of nurses: 2-1-1, for the exposure is the nurse's own.
between <- stays
for (name in c("x", "m", "y", "z", "w")) between[[name]] <- ave(stays[[name]], stays$nurse)
both <- lm(y ~ m * x + z + w, transform(stays, x = x - mean(x), m = m - mean(m)))
line <- coef_test(both, vcov = "CR2", cluster = stays$nurse, test = "Satterthwaite", coefs = "m:x")
keep(
  list(mechanism = c(paths(stays), errors(stays)), mechanism_between = c(paths(between), errors(between)),
       mechanism_interaction = list(b = line$beta, se = line$SE, p = line$p_Satt)),
  list(mechanism = "lavaan::sem('m ~ a*x + z + w; y ~ b*m + c*x + z + w'); clubSandwich::coef_test(lm, 'CR2'); HC3",
       mechanism_between = "the same on the means of nurses, one for each row",
       mechanism_interaction = "clubSandwich::coef_test(lm(y ~ m * x + z + w), 'CR2'), m and x centred"),
  c("lavaan", "clubSandwich", "sandwich", "jsonlite")
)
