import json
import multiprocessing
import os
import pickle
import tempfile

import torch


class Mine:
    pass


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return torch.tensor(float(index))


def square(number):
    return number * number


if __name__ == "__main__":
    pickle.loads(pickle.dumps(Mine()))  # found in __main__
    with multiprocessing.Pool(2) as pool:
        squares = pool.map(square, [1, 2, 3])
    loader = torch.utils.data.DataLoader(Rows(), batch_size=2, num_workers=1)
    seen = {
        "input": list(snakemake.input),
        "named": [snakemake.input.one, list(snakemake.input.two)],
        "params": [snakemake.params.files, snakemake.params.nested, os.path.basename(snakemake.params.base)],
        "wildcards": dict(snakemake.wildcards),
        "threads": snakemake.threads,
        "torch_threads": torch.get_num_threads(),
        "OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"],
        "resources": [snakemake.resources.mem_mb, snakemake.resources.word],
        "temporary": [snakemake.resources.tmpdir == tempfile.gettempdir() == os.environ["TMPDIR"]],
        "log": snakemake.log.error,
        "config": snakemake.config,
        "rule": snakemake.rule,
        "scriptdir": os.path.relpath(snakemake.scriptdir),
        "file": os.path.relpath(__file__),
        "name": __name__,
        "secret": os.environ["A_SECRET"],
        "batches": [float(batch.sum()) for batch in loader],
        "squares": squares,
        "bench_iteration": snakemake.bench_iteration,
        "trimming": os.environ.get("MALLOC_TRIM_THRESHOLD_"),  # what Dask sets for its workers
        "preamble": [sys.version_info > (3,), pickle.__name__, logger is not None, Snakemake.__name__],
    }
    with open(snakemake.output[0], "w") as file:
        json.dump(seen, file, indent=1)
