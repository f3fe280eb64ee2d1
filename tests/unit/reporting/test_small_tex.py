"""An article where TeX is not installed, or only a part of it: one sentence that names Debian's packages."""

import re
import shutil
import subprocess

import pytest

from fairweight.core.components import SOURCES
from fairweight.core.errors import InputError
from fairweight.reporting.paper.article import ABSENT, INSTALL, PACKAGES, PROGRAMS, _problem, compile_article

NEEDS_TEX = pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason="no LaTeX here")


def refused(tmp_path, body="x", preamble=""):
    """The sentence about an article that does not compile."""
    (tmp_path / "made").mkdir(exist_ok=True)
    article = tmp_path / "article.tex"
    article.write_text(f"\\documentclass{{article}}\n{preamble}\n\\begin{{document}}\n{body}\n\\end{{document}}\n")
    with pytest.raises(InputError) as caught:
        compile_article(str(article), made=str(tmp_path / "made"), pdf=str(tmp_path / "article.pdf"))
    assert not (tmp_path / "article.pdf").exists()
    sentence = str(caught.value)
    assert "\n" not in sentence and len(sentence) < 290
    return sentence


@pytest.mark.parametrize(
    ("installed", "missing"), [([], "latexmk and lualatex, which are"), (["latexmk"], "lualatex, which is")]
)
def test_programs_that_are_not_installed(tmp_path, monkeypatch, installed, missing):
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in installed:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    assert refused(tmp_path) == f"the article needs {missing} not installed; {INSTALL}."


@NEEDS_TEX
@pytest.mark.parametrize(
    ("preamble", "name"),
    [
        (r"\usepackage{booktabs-that-is-not-there}", "booktabs-that-is-not-there.sty"),
        (r"\usepackage{fontspec}\setmainfont{NoSuchFont}", "NoSuchFont"),
        (r"\directlua{require('no_such_module')}", "no_such_module"),
    ],
)
def test_a_package_or_font_that_is_not_installed(tmp_path, preamble, name):
    assert refused(tmp_path, preamble=preamble).endswith(f"needs {name}, which this TeX does not have; {INSTALL}.")


@NEEDS_TEX
def test_a_mistake_in_the_article_names_its_line_and_no_packages(tmp_path):
    sentence = refused(tmp_path, body=r"\nosuchcommand")
    assert "article.tex:4: Undefined control sequence" in sentence and "apt-get" not in sentence


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("I can't find the format file `lualatex.fmt'!", "lualatex.fmt"),
        ("! LaTeX Error: File `a-very-long-name-of-a-package-whose-line-is-bro\nken.sty' not found.", "broken.sty"),
        ("! Font T1/cmr/m/n/10=ecrm1000 at 10.0pt not loadable: metric data not found", "ecrm1000"),
    ],
)
def test_what_tex_says_of_something_that_it_lacks(said, name):
    assert ABSENT.search(said) or ABSENT.search(said.replace("\n", ""))
    assert re.search(rf"needs \S*{re.escape(name)}, which this TeX does not have", _problem("article.tex", said, ""))


def test_makefile_readme_and_continuous_integration_name_the_same_packages():
    for name in ("Makefile", ".ci/run", "README.md"):
        text = re.sub(r"[\s\\]+", " ", (SOURCES / name).read_text())
        assert PACKAGES in text, name


def test_make_paper_names_the_packages_where_a_program_is_missing(tmp_path):
    options = ["-n", "--no-print-directory", "-o", ".venv/installed", f"SHELL={shutil.which('bash')}", "paper"]
    command, environment = [shutil.which("make"), *options], {"PATH": str(tmp_path)}
    done = subprocess.run(command, cwd=SOURCES, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "-- paper" in done.stdout and f"apt-get install --no-install-recommends {PACKAGES}" in done.stdout


def test_an_extra_that_does_not_exist_is_refused_with_those_that_do():
    done = subprocess.run(["make", "setup-txt"], cwd=SOURCES, capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "there is no extra 'txt'; there are: setup-text setup-llm" in done.stderr
