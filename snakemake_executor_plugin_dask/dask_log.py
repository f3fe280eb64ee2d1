"""Diverts messages of Dask's own processes into a file; what they mean for a run, the executor says in a sentence."""

import logging
from pathlib import Path

# Dask gives the first of them handlers for the terminal; the last ones report what happens in its event loop
LOGGERS = ("distributed", "distributed.client", "bokeh", "tornado", "tornado.application", "asyncio")
FORMAT = "%(asctime)s %(process)d %(name)s %(levelname)s %(message)s"


def divert(file: str) -> None:
    """Write the messages of Dask, and of the libraries below it, into a file; call it after Dask has been imported.

    Args:
        file: file to append to; it is made with the first message.
    """
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(file, delay=True, encoding="utf-8")
    handler.setFormatter(logging.Formatter(FORMAT))
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
