import json
import os
import time
from pathlib import Path

started = time.time()
time.sleep(0.5)
record = {
    "started": started,
    "ended": time.time(),
    "threads": snakemake.threads,
    "OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"],
    "gpu": os.environ.get("CUDA_VISIBLE_DEVICES"),
}
Path(snakemake.output[0]).write_text(json.dumps(record))
