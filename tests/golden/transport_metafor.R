# Random-effects meta-analysis by metafor (REML, ad hoc Knapp-Hartung): Rscript tests/golden/transport_metafor.R
library(metafor)
sets <- list(
  a = list(y = c(0.2, 0.4, 0.9, 0.5), se = c(0.1, 0.2, 0.15, 0.3)),
  b = list(y = c(0.10, 0.12, 0.09), se = c(0.2, 0.25, 0.3)),
  c = list(y = c(-1.2, 0.7), se = c(0.3, 0.4)),
  d = list(y = c(0.3, -0.2, 0.8, 1.4, 0.1, 0.6, -0.5), se = c(0.12, 0.2, 0.31, 0.15, 0.22, 0.4, 0.18)),
  e = list(y = c(0.6, 0.603, 0.598), se = c(0.05, 0.05, 0.05))
)
rows <- lapply(names(sets), function(name) {
  s <- sets[[name]]
  fit <- rma(s$y, sei = s$se, method = "REML", test = "adhoc", control = list(threshold = 1e-12, maxiter = 1000))
  data.frame(set = name, k = length(s$y), value = c(fit$b), ci_low = fit$ci.lb, ci_high = fit$ci.ub, tau2 = fit$tau2)
})
write.csv(do.call(rbind, rows), "tests/golden/transport_metafor.csv", row.names = FALSE, quote = FALSE)
