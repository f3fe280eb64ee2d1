rule config:
    output:
        "out/m_config.json",
    script:
        "scripts/config.py"
