with open(snakemake.output[0], "w") as file:
    file.write("written\n")
