import os

os.makedirs(snakemake.output[0], exist_ok=True)
with open(os.path.join(snakemake.output[0], "inside.txt"), "w") as file:
    file.write("inside\n")
