import json

with open(snakemake.output[0], "w") as file:
    json.dump(snakemake.config, file)
