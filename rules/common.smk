# The study as objects, and functions of wildcards that the rules use.
import atexit
import contextlib
import logging
import os
import signal
import sys
import threading
from pathlib import Path

# this checkout goes first, here and in the scripts, whatever is installed
sys.path.insert(0, str(workflow.basedir))
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, [str(workflow.basedir), os.environ.get("PYTHONPATH")])))


from fairweight import NO_REPORTS
from fairweight.core import components, run_lock
from fairweight.core.code_version import ROOT, code_version
from fairweight.core.errors import InputError
from fairweight.core.lineage import local_path
from fairweight.core.local_files import expanded, is_file
from fairweight.core.operations import EXPORTED, GIVEN, OPERATIONS, SHIPPED
from fairweight.core.yaml_file import read_yaml
from fairweight.data import counterfactual_terms
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
            print(log.read_text(encoding="utf-8"), end="")


def end_run(number, frame):
    """Ctrl-C: one line, and no errors of the steps that end with the run; a second Ctrl-C interrupts no clean-up."""
    signal.signal(signal.SIGINT, end_steps)
    logger.setLevel(logging.CRITICAL)
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


def local_sources(file):
    """Local files among the sources, or in a model's folder, which make the rule run again when they change."""
    paths = [local_path(s.removeprefix("file:")) for s in file.get("sources", []) if s.startswith("file:")]
    if file.get("folder"):
        paths += [expanded(file["folder"]) / name for name in FILES]
    return [str(path) for path in paths if is_file(path)]


def local_files(model):
    """Files of an imported model; weights beside an ONNX file are not among them."""
    paths = [expanded(model[key]) for key in ("file", "weights", "tokenizer") if model.get(key)]
    return [str(path) for path in paths]


def terms_file(name):
    """Function of wildcards: the file of a list of terms, whose change reruns a rule; none without a name."""

    def file(wildcards):
        terms = name(wildcards)
        return [str(counterfactual_terms.terms_file(terms))] if terms else []

    return file


def training_files(wildcards):
    """Further input of a quantization method that trains, that is, takes a `network`: parent's weights and rows."""
    (name,) = method(wildcards)
    if not components.trains("quantization", name):
        return {}
    folder = "<results>/seed-{seed}/{dataset}/{augmentation}"
    model = parent(f"{folder}/{{model}}/{{variant}}/model")(wildcards)
    return {
        "model": f"{model}.safetensors",
        "about": f"{model}.json",
        "augmented": f"{folder}/augmented.parquet".format(**wildcards),
    }


def teacher_files(wildcards):
    """The parent that a student learns from: its weights, or its ONNX file where it has none."""
    model = parent("<results>/seed-{seed}/{dataset}/{augmentation}/{model}/{variant}/model")(wildcards)
    if teaches_by_file(wildcards):
        return {"parent": f"{model}.onnx", "parent_about": []}
    return {"parent": f"{model}.safetensors", "parent_about": f"{model}.json"}


def baseline(pattern):
    """Function of wildcards: the same file of the baseline of a variant; none for a baseline itself."""

    def other(wildcards):
        name = STUDY.baseline(wildcards.variant)
        if name == wildcards.variant:
            return []
        return pattern.format(**(dict(wildcards) | {"variant": name}))

    return other


def parent(pattern):
    """Function of wildcards: the same file of the parent variant."""
    return lambda wildcards: pattern.format(**(dict(wildcards) | {"variant": STUDY.variants[wildcards.variant].parent}))


def life_cycle_factors():
    """Factors of the life cycle, with the downloads that the decision assumes."""
    return config["life_cycle"] | part(config["decision"], "downloads")


def energy_model():
    """Keys of `energy` that energy and emissions follow from; meters, budget and start change no result."""
    return part(config["energy"], *MODEL)
