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
MISTAKE = re.compile(r"^[^\s:]*\.(?:tex|lua):\d+: .*$|^! .*$", re.MULTILINE)


def compile_article(article: str, *, made: str, pdf: str) -> None:
    """Compile an article that inputs the files of `write_paper`.

    Args:
        article: the LaTeX file.
        made: folder that `write_paper` filled.
        pdf: file to write.

    Raises:
        InputError: LaTeX reports a mistake; with its first message.
    """
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "paper"
        shutil.copytree(made, place, ignore=shutil.ignore_patterns("*.usage.json", "article.pdf"))
        shutil.copy(article, place / "article.tex")
        done = subprocess.run(
            COMMAND, cwd=place, capture_output=True, text=True, errors="replace", check=False, timeout=SECONDS
        )
        log = (place / "article.log").read_text(errors="replace") if (place / "article.log").exists() else done.stdout
        if done.returncode:
            messages = MISTAKE.findall(log) or (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise InputError(f"{article} does not compile: {messages[0]}")
        lost = sorted(set(re.findall(r"Missing character: There is no (\S+)", log)))
        if lost:
            print(
                f"The article lacks {' '.join(lost)}: "
                "install a font that has them (fonts-droid-fallback, fonts-symbola)."
            )
        with atomic(pdf) as temporary:
            shutil.copy(place / "article.pdf", temporary)
