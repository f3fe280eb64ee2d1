import os

with open("stray.txt", "w") as file:
    file.write("left in the shadow")
with open(snakemake.log[0], "w") as log:
    log.write("logged in the shadow\n")
with open(snakemake.input[0]) as source, open(snakemake.output[0], "w") as target:
    target.write(f"{'shadow' in os.getcwd()} {source.read()}")
