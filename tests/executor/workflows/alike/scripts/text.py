import os

print("caf\udce9")  # a file name that is not UTF-8, as Python holds it
with open(snakemake.output[0], "w") as file:
    file.write(
        f"{os.path.basename(__file__)} {'.snakemake/scripts' in __real_file__} {os.path.exists(__real_file__)}\n"
    )
