"""What has ended: the feed `GET /revocations` over a WebSocket, gone on with from where it was after every loss."""

import json
import threading
import time
from collections.abc import Callable

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from registry import Registry, RegistryError

PROTOCOL = "a2a-revocation.v1+json"
MAX_STALENESS = 1.0
FIRST_BACK_OFF, MAX_BACK_OFF = 0.1, 5.0


class Feed:
    def __init__(self, registry: Registry, tell: Callable[..., None]):
        self.registry, self.tell = registry, tell
        # Never forgotten here; `horizon` of an ending says from when on it could be.
        self.ended: set[str] = set()
        self.place: dict | None = None
        self.time = 0
        self.fresh_at = float("-inf")
        self.socket = None
        self.challenges = 0
        self.answered = -1
        self.changed = threading.Condition()
        self.syncing = threading.Lock()
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def at(self) -> int:
        return -1 if self.place is None else int(self.place["position"].rpartition(".")[2])

    def stands(self, on: set[str], at: int) -> bool | None:
        """Whether all of it stands; None where that is not known now and must not be guessed."""
        if self.ended & on:
            return False
        # One challenge at a time: who waited for another's may find that it was new enough.
        with self.syncing:
            if not self._is_fresh(at) and not (self._sync() and self._is_fresh(at)):
                return None
        return not self.ended & on

    def _is_fresh(self, at: int) -> bool:
        return time.monotonic() - self.fresh_at <= MAX_STALENESS and self.at >= at

    def _sync(self) -> bool:
        """A challenge: once it is answered, all that was acknowledged before it was sent is applied."""
        n, sent_at = self.challenges, time.monotonic()
        self.challenges += 1
        try:
            self._say(type="sync", n=n)
        except (AttributeError, WebSocketException):
            return False  # not connected
        with self.changed:
            if not self.changed.wait_for(lambda: self.answered >= n, timeout=MAX_STALENESS):
                return False
        self.fresh_at = sent_at
        return True

    def _say(self, **message) -> None:
        self.socket.send(json.dumps(message))

    def _run(self) -> None:
        back_off = FIRST_BACK_OFF
        while True:
            before = self.at
            try:
                self._follow()
            except (OSError, WebSocketException, httpx.HTTPError, RegistryError) as error:
                self.tell("feed lost", why=type(error).__name__)
            self.socket, self.registry.root = None, None
            back_off = FIRST_BACK_OFF if self.at > before else min(back_off * 2, MAX_BACK_OFF)
            time.sleep(back_off)

    def _follow(self) -> None:
        url, htu = self.registry.metadata["credence_revocations"], f"{self.registry.issuer}/revocations"
        headers = self.registry.credentials("GET", htu)
        with connect(url, subprotocols=[PROTOCOL], additional_headers=headers, compression=None) as socket:
            self.socket, expires_at = socket, float("inf")
            while True:
                try:
                    message = json.loads(socket.recv(timeout=max(1.0, min(expires_at - 60 - time.time(), 3600))))
                except TimeoutError:
                    # Before the token expires, another one for the same socket.
                    credentials = self.registry.credentials("GET", htu)
                    self._say(type="authenticate", token=credentials["authorization"][5:], proof=credentials["dpop"])
                    continue
                if message["type"] == "hello":
                    if expires_at == float("inf"):
                        self._say(type="subscribe", **({"from": self.place} if self.place else {}))
                        self.tell("feed", how="resumed" if self.place else "snapshot", at=self.at)
                    expires_at = message["expiresAt"]
                elif not self._take(message):
                    return

    def _take(self, message: dict) -> bool:
        """False: connect again, from the place that is known for sure."""
        kind = message["type"]
        if kind == "ended":
            # Ahead of the `events` that has no room for it: it has ended, whatever becomes of this socket.
            self.ended |= {one["handle"] for one in message["ended"]}
        elif kind == "events":
            epoch = self.place["position"].rpartition(".")[0] if self.place else None
            if message["epoch"] != epoch or message["prev"] > self.at:
                return False
            if message["last"] > self.at:
                self._merge(message, {"position": f"{epoch}.{message['last']}", "hash": message["hash"]})
        elif kind == "snapshot":
            # Merged, never replaced: what had ended stays ended, whatever history this registry shows.
            is_last = message["part"] + 1 == message["parts"]
            self._merge(message, message["asOf"] if is_last else self.place)
        elif kind == "synced":
            with self.changed:
                self.answered = max(self.answered, message["n"])
                self.changed.notify_all()
        elif kind in ("reset", "snapshot_required"):
            self._say(type="subscribe")
        else:
            return False
        return True

    def _merge(self, message: dict, place: dict | None) -> None:
        self.ended |= {one["handle"] for one in message["ended"]}
        self.time = max(self.time, message["time"])
        self.place = place
