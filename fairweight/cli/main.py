"""The command `fairweight`."""

import argparse
import contextlib
import os
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from fairweight.cli import interrupt  # noqa: F401 - before all other modules, whose import takes a while
from fairweight.cli.parser import Parser, above_zero, at_least_zero, one_of, parse, whole
from fairweight.cli.run import Options, read_study, run_study
from fairweight.cli.stored_study import check_answer, warn_of_another
from fairweight.cli.study_path import chosen_study
from fairweight.cli.verify import verify_study
from fairweight.core.components import WORKFLOW
from fairweight.core.errors import InputError, file_problem
from fairweight.study.schema import resolve
from fairweight.study.study import Study

STUDY_HELP = "the study file (default: that of the default study, in a folder without study files)"
RUN_HELP = (
    "Run a study to its report, in the current folder. A killed run is resumed, and finished steps are not repeated."
)
INIT_HELP = (
    "Write a commented study file for a table: delimited text, Parquet or a workbook. Guesses are marked CHECK; an "
    "existing file is never overwritten."
)
CONVERT_HELP = (
    "Convert a Keras, TensorFlow or TFLite model to ONNX, and compare both on random rows. TensorFlow runs in an "
    "environment of its own, which make setup-convert-keras creates (1.7 GB)."
)
VERIFY_HELP = (
    "Check every file of a study in the current folder: whether it is there, with the size and the checksum that its "
    "step recorded. The exit code is 1 if one is missing or damaged."
)
VERIFY_ARCHIVE_HELP = (
    "Recompute the checksums of an archive, and render its report again without training. This runs code from the "
    "archive."
)
PURGE_HELP = (
    "Delete every file of a study that holds single rows of its data: raw files, tables, splits, predictions, logs. "
    "Results and models stay; a later run makes the files again."
)
PAPERS_HELP = (
    "Write drafts of the documents of the EU AI Act (annexes IV and XI), datasheets and the NeurIPS checklist, filled "
    "from the results of a study, with a list of what a person must still write. They are no legal advice."
)
CHECK_HELP = (
    "Write a study file for a trained model and a table of test rows, run it in the current folder, and print which "
    "compressed version can ship."
)
REPRODUCE_HELP = "Run an archived study again in a clean folder, with the archive's own code, and report differences."


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's mistake ends in one sentence and exit code 1.

    Args:
        arguments: arguments of the command; None takes those of the process. What follows `--` goes to Snakemake.
    """
    _open_streams()
    own, further = list(sys.argv[1:] if arguments is None else arguments), []
    if "--" in own:
        own, further = own[: own.index("--")], own[own.index("--") + 1 :]
    parser, commands = command_parser(further)
    chosen = parse(parser, commands.choices, own)
    try:
        chosen.function(chosen)
        sys.stdout.flush()
    except InputError as error:
        sys.exit(f"fairweight: {error}")
    except KeyboardInterrupt:
        print("\nfairweight: cancelled.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # whoever reads the output has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if (sentence := file_problem(error)) is None:
            raise
        sys.exit(f"fairweight: {sentence}")


def command_parser(further: list[str]) -> tuple[Parser, Any]:
    """Make the parser of the command line.

    Args:
        further: arguments for Snakemake.

    Returns:
        The parser, and the action that holds the parsers of all commands, by name in `choices`.
    """
    parser = Parser(prog="fairweight", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands, further)
    reference = commands.add_parser("reference", help="print config/README.md from the schema and the components")
    reference.set_defaults(function=lambda _: print_reference())
    _add_init(commands)
    _add_check(commands, further)
    _add_convert(commands)
    _add_verify(commands)
    _add_purge(commands)
    _add_papers(commands)
    _add_archives(commands)
    shown = commands.add_parser("answer", help="print what a finished study says: which version can ship")
    shown.add_argument("study", nargs="?", type=Path, help=STUDY_HELP)
    shown.set_defaults(function=lambda a: print_answer(chosen_study(a.study, "answer")))
    _add_energy(commands)
    _add_about(parser, commands)
    return parser, commands


def _add_about(parser: argparse.ArgumentParser, commands: Any) -> None:
    """Add what is about the command itself."""
    parser.add_argument("--version", action="version", version=f"fairweight {metadata.version('fairweight')}")
    examine = commands.add_parser("doctor", help="say what is installed, what can be measured, and what to do about it")
    examine.set_defaults(function=lambda _: print_state())
    completion = commands.add_parser("completion", help="print a script that completes this command in a shell")
    completion.add_argument("shell", choices=["bash", "zsh", "tcsh"])
    completion.set_defaults(function=lambda a: print_completion(parser, a.shell))


def _open_streams() -> None:
    """Open standard streams that were closed: the next file that is opened would get their numbers and their output."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            with contextlib.suppress(OSError):
                os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
            setattr(sys, name, open(number, "r" if name == "stdin" else "w", closefd=False))  # noqa: SIM115


