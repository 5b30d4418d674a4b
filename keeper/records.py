# SPDX-License-Identifier: AGPL-3.0-only
"""A file of everything that the keeper attempted and every alarm, one JSON object per line."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from keeper.alarms import Notice
from keeper.outcome import Outcome
from keeper.ports import Clock


class RecordFile:
    """Lines are appended and flushed at once. Whoever rotates the file moves it away; the next line makes a new one."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.clock = clock
        path.parent.mkdir(parents=True, exist_ok=True)

    def outcome(self, outcome: Outcome) -> None:
        """Append an outcome."""
        self._append({"kind": "outcome", **outcome.record()})

    def notice(self, notice: Notice) -> None:
        """Append an alarm that began or ended."""
        self._append(
            {"kind": "alarm", "alarm": notice.alarm.name, "raised": notice.is_raised, "text": notice.alarm.text}
        )

    def _append(self, record: dict[str, Any]) -> None:
        at = datetime.fromtimestamp(self.clock.time_s(), UTC).isoformat(timespec="milliseconds")
        with self.path.open("a") as file:
            file.write(json.dumps({"at": at.replace("+00:00", "Z"), **record}) + "\n")
