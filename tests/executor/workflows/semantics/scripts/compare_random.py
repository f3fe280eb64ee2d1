one, two = (open(name).read().split() for name in snakemake.input)
with open(snakemake.output[0], "w") as file:
    file.write(f"{[a != b for a, b in zip(one, two, strict=True)]}\n")
