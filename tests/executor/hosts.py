"""Simulates several hosts on this machine: network namespaces that a bridge in another namespace connects."""

import contextlib
import os
import shutil
import subprocess
import uuid


def missing() -> str:
    """Why this machine cannot simulate hosts; empty if it can."""
    if not shutil.which("ip"):
        return "no ip (Debian: iproute2)"
    probe = f"probe{uuid.uuid4().hex[:6]}"
    made = subprocess.run(["ip", "netns", "add", probe], check=False, capture_output=True).returncode == 0
    subprocess.run(["ip", "netns", "delete", probe], check=False, capture_output=True)
    return "" if made and os.geteuid() == 0 else "network namespaces need root"


class Host:
    """A host with one network card."""

    def __init__(self, network: str, number: int) -> None:
        self.name = f"{network}h{number}"
        self.address = f"10.213.7.{number + 1}"
        self.port = f"{network}p{number}"
        self.switch = f"{network}sw"

    @property
    def prefix(self) -> list[str]:
        """Prefix of a command that should run on the host."""
        return ["ip", "netns", "exec", self.name]

    def cut(self) -> None:
        """Disconnect the host: packets are lost without notice."""
        _ip("-n", self.switch, "link", "set", self.port, "down")

    def join(self) -> None:
        """Connect the host again."""
        _ip("-n", self.switch, "link", "set", self.port, "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextlib.contextmanager
def hosts(count: int):
    """Create hosts that are connected to each other; yields them."""
    network = f"fw{uuid.uuid4().hex[:4]}"
    created = [Host(network, number) for number in range(count)]
    namespaces = [f"{network}sw", *(host.name for host in created)]
    try:
        for namespace in namespaces:
            _ip("netns", "add", namespace)
            _ip("-n", namespace, "link", "set", "lo", "up")
        _ip("-n", f"{network}sw", "link", "add", "bridge", "type", "bridge")
        _ip("-n", f"{network}sw", "link", "set", "bridge", "up")
        for host in created:
            _ip("-n", host.name, "link", "add", "card", "type", "veth", "peer", "name", host.port, "netns", host.switch)
            _ip("-n", host.switch, "link", "set", host.port, "master", "bridge", "up")
            _ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", "card")
            _ip("-n", host.name, "link", "set", "card", "up")
        yield created
    finally:
        for namespace in namespaces:
            subprocess.run(["ip", "netns", "delete", namespace], check=False, capture_output=True)
