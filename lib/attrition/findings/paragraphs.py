"""Paragraphs of the front page, each worded by the numbers it states: see `attrition.findings`."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrition.claims import count_verdicts
from attrition.decision import where
from attrition.findings.wording import (
    Finding,
    Row,
    arm_words,
    better_than_chance,
    by_id,
    claimed_effect,
    engineering_finding,
    honest_words,
    leak_finding,
    ledger_finding,
    measured_effect,
    model_where,
    models_finding,
    n_statements,
    pilot_finding,
    worth_finding,
)
from attrition.params import Findings
from attrition.text import count, listed

LEAK_EVIDENCE = ("fig-leaks",)
ACTED = {
    "supported": "beats both contacting everybody and contacting nobody {where}, the fitted model held fixed",
    "not supported": "is at no threshold shown to beat both contacting everybody and contacting nobody",
    "not testable": "cannot be judged in so small a trial",
}


def settings_words(rows: Sequence[Row]) -> tuple[str, dict[str, Any]]:
    """Whether the verdicts depend on the prevalence, as a sentence."""
    compared = [row for row in rows if row["beside"]]
    differ = [row["id"] for row in compared if row["beside"]["verdict"] != row["verdict"]]
    values = {"n": len(compared), "differ": len(differ), "ids": listed(differ) if differ else ""}
    if not differ:
        return "All {n} simulated claims get the same verdict at both event rates.", values
    values["differ"] = count(len(differ)) + (" gets" if len(differ) == 1 else " get")
    return "Of {n} simulated claims {differ} another verdict at the other event rate: {ids}.", values


def unsettled_words(rows: Sequence[Row]) -> tuple[str, dict[str, Any]]:
    """Which verdicts another run may change, as a sentence."""
    unsettled = [row["id"] for row in rows if row["verdict"] == "not settled"]
    if not unsettled:
        return "Every verdict is settled: wherever a limit lies inside an interval, another statement decides.", {}
    return (
        "Where a limit of the rule lies inside the interval of the effect that decides, another run of the simulation, "
        "or other patients of the real trial, may decide otherwise, and the verdict is *not settled*: {ids}.",
        {"ids": listed(unsettled)},
    )


def attempt_words(rows: Sequence[Row], found: Mapping[str, Any], day: int) -> tuple[str, dict[str, Any]]:
    """Why the public attempt on the pilot found more than the landmark models, as far as that can be said.

    Parameters
    ----------
    rows : sequence of mapping
        The ledger.
    found : mapping
        Chapter name to results.
    day : int
        Landmark of the comparison.
    """
    real = found["06_real_trial"]
    at, price = real["landmarks"][str(day)], real["leaks"]["whole_follow_up_counts"]
    leaked = max((key for key in real["landmarks"] if key != "0"), key=lambda key: real["landmarks"][key]["primary"])
    published = [0.5 + part["published"] for key in ("C53", "C54") for part in by_id(rows)[key]["statements"]]
    alike = by_id(rows)["C53"]["statements"]
    excess = {part["label"]: part["published"] - part["measured"] for part in alike}
    explains = "is not shown to explain it" if price["ci_low"] <= 0 else "explains a part of it"
    apart = listed([f"{{excess_{k}:+.3f}} ({label})" for k, label in enumerate(excess)])
    template = (
        "The public attempt on the pilot asks something else. It is about all {randomised} randomised patients and "
        "whether they leave at any time, without a landmark; the models here are about the {at_risk} patients still in "
        "the trial on day {day}, of whom {events} have the primary event later. Its figures, {low:.3f} to {high:.3f}"
    )
    if max(excess.values()) <= 0:
        template += ", are in cross-validation not above those found here for any kind of model."
    else:
        template += (
            f", lie in cross-validation beyond those found here for the same kind of model by {apart}. That it counts "
            "adverse events over the whole follow-up {explains}: with this report's model, at the landmark with most "
            "events ({most_events}) and not on the attempt's patients, that leak is priced at {price:+.3f} "
            "([](#fig-leaks))."
        )
    return template, {
        "randomised": real["flow"]["randomised"],
        "at_risk": at["at_risk"],
        "events": at["primary"],
        "day": day,
        "low": min(published),
        "high": max(published),
        **{f"excess_{k}": value for k, value in enumerate(excess.values())},
        "most_events": f"day {leaked}",
        "explains": explains,
        "price": {"value": price["difference"], "ci_low": price["ci_low"], "ci_high": price["ci_high"]},
    }


def bounds_words(points: Any) -> tuple[str, dict[str, Any]]:
    """What the operating points imply, as a sentence.

    Parameters
    ----------
    points : DataFrame
        From `attrition.findings.overview.point_table`.
    """
    above = int((points["least"] > points["published"]).sum())
    unmatched = points.loc[points["matrices"] == 0, "claim"].tolist()
    template = (
        "{above} the {n} published operating points {need} a concave curve with an AUROC of at least {low:.2f} to "
        "{high:.2f}, where {published_low:.3f} to {published_high:.3f} was published. "
    )
    if unmatched:
        template += "For {unmatched} no confusion matrix of {patients} patients with {dropouts} dropouts has the two "
        template += "printed figures; with another number that the printed rate can stand for, there may be one, and "
        template += "the verdict rests on its area. "
    template += (
        "A curve that is not concave could have less area, down to {any_low:.3f}, but then a better ranking could "
        "be made from the same score; [](#tbl-arithmetic) has the proof for each."
    )
    values = {
        "above": "All of" if above == len(points) else f"{count(above).capitalize()} of",
        "need": "needs" if above == 1 else "need",
        "n": count(len(points)),
        "low": points["least"].min(),
        "high": points["least"].max(),
        "published_low": points["published"].min(),
        "published_high": points["published"].max(),
        "patients": points["n"].max(),
        "dropouts": points["dropouts"].max(),
        "unmatched": listed(unmatched) if unmatched else "",
        "any_low": points["least_any"].min(),
    }
    return template, values


def front_page(rows: Sequence[Row], found: Mapping[str, Any], p: Findings) -> list[Finding]:
    """The findings of the front page, in order.

    Parameters
    ----------
    rows : sequence of mapping
        From `attrition.claims.evaluate`.
    found : mapping
        Chapter name to results.
    p : attrition.params.Findings
    """
    real = found["06_real_trial"]
    at = real["landmarks"][str(p.landmark)]
    lr, oracle = found["03_feature_ablation"]["models"]["default"]["lr"], found["01_generation"]["oracle"]["default"]
    return [
        ledger_finding(rows),
        engineering_finding(rows),
        models_finding(rows, lr, oracle["auroc"]["value"]),
        pilot_finding(rows, at, p.landmark, real["conclusions"]["finding-real-honest"]),
        worth_finding(found["05_evaluation"]["decision"], real["conclusions"]["use"], real["decisions"]),
        leak_finding(real["leaks"], p.smallest_difference_pilot, LEAK_EVIDENCE),
    ]


def _better_than_chance(landmarks: Mapping[str, Any], predictors: str) -> list[str]:
    better = [day for day, at in landmarks.items() if better_than_chance(at, predictors)]
    return [f"day {day}" for day in sorted(better, key=int)]


def usable_words(landmarks: Mapping[str, Any]) -> str:
    """At which landmarks leavers can be told from stayers, with the treatment arm known and without it.

    Parameters
    ----------
    landmarks : mapping
        Day to ``permutation_p`` of ``all`` and ``all_without_arm``.

    Examples
    --------
    >>> chance, better = {"holm": 0.4}, {"holm": 0.01}
    >>> usable_words({"28": {"permutation_p": {"all": better, "all_without_arm": chance}}}).split(", but ")[1]
    'without the treatment arm that is shown at no landmark'
    """
    known, blinded = (_better_than_chance(landmarks, name) for name in ("all", "all_without_arm"))
    if not known and not blinded:
        return "leavers are at no landmark shown to be told from stayers better than by chance"
    if known == blinded:
        return f"leavers can be told from stayers better than by chance at {listed(known)}, with or without the arm"
    told = f"at {listed(known)}" if known else "at no landmark"
    untold = f"at {listed(blinded)}" if blinded else "at no landmark"
    return (
        f"leavers can be told from stayers better than by chance {told}, but without the treatment arm that is shown "
        f"{untold}"
    )


def advice(conclusions: Mapping[str, str], decisions: Mapping[str, Mapping[str, Any]], at: Mapping[str, Any]) -> str:
    """What to do with such predictions, by what contacting patients by them is worth in the real trial.

    Parameters
    ----------
    conclusions : mapping
        Verdicts of chapter 06: ``use`` (contacting by the full model) and ``finding-real-arm`` (whether it adds to the
        arm).
    decisions : mapping
        Model to ``n, low, high``: number and range of the thresholds at which it beats both defaults.
    at : mapping
        The landmark's results: ``difference``.

    Examples
    --------
    >>> advice({"use": "not supported", "finding-real-arm": "not supported"}, {"arm_only": {"n": 0}}, {})
    'Such predictions should not decide whom to contact.'
    """
    if conclusions["use"] == "supported":
        told = f"Acting on such predictions is shown to pay {model_where(decisions)} only."
    else:
        told = "Such predictions should not decide whom to contact."
    if decisions.get("arm_only", {}).get("n"):
        arm = decisions["arm_only"]
        told += f" Where the arms are known, contacting by the arm alone pays {where(arm['low'], arm['high'])}"
        adds = conclusions["finding-real-arm"] in ("supported", "direction only")
        told += "." if adds else ", needs no model, and nothing is shown to add to it."
    gain = at.get("difference", {}).get("all_less_arm_only")
    if gain and gain["ci_high"] < 0:
        told += " The arm alone ranks patients better than the model."
    return told


def short_answer(
    at: Mapping[str, Any], conclusions: Mapping[str, str], decisions: Mapping[str, Mapping[str, Any]]
) -> str:
    """The answer to the report's question in a line, by the real trial.

    Parameters
    ----------
    at : mapping
        The landmark's results: ``permutation_p`` of ``all`` and ``all_without_arm``.
    conclusions : mapping
        Verdicts of chapter 06: ``use`` and ``finding-real-arm``.
    decisions : mapping
        Model to ``low, high`` of the thresholds at which it beats both defaults.

    Examples
    --------
    >>> chance, better = {"holm": 0.4}, {"holm": 0.01}
    >>> nothing = {"use": "not supported", "finding-real-arm": "not supported"}
    >>> short_answer({"permutation_p": {"all": better, "all_without_arm": chance}}, nothing, {})
    'Shown only with the treatment arm, to which nothing is shown to add; acting on it is not shown to pay.'
    """
    pays = conclusions["use"] == "supported"
    pay = f"is shown to pay {model_where(decisions)} only" if pays else ""
    if better_than_chance(at, "all_without_arm"):
        return f"Better than by chance, {f'and acting on it {pay}' if pays else 'but not shown to be worth acting on'}."
    if better_than_chance(at, "all"):
        adds = conclusions["finding-real-arm"] in ("supported", "direction only")
        start = "Shown only with the treatment arm" + ("" if adds else ", to which nothing is shown to add")
        return f"{start}; acting on it {pay or 'is not shown to pay'}."
    return f"Not shown better than by chance, {f'yet acting on it {pay}' if pays else 'nor to be worth acting on'}."


def answer(rows: Sequence[Row], found: Mapping[str, Any], p: Findings) -> Finding:
    """The answer of the whole report in one paragraph: the real trial first, then the published figures."""
    real = found["06_real_trial"]
    at = real["landmarks"][str(p.landmark)]
    counts = count_verdicts(rows)
    dearest = max(real["leaks"].values(), key=lambda leak: leak["difference"])
    template = (
        "**{short}** In the real trial, with what was known on day {day}, the AUROC is {full:.3f}, where 0.5 is "
        "chance. Without the treatment arm, which a blinded trial does not know, it is {blinded:.3f}, which {words}. "
        "Contacting patients by the full model {use}{arm}. What was not yet known, let in by mistake, lifts an AUROC "
        "of {honest:.3f} (a model with one fixed penalty) to as much as {leaky:.3f}. Of the {n} published claims that "
        "are checked here, {holding} hold and {impossible} cannot be true."
    )
    values = {
        "short": short_answer(at, real["conclusions"], real["decisions"]),
        "day": p.landmark,
        "full": at["auroc"]["all"],
        "blinded": at["auroc"]["all_without_arm"],
        "words": honest_words(at, "all_without_arm"),
        "use": ACTED.get(real["conclusions"]["use"], ACTED["not supported"]).format(
            where=model_where(real["decisions"])
        ),
        "arm": arm_words(real["decisions"]),
        "honest": dearest["honest"],
        "leaky": dearest["leaky"],
        "n": len(rows),
        "holding": counts["reproduced"] + counts["supported"],
        "impossible": counts["impossible"],
    }
    return Finding("answer", template, "", (), values)


def abstract(rows: Sequence[Row], found: Mapping[str, Any], p: Findings) -> list[Finding]:
    """Background, methods, results and conclusions of the report, each a paragraph."""
    real, study = found["06_real_trial"], found["03_feature_ablation"]
    landmarks = {day: real["landmarks"][day] for day in map(str, p.landmarks)}
    counts = count_verdicts(rows)
    main = landmarks[str(p.landmark)]
    replicates = study["paired"]["default"]["burden"]["n_replicates"]
    parts = {
        "Background": (
            "Published models claim to predict who leaves a clinical trial. We ask what is true of {n} published "
            "claims with {statements} statements, nearly all of one document, and what can be predicted in a real "
            "trial with what is known in time.",
            {"n": len(rows), "statements": n_statements(rows)},
        ),
        "Methods": (
            "The simulated trial of {patients:,} patients was regenerated to the byte, and {replicates} further "
            "trials a setting, fewer for boosted trees, were drawn from its law; paired differences were taken on "
            "patients that no model saw, against the true probabilities. In the CDISC pilot ({randomised} randomised, "
            "{left} discontinued by week 24, {events} of them by the primary definition) models were developed and "
            "evaluated at landmark days by repeated cross-validation, on records known by then. "
            "Verdicts follow rules that stand beside the claims, as do the amendments of these rules.",
            {
                "patients": found["01_generation"]["published"]["n_patients"],
                "replicates": replicates,
                "randomised": real["flow"]["randomised"],
                "left": real["flow"]["discontinued_by_horizon"],
                "events": real["flow"]["primary"],
            },
        ),
        "Results": (
            "Of the claims {reproduced} are reproduced, {supported} supported, {impossible} impossible and {rest} "
            "none of these. Feature engineering changes the AUROC by {gain:+.3f} (published {claimed:+.2f}). At day "
            "{day} of the real trial the AUROC is {auroc:.3f} with {at_risk} at risk and {leave} primary events.",
            {
                **{key: counts[key] for key in ("reproduced", "supported", "impossible")},
                "rest": len(rows) - sum(counts[key] for key in ("reproduced", "supported", "impossible")),
                "gain": measured_effect(by_id(rows)["C28"]),
                "claimed": claimed_effect(by_id(rows)["C28"]),
                "day": p.landmark,
                "auroc": main["auroc"]["all"],
                "at_risk": main["at_risk"],
                "leave": main["primary"],
            },
        ),
        "Conclusions": (
            "In this real trial {usable}. {advice}",
            {
                "usable": usable_words(landmarks),
                "advice": advice(real["conclusions"], real["decisions"], real["landmarks"][str(p.landmark)]),
            },
        ),
    }
    return [Finding(key, f"**{key}.** {template}", "", (), values) for key, (template, values) in parts.items()]


def cautions(rows: Sequence[Row], found: Mapping[str, Any], p: Findings) -> tuple[str, dict[str, Any]]:
    """The box *What not to conclude*."""
    real = found["06_real_trial"]
    worst = max(real["landmarks"][str(day)]["primary"] for day in p.landmarks)
    simulated = found["01_generation"]["oracle"]["default"]["auroc"]["value"]
    template = (
        "The simulated AUROCs, up to {ceiling:.3f} at the law's own event rate for a reader who knows the true "
        "probabilities, say nothing about patients: the law was invented, and its predictors look past the day of "
        "dropout. The real trial has at most {events} events after a landmark later than day 0, one disease and one "
        "sponsor: an interval that includes one half "
        "does not prove that nothing can be predicted, and one that excludes it does not carry over. A figure "
        "called impossible may be a slip of the pen. Apart from that with a treatment given at random, no association "
        "here is shown to be a cause of leaving, and what could not be tested ({open}) is not thereby refuted."
    )
    return template, {
        "ceiling": simulated,
        "events": worst,
        "open": count(count_verdicts(rows)["not testable"], "claim"),
    }


def lesson(rows: Sequence[Row], found: Mapping[str, Any], p: Findings) -> Finding:
    """The closing paragraph: what the ledger and the real trial teach together."""
    counts = count_verdicts(rows)
    holding = counts["reproduced"] + counts["supported"]
    most = "Most" if holding > len(rows) / 2 else "Few" if holding < len(rows) / 4 else "Some"
    real = found["06_real_trial"]
    landmarks = {str(day): real["landmarks"][str(day)] for day in p.landmarks}
    template = (
        "{most} of the published claims hold ({holding} of {n}); {impossible} cannot be right whatever the "
        "data. What remains is that {usable}. {advice}"
    )
    values = {"most": most, "holding": holding, "n": len(rows), "impossible": count(counts["impossible"])}
    values |= {
        "usable": usable_words(landmarks),
        "advice": advice(real["conclusions"], real["decisions"], real["landmarks"][str(p.landmark)]),
    }
    return Finding("lesson", template, "", (), values)


def flow_words(columns: Mapping[str, Sequence[Any]]) -> tuple[str, dict[str, Any]]:
    """What the participant flow shows.

    Parameters
    ----------
    columns : mapping
        From `attrition.findings.overview.flow_columns`.
    """
    real = columns["CDISC pilot"]
    last = real[-1]
    template = (
        "Of {randomised} randomised patients {left} are {label} ({note}): the later one waits, the fewer are left to "
        "act for, and to learn from. The simulated trial has no screening and no loss before the first visit; its "
        "patients are all held to be at risk from the first day. [](#fig-participant-flow) has the real trial's "
        "reasons."
    )
    return template, {"randomised": real[1].n, "left": last.n, "label": last.label, "note": last.note}