def _add_run(commands: Any, further: list[str]) -> None:
    run = commands.add_parser("run", help="run a study to its report", description=RUN_HELP)
    run.add_argument("study", nargs="?", type=Path, help=STUDY_HELP)
    run.add_argument("--seeds", type=whole, help="number of seeds, instead of the study's own")
    run.add_argument(
        "--carbon-budget",
        type=at_least_zero,
        metavar="GRAMS",
        help="start no step that is expected to exceed this budget in gCO2e",
    )
    run.add_argument(
        "--wait-for-green",
        type=Path,
        metavar="FORECAST",
        help="wait for the greenest start in a CSV file with the columns hour and g_per_kwh",
    )
    run.add_argument("--hours", type=above_zero, help="duration of the run in hours, to choose that start (1)")
    run.add_argument("--no-wait", action="store_true", help="start at once, whatever the study file says")
    run.epilog = "Arguments after `--` are passed to Snakemake: fairweight run study.yaml -- --dry-run"
    run.set_defaults(
        function=lambda a: run_named(
            a.study, Options(a.seeds, a.carbon_budget, a.wait_for_green, a.hours, not a.no_wait, further)
        )
    )


def _add_init(commands: Any) -> None:
    init = commands.add_parser("init", help="write a study file for your own table", description=INIT_HELP)
    init.add_argument(
        "data", type=Path, help="the table: CSV or similar, also compressed; Parquet; .xlsx; a folder of parts"
    )
    init.add_argument("--target", required=True, help="column of the label")
    init.add_argument("--groups", nargs="*", default=[], help="columns of sensitive attributes, such as sex race age")
    init.add_argument("--positive", help="positive class of a label with two classes (default: the rarer one)")
    init.add_argument("--separator", help="text between two values: ';', ',', '|', tab or space (default: found)")
    init.add_argument("--sheet", help="sheet of a workbook that has several")
    init.add_argument("--no-header", action="store_true", help="there is no header line: columns are column_1 ...")
    init.add_argument(
        "--names", nargs="+", default=[], metavar="NAME", help="names of all columns of a table without a header line"
    )
    init.add_argument("--output", type=Path, help="file to write (default: the name of the table, .yaml)")
    init.set_defaults(function=init_study)


def _add_convert(commands: Any) -> None:
    convert = commands.add_parser(
        "convert", help="convert a Keras or TensorFlow model to ONNX", description=CONVERT_HELP
    )
    convert.add_argument("model", type=Path, help=".keras, .h5 or .tflite file, or the folder of a SavedModel")
    convert.add_argument("onnx", type=Path, help="ONNX file to write")
    convert.add_argument("--opset", type=one_of(*range(13, 19)), default=18, help="version of the operators (18)")
    convert.add_argument("--signature", help="signature of a SavedModel (default: serving_default, or the only one)")
    convert.set_defaults(function=convert_model)


