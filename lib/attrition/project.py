"""What `notebook_report` is told of this study: its chapters, and what each reads from the others."""

from pathlib import Path

from notebook_report import project
from notebook_report.project import Chapter, Project

TRIAL = ("trial", "pilot")
STUDY = (
    Chapter("01_generation", seconds=12),
    Chapter("02_eda", needs=("01_generation",), seconds=6),
    Chapter("03_feature_ablation", needs=("01_generation",), seconds=45),
    Chapter("04_modelling", needs=("01_generation",), seconds=45),
    Chapter("05_evaluation", needs=("01_generation", "04_modelling"), seconds=25),
    Chapter("06_real_trial", seconds=40, own=TRIAL, reads=("reports/studies/*.json",)),
    Chapter("07_time_to_dropout", seconds=15, own=TRIAL),
    Chapter("08_monitoring", needs=("01_generation", "05_evaluation"), seconds=30),
    Chapter("09_running_trial", needs=("06_real_trial",), seconds=12, own=TRIAL, reads=("reports/studies/*.json",)),
    Chapter("10_worth", needs=("06_real_trial",), seconds=15, own=TRIAL, reads=("reports/studies/*.json",)),
)
EVERY = tuple(chapter.name for chapter in STUDY)
CHAPTERS = (*STUDY, Chapter("00_findings", needs=EVERY, seconds=4, reads=("claims.yaml", "benchmarks/cost.csv")))
PROJECT = Project(
    name="attrition",
    root=Path(__file__).resolve().parents[2],
    title="Can we tell early who will leave a clinical trial?",
    chapters=CHAPTERS,
    params="attrition.params",
    module="attrition.project",
    style="attrition.plots.style",
    made_from=("params.yaml", "claims.yaml", "requirements.lock", "benchmarks/cost.csv", "reports/studies/*.json"),
)
project.use(PROJECT)
