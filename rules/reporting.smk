# Report, paper artifacts, model and data cards, and the archive.

# sections of the report in their order, one notebook for each
CONCERNS = [
    *(["answer"] if LABELLED else []),
    *(["language"] if len(LABELLED) < len(STUDY.datasets) else []),
    "data",
    *(["models", "people"] if RATED else []),
    *(["numbers"] if len(RATED) < len(LABELLED) else []),
    "resources",
    *(["methods"] if RATED else []),
    "provenance",
]


SUMMARY = outputs_of(rules.summarize, rules.decide, rules.life_cycle, rules.what_if)


rule provenance:
    input:
        "<results>/summary/variants.parquet",
        hours=lambda w: hourly_file(),
    output:
        provenance="<results>/summary/provenance.json",
        usage="<results>/summary/provenance.usage.json",
    log:
        "<logs>/provenance.log",
    params:
        study=lambda w: dict(config),
        cells=len(STUDY.cells),
        seeds=len(STUDY.seeds),
        left_out=STUDY.left_out,
        code=code("reporting/provenance"),
    message:
        f"Record the provenance of {STUDY.name}"
    script:
        "../scripts/reporting/provenance.py"


rule render_notebook:
    input:
        cards=collect("<results>/data/{dataset}/card.json", dataset=STUDY.datasets),
        tables=SUMMARY,
        power="<results>/summary/power.parquet",
        provenance="<results>/summary/provenance.json",
        later=lambda w: "<results>/summary/later_steps.json" if w.concern == "resources" else [],
        examined=lambda w: examined_tables() if w.concern in ("people", "data") else [],
    output:
        notebook="<results>/report/notebooks/{concern}.ipynb",
        usage="<results>/report/notebooks/{concern}.render_notebook.usage.json",
    log:
        "<logs>/render_notebook/{concern}.log",
    wildcard_constraints:
        concern="|".join(CONCERNS),
    params:
        notebook=lambda w: str(WORKFLOW / "notebooks" / f"{w.concern}.ipynb"),
        code=lambda w: code(
            "reporting/render_notebook",
            files=[f"notebooks/{w.concern}.ipynb", *PACKAGE.glob("reporting/report/*.py")],
        )(w),
    message:
        "Render the section {wildcards.concern} of the report"
    script:
        "../scripts/reporting/render_notebook.py"


rule report:
    input:
        notebooks=collect("<results>/report/notebooks/{concern}.ipynb", concern=CONCERNS),
        provenance="<results>/summary/provenance.json",
    output:
        html=report(
            "<results>/report/report.html",
            caption="captions/report.rst",
            category="Report",
            labels={"what": "the whole"},
        ),
        usage="<results>/report/report.usage.json",
    log:
        "<logs>/report.log",
    params:
        code=code(
            "reporting/report",
            files=[PACKAGE / "reporting/report" / name for name in ("page.html.j2", "report.js")],
        ),
    message:
        f"Assemble the report of {STUDY.name}"
    script:
        "../scripts/reporting/report.py"


rule paper:
    input:
        cards=collect("<results>/data/{dataset}/card.json", dataset=STUDY.datasets),
        tables=SUMMARY,
        power="<results>/summary/power.parquet",
        provenance="<results>/summary/provenance.json",
    output:
        numbers="<results>/paper/numbers.tex",
        values="<results>/paper/numbers.csv",
        methods="<results>/paper/methods.tex",
        findings="<results>/paper/findings.tex",
        exhibits="<results>/paper/exhibits.tex",
        tables=report(
            directory("<results>/paper/tables"),
            patterns=["{table}.csv"],
            caption="captions/table.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
        figures=report(
            directory("<results>/paper/figures"),
            patterns=["{figure}.svg"],
            caption="captions/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        usage="<results>/paper/paper.usage.json",
    log:
        "<logs>/paper.log",
    params:
        code=code("reporting/paper"),
    message:
        f"Write the numbers, tables and figures of {STUDY.name} for an article"
    script:
        "../scripts/reporting/paper.py"


rule article:
    input:
        article=str(WORKFLOW / "paper" / "article.tex"),
        made=outputs_of(rules.paper),
    output:
        pdf="<results>/paper/article.pdf",
        usage="<results>/paper/article.usage.json",
    log:
        "<logs>/article.log",
    params:
        code=code("reporting/article", files=["paper/article.tex"]),
    message:
        f"Compile the article of {STUDY.name}"
    script:
        "../scripts/reporting/article.py"


rule cards:
    input:
        files=shipped_files(),
        cards=collect("<results>/data/{dataset}/card.json", dataset=STUDY.datasets),
        tables=SUMMARY,
        power="<results>/summary/power.parquet",
        provenance="<results>/summary/provenance.json",
    output:
        cards=directory("<results>/hub"),
        usage="<results>/summary/cards.usage.json",
    log:
        "<logs>/cards.log",
    params:
        lineages=lambda w: {v: STUDY.lineage(v) for v in STUDY.variants},
        code=code("reporting/cards"),
    message:
        f"Write the model cards and data cards of {STUDY.name}"
    script:
        "../scripts/reporting/cards.py"


rule archive:
    input:
        lambda w: written_files(),
        report=rules.report.output,
        cards="<results>/hub",
        paper=outputs_of(rules.paper),
    output:
        archive=f"<results>/archive/{STUDY.name}.crate.zip",
        usage="<results>/archive/archive.usage.json",
    log:
        "<logs>/archive.log",
    params:
        code=code("reporting/archive"),
    message:
        f"Archive {STUDY.name} as a Workflow Run RO-Crate"
    script:
        "../scripts/reporting/archive.py"
