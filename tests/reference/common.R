# What every script here shares: where the data are, and how values are written. Run by `make reference`:
#   Rscript NAME.R DATA_FOLDER NAME.json
arguments <- commandArgs(TRUE)
frame <- function(name) read.csv(file.path(arguments[1], paste0(name, ".csv")), na.strings = "NA")

# `values`: a named list of named lists, value by quantity by entry. `calls`: the R call behind each entry.
keep <- function(values, calls, packages) {
  sums <- read.table(file.path(arguments[1], "SHA256SUMS"), col.names = c("sha256", "file"))
  versions <- sapply(packages, function(one) as.character(packageVersion(one)))
  told <- list(made_with = c(R = as.character(getRversion()), versions),
               data = setNames(as.list(sums$sha256), sub(".csv", "", sums$file, fixed = TRUE)),
               calls = calls, values = values)
  writeLines(jsonlite::toJSON(lapply(told, as.list), auto_unbox = TRUE, digits = NA, pretty = TRUE), arguments[2])
}
