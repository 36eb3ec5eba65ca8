# Missing final outcomes at random by mice (Debian r-cran-mice): each visit from arm, baseline and the visits before
# it, by Bayesian linear regression; ANCOVA at the last visit, pooled by Rubin's rules. Run once, from tests/golden.
suppressMessages(library(mice))
table <- read.csv("missing_trial.csv", check.names = FALSE)
names(table) <- c("arm", "baseline", "v1", "v2", "v3")
table$arm <- factor(table$arm)
predictors <- matrix(0, 5, 5, dimnames = list(names(table), names(table)))
predictors["v1", c("arm", "baseline")] <- 1
predictors["v2", c("arm", "baseline", "v1")] <- 1
predictors["v3", c("arm", "baseline", "v1", "v2")] <- 1
m <- 2000
found <- mice(table, m = m, maxit = 1, method = c("", "", "norm", "norm", "norm"), predictorMatrix = predictors,
              visitSequence = c("v1", "v2", "v3"), seed = 20261128, printFlag = FALSE)
fits <- with(found, lm(v3 ~ baseline + arm))
pool <- pool(fits, dfcom = nrow(table) - 4)
row <- subset(summary(pool, conf.int = TRUE), term == "armC")
write.csv(data.frame(package = as.character(packageVersion("mice")), m = m, value = row$estimate, se = row$std.error,
                     df = row$df, ci_low = row$`2.5 %`, ci_high = row$`97.5 %`, p = row$p.value,
                     between = subset(pool$pooled, term == "armC")$b), "missing_mice.csv", row.names = FALSE)