def _add_check(commands: Any, further: list[str]) -> None:
    check = commands.add_parser(
        "check", help="say which compressed version of a model can ship", description=CHECK_HELP
    )
    check.add_argument("model", type=Path, help="ONNX file; or weights in safetensors, with --module")
    check.add_argument(
        "--data", type=Path, required=True, help="test rows: CSV or similar with a header line, or images (IDX)"
    )
    check.add_argument("--target", required=True, help="column of the label")
    check.add_argument("--groups", nargs="*", default=[], help="columns of sensitive attributes, such as sex race age")
    check.add_argument("--calibration", type=Path, help="training rows, to calibrate and to train on")
    check.add_argument(
        "--reference",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="what the original returns: probability of the positive class, probabilities of all classes, or the class",
    )
    check.add_argument("--positive", help="positive class of two (default: the second one in sorted order)")
    check.add_argument(
        "--inputs", nargs="+", default=[], metavar="COLUMN", help="columns that the model takes, in order"
    )
    check.add_argument(
        "--classes",
        nargs="+",
        default=[],
        metavar="CLASS",
        help="names of the classes in the order of the model's scores, or a file with them (JSON list, or lines)",
    )
    check.add_argument("--module", metavar="MODULE:CALLABLE", help="function that builds the PyTorch module")
    check.add_argument("--tokenizer", type=Path, help="of a model for texts (default: tokenizer.json beside the model)")
    check.add_argument("--scale", type=above_zero, help="what pixels (0 to 255) are divided by, such as 255")
    check.add_argument("--mean", type=float, nargs="+", default=[], help="what is then subtracted, for each channel")
    check.add_argument("--std", type=above_zero, nargs="+", default=[], help="what is then divided by, per channel")
    check.add_argument("--output", type=Path, help="study file to write (default: the name of the model, .yaml)")
    check.epilog = "Arguments after `--` are passed to Snakemake."
    check.set_defaults(function=lambda a: check_trained_model(a, further))


def _add_verify(commands: Any) -> None:
    verify = commands.add_parser("verify", help="check every file of a study", description=VERIFY_HELP)
    verify.add_argument("study", nargs="?", type=Path, help=STUDY_HELP)
    verify.add_argument("--seeds", type=whole, help="number of seeds, instead of the study's own")
    verify.set_defaults(function=lambda a: verify_study(chosen_study(a.study, "verify"), a.seeds))


def _add_purge(commands: Any) -> None:
    purge = commands.add_parser("purge", help="delete all files that hold single rows", description=PURGE_HELP)
    purge.add_argument("study", nargs="?", type=Path, help=STUDY_HELP)
    purge.add_argument("--yes", action="store_true", help="delete; without it, print what would be deleted")
    purge.set_defaults(function=lambda a: purge_rows(chosen_study(a.study, "purge"), delete=a.yes))


def _add_papers(commands: Any) -> None:
    papers = commands.add_parser(
        "papers", help="draft documents that laws and reviewers ask for", description=PAPERS_HELP
    )
    papers.add_argument("study", nargs="?", type=Path, help=STUDY_HELP)
    papers.add_argument("--to", type=Path, help="folder to write to (default: papers in the results)")
    papers.set_defaults(function=lambda a: write_papers(chosen_study(a.study, "papers"), a.to))


def _add_archives(commands: Any) -> None:
    verify = commands.add_parser("verify-archive", help="check an archive", description=VERIFY_ARCHIVE_HELP)
    verify.add_argument("archive", type=Path, help="zip file, or the folder of an unpacked one")
    verify.add_argument("--into", type=Path, help="new folder to unpack to; by default a temporary one")
    verify.set_defaults(function=verify_archive)
    again = commands.add_parser("reproduce", help="run an archived study again and compare", description=REPRODUCE_HELP)
    again.add_argument("archive", type=Path, help="zip file, or the folder of an unpacked one")
    again.add_argument("--into", type=Path, required=True, help="clean folder to run in")
    again.add_argument(
        "--data", type=Path, default=Path(), help="folder from which `file:` sources are read (default: this one)"
    )
    again.add_argument(
        "--tolerance",
        type=at_least_zero,
        default=0.01,
        help="tolerance for means over seeds, where versions or machines differ (default 0.01)",
    )
    again.add_argument(
        "--this-workflow", action="store_true", help="run the workflow installed here, not the archive's own"
    )
    again.set_defaults(function=reproduce_archive)


