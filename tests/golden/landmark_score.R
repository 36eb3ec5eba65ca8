# Accuracy of a given prediction among those at risk at a landmark, under censoring, by riskRegression; run once, from
# tests/golden: Rscript landmark_score.R
# Horizon day 168; who leaves on a day left by its end, and who is last seen on the day of the horizon has stayed.
suppressPackageStartupMessages({
  library(survival)
  library(riskRegression)
  library(prodlim)
})
d <- read.csv("landmark_trial.csv")
d$cause <- ifelse(d$reason == "withdrew", 1, ifelse(d$reason == "died", 2, 0))
rows <- list()
for (landmark in c(0, 28, 84)) {
  part <- d[d$day > landmark, ]
  part$time <- part$day - landmark
  ahead <- 168 - landmark
  part$time[part$cause == 0 & part$time >= ahead] <- ahead + 1
  s <- Score(list(score = part$score), Hist(time, cause) ~ 1, data = part, times = ahead + 0.5, cause = 1,
    cens.model = "km", metrics = c("auc", "brier"), se.fit = FALSE, null.model = TRUE)
  of <- function(table, name) table$score[as.character(table$score$model) == name, ]
  risk <- predict(prodlim(Hist(time, cause) ~ 1, data = part), times = ahead + 0.5, cause = 1)
  rows[[length(rows) + 1]] <- data.frame(
    landmark, n = nrow(part), n_censored = sum(part$cause == 0 & part$time < ahead), risk = as.numeric(unlist(risk))[1],
    auroc = of(s$AUC, "score")$AUC, brier_score = of(s$Brier, "score")$Brier,
    brier_null = of(s$Brier, "Null model")$Brier)
}
table <- do.call(rbind, rows)
for (j in seq_along(table)) if (is.double(table[[j]])) table[[j]] <- format(table[[j]], digits = 15, trim = TRUE)
write.csv(table, "landmark_score.csv", row.names = FALSE, quote = FALSE)
