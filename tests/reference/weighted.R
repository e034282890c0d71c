# Least squares with survey weights, HC3; see tests/test_references.py for what each is compared with.
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "common.R"))
stays <- frame("stays")
stays$weight <- 1 + stays$age / 50
line <- lm(length_of_stay ~ compassion + severity + age, data = stays, weights = weight)
hc3 <- sandwich::vcovHC(line, type = "HC3")
keep(
  list(weighted_stay = list(b = unname(coef(line)["compassion"]), se_hc3 = sqrt(hc3["compassion", "compassion"]))),
  list(weighted_stay = "lm(weights), sandwich::vcovHC('HC3')"),
  c("sandwich", "jsonlite")
)