def _add_energy(commands: Any) -> None:
    used = commands.add_parser("energy", help="report what a run used: its ledger, energy, carbon and break-even")
    used.add_argument("study", nargs="?", type=Path, help=STUDY_HELP)
    used.add_argument(
        "--in",
        dest="places",
        nargs="+",
        help="countries and cloud regions to compare with (default: energy: elsewhere of the study file)",
    )
    used.set_defaults(function=lambda a: print_energy(chosen_study(a.study, "energy"), a.places))
    when = commands.add_parser("when", help="propose the hours in which a run would emit least")
    when.add_argument("forecast", type=Path, help="CSV file with the columns hour and g_per_kwh, hour by hour")
    when.add_argument("--hours", type=above_zero, default=1.0, help="duration of the run in hours (1)")
    when.set_defaults(function=lambda a: print_window(a.forecast, a.hours))


def run_named(study: Path | None, options: Options) -> None:
    """Run a study; the default one is announced."""
    chosen = chosen_study(study, "run")
    if study is None:
        seeds = {} if options.seeds is None else {"seeds": options.seeds}
        planned = Study(resolve(read_study(chosen) | seeds))
        models = sum(len(planned.seeds_of(cell)) for cell in planned.cells)
        print(
            f"fairweight: no study file is given: running the default study ({models:,} models over "
            f"{len(planned.seeds)} seeds, with {len(planned.datasets)} datasets). For your own: fairweight run STUDY",
            flush=True,
        )
    run_study(chosen, options)


def init_study(parsed: argparse.Namespace) -> None:
    """Write a study file for a user's table."""
    from fairweight.cli.init import write_study_file  # noqa: PLC0415 - `run` needs none of it
    from fairweight.cli.table_form import Layout  # noqa: PLC0415

    written = write_study_file(
        parsed.data,
        target=parsed.target,
        groups=parsed.groups,
        positive=parsed.positive,
        output=parsed.output,
        layout=Layout(parsed.separator, tuple(parsed.names), False if parsed.no_header else None, parsed.sheet),
    )
    print(f"Wrote {written}. Check the lines marked CHECK, then run: fairweight run {written}")


def convert_model(parsed: argparse.Namespace) -> None:
    """Convert a model of Keras or TensorFlow to ONNX."""
    from fairweight.cli.convert import convert  # noqa: PLC0415 - `run` needs none of it

    convert(parsed.model, parsed.onnx, opset=parsed.opset, signature=parsed.signature)


def check_trained_model(parsed: argparse.Namespace, further: list[str]) -> None:
    """Write the study file of a trained model, run it, and print the answer."""
    from fairweight.cli.check import check_model  # noqa: PLC0415 - `run` needs none of it
    from fairweight.cli.check_inputs import Request  # noqa: PLC0415

    request = Request(**{name: value for name, value in vars(parsed).items() if name != "function"})
    if code := check_model(request, further):
        sys.exit(code)


def print_state() -> None:
    """Print what this machine and this environment can run; the exit code is 1 if a study cannot run."""
    from fairweight.cli.doctor import doctor  # noqa: PLC0415 - `run` needs none of it

    if not doctor():
        sys.exit(1)


def print_completion(parser: argparse.ArgumentParser, shell: str) -> None:
    """Print the completions of the command for a shell."""
    import shtab  # noqa: PLC0415 - `run` needs none of it

    print(shtab.complete(parser, shell))


def write_papers(study: Path, folder: Path | None) -> None:
    """Write the documents of a finished study in the current folder.

    Raises:
        InputError: it is not decided yet, or its results belong to another study.
    """
    from fairweight.reporting.legal.documents import write_documents  # noqa: PLC0415 - `run` needs no pandas
    from fairweight.study.folders import results_folder  # noqa: PLC0415

    written = read_study(study)
    config = resolve(written)
    results = Path(results_folder(config))
    check_answer(study, written, config, results)
    try:
        paths = write_documents(results, folder or results / "papers")
    except FileNotFoundError as error:
        raise InputError(
            f"{error.filename} is missing: the study is not finished; run: fairweight run {study}"
        ) from None
    print(*paths, sep="\n")
    print("These are drafts, and no legal advice. to-write.md lists what a person must still write.")


