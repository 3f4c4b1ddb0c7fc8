# What a reader begins with: the claims, and the page that sums up the run.

RUN_CONFIG = json.dumps(CONFIG)


rule claims:
    input:
        code=modules("report.claims"),
        claims=claims_file(),
        goodness="results/goodness.csv",
        comparisons="results/comparisons.csv",
        table_1="results/table_1.csv",
    output:
        report(
            "results/claims.csv",
            caption="../report/claims.rst",
            category="Tables",
            labels={"what": "claims", "network": ""},
        ),
    log:
        "results/logs/claims.log",
    benchmark:
        "results/benchmarks/claims.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=growing(700),
        runtime=growing(10),
    message:
        "Holding the claims against what was found"
    shell:
        "depthgauge claims {input.claims:q} {input.goodness} {input.comparisons} {input.table_1}"
        " --output {output} --log {log}"


rule report:
    input:
        # All that there is; the page names what is missing.
        [file for file in rules.all.input if file != "results/report.html"],
        code=modules("report.report"),
        page=[
            os.path.relpath(PACKAGE / "report" / "page" / name)
            for name in ("report.html", "methods.html")
        ],
    output:
        page=report(
            "results/report.html",
            caption="../report/page.rst",
            category="Start here",
            labels={"what": "first page", "network": ""},
        ),
        record="results/run.csv",
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        config=RUN_CONFIG,
    message:
        "Writing the report"
    shell:
        "depthgauge report results --config {params.config:q} --record {output.record}"
        " --output {output.page} --log {log}"
