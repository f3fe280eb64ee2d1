with open(snakemake.output[0], "w") as file:
    file.write(f"{snakemake.resources.mem_mb}\n")
if snakemake.resources.mem_mb < 300:
    raise RuntimeError("not yet")
