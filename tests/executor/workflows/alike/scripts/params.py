with open(snakemake.output[0], "w") as file:
    print(*snakemake.params, file=file)
