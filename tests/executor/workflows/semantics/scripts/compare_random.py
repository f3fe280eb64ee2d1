first, second = (open(name).read().split() for name in snakemake.input)
with open(snakemake.output[0], "w") as file:
    file.write(f"{[a != b for a, b in zip(first, second, strict=True)]}\n")
