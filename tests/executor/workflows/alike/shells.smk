# Commands of shells: each file has what a command sees.
os.environ["FROM_SNAKEFILE"] = "set"
os.environ.pop("REMOVED_BY_SNAKEFILE", None)
shell.prefix("set -eu; PREFIXED=yes; ")
shell.suffix("; : suffixed")

SHELLS = "text options environment sh long shadow tmpdir own_tmpdir params names log".split()
SHELLS += ["repeated", "retried", "flagged", "m_module"]


def command_of(name):
    return f"echo {name} $PREFIXED"


rule shells:
    input:
        expand("out/shell_{name}.txt", name=SHELLS),
    output:
        touch("out/shells.txt"),


rule shell_text:
    output:
        "out/shell_text.txt",
    shell:
        "printf '%s' \"$BASH_EXECUTION_STRING\" > {output}"


rule shell_options:
    output:
        "out/shell_options.txt",
    shell:
        "(echo $- $0 $SHELLOPTS; pwd | sed s/.*run/run/) > {output};"
        "(set +e; yes | head -n 1; echo ${{PIPESTATUS[@]}}) >> {output}"


rule shell_environment:
    output:
        "out/shell_environment.txt",
    threads: 2
    shell:
        "env | grep -v -e ^_= -e ^SHLVL= -e ^PWD= -e ^OLDPWD= | sort > {output}"


rule shell_sh:
    output:
        "out/shell_sh.txt",
    resources:
        shell_exec="sh",
    shell:
        "echo $0 $- > {output}"


rule shell_long:
    output:
        "out/shell_long.txt",
    shell:
        f"echo {'x' * 140000} | md5sum > {{output}}; basename $0 >> {{output}}"


rule shell_shadow:
    input:
        "config.yaml",
    output:
        "out/shell_shadow.txt",
    shadow:
        "minimal"
    shell:
        "touch left_behind; ls config.yaml > {output}; pwd | grep -c shadow >> {output}"


rule shell_tmpdir:
    output:
        "out/shell_tmpdir.txt",
    params:
        below=lambda wildcards, resources: resources.tmpdir + "/below",
    shell:
        "echo {resources.tmpdir} {params.below} $TMPDIR $TMP $TEMP $TEMPDIR > {output}"


rule shell_own_tmpdir:
    output:
        "out/shell_own_tmpdir.txt",
    resources:
        tmpdir=lambda wildcards: "own tmpdir",
    shell:
        "echo {resources.tmpdir:q} $TMPDIR > {output}; ls -d own* >> {output}"


rule shell_params:
    input:
        configs=["config.yaml", "m.smk"],
    output:
        "out/shell_params.txt",
    threads: 2
    resources:
        mem_mb=7,
    params:
        "first",
        joined=lambda wildcards, input, output, threads: f"{input.configs[1]} {output} {threads}",
        nothing=None,
        quoted='it\'s a "value" with $PATH',
    shell:
        "echo {params[0]} {params.joined} {params.nothing} {params.quoted:q} {resources.mem_mb}"
        " {threads} {input.configs} {input:q} > {output}"


rule shell_names:
    output:
        "out/shell_{kind,names}.txt",
    shell:
        command_of("{wildcards.kind} {rule} {config[m][v]} {KINDS}") + " > {output}"


rule shell_log:
    output:
        "out/shell_log.txt",
    log:
        "out/shell_log.log",
    shell:
        "echo said > {log}; cp {log} {output}"


rule shell_repeated:
    output:
        "out/shell_repeated.txt",
    benchmark:
        repeat("benchmark/shell_repeated.tsv", 3)
    shell:
        "echo {bench_iteration} >> {output}"


rule shell_retried:
    output:
        "out/shell_retried.txt",
    retries: 2
    resources:
        round=lambda wildcards, attempt: attempt,
    shell:
        "echo {resources.round} > {output}; [ {resources.round} -eq 3 ]"


rule shell_flagged:
    output:
        touch("out/shell_flagged.txt"),
        directory("out/shell_folder"),
        temp("out/shell_temporary.txt"),
        protected("out/shell_protected.txt"),
    shell:
        "mkdir {output[1]}; touch {output[1]}/file {output[2]} {output[3]}"
