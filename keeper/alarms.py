# SPDX-License-Identifier: AGPL-3.0-only
"""What a person should look at: raised once, and cleared once it is over."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from queue import Full, Queue

import httpx

log = logging.getLogger(__name__)

WEBHOOK_TIMEOUT_S = 5.0
CLOSING_S = 10.0
WAITING = 256


@dataclass(frozen=True)
class Alarm:
    """`name` says what it is about, and stays the same as long as it lasts; `text` is for a person."""

    name: str
    text: str


@dataclass(frozen=True)
class Notice:
    """An alarm that began or ended."""

    alarm: Alarm
    is_raised: bool

    def line(self) -> str:
        """For the log and the webhook."""
        return f"{'ALARM' if self.is_raised else 'over'} {self.alarm.name}: {self.alarm.text}"


class AlarmBoard:
    """Alarms that are on, by who reported them."""

    def __init__(self, *listeners: Callable[[Notice], None]) -> None:
        self.listeners = list(listeners)
        self._on: dict[str, dict[str, Alarm]] = {}

    def report(self, source: str, alarms: Iterable[Alarm]) -> None:
        """All alarms that `source` sees now: those that are new are raised, those that are gone cleared."""
        now = {alarm.name: alarm for alarm in alarms}
        before = self._on.get(source, {})
        self._on[source] = now
        for name in now.keys() - before.keys():
            self._tell(Notice(now[name], is_raised=True))
        for name in before.keys() - now.keys():
            self._tell(Notice(before[name], is_raised=False))

    def on(self) -> list[Alarm]:
        """Every alarm that is on."""
        return [alarm for alarms in self._on.values() for alarm in alarms.values()]

    def _tell(self, notice: Notice) -> None:
        log.log(logging.WARNING if notice.is_raised else logging.INFO, "%s", notice.line())
        for listener in self.listeners:
            listener(notice)


class Webhook:
    """Posts each notice as JSON, `{"text", "alarm", "raised"}`; chat services show the text. A failure is logged.

    It posts in a thread of its own: in a crash there is an alarm for every account that nobody takes over, and a slow
    service must not keep the keeper from taking over. Beyond `WAITING` notices the newest are in the log only.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = httpx.Client(timeout=WEBHOOK_TIMEOUT_S)
        self._waiting: Queue[Notice | None] = Queue(WAITING)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)
        self._thread.start()

    def __call__(self, notice: Notice) -> None:
        try:
            self._waiting.put_nowait(notice)
        except Full:
            log.warning("the webhook is too slow: not told of %s", notice.alarm.name)

    def close(self) -> None:
        """Posts what waits, for `CLOSING_S` at most."""
        end = time.monotonic() + CLOSING_S
        with contextlib.suppress(Full):
            self._waiting.put(None, timeout=CLOSING_S)
        self._thread.join(max(0.0, end - time.monotonic()))
        self._ending.set()
        self._http.close()

    def _run(self) -> None:
        while (notice := self._waiting.get()) is not None and not self._ending.is_set():
            self._post(notice)

    def _post(self, notice: Notice) -> None:
        body = {"text": f"Ouro keeper: {notice.line()}", "alarm": notice.alarm.name, "raised": notice.is_raised}
        try:
            self._http.post(self._url, json=body).raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # Not the address, which is a secret with most services.
            log.warning("the webhook failed: %s", type(error).__name__)
