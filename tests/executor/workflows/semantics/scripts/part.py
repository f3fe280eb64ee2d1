import time

assert snakemake.bench_iteration in (0, 1)
time.sleep(0.2)
with open(snakemake.input[0]) as source, open(snakemake.output[0], "w") as target:
    target.write(f"{source.read()}{snakemake.config['rate']}\n")
