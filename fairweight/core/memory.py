"""Memory that is at hand, and steps that say before they start that they need more."""

from pathlib import Path

import psutil

from fairweight.core.errors import InputError

CGROUPS = Path("/sys/fs/cgroup")
PROCESS_CGROUPS = Path("/proc/self/cgroup")
# of each version: files of the limit and of the usage, and entries of `memory.stat` that the kernel can give back
VERSION_2 = ("memory.max", "memory.current", ("inactive_file", "active_file"))
VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file"))


def available_bytes() -> int:
    """Memory that this process can still take: of the machine, or of a control group that has less left."""
    left = int(psutil.virtual_memory().available)
    for folder, version in _control_groups():
        # the limit of a group holds for the groups inside it
        for group in (folder, *folder.parents):
            if not group.is_relative_to(CGROUPS):
                break
            of_group = _left_in(group, *version)
            left = left if of_group is None else min(left, of_group)
    return left


def _control_groups() -> list[tuple[Path, tuple[str, str, tuple[str, str]]]]:
    """Folders of the control groups of this process, and the names of their files."""
    try:
        lines = PROCESS_CGROUPS.read_text().splitlines()
    except OSError:  # no Linux
        return []
    groups = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            groups.append((CGROUPS / path.lstrip("/"), VERSION_2))
        elif "memory" in controllers.split(","):
            groups.append((CGROUPS / "memory" / path.lstrip("/"), VERSION_1))
    return groups


def _left_in(group: Path, limit: str, usage: str, given_back: tuple[str, str]) -> int | None:
    """Bytes below the limit of a control group; None without a limit."""
    try:
        most, used = (group / limit).read_text().strip(), int((group / usage).read_text())
        entries = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        cached = sum(int(entries.get(name, 0)) for name in given_back)
        return None if most == "max" else max(0, int(most) - used + min(cached, used))
    except (OSError, ValueError):
        return None


def check_memory(place: str, needed: float, what: str, remedy: str) -> None:
    """End a step that will not fit into memory before it does any work.

    Args:
        place: name of the step.
        needed: estimate of the bytes that it takes, beside what this process holds. It is rather too small than too
            large: what fits must not be refused.
        what: what takes them, such as "4,000,000 test rows of 24 models".
        remedy: what the user can do, as the end of a sentence.

    Raises:
        InputError: less is available.
    """
    available = available_bytes()
    if needed > available:
        raise InputError(
            f"{place} needs about {needed / 1e9:.1f} GB of memory for {what}, and {available / 1e9:.1f} GB are "
            f"available; {remedy}."
        )
