import os

with open(snakemake.output[0], "w") as file:
    file.write(f"{snakemake.threads} {os.environ.get('OMP_NUM_THREADS')}\n")
