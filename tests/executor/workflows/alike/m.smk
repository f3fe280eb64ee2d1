rule config:
    output:
        "out/m_config.json",
    script:
        "scripts/config.py"


rule shell_module:
    output:
        "out/shell_m_module.txt",
    shell:
        "echo {rule} {config} > {output}"
