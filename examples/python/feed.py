"""The revocation feed (GET /revocations) over a WebSocket. After a lost connection the feed resumes from its position."""

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
    def __init__(self, registry: Registry, log: Callable[..., None]):
        self.registry, self.log = registry, log
        # This example never removes a handle; a handle may be removed ten seconds after its `horizon`.
        self.ended: set[str] = set()
        self.position: dict | None = None
        self.time = 0
        self.fresh_at = float("-inf")
        self.socket = None
        self.challenges = 0
        self.last_answered = -1
        self.changed = threading.Condition()
        self.syncing = threading.Lock()
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def seq(self) -> int:
        return -1 if self.position is None else int(self.position["position"].rpartition(".")[2])

    def stands(self, depends_on: set[str], at: int) -> bool | None:
        """Returns True if none of the handles has ended, False if one has, and None if the feed cannot tell now."""
        if self.ended & depends_on:
            return False
        # One challenge is in flight at a time. After waiting for another thread's challenge, the set may be fresh enough.
        with self.syncing:
            if not self._is_fresh(at) and not (self._sync() and self._is_fresh(at)):
                return None
        return not self.ended & depends_on

    def _is_fresh(self, at: int) -> bool:
        return time.monotonic() - self.fresh_at <= MAX_STALENESS and self.seq >= at

    def _sync(self) -> bool:
        """Sends a challenge. Once it is answered, every revocation acknowledged before it was sent has been applied."""
        n, sent_at = self.challenges, time.monotonic()
        self.challenges += 1
        try:
            self._send(type="sync", n=n)
        except (AttributeError, WebSocketException):
            return False  # not connected
        with self.changed:
            if not self.changed.wait_for(lambda: self.last_answered >= n, timeout=MAX_STALENESS):
                return False
        self.fresh_at = sent_at
        return True

    def _send(self, **message) -> None:
        self.socket.send(json.dumps(message))

    def _run(self) -> None:
        back_off = FIRST_BACK_OFF
        while True:
            before = self.seq
            try:
                self._follow()
            except (OSError, WebSocketException, httpx.HTTPError, RegistryError) as error:
                self.log("feed lost", error=type(error).__name__)
            self.socket, self.registry.root = None, None
            back_off = FIRST_BACK_OFF if self.seq > before else min(back_off * 2, MAX_BACK_OFF)
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
                    # The token of this socket expires soon: authenticate again with a new one.
                    credentials = self.registry.credentials("GET", htu)
                    self._send(type="authenticate", token=credentials["authorization"][5:], proof=credentials["dpop"])
                    continue
                if message["type"] == "hello":
                    if expires_at == float("inf"):
                        self._send(type="subscribe", **({"from": self.position} if self.position else {}))
                        self.log("feed", start="resumed" if self.position else "snapshot", seq=self.seq)
                    expires_at = message["expiresAt"]
                elif not self._receive(message):
                    return

    def _receive(self, message: dict) -> bool:
        """Returns False if the connection must be dropped. The next connection subscribes from the applied position."""
        kind = message["type"]
        if kind == "ended":
            # These handles belong to the next `events` message. They have ended even if the connection is lost before it.
            self.ended |= {ending["handle"] for ending in message["ended"]}
        elif kind == "events":
            epoch = self.position["position"].rpartition(".")[0] if self.position else None
            if message["epoch"] != epoch or message["prev"] > self.seq:
                return False
            if message["last"] > self.seq:
                self._merge(message, {"position": f"{epoch}.{message['last']}", "hash": message["hash"]})
        elif kind == "snapshot":
            # The set is merged and never replaced: an ended handle stays ended, whatever history this registry shows.
            is_last = message["part"] + 1 == message["parts"]
            self._merge(message, message["asOf"] if is_last else self.position)
        elif kind == "synced":
            with self.changed:
                self.last_answered = max(self.last_answered, message["n"])
                self.changed.notify_all()
        elif kind in ("reset", "snapshot_required"):
            self._send(type="subscribe")
        else:
            return False
        return True

    def _merge(self, message: dict, position: dict | None) -> None:
        self.ended |= {ending["handle"] for ending in message["ended"]}
        self.time = max(self.time, message["time"])
        self.position = position
