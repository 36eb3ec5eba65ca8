"""What a column of a table is called and how its numbers look, by its name; a chapter may say otherwise."""

import re

TERMS = {
    "auprc": "AUPRC",
    "auroc": "AUROC",
    "ci": "CI",
    "df": "df",
    "f1": "F1",
    "ici": "ICI",
    "ipa": "IPA",
    "ks": "KS",
    "lgbm": "LightGBM",
    "lr": "logistic regression",
    "mape": "MAPE",
    "n": "n",
    "p": "p",
    "psi": "PSI",
    "rmse": "RMSE",
    "sd": "SD",
    "smd": "SMD",
    "xgb": "XGBoost",
}
"""Words of column names that are not written as they stand."""
HEADINGS = {
    "all_cause": "All causes",
    "attainable": "Share of attainable lift",
    "auroc_mc_se": "Monte-Carlo SE",
    "auroc_within": "AUROC within folds",
    "batch_size": "Batch (patients)",
    "batches": "Batches simulated",
    "bias_se": "± (bias)",
    "brier": "Brier score",
    "chi2": "Chi-squared / df",
    "ci_high": "to",
    "ci_low": "95% from",
    "cost_per_100": "Cost per 100 patients",
    "coverage_se": "± (coverage)",
    "effect_mc_se": "Monte-Carlo SE",
    "fold_sd": "SD of folds",
    "how": "How it happens",
    "id": "Claim no.",
    "incidence": "Aalen-Johansen",
    "latest_day": "Latest day used",
    "law_p24": "Law at 24%",
    "n_events": "Events",
    "n_patients": "Patients",
    "n_repeats": "Repeats",
    "n_replicates": "Trials",
    "n_trials": "Trials",
    "one_minus_km": "1 − Kaplan-Meier",
    "p_chi2": "p (chi-squared)",
    "p_ks": "p (KS)",
    "p_psi": "p (PSI)",
    "patient_days": "Patient-days in the trial",
    "patient_id": "Patient",
    "pi_high": "to",
    "pi_low": "New trial from",
    "q025": "2.5%",
    "q975": "97.5%",
    "rmse_se": "± (RMSE)",
    "scaled_brier": "Scaled Brier score",
    "share_beyond": "Patients beyond",
    "share_of_lift": "Share of attainable lift",
    "statistic": "Chi-squared",
    "tau": "SD between trials",
    "tuned_pooled": "Tuned, pooled over folds",
    "uno": "C (Uno)",
    "width": "Interval width",
    "wolbers": "C (Wolbers)",
}
"""Columns whose heading is not made of the words of their name."""
FORMATS = {
    "attainable": "{:.0%}",
    "auroc_mc_se": "{:.4f}",
    "best_threshold": "{:.2f}",
    "better_from": "{:.2f}",
    "better_to": "{:.2f}",
    "bias": "{:+.4f}",
    "bias_se": "{:.4f}",
    "cost_per_100": "${:,.0f}",
    "difference": "{:+.3f}",
    "effect_mc_se": "{:.5f}",
    "event_rate": "{:.2f}",
    "events_per_parameter": "{:.1f}",
    "extra_cost": "${:,.2f}",
    "gain_low": "{:.1f}",
    "gain_per_100": "{:.1f}",
    "harm_to_benefit": "{:.2f}",
    "implied_gain": "${:,.0f}",
    "incidence": "{:.1%}",
    "inner_auroc": "{:.3f}",
    "latest_day": "{:.0f}",
    "n_features": "{:.0f}",
    "n_replicates": "{:.0f}",
    "one_minus_km": "{:.1%}",
    "patient_days": "{:,.0f}",
    "patients_per_100": "{:.1f}",
    "ratio": "{:.2f}",
    "risk": "{:.1%}",
    "rmse": "{:.4f}",
    "rmse_se": "{:.4f}",
    "share": "{:.1%}",
    "share_below_zero": "{:.0%}",
    "share_beyond": "{:.2%}",
    "share_of_lift": "{:.0%}",
    "target": "{:.2f}",
    "threshold": "{:.2f}",
}
"""Columns whose numbers want another form than whole numbers or three decimals."""


def heading(name: str) -> str:
    """Heading of a column from its name.

    Examples
    --------
    >>> [heading(name) for name in ("brier_score", "auroc_oracle", "n", "ci_low", "at_risk", "Age (years)")]
    ['Brier score', 'AUROC oracle', 'n', '95% from', 'At risk', 'Age (years)']
    >>> heading("net_benefit_0.2")
    'Net benefit at 0.2'
    """
    if name in HEADINGS:
        return HEADINGS[name]
    if threshold := re.fullmatch(r"net_benefit_(0\.\d+)", name):
        return f"Net benefit at {threshold[1]}"
    told = " ".join(TERMS.get(word, word) for word in name.split("_")) if re.fullmatch(r"\w+", name) else name
    return told[:1].upper() + told[1:] if re.match(r"[a-z]{3}|[a-z]{2} ", told) else told
