import helper

print("said on standard output")
with open(snakemake.log[0], "w") as log:
    log.write("said in the log\n")
with open(snakemake.output[0], "w") as file:
    file.write(f"{snakemake.wildcards.i} {helper.VALUE}\n")
