import os
import time
from pathlib import Path

Path("pids").mkdir(exist_ok=True)
Path("pids", str(os.getpid())).touch()
time.sleep(snakemake.params.seconds)
Path(snakemake.output[0]).write_text("good\n")
