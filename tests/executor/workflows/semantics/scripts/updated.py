with open(snakemake.output[0], "a") as file:
    file.write("updated\n")
