rule report:
    input:
        lambda w: collect("<results>/seed-{p[0]}/{p[1].dataset}/{p[1].augmentation}/{p[1].model}/{p[1].variant}/{p[1].engine}/assessment.parquet", p=[(s,c) for c in STUDY.cells for s in STUDY.seeds_of(c)]),
        lambda w: collect("<results>/profile/{p[dataset]}/{p[model]}/{p[engine]}.parquet",p=STUDY.profiles),
    output: "<results>/report/report.html"
    shell: "touch {output}"
