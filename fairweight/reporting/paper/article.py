"""Compile an article with latexmk, outside of the repository and without a shell."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from fairweight.core.artifacts import atomic
from fairweight.core.errors import InputError

SECONDS = 300  # a first run of LuaLaTeX lists the fonts of the machine
COMMAND = [
    "latexmk",
    "-lualatex",
    "-interaction=nonstopmode",
    "-halt-on-error",
    "-file-line-error",
    "-no-shell-escape",
    "-norc",
    "article.tex",
]
PROGRAMS = ("latexmk", "lualatex")
# Debian's packages that hold all that paper/article.tex takes; .ci/run and the Makefile name the same
PACKAGES = "latexmk texlive-luatex texlive-latex-recommended lmodern"
INSTALL = f"on Debian and Ubuntu: apt-get install --no-install-recommends {PACKAGES}"
# what LuaTeX says of a file, font, format or Lua module that the installed packages do not have
ABSENT = re.compile(
    r"File [`'](?P<file>[^'\n]+\.(?:sty|cls|def|fd|cfg))' not found|[Ff]ont \"(?P<font>[^\"\n]+)\" cannot be found"
    r"|can't find the format file [`'](?P<format>[^']+)'|module '(?P<module>[^']+)' not found"
    r"|Font \S+?=(?P<metric>\S+).* not loadable"
)
MISTAKE = re.compile(r"^[^\s:]*\.(?:tex|lua):\d+: .*$|^! .*$", re.MULTILINE)


def compile_article(article: str, *, made: str, pdf: str) -> None:
    """Compile an article that inputs the files of `write_paper`.

    Args:
        article: the LaTeX file.
        made: folder that `write_paper` filled.
        pdf: file to write.

    Raises:
        InputError: LaTeX or something of it is not installed, with Debian's packages; or it reports a mistake, with its
            first message.
    """
    if missing := [program for program in PROGRAMS if not shutil.which(program)]:
        verb = "is" if len(missing) == 1 else "are"
        raise InputError(f"the article needs {' and '.join(missing)}, which {verb} not installed; {INSTALL}.")
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "paper"
        shutil.copytree(made, place, ignore=shutil.ignore_patterns("*.usage.json", "article.pdf"))
        shutil.copy(article, place / "article.tex")
        try:
            done = subprocess.run(
                COMMAND, cwd=place, capture_output=True, text=True, errors="replace", check=False, timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            raise InputError(
                f"{article} does not compile within {SECONDS} s; look for an endless loop in it."
            ) from None
        log = (place / "article.log").read_text(errors="replace") if (place / "article.log").exists() else done.stdout
        if done.returncode:
            raise InputError(_problem(article, log, f"{done.stdout}\n{done.stderr}"))
        lost = sorted(set(re.findall(r"Missing character: There is no (\S+)", log)))
        if lost:
            print(
                f"The article lacks {' '.join(lost)}: "
                "install a font that has them (fonts-droid-fallback, fonts-symbola)."
            )
        with atomic(pdf) as temporary:
            shutil.copy(place / "article.pdf", temporary)


def _problem(article: str, log: str, output: str) -> str:
    """Why an article does not compile, in one sentence: what TeX lacks, or the first mistake."""
    unwrapped = log.replace("\n", "")  # TeX breaks its lines after 79 characters
    if absent := ABSENT.search(log) or ABSENT.search(unwrapped) or ABSENT.search(output):
        name = next(value for value in absent.groupdict().values() if value)
        return f"{article} needs {name}, which this TeX does not have; {INSTALL}."
    messages = MISTAKE.findall(log) or output.strip().splitlines()[-1:] or ["latexmk says nothing"]
    return f"{article} does not compile: {messages[0]}"
