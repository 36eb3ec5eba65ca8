# Make metrics_riskregression.csv from metrics_input.csv. Run: Rscript metrics_riskregression.R (Debian: r-cran-riskregression)
suppressMessages(library(riskRegression))
d <- read.csv("metrics_input.csv")
s <- Score(list(a = d$a, b = d$b), formula = y ~ 1, data = d, metrics = c("auc", "brier"), null.model = TRUE)
auc <- as.data.frame(s$AUC$score); brier <- as.data.frame(s$Brier$score); contrast <- as.data.frame(s$AUC$contrasts)
out <- rbind(
  data.frame(name = paste0("auroc_", auc$model), value = auc$AUC),
  data.frame(name = paste0("auroc_se_", auc$model), value = auc$se),
  data.frame(name = paste0("brier_", brier$model), value = brier$Brier),
  data.frame(name = paste0("brier_se_", brier$model), value = brier$se),
  data.frame(name = "auroc_b_less_a_low", value = contrast$lower[contrast$model == "b" & contrast$reference == "a"]),
  data.frame(name = "auroc_b_less_a_high", value = contrast$upper[contrast$model == "b" & contrast$reference == "a"]))
out$value <- sprintf("%.17g", out$value)
write.csv(out, "metrics_riskregression.csv", row.names = FALSE, quote = FALSE)