def print_answer(study: Path) -> None:
    """Print the answer of a study in the current folder.

    Raises:
        InputError: it is not decided yet, or its results belong to another study.
    """
    from fairweight.reporting.report.results import Results  # noqa: PLC0415 - `run` needs no pandas
    from fairweight.reporting.terminal import answer  # noqa: PLC0415
    from fairweight.study.folders import results_folder  # noqa: PLC0415

    written = read_study(study)
    config = resolve(written)
    results = results_folder(config)
    check_answer(study, written, config, Path(results))
    try:
        answer(Results.read(results), results)
    except FileNotFoundError as error:
        raise InputError(
            f"{error.filename} is missing: the study is not decided; run: fairweight run {study}"
        ) from None


def verify_archive(parsed: argparse.Namespace) -> None:
    """Check an archive and render its report again."""
    from fairweight.reporting.archive.rerunning import verify  # noqa: PLC0415 - `run` needs none of it

    verify(parsed.archive, parsed.into)


def reproduce_archive(parsed: argparse.Namespace) -> None:
    """Run an archived study again and compare."""
    from fairweight.reporting.archive.reproducing import reproduce  # noqa: PLC0415 - `run` needs none of it

    snakefile = WORKFLOW / "Snakefile" if parsed.this_workflow else None
    reproduce(parsed.archive, parsed.into, data=parsed.data, tolerance=parsed.tolerance, snakefile=snakefile)


def purge_rows(study: Path, *, delete: bool) -> None:
    """Delete the files of a study that hold rows, or print which they are."""
    from fairweight.cli.purge import purge_study  # noqa: PLC0415 - `run` needs none of it

    purge_study(study, delete=delete)


def print_reference() -> None:
    """Print the reference of all keys of a study file."""
    from fairweight.study.reference_docs import reference  # noqa: PLC0415 - `run` needs none of it

    print(reference(), end="")


def print_energy(study: Path, places: list[str] | None) -> None:
    """Print what a study in the current folder has used so far.

    Args:
        study: the study file.
        places: countries and cloud regions to compare with; None takes those of the study file.
    """
    from fairweight.energy.carbon_intensity import check  # noqa: PLC0415
    from fairweight.energy.energy_summary import account  # noqa: PLC0415 - `run` needs no pandas
    from fairweight.study.folders import results_folder  # noqa: PLC0415

    config = resolve(read_study(study))
    recipe = config["energy"] | ({"elsewhere": places} if places else {})
    check(recipe)
    planned = Study(config)
    warn_of_another(config, Path(results_folder(config)))
    replicates = [name for name in planned.variants if planned.replicate(name)]
    print(account(Path(results_folder(config)), recipe, batch=config["decision"]["batch"], replicates=replicates))


def print_window(path: Path, hours: float, now: datetime | None = None) -> None:
    """Print the greenest start from now on, and what it saves compared with a start now.

    Args:
        path: CSV file of hourly intensities.
        hours: duration of the run in hours.
        now: current time, for tests.
    """
    from fairweight.energy.hourly_intensity import upcoming  # noqa: PLC0415
    from fairweight.energy.start_window import greenest, windows  # noqa: PLC0415

    now = now or datetime.now(UTC)
    ahead = upcoming(path, now)
    first, best = windows(ahead, hours)[0], greenest(ahead, hours)
    immediately = "now" if first.start <= now else f"at {first.start:%Y-%m-%d %H:%M} UTC"
    start = immediately if best.start == first.start else f"at {best.start:%Y-%m-%d %H:%M} UTC"
    print(f"Start {start}: {best.g_per_kwh:.0f} gCO2e/kWh over {hours:g} h.")
    if best.start > first.start and first.g_per_kwh > 0:
        saved = 1 - best.g_per_kwh / first.g_per_kwh
        print(f"That is {saved:.0%} less than {immediately} ({first.g_per_kwh:.0f} gCO2e/kWh).")
