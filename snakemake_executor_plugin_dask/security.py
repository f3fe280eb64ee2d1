"""Who may use the cluster of a run: TLS with certificates of the run itself, and no pages that nobody asked for.

Whatever is sent to a Dask scheduler, worker or nanny is executed. Dask itself asks nobody who they are, so that on a
shared machine every user could run code as the one who started the run. With TLS on both sides, only a process that
has the run's key is answered.
"""

from typing import Any

import dask
from distributed import Scheduler, Security, Worker
from distributed.comm import inproc
from distributed.comm.addressing import parse_address
from distributed.http.routing import RoutingApplication
from snakemake_interface_common.exceptions import WorkflowError
from tornado.httpserver import HTTPServer

TLS = "tls"
SETTING = "distributed.comm.require-encryption"
VARIABLE = "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"


def certificates() -> Security:
    """Certificates for a cluster that the run starts: those of Dask's configuration, else new ones, kept in memory."""
    if dask.config.get("distributed.comm.tls.ca-file", None):
        return Security(require_encryption=True)
    return Security.temporary()


def check_scheme(address: str, source: str) -> None:
    """Refuse a scheduler that executes what anybody sends, unless Dask's configuration allows it.

    A client trusts its scheduler as much: it unpickles the answers. Another user may listen at an address at which no
    scheduler runs any more.

    Args:
        address: Dask's address of the scheduler.
        source: the option that it comes from, for the message.

    Raises:
        WorkflowError: the connection would not be encrypted; one sentence.
    """
    if not _encrypted(address) and dask.config.get(SETTING, None) is not False:
        raise WorkflowError(
            f"dask: {source}: the scheduler at {address} runs code from everyone who can reach it; use TLS (a tls:// "
            f"address, see the README of the executor), or set {VARIABLE}=false where nobody else can reach it."
        )


def check_certificates(address: str, source: str) -> None:
    """Check that Dask's configuration names certificates that can be read, if an address needs them.

    Raises:
        WorkflowError: it does not; one sentence.
    """
    try:
        if not _encrypted(address) or Security().get_connection_args("client").get("ssl_context"):
            return
        reason = "none are named"
    except OSError as error:  # of SSL as well
        reason = f"they cannot be read: {error.strerror or error}"
    raise WorkflowError(
        f"dask: {source}: {address} needs certificates in Dask's configuration, and {reason}; see the README of the "
        "executor."
    )


def _encrypted(address: str) -> bool:
    scheme, _ = parse_address(address)
    return bool(scheme == TLS)


class _Pageless:
    """Part of a Dask server, which would serve pages without a password, even with its dashboard switched off."""

    def start_http_server(self: Any, routes: Any, *_: Any, **__: Any) -> None:
        """Prepare a server of pages that listens nowhere; called by Dask."""
        self.http_application = RoutingApplication(routes)
        self.http_server = HTTPServer(self.http_application)


class ClosedScheduler(_Pageless, Scheduler):  # type: ignore[misc]
    """A scheduler that serves pages only at an address that was asked for.

    A client in its own process reaches it at an address without sockets and without encryption.
    """

    async def start_unsafe(self) -> Any:
        """Listen to this process as well; called by Dask."""
        started = await Scheduler.start_unsafe(self)
        # the address needs no number of this machine, for which Dask would open a socket to another one
        inproc.global_manager._ip = "127.0.0.1"
        await self.listen("inproc://")
        return started

    @property
    def own_process_address(self) -> str:
        """Address for clients in this process."""
        return str(self.listeners[-1].contact_address)

    def start_http_server(self, routes: Any, dashboard_address: Any, *args: Any, **kwargs: Any) -> None:
        """Serve pages if the run has asked for them; called by Dask."""
        start = _Pageless.start_http_server if dashboard_address is None else Scheduler.start_http_server
        start(self, routes, dashboard_address, *args, **kwargs)


class ClosedWorker(_Pageless, Worker):  # type: ignore[misc]
    """A worker that serves no pages."""


WORKER_CLASS = f"{ClosedWorker.__module__}.{ClosedWorker.__name__}"
