"""Follows the feed of endings (subprotocol a2a-revocation.v1+json): what has ended, and how sure we are of it."""

import json
import threading

from registry import Registry
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


class Feed:
    def __init__(self, registry: Registry):
        self._registry = registry
        self.ended: set[str] = set()
        self.place: dict | None = None  # where we stand: the next connection goes on from here
        self._epoch: str | None = None
        self._socket = None
        self._challenges = 0
        self._waiting: dict[int, threading.Event] = {}
        self._ready = threading.Event()
        self._closed = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def wait_until_ready(self, seconds: float) -> bool:
        return self._ready.wait(seconds)

    def sync(self, seconds: float = 1.0) -> bool:
        """True once everything that was acknowledged before this call is applied; False where that is not known in time."""
        number, answered = self._challenges, threading.Event()
        self._challenges += 1
        self._waiting[number] = answered
        try:
            self._say({"type": "sync", "n": number})
            return answered.wait(seconds)
        except (ConnectionClosed, OSError, AttributeError):
            return False
        finally:
            del self._waiting[number]

    def cut(self) -> None:
        """Loses the connection, as networks do; it comes back by itself."""
        self._socket.close()

    def _say(self, message: dict) -> None:
        self._socket.send(json.dumps(message))

    def _run(self) -> None:
        url = self._registry.metadata["credence_revocations"]
        address = url.replace("ws", "http", 1)
        while not self._closed.is_set():
            try:
                headers = self._registry.headers("GET", address)
                with connect(url, additional_headers=headers, subprotocols=["a2a-revocation.v1+json"]) as self._socket:
                    for text in self._socket:
                        self._receive(json.loads(text))
            except (ConnectionClosed, OSError):
                pass
            self._closed.wait(0.2)

    def _receive(self, message: dict) -> None:
        match message["type"]:
            case "hello":
                self._say({"type": "subscribe", **({"from": self.place} if self.place else {})})
            case "snapshot":  # merged, never replaced: what ended stays ended
                self.ended.update(one["handle"] for one in message["ended"])
                if message["part"] + 1 == message["parts"]:
                    self._took(message["place"])
            case "events":
                epoch, seq = self.place["position"].rsplit(".", 1)
                if message["epoch"] != epoch or message["prev"] > int(seq):
                    self._socket.close()  # a gap: once more, from where we are
                    return
                self.ended.update(one["handle"] for one in message["ended"])
                self._took({"position": f"{epoch}.{message['last']}", "hash": message["hash"]})
            case "synced":
                self._ready.set()
                if message["n"] in self._waiting:
                    self._waiting[message["n"]].set()
            case "reset" | "snapshot_required":
                self._say({"type": "subscribe"})
            case _:
                self._socket.close()

    def _took(self, place: dict) -> None:
        self.place = place
        self._ready.set()
