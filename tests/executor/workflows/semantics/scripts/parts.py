import os

os.makedirs(snakemake.output[0], exist_ok=True)
for number, name in enumerate(snakemake.input):
    with open(name) as source, open(f"{snakemake.output[0]}/n{number}.txt", "w") as target:
        target.write(source.read())
