"""Files of hourly carbon intensity."""

from datetime import UTC, datetime

MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC).timestamp()


def by_hour(folder, values=(100, 200, 600), name="hours.csv"):
    path = folder / name
    path.write_text("hour,g_per_kwh\n" + "".join(f"2026-11-24T{h:02}:00Z,{v}\n" for h, v in enumerate(values)))
    return str(path)
