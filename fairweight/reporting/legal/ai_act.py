"""Technical documentation of the EU AI Act (Regulation (EU) 2024/1689): annex IV and section 1 of annex XI."""

from fairweight.reporting.hub.markdown import escape
from fairweight.reporting.legal import statements
from fairweight.reporting.legal.document import Document, Section
from fairweight.reporting.report.results import Results

DECISIONS, CARD = "summary/decisions.parquet", "data/*/card.json"
ASSESSMENTS, PROVENANCE = "summary/assessments.parquet", "summary/provenance.json"


def annex_iv(results: Results) -> Document:
    """Technical documentation of a high-risk system (article 11)."""
    return Document(
        "ai-act-annex-iv",
        f"Technical documentation: {results.study['name']}",
        "Regulation (EU) 2024/1689, article 11 and annex IV.",
        [*_general(results), *_development(results), *_after(results)],
    )


def _general(results: Results) -> list[Section]:
    about = results.provenance
    version = f"fairweight {escape(about['fairweight'])}, commit {escape(about['commit'] or 'unknown')}."
    return [
        Section("1. General description of the system")
        .fill(f"Files that the study recommends:\n\n{statements.names_of(results)}", DECISIONS)
        .fill(f"Versions: {version}", PROVENANCE)
        .fill(statements.machine(results), PROVENANCE)
        .ask(
            "1(a) the intended purpose, the name of the provider, and the version in relation to previous ones.",
            "1(b) how the system interacts with hardware, software and other AI systems that are not part of it.",
            "1(d), 1(e) the forms in which it is placed on the market, and the hardware on which it is to run.",
            "1(f) to 1(h) photographs of a product that it is a part of, the user interface, and the instructions.",
        ),
    ]


def _development(results: Results) -> list[Section]:
    return [
        Section("2(a), 2(b) Methods, design and choices")
        .fill(statements.parameters(results), "summary/profiles.parquet")
        .fill(statements.criteria(results), PROVENANCE)
        .fill(statements.verdicts(results), DECISIONS)
        .ask(
            "the persons or groups on which the system is intended to be used, and the assumptions about them.",
            "the rationale of the margins above, and of the trade-offs that were accepted.",
        ),
        Section("2(c) Architecture and computational resources")
        .fill(statements.compute(results), "summary/rules.parquet", "summary/steps.parquet")
        .fill(statements.machine(results), PROVENANCE),
        Section("2(d) Data requirements")
        .fill(statements.data(results), CARD)
        .fill("The datasheets beside this document describe each dataset.")
        .ask("how the data were obtained and selected, the labelling procedures, and the cleaning before the study."),
        Section("2(e) Human oversight")
        .fill(statements.reasons(results), "summary/importances.parquet")
        .ask("the measures that article 14 asks for, and how deployers interpret the output."),
        Section("2(f) Pre-determined changes").ask("changes that were planned, and how compliance is kept."),
        Section("2(g) Validation and testing, accuracy and potentially discriminatory impacts")
        .fill(statements.criteria(results), PROVENANCE)
        .fill(statements.by_group(results), ASSESSMENTS)
        .fill(statements.gaps(results), ASSESSMENTS)
        .fill("The test log beside this document is dated; it lists the checksum of every table of results.")
        .ask("the signature of the responsible person on the test log, and tests of robustness in the field."),
        Section("2(h) Cybersecurity")
        .fill(statements.leakage(results), "summary/privacy.parquet")
        .ask("the cybersecurity measures of the system."),
    ]


def _after(results: Results) -> list[Section]:
    return [
        Section("3. Monitoring, functioning and control")
        .fill("Accuracy for groups of persons stands in 2(g).")
        .fill(statements.warnings(results), CARD, "summary/guards.parquet")
        .ask(
            "foreseeable unintended outcomes, and risks to health, safety, fundamental rights and of discrimination.",
            "specifications of the input data for deployers.",
        ),
        Section("4. Appropriateness of the performance metrics")
        .fill(
            "Metrics, their intervals and their limits are described in the report of the study.", "report/report.html"
        )
        .ask("why these metrics fit the intended purpose."),
        Section("5. Risk management (article 9)").ask("the risk management system."),
        Section("6. Changes through the life cycle").ask("relevant changes by the provider."),
        Section("7. Harmonised standards").ask("the standards that were applied, or the solutions instead."),
        Section("8. EU declaration of conformity (article 47)").ask("a copy of the declaration."),
        Section("9. Post-market monitoring (article 72)").ask("the monitoring system and its plan."),
    ]


def annex_xi(results: Results) -> Document:
    """Technical documentation of a general-purpose model, section 1 (article 53)."""
    kinds = sorted({str(dataset["task"]) for dataset in results.study["datasets"].values()})
    return Document(
        "ai-act-annex-xi",
        f"Technical documentation of a general-purpose model: {results.study['name']}",
        "Regulation (EU) 2024/1689, article 53(1)(a) and annex XI, section 1. It applies to general-purpose AI models "
        "only.",
        [
            Section("1. General description")
            .fill(f"Tasks in the study: {escape(', '.join(kinds))}.", PROVENANCE)
            .fill(statements.parameters(results), "summary/profiles.parquet")
            .ask(
                "1(a) the tasks that the model is intended to perform, and the systems in which it can be integrated.",
                "1(b), 1(c) acceptable use policies, date of release and methods of distribution.",
                "1(e), 1(f) formats of inputs and outputs, and the licence.",
            ),
            Section("2(a), 2(b) Integration, design and training")
            .fill("Each model card in `hub/models` has a program that runs the file.")
            .fill(statements.verdicts(results), DECISIONS)
            .ask("the design of the training process, and the rationale of key choices."),
            Section("2(c) Data")
            .fill(statements.data(results), CARD)
            .ask("provenance, curation, and measures against unsuitable sources and biases."),
            Section("2(d), 2(e) Computational resources and energy").fill(
                statements.compute(results), "summary/rules.parquet", "summary/steps.parquet"
            ),
        ],
    )
