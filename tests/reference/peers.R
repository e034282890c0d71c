# People among colleagues and against themselves; see tests/test_peers.py for what each is compared with.
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "common.R"))
suppressMessages({library(lavaan); library(clubSandwich)})
staff <- na.omit(frame("staff"))
staff$burnout <- rowMeans(staff[paste0("cbi_", 1:6)])
staff$kind <- staff$compassion_practised

# The random-intercept cross-lagged panel of Hamaker, Kuiper and Grasman, lags alike at each wave, all rows there are.
wide <- reshape(staff[c("staff_id", "wave", "kind", "burnout")], idvar = "staff_id", timevar = "wave", direction = "wide",
                sep = "_")
model <- '
  RIx =~ 1*kind_1 + 1*kind_2 + 1*kind_3
  RIy =~ 1*burnout_1 + 1*burnout_2 + 1*burnout_3
  x1 =~ 1*kind_1
  x2 =~ 1*kind_2
  x3 =~ 1*kind_3
  y1 =~ 1*burnout_1
  y2 =~ 1*burnout_2
  y3 =~ 1*burnout_3
  x2 ~ a*x1 + d*y1
  x3 ~ a*x2 + d*y2
  y2 ~ c*x1 + b*y1
  y3 ~ c*x2 + b*y2
  RIx ~~ RIx + RIy
  RIy ~~ RIy
  x1 ~~ x1 + y1
  y1 ~~ y1
  x2 ~~ x2 + y2
  y2 ~~ y2
  x3 ~~ x3 + y3
  y3 ~~ y3
  kind_1 + kind_2 + kind_3 + burnout_1 + burnout_2 + burnout_3 ~ 1
'
# The score of 0 to 100 is taken in tens here, for the optimiser's sake; lags across the two scores are turned back.
tens <- wide
tens[grepl("burnout", names(tens))] <- tens[grepl("burnout", names(tens))] / 10
fit <- lavaan(model, tens, missing = "fiml", estimator = "ML", se = "robust.huber.white", information = "observed",
              optim.force.converged = TRUE, control = list(rel.tol = 1e-12, iter.max = 5000))
told <- parameterEstimates(fit)
of <- function(label, column) told[told$label == label, column][1]
free <- function(left, right, column = "est") told[told$lhs == left & told$op == "~~" & told$rhs == right, column]
panel <- list(a = of("a", "est"), b = of("b", "est"), c = 10 * of("c", "est"), d = of("d", "est") / 10,
              se_a = of("a", "se"), se_b = of("b", "se"), se_c = 10 * of("c", "se"), se_d = of("d", "se") / 10,
              usual_x = free("RIx", "RIx"), usual_xy = 10 * free("RIx", "RIy"), usual_y = 100 * free("RIy", "RIy"))

# Fixed effects of people, and Mundlak's comparison of people, errors by ward.
more <- staff[staff$staff_id %in% names(which(table(staff$staff_id) > 1)), ]
line <- lm(burnout ~ kind + workload + factor(staff_id), more)
own <- coef_test(line, vcov = "CR2", cluster = more$ward, test = "Satterthwaite", coefs = "kind")
more$usual <- ave(more$kind, more$staff_id)
other <- lm(burnout ~ usual + I(kind - usual) + workload, more)
between <- coef_test(other, vcov = "CR2", cluster = more$ward, test = "Satterthwaite", coefs = "usual")

# Colleagues of a ward, as they were the wave before.
key <- paste(staff$staff_id, staff$wave)
staff$own <- staff$kind[match(paste(staff$staff_id, staff$wave - 1), key)]
there <- staff[!is.na(staff$own), ]
cell <- paste(there$ward, there$wave)
count <- ave(there$own, cell, FUN = length) - 1
there$others <- (ave(there$own, cell, FUN = sum) - there$own) / count
there <- there[count > 0, ]
peers <- lm(kind ~ others + own + factor(wave) + workload, there)
spread <- coef_test(peers, vcov = "CR2", cluster = there$ward, test = "Satterthwaite", coefs = "others")

keep(
  list(riclpm = panel,
       within = list(b = own$beta, se = own$SE, df = own$df_Satt),
       between = list(b = between$beta, se = between$SE, df = between$df_Satt),
       colleagues = list(b = spread$beta, se = spread$SE, df = spread$df_Satt, n = nrow(there))),
  list(riclpm = "lavaan::lavaan(missing = \"fiml\", se = \"robust.huber.white\", information = \"observed\"), 3 waves",
       within = "lm(burnout ~ kind + workload + factor(staff_id)); clubSandwich CR2 by ward",
       between = "lm(burnout ~ person's mean + rest + workload); clubSandwich CR2 by ward",
       colleagues = "lm(kind ~ leave-one-out mean before + own before + factor(wave) + workload); clubSandwich CR2 by ward"),
  c("lavaan", "clubSandwich", "jsonlite")
)
