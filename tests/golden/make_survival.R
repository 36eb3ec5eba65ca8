# Independent answers for tests/test_survival.py, tests/test_hazards.py and tests/test_censored.py.
# Debian's r-cran-survival, r-cran-cmprsk, r-cran-etm and r-cran-riskregression; run once, from tests/golden:
#   Rscript make_survival.R
suppressPackageStartupMessages({
  library(survival)
  library(cmprsk)
  library(etm)
  library(riskRegression)
  library(prodlim)
})
options(digits = 17)
put <- function(table, name) {
  for (j in seq_along(table)) if (is.double(table[[j]])) table[[j]] <- format(table[[j]], digits = 17, trim = TRUE)
  write.csv(table, paste0("survival_", name, ".csv"), row.names = FALSE, quote = FALSE)
}

# A simulated trial: two competing reasons, censoring, whole days (so that many days are shared).
set.seed(20240607)
n <- 240
arm <- sample(c("A", "B", "C"), n, replace = TRUE)
age <- round(rnorm(n, 60, 9), 1)
x <- round(rnorm(n), 3)
first <- rexp(n, 0.004 * exp(0.6 * (arm == "B") + 0.9 * (arm == "C") + 0.02 * (age - 60) + 0.4 * x))
second <- rexp(n, 0.003 * exp(-0.3 * (arm == "C") - 0.2 * x))
lost <- runif(n, 20, 320)
time <- ceiling(pmin(first, second, lost, 200))
cause <- ifelse(pmin(lost, 200) < pmin(first, second), 0, ifelse(first < second, 1, 2))
score <- round(plogis(-0.4 + 0.5 * x + 0.4 * (arm == "C") + rnorm(n, 0, 0.3)), 2)
d <- data.frame(id = seq_len(n), arm, age, x, time, cause, score)
write.csv(d, "survival_data.csv", row.names = FALSE, quote = FALSE)
d <- read.csv("survival_data.csv")
days <- c(14, 28, 56, 84, 120, 168)

# Aalen-Johansen: survfit (infinitesimal jackknife, log-log), cmprsk (estimate), etm (Greenwood type).
d$state <- factor(d$cause, 0:2, c("censored", "one", "two"))
rows <- list()
for (group in c("all", "A", "B", "C")) {
  part <- if (group == "all") d else d[d$arm == group, ]
  fit <- summary(survfit(Surv(time, state) ~ 1, part, conf.type = "log-log"), times = days)
  gray <- timepoints(cuminc(part$time, part$cause), days)
  for (k in 1:2) {
    rows[[length(rows) + 1]] <- data.frame(
      group, cause = k, day = days, at_risk = fit$n.risk[, 1], cif = fit$pstate[, k + 1],
      se = fit$std.err[, k + 1], ci_low = fit$lower[, k + 1], ci_high = fit$upper[, k + 1],
      cif_cmprsk = as.numeric(gray$est[k, ]), event_free = fit$pstate[, 1]
    )
  }
}
put(do.call(rbind, rows), "cif")
tra <- matrix(FALSE, 3, 3)
tra[1, 2:3] <- TRUE
long <- data.frame(id = d$id, from = 0, to = ifelse(d$cause == 0, "cens", d$cause), time = d$time)
wood <- etm(long, c("0", "1", "2"), tra, "cens", 0)
steps <- wood$time
put(data.frame(
  day = steps,
  cif1 = wood$est[1, 2, ], cif2 = wood$est[1, 3, ],
  variance1 = wood$cov["0 1", "0 1", ], variance2 = wood$cov["0 2", "0 2", ]
), "etm")
naive <- summary(survfit(Surv(time, cause == 1) ~ 1, d), times = days)
put(data.frame(day = days, one_minus_km = 1 - naive$surv, se = naive$std.err), "km")
multi <- survfit(Surv(time, state) ~ 1, d)
rmtl <- survival:::survmean2(multi, rmean = 168)$matrix
influence <- residuals(multi, times = 168, type = "auc")
put(data.frame(state = rownames(rmtl), days = rmtl[, "rmean"], se = sqrt(colSums(influence^2))), "time_lost")

# Cause-specific Cox models and the proportional-hazards check.
rows <- list()
zph <- list()
for (k in 1:2) {
  fit <- coxph(Surv(time, cause == k) ~ arm + age + x, d,
    ties = "efron", control = coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 50))
  rows[[k]] <- data.frame(cause = k, term = names(coef(fit)), coefficient = coef(fit), se = sqrt(diag(vcov(fit))))
  for (scale in c("identity", "rank", "km")) {
    check <- cox.zph(fit, transform = scale, terms = FALSE)$table
    zph[[length(zph) + 1]] <- data.frame(cause = k, scale, term = rownames(check), statistic = check[, "chisq"],
      df = check[, "df"], p = check[, "p"])
    check <- cox.zph(fit, transform = scale, terms = TRUE)$table["arm", ]
    zph[[length(zph) + 1]] <- data.frame(cause = k, scale, term = "arm", statistic = check["chisq"],
      df = check["df"], p = check["p"])
  }
  if (k == 1) {
    z <- cox.zph(fit, transform = "identity", terms = FALSE)
    put(data.frame(day = z$time, z$y), "schoenfeld")
  }
}
put(do.call(rbind, rows), "cox")
put(do.call(rbind, zph), "zph")

# Predicted cumulative incidence of cause-specific Cox models.
model <- CSC(Hist(time, cause) ~ arm + age + x, data = d, surv.type = "hazard")
who <- c(1, 7, 30, 101, 240)
risk <- predict(model, newdata = d[who, ], times = days, cause = 1, product.limit = TRUE)$absRisk
put(data.frame(id = rep(who, length(days)), day = rep(days, each = length(who)), risk = as.vector(risk)), "csc")

# Accuracy of a given score under censoring.
rows <- list()
for (censored in c(TRUE, FALSE)) {
  part <- d
  if (!censored) {
    part <- d[d$cause != 0 | d$time > 168.5, ]
  }
  s <- Score(list(score = part$score), Hist(time, cause) ~ 1, data = part, times = c(83.5, 168.5), cause = 1,
    cens.model = "km", metrics = c("auc", "brier"), se.fit = FALSE, null.model = TRUE)
  auc <- s$AUC$score[s$AUC$score$model == "score", ]
  brier <- s$Brier$score[s$Brier$score$model == "score", ]
  null <- s$Brier$score[s$Brier$score$model == "Null model", ]
  rows[[length(rows) + 1]] <- data.frame(data = if (censored) "censored" else "complete", n = nrow(part),
    day = auc$times, auroc = auc$AUC, brier = brier$Brier, brier_null = null$Brier)
}
put(do.call(rbind, rows), "score")
harrell <- concordance(Surv(time, cause == 1) ~ score, d, reverse = TRUE)$concordance
uno <- concordance(Surv(time, cause == 1) ~ score, d, reverse = TRUE, timewt = "n/G2", ymax = 168)$concordance
late <- d
late$time[late$cause == 2] <- max(d$time) + 1
wolbers <- concordance(Surv(time, cause == 1) ~ score, late, reverse = TRUE)$concordance
put(data.frame(harrell, uno, wolbers), "concordance")
