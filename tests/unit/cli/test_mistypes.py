"""What new users mistype, and the sentence that each of them gets."""

import subprocess
import sys

import pandas as pd
import pytest
import yaml
from studies import DELETE, tiny

from fairweight.cli import run
from fairweight.cli.main import main
from fairweight.cli.snakemake_words import rules
from fairweight.core.components import WORKFLOW
from fairweight.core.errors import InputError
from fairweight.data.raw_rows import present

TEXT = yaml.safe_dump(tiny(), sort_keys=False)
BELONGS = "is not known here; it belongs to"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a study, in which a run that is not refused starts nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "_launch", lambda *_: None)
    (tmp_path / "study.yaml").write_text(TEXT)
    return tmp_path


def said(capsys, *arguments):
    """The sentence of a command that is refused."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    sentence = (caught.value.code if isinstance(caught.value.code, str) else capsys.readouterr().err).rstrip("\n")
    assert sentence.startswith("fairweight: ") and "\n" not in sentence and len(sentence) < 300
    return sentence.removeprefix("fairweight: ")


COMMANDS = {
    "run study": "there is no study file study (did you mean 'study.yaml'?).",
    "run studdy.yaml": "there is no study file studdy.yaml (did you mean 'study.yaml'?).",
    "run config/nope.yaml": "there is no study file config/nope.yaml; there are: study.yaml.",
    "answer stud.yaml": "there is no study file stud.yaml (did you mean 'study.yaml'?).",
    "verify stud.yaml": "there is no study file stud.yaml (did you mean 'study.yaml'?).",
    "energy stud.yaml": "there is no study file stud.yaml (did you mean 'study.yaml'?).",
    "run .": ". is a folder and no study file; name a file in it: study.yaml.",
    "run people.csv": "people.csv is a table and no study file; use it with: fairweight init people.csv --target "
    "COLUMN.",
    "run model.onnx": "model.onnx is a model and no study file; use it with: fairweight check model.onnx --data TABLE "
    "--target COLUMN.",
    "run report.html": "report.html is no study file, which is YAML; there are: study.yaml.",
    "run study.yaml --sead 3": "fairweight run has no option '--sead' (did you mean '--seeds'?); see fairweight run "
    "--help.",
    "run study.yaml --cores 2": "fairweight run has no option '--cores'; options of Snakemake follow after --, as in: "
    "fairweight run ... -- --cores 2; see fairweight run --help.",
    "run study.yaml other.yaml": "fairweight run takes no further argument, and got 'other.yaml'; see fairweight run "
    "--help.",
    "run study.yaml --seeds two": "--seeds: 'two' is not a whole number; see fairweight run --help.",
    "run study.yaml --seeds": "--seeds: expected one argument; see fairweight run --help.",
    "run study.yaml --carbon-budget lots": "--carbon-budget: 'lots' is not a number of at least 0; see fairweight run "
    "--help.",
    "run study.yaml -- --executor slrum": "--executor: there is no executor 'slrum' (did you mean 'slurm'?); installed "
    "are: local, dryrun, touch, dask, slurm",
    "run study.yaml -- --executor=dsk": "--executor: there is no executor 'dsk' (did you mean 'dask'?)",
    "run study.yaml -- papr": "'papr' after -- is no target (did you mean 'paper'?); targets are: all, power",
    "cheque study.yaml": "there is no command 'cheque' (did you mean 'check'?); there are: run, reference, init",
    "study.yaml": "there is no command 'study.yaml' (did you mean 'run study.yaml'?)",
    "completion bsh": "shell: 'bsh' is not one of bash, zsh, tcsh (did you mean 'bash'?); see fairweight completion "
    "--help.",
    "doctr": "there is no command 'doctr' (did you mean 'doctor'?)",
    "--verbose": "name a command before '--verbose': run, reference",
    "init people.csv": "the following arguments are required: --target; see fairweight init --help.",
    "": "name a command: run, reference, init",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_mistyped_command(place, capsys, command):
    for name in ("people.csv", "model.onnx", "report.html"):
        (place / name).write_text("a,b\n1,2\n")
    assert said(capsys, *command.split()).startswith(COMMANDS[command])


def test_a_profile_that_does_not_exist_is_suggested_by_its_path(place, capsys):
    sentence = said(capsys, "run", "study.yaml", "--", "--workflow-profile", "slrm")
    path = WORKFLOW / "profiles" / "slurm"
    assert sentence == f"--workflow-profile: there is no profile slrm (did you mean '{path}'?)."
    main(["run", "study.yaml", "--", "--profile", str(path), "--executor", "local"])


@pytest.mark.parametrize(
    "words",
    [
        "all",
        "power gate",
        "paper --forceall",
        "results/tiny/report/report.html",
        "-n odd",
        "--until trian",
        "--profile none",
    ],
)
def test_words_that_snakemake_understands_are_left_alone(place, monkeypatch, words):
    monkeypatch.setattr(run, "_become_snakemake", lambda *_: None)
    main(["run", "study.yaml", "--", *words.split()])


def test_targets_are_read_from_the_rules():
    assert {"all", "power", "gate", "paper", "article", "cards", "archive", "train", "fetch"} <= set(rules(WORKFLOW))


CHANGES = {
    "an unknown operation": (
        dict(variants__pruned50={"from": "dense", "prunning": {"method": "global_magnitude", "sparsity": 0.5}}),
        "variants: pruned50: the key 'prunning' is not known (did you mean 'prune'?); legal keys: from, train,",
    ),
    "an unknown method": (
        dict(variants__pruned50__prune={"method": "global_magnitud", "sparsity": 0.5}),
        "variants: pruned50: prune: pruning has no 'global_magnitud' (did you mean 'global_magnitude'?); it has: ",
    ),
    "an unknown architecture": (dict(models__mlp={"architecture": "mlpp"}), "models: mlp: architectures has no 'mlpp'"),
    "an unknown engine": (dict(engines=["onnx"]), "engines: engines has no 'onnx' (did you mean 'onnxruntime'?)"),
    "an unknown reader": (
        dict(datasets__adult__reader="csv"),
        "datasets: adult: reader: readers has no 'csv' (did you mean 'delimited'?); it has: delimited, idx,",
    ),
    "an unknown source": (
        dict(datasets__adult__files__train__sources=["htps://host/x.csv"]),
        "datasets: adult: files: train: sources has no 'htps' (did you mean 'https'?)",
    ),
    "a list of seeds": (
        dict(seeds=[0, 1, 2]),
        "seeds: [0, 1, 2] is not a whole number of at least 1 and at most 1,000; write how many seeds, such as 8, and "
        "not which.",
    ),
    "a number as text": (
        dict(seeds="8"),
        "seeds: '8' is not a whole number of at least 1 and at most 1,000; write it ",
    ),
    "a decimal comma": (
        dict(training__standard__learning_rate="0,001"),
        "training: standard: learning_rate: '0,001' is not a number above 0 and at most 1,000,000; numbers have a "
        "decimal point: write 0.001.",
    ),
    "a misspelt parent": (
        dict(variants__int8__from="dens"),
        "variants: int8: from: 'dens' is not a variant of this study (did you mean 'dense'?); there are: dense,",
    ),
    "a misspelt baseline": (
        dict(variants__dense__against="int"),
        "variants: dense: against: 'int' is not a variant of this study (did you mean 'int8'?); there are: dense,",
    ),
    "a misspelt attribute": (
        dict(criteria={"attributes": ["sexe"]}),
        "criteria: attributes: 'sexe' is not a group attribute of this study (did you mean 'sex'?); there are: age,",
    ),
    "a list where one name belongs": (
        dict(variants__int8__from=["dense"]),
        "variants: int8: from: ['dense'] is not text; give one value, without brackets.",
    ),
    "a name where a list belongs": (
        dict(grid=[{"dataset": "adult", "models": "mlp", "variants": ["dense"]}]),
        "grid: entry 1: models: 'mlp' is not a list; write [mlp].",
    ),
    "a key one level too deep": (
        dict(datasets__adult__inputs={"numeric": ["age"], "target": {"column": "income"}}),
        f"datasets: adult: inputs: the key 'target' {BELONGS} 'datasets: adult': check the indentation.",
    ),
    "a key of the top level": (
        dict(datasets__adult__seeds=3),
        f"datasets: adult: the key 'seeds' {BELONGS} the top level: check the indentation.",
    ),
    "a key one level too high": (
        dict(datasets__adult__numeric=["age"]),
        f"datasets: adult: the key 'numeric' {BELONGS} 'inputs', one level deeper.",
    ),
    "a key without a value": (
        dict(datasets__adult__inputs=None),
        "datasets: adult: inputs: has no value (null); give it a mapping with keys such as 'numeric' and",
    ),
    "a source with a blank": (
        dict(datasets__adult__files__train__sources=[{"file": "people.csv"}]),
        "datasets: adult: files: train: sources: entry 1: {'file': 'people.csv'} is not text; write a source such as "
        "file:data.csv or https://host/data.csv, without a blank after the colon.",
    ),
    "a misspelt choice": (
        dict(training__standard__optimizer="Adam"),
        "training: standard: optimizer: 'Adam' is not one of 'adam', 'adamw', 'sgd', 'lbfgs' (did you mean 'adam'?).",
    ),
    "a key that is missing": (
        dict(grid=DELETE),
        "top level: the key 'grid' is missing (the combinations that are run).",
    ),
}


@pytest.mark.parametrize("mistake", CHANGES)
def test_a_mistake_in_a_study_file(place, capsys, mistake):
    changes, sentence = CHANGES[mistake]
    (place / "study.yaml").write_text(yaml.safe_dump(tiny(**changes), sort_keys=False))
    assert said(capsys, "run", "study.yaml").startswith(f"study file: {sentence}")


TEXTS = {
    "a tab": ("seeds: 2", "\tseeds: 2", "this is not YAML; there is a tab, and YAML is indented with blanks only."),
    "wrong indentation": (
        "seeds: 2",
        "  seeds: 2",
        "this is not YAML; this line is indented further than the keys above it, whose value stands on their own line.",
    ),
    "a colon without quotes": (
        "title: Adult, first rows",
        "title: Adult: first rows",
        "this is not YAML; a value with a colon and a blank needs quotes around it.",
    ),
    "a key twice": ("seeds: 2", "seeds: 2\nseeds: 3", "the key 'seeds' occurs twice, first in line"),
}


@pytest.mark.parametrize("slip", TEXTS)
def test_a_slip_in_the_text_of_a_study_file(place, capsys, slip):
    before, after, sentence = TEXTS[slip]
    assert f"{before}\n" in TEXT
    (place / "study.yaml").write_text(TEXT.replace(f"{before}\n", f"{after}\n", 1))
    answer = said(capsys, "run", "study.yaml")
    assert answer.startswith("study.yaml, line ") and sentence in answer


def test_a_misspelt_column_is_suggested():
    frame = pd.DataFrame({"paid": [1], "sex": ["f"], "__file__": ["all"]})
    for name, near in (("payed", "paid"), ("Sex", "sex"), ("gender", None)):
        with pytest.raises(InputError) as caught:
            present(frame, name, "target")
        hint = f" (did you mean '{near}'?)" if near else ""
        assert str(caught.value) == f"target: column '{name}' is not in the data{hint}; the columns are: paid, sex"


def test_make_study_without_a_study_ends_in_the_sentence(tmp_path):
    code = "import sys; from fairweight.cli.main import main; main(sys.argv[1:])"
    command = [sys.executable, "-P", "-c", code, "run", "config/nope.yaml"]  # what `make study STUDY=...` runs
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == (
        "fairweight: there is no study file config/nope.yaml; write one with: fairweight init TABLE --target COLUMN.\n"
    )
