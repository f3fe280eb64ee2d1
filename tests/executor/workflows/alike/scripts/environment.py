import os

names = ("PYTHONHASHSEED", "__DASK_PARENT_PID", "MALLOC_TRIM_THRESHOLD_", "PYTHONSAFEPATH")
with open(snakemake.output[0], "w") as file:
    file.write(str([os.environ.get(name) for name in names]) + "\n")
