# What goes into an article, onto a model hub, and into an archive.


rule paper:
    input:
        cards=collect("<results>/data/{dataset}/card.json", dataset=STUDY.datasets),
        tables=rules.summarize.output[:11]
        + rules.decide.output[:4]
        + rules.life_cycle.output[:4]
        + rules.what_if.output[:2],
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
        cost="<results>/paper/paper.cost.json",
    log:
        "<logs>/paper.log",
    params:
        code=code("paper"),
    message:
        "Write what an article takes from {STUDY.name}"
    script:
        "../scripts/paper.py"


rule article:
    input:
        article=str(ROOT / "paper" / "article.tex"),
        made=rules.paper.output[:7],
    output:
        pdf="<results>/paper/article.pdf",
        cost="<results>/paper/article.cost.json",
    log:
        "<logs>/article.log",
    params:
        code=code("article", files=["paper/article.tex"]),
    message:
        "Compile the article of {STUDY.name}"
    script:
        "../scripts/article.py"


rule cards:
    input:
        files=first_files(),
        cards=collect("<results>/data/{dataset}/card.json", dataset=STUDY.datasets),
        tables=rules.summarize.output[:11]
        + rules.decide.output[:4]
        + rules.life_cycle.output[:4]
        + rules.what_if.output[:2],
        power="<results>/summary/power.parquet",
        provenance="<results>/summary/provenance.json",
    output:
        cards=directory("<results>/hub"),
        cost="<results>/summary/cards.cost.json",
    log:
        "<logs>/cards.log",
    params:
        lineages=lambda w: {v: STUDY.lineage(v) for v in STUDY.variants},
        code=code("cards"),
    message:
        "Write the model cards and data cards of {STUDY.name}"
    script:
        "../scripts/cards.py"


rule archive:
    input:
        report=rules.report.output,
        cards="<results>/hub",
        paper=rules.paper.output[:7],
    output:
        archive=f"<results>/archive/{STUDY.name}.crate.zip",
        cost="<results>/archive/archive.cost.json",
    log:
        "<logs>/archive.log",
    params:
        root=str(ROOT),
        code=code("archive"),
    message:
        "Archive {STUDY.name} as a Workflow Run RO-Crate"
    script:
        "../scripts/archive.py"
