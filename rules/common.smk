# The study as objects, and functions of wildcards that the rules use.
import atexit
import contextlib
import functools
import gc
import itertools
import logging
import os
import signal
import sys
import threading
from pathlib import Path

# this checkout goes first, here and in the scripts, whatever is installed; another Snakefile may include or import it
CHECKOUT = str(Path(str(workflow.current_basedir)).parent)
sys.path.insert(0, CHECKOUT)
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, [CHECKOUT, os.environ.get("PYTHONPATH")])))
os.environ.update(FAIRWEIGHT_CHECKOUT=str(Path(CHECKOUT).resolve()))


from fairweight import NO_REPORTS
from fairweight.core import components, run_lock
from fairweight.core.code_version import code_version
from fairweight.core.components import PACKAGE, WORKFLOW
from fairweight.core.errors import InputError
from fairweight.core.lineage import local_path
from fairweight.core.local_files import expanded
from fairweight.core.operations import EXPORTED, GIVEN, OPERATIONS, SHIPPED
from fairweight.core.yaml_file import read_yaml
from fairweight.data import counterfactual_terms, parts
from fairweight.energy.carbon_intensity import HOURLY
from fairweight.energy.energy_model import MODEL
from fairweight.energy.run_total import print_total_at_exit
from fairweight.inference.reference_engine import REFERENCE_ENGINE
from fairweight.study.file_sizes import check_sizes
from fairweight.study.file_times import check_times
from fairweight.study.folders import logs_folder, results_folder
from fairweight.study.schema import resolve
from fairweight.study.study import Study, alternation
from fairweight.training.published_files import FILES

try:
    for file in workflow.config_settings.configfiles:
        read_yaml(Path(file))  # Snakemake's own reader keeps the last of two equal keys, for example
    config.update(resolve(config))
    STUDY = Study(config)
except InputError as error:
    sys.exit(f"fairweight: study file: {error}")  # one sentence, without the frame of a WorkflowError

# why no step may run now; other uses of the workflow, such as a dry run, are free
STARTED = run_lock.RUN in os.environ  # by `fairweight run`, which has checked the files already
BUSY = run_lock.begin_or_join() if workflow.is_main_process else None
if workflow.is_main_process and not BUSY and not STARTED:
    try:
        check_sizes(Path(results_folder(config)))
    except InputError as error:
        sys.exit(f"fairweight: {error}")

LABELLED = [dataset for dataset in STUDY.datasets if STUDY.labelled(dataset)]
RATED = [dataset for dataset in LABELLED if not STUDY.measured(dataset)]  # predictions are right or wrong


def check_start():
    """Refuse to run steps beside another run, or from files of the future, before old outputs are deleted."""
    if BUSY and workflow.execution_settings.lock:
        sys.exit(f"fairweight: {BUSY}")
    try:
        check_times({str(file) for job in workflow.dag.needrun_jobs() for file in job.input})
    except InputError as error:
        sys.exit(f"fairweight: {error}")


def print_findings():
    """Print what the targets `power` and `gate` say, whether or not they had to run again."""
    targets = workflow.dag_settings.targets if workflow.dag_settings and not workflow.dryrun else ()
    for target, output in (("power", "power.parquet"), ("gate", "gate.json")):
        log = Path(logs_folder(config), f"{target}.log")
        if target in targets and log.is_file() and Path(results_folder(config), "summary", output).is_file():
            from snakemake_logger_plugin_live import FINDINGS, SHOWN, findings  # this module is read by every step

            text = log.read_text(encoding="utf-8")
            first = [] if str(log) in SHOWN else findings(text)
            for line in [*first, *(line for line in text.splitlines() if not line.startswith(FINDINGS))]:
                print(line)


def print_answer():
    """Print the answer of a study that has been run to its report, unless `fairweight check` prints it."""
    whole = set(workflow.dag_settings.targets or ()) <= {"all"} and not workflow.dag_settings.until
    if whole and not workflow.dag_settings.omit_from and "FAIRWEIGHT_ANSWERED" not in os.environ:
        from fairweight.reporting.report.results import Results  # this module is read by every step
        from fairweight.reporting.terminal import answer

        results = results_folder(config)
        answer(Results.read(results), results)
        print(f"\nThe report is {results}/report/report.html", flush=True)


def end_run(number, frame):
    """Ctrl-C: one line, and no errors of the steps that end with the run; a second Ctrl-C interrupts no clean-up."""
    signal.signal(signal.SIGINT, end_steps)
    logger.setLevel(logging.CRITICAL)
    os.environ.update(FAIRWEIGHT_CANCELLED="1")  # for the exit code of `fairweight run`
    print("fairweight: cancelled; run again to resume.", file=sys.stderr, flush=True)
    end_steps()
    raise KeyboardInterrupt


def end_steps(*_):
    """Kill the processes of the local executor, which waits for them; another executor ends its own."""
    if workflow.executor_plugin is None or not workflow.local_exec:
        return
    import psutil  # this module is read by every step

    with contextlib.suppress(psutil.Error, OSError):
        for process in psutil.Process().children(recursive=True):
            if os.getpgid(process.pid) == os.getpgrp():  # the power sampler has a group of its own, and ends later
                process.kill()


def print_error(kind, error, traceback):
    """What Python does, but nothing of Ctrl-C, of which `end_run` has spoken."""
    if kind is not KeyboardInterrupt:
        sys.__excepthook__(kind, error, traceback)


# steps of the local executor have the terminal of the run: they leave Ctrl-C to it, instead of a traceback each
shell.prefix("set -euo pipefail; trap '' INT; ")

if workflow.is_main_process:
    gc.set_threshold(10_000, 50, 50)  # the graph of jobs is made of objects that stay
    atexit.register(print_findings)  # a hook of Snakemake is not called if there is nothing to be done
    sys.excepthook = print_error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, end_run)


def recipe(*path):
    """Function of wildcards: the recipe at a path of the study file, whose parts may be wildcards in braces."""

    def look(wildcards):
        node = STUDY.config | {"augmentations": STUDY.augmentations}
        for part in path:
            node = node[part.format(**wildcards)]
        return node

    return look


def part(mapping, *keys):
    """These keys of a mapping, so that a rule reruns only for what it uses."""
    return {key: mapping[key] for key in keys}


def raw_file(wildcards):
    """Recipe of a raw file."""
    return config["datasets"][wildcards.dataset]["files"][wildcards.file]


def life_cycle_factors():
    """Factors of the life cycle, with the downloads that the decision assumes."""
    return config["life_cycle"] | part(config["decision"], "downloads")


def energy_model():
    """Keys of `energy` that energy and emissions follow from; meters, budget and start change no result."""
    return part(config["energy"], *MODEL)


onsuccess:
    print_answer()
