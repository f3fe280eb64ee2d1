"""Hourly carbon intensities from Electricity Maps (standard library only).

https://portal.electricitymaps.com/docs/api: GET /v3/carbon-intensity/history?zone=... returns the last 24 hours.
The key is sent in one header of one request and is written nowhere.
"""

import http.client
import json
import math
import os
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fairweight.core.errors import InputError
from fairweight.core.recipes import ElectricityMaps
from fairweight.energy.hourly_intensity import Hour, read_hours, write_hours

KEY = "ELECTRICITYMAPS_API_KEY"  # environment variable
URL = "https://api.electricitymaps.com"
TIMEOUT_S = 20.0
LARGEST_BYTES = 1_000_000
PLACE = "energy: electricity_maps"
REFUSED = {
    401: f"the key in the environment variable {KEY} is refused",
    403: f"the key in the environment variable {KEY} is not for this zone",
    404: "there is no such zone",
    429: "too many requests were made with this key; try again later",
}


class _Unredirected(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: the header with the key would go to its target."""

    def redirect_request(self, *_: Any) -> None:
        return None


def fetch(zone: str, key: str, url: str = URL) -> list[Hour]:
    """Fetch the life-cycle intensities of the last hours in a zone, in order of time.

    Args:
        zone: zone of Electricity Maps, such as `DE`.
        key: API key.
        url: address of the service.

    Raises:
        InputError: the service cannot be reached, refuses the key, or gives an unexpected answer.
    """
    _check_address(url)
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked
        f"{url.rstrip('/')}/v3/carbon-intensity/history?{urllib.parse.urlencode({'zone': zone})}",
        headers={"auth-token": key, "User-Agent": "fairweight"},
    )
    try:
        with urllib.request.build_opener(_Unredirected).open(request, timeout=TIMEOUT_S) as answer:
            history = json.loads(answer.read(LARGEST_BYTES))
    except urllib.error.HTTPError as error:
        why = REFUSED.get(error.code, f"it answers with status {error.code}")
        raise InputError(f"{PLACE}: zone {zone!r}: {why}.") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
            reason = "its answer is not JSON"
        raise InputError(f"{PLACE}: {url} cannot be read ({reason}).") from None
    return _hours(history, zone)


def _check_address(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")):
        raise InputError(f"{PLACE}: url: {url!r}: the key is sent over https only (http to this machine itself).")


def _hours(answer: Any, zone: str) -> list[Hour]:
    """Full hours of an answer, each the mean of its parts, without those whose intensity is not known (null)."""
    try:
        rows = [
            Hour(_aware(row["datetime"]), float(row["carbonIntensity"]))
            for row in answer["history"]
            if row["carbonIntensity"] is not None
        ]
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{PLACE}: zone {zone!r}: the answer is not a history of carbon intensities.") from None
    if not rows or not all(math.isfinite(row.g_per_kwh) and row.g_per_kwh >= 0 for row in rows):
        raise InputError(f"{PLACE}: zone {zone!r}: the answer has no carbon intensities of 0 or more.")
    parts: dict[datetime, list[float]] = {}
    for row in sorted(rows, key=lambda hour: hour.start):
        parts.setdefault(row.start.replace(minute=0, second=0, microsecond=0), []).append(row.g_per_kwh)
    return [Hour(start, sum(values) / len(values)) for start, values in parts.items()]


def _aware(text: str) -> datetime:
    """A time in UTC.

    Raises:
        ValueError: it is not a time, or has no time zone.
    """
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:  # Python would take it for local time
        raise ValueError(text)
    return when.astimezone(UTC)


def _key() -> str:
    key = os.environ.get(KEY, "").strip()
    if not key:
        raise InputError(f"{PLACE}: the environment variable {KEY} is not set; put your key there.")
    if not (key.isascii() and key.isprintable()):  # the library's own error would print it
        raise InputError(f"{PLACE}: the environment variable {KEY} does not hold a valid key; check it.")
    return key


def update(recipe: ElectricityMaps, archive: Path) -> str:
    """Add the last hours to those that were fetched earlier.

    A study may take longer than the period that the service covers. The file therefore keeps the hours of each of the
    study's runs, and may have gaps.

    Args:
        recipe: `energy: electricity_maps` of the study file: `zone` and `url`.
        archive: CSV file with the hours (see `hourly_intensity.read_hours`).

    Returns:
        A sentence that says what was fetched.

    Raises:
        InputError: there is no key or no answer, and nothing was fetched earlier.
    """
    known = read_hours(archive, gaps=True) if archive.exists() else []
    zone = recipe["zone"]
    try:
        fresh = fetch(zone, _key(), recipe["url"])
    except InputError as error:
        if not known:
            raise
        return f"{error} The {len(known)} hours that were fetched earlier are used."
    together = {hour.start: hour for hour in (*known, *fresh)}
    write_hours(archive, [together[start] for start in sorted(together)])
    return f"{PLACE}: {len(fresh)} hours of zone {zone} were fetched."
