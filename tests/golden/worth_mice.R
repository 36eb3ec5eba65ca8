# Multiple imputation of a final outcome by mice, as tests/worth/test_missing.py does it:
#   Rscript worth_mice.R worth_mice_input.csv worth_mice.csv
# Normal regressions visit by visit from arm, baseline and earlier visits; ANCOVA, pooled by Rubin's rules.
library(mice)
args <- commandArgs(trailingOnly = TRUE)
d <- read.csv(args[1])
d$arm <- relevel(factor(d$arm), ref = "A")
names(d) <- c("arm", "baseline", "y1", "y2", "y3")
m <- make.predictorMatrix(d)
m[] <- 0
m["y1", c("arm", "baseline")] <- 1
m["y2", c("arm", "baseline", "y1")] <- 1
m["y3", c("arm", "baseline", "y1", "y2")] <- 1
method <- c(arm = "", baseline = "", y1 = "norm", y2 = "norm", y3 = "norm")
imp <- mice(d, m = 400, method = method, predictorMatrix = m, maxit = 1, visitSequence = c("y1", "y2", "y3"),
            seed = 20, printFlag = FALSE)
fit <- with(imp, lm(y3 ~ baseline + arm))
s <- summary(pool(fit), conf.int = TRUE)
s <- s[grepl("^arm", s$term), ]
write.csv(data.frame(term = as.character(s$term), value = s$estimate, se = s$std.error, df = s$df, p = s$p.value,
                     ci_low = s[["2.5 %"]], ci_high = s[["97.5 %"]]), args[2], row.names = FALSE)
