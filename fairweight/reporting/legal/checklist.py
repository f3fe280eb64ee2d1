"""Answers to the NeurIPS paper checklist (2025), as far as the results of a study give them."""

from fairweight.core.formatting import count
from fairweight.reporting.hub.markdown import escape
from fairweight.reporting.legal import statements
from fairweight.reporting.legal.document import Document, Section
from fairweight.reporting.report.results import Results

FACTOR = (
    "Yes. Intervals are 95 %: of one file over test rows (score interval of a share), of a recipe over seeds and test "
    "rows, which are crossed (Student's t with Satterthwaite's degrees of freedom). A seed varies the split into "
    "training and validation rows, augmentation and initialisation. Decisions use tests with Holm's correction."
)


def neurips(results: Results) -> Document:
    """The checklist with answers and what a person must still write."""
    return Document(
        "neurips-checklist",
        f"NeurIPS paper checklist: {results.study['name']}",
        "NeurIPS paper checklist guidelines, 2025.",
        [*_claims(results), *_experiments(results), *_ethics(results)],
    )


def _claims(results: Results) -> list[Section]:
    return [
        Section("1. Claims").ask("whether abstract and introduction reflect the contributions and scope."),
        Section("2. Limitations")
        .fill(statements.warnings(results), "data/*/card.json", "summary/guards.parquet")
        .fill("The report lists what cannot be concluded.", "report/report.html")
        .ask("the limitations of the work beyond this study."),
        Section("3. Theory assumptions and proofs").ask("answer; a study proves no theorem."),
    ]


def _experiments(results: Results) -> list[Section]:
    about = results.provenance
    return [
        Section("4. Experimental result reproducibility").fill(
            "Yes. The archive of the study holds its code, versions, checksums and study file; `fairweight reproduce` "
            "runs it again and lists the differences.",
            "archive/",
        ),
        Section("5. Open access to data and code")
        .fill(f"Code: fairweight {escape(about['fairweight'])}, commit {escape(about['commit'] or 'unknown')}.")
        .fill(statements.data(results), "data/*/card.json")
        .ask("where the archive is published."),
        Section("6. Experimental setting and details").fill(
            "Yes. The study file states splits, hyperparameters, optimisers and how they are chosen; it is in the "
            "provenance section of the report.",
            "summary/provenance.json",
        ),
        Section("7. Experiment statistical significance")
        .fill(FACTOR, "summary/comparisons.parquet")
        .fill(f"There are {count(int(results.study['seeds']), 'seed')}.", "summary/provenance.json"),
        Section("8. Experiments compute resources")
        .fill(statements.machine(results), "summary/provenance.json")
        .fill(statements.compute(results), "summary/rules.parquet", "summary/steps.parquet")
        .ask("whether the project needed more compute than this study, for example for failed experiments."),
    ]


def _ethics(results: Results) -> list[Section]:
    licences = [f"{escape(card['title'])}: {escape(card['licence'] or 'not stated')}" for card in results.cards]
    return [
        Section("9. Code of ethics").ask("whether the work conforms with it."),
        Section("10. Broader impacts")
        .fill(statements.gaps(results), "summary/assessments.parquet")
        .ask("positive and negative impacts on society."),
        Section("11. Safeguards").ask("safeguards for the release of models or data with a high risk of misuse."),
        Section("12. Licences for existing assets")
        .fill("\n".join(f"- {text}" for text in licences), "data/*/card.json")
        .ask("citations of the assets, and whether their terms are respected."),
        Section("13. New assets").fill("Model cards and data cards are in `hub/` (`fairweight run STUDY -- cards`)."),
        Section("14. Crowdsourcing and human subjects").ask("instructions and compensation, or that there were none."),
        Section("15. Institutional review").ask("risks and approvals, or that there were no human subjects."),
        Section("16. Declaration of the use of language models").ask("their use as a part of the method, if any."),
    ]
