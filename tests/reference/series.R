# One site beside the others over the months of the contact centre, a limit in tenure, a mix of channels and severity.
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "common.R"))
library(nlme)
contacts <- frame("contacts")
contacts <- contacts[!is.na(contacts$compassion), ]
means <- tapply(contacts$compassion, list(contacts$site, contacts$month), mean)
first <- rownames(means)[1]
d <- means[1, ] - colMeans(means[-1, ])
t <- seq_along(d) - 1
after <- as.numeric(t >= 8)
since <- ifelse(after == 1, t - mean(t[after == 1]), 0)
fit <- gls(d ~ after + since + I(t - 8), correlation = corAR1(form = ~ t), method = "REML")
memory <- coef(fit$modelStruct$corStruct, unconstrained = FALSE)
series <- list(after = coef(fit)[[2]], se = sqrt(vcov(fit)[2, 2]), since = coef(fit)[[3]], memory = memory[[1]])

x <- contacts$tenure - 5
on <- as.numeric(x >= 0)
near <- abs(x) < 2
limit <- coef(lm(severity ~ on * x, weights = 1 - abs(x) / 2, data = contacts, subset = near))[["on"]]

late <- contacts$trained == 1
kind <- paste(contacts$channel, contacts$severity >= 5)
pa <- prop.table(table(kind[!late])); pb <- prop.table(table(kind[late]))
ma <- tapply(contacts$compassion[!late], kind[!late], mean); mb <- tapply(contacts$compassion[late], kind[late], mean)
within <- weighted.mean(mb - ma, (pa + pb) / 2)
mix <- list(within = within, by_mix = sum((pb - pa) * (ma + mb) / 2),
            crude = mean(contacts$compassion[late]) - mean(contacts$compassion[!late]))
keep(
  list(series = series, limit = list(jump = limit), mix = mix),
  list(series = "gls(d ~ after + since + I(t - 8), correlation = corAR1(form = ~ t), method = 'REML')",
       limit = "lm(severity ~ on * x, weights = 1 - abs(x) / 2)",
       mix = "weighted.mean(mb - ma, (pa + pb) / 2)"),
  "nlme"
)
