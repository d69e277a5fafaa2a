"""A whole agent with stock libraries: python agent.py <issuer> <agent id> <registration token> [<peer's agent id> <scope>]

It confirms its registration, publishes a card with one hidden skill, follows the feed of endings, approves whoever asks to be introduced,
and answers calls. With a peer it is introduced to it, exchanges its token and calls it. It writes one JSON object a line.
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from callee import Callee, Denied
from card import agent_card, release_policy, sd_jwt, signed_card
from feed import Feed
from jose import Key
from registry import Registry

SCOPE = "pages:count"
HIDDEN_SKILL = {"id": "count-words", "name": "Count words", "description": "Counts words too.", "tags": ["words"]}


def say(**facts) -> None:
    print(json.dumps(facts), flush=True)


def main(issuer: str, agent_id: str, registration_token: str, peer: str | None = None, scope: str | None = None) -> None:
    registry = Registry(issuer, agent_id, Key())
    registry.confirm(registration_token)
    say(did="confirmed")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_port}"
    publish(registry, f"{url}/a2a")

    feed = Feed(registry)
    if not feed.wait_until_ready(10):
        raise SystemExit("the feed cannot be had")
    Handler.callee = Callee(registry, feed, f"{issuer}/agents/{agent_id}", url, SCOPE)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    say(did="listening", url=f"{url}/a2a")

    if peer and scope:
        call_peer(registry, peer, scope)
    threading.Thread(target=approve_all, args=(registry,), daemon=True).start()
    for line in sys.stdin:  # `cut` loses the feed's connection; the end of the input ends the agent
        if line.strip() == "cut":
            feed.cut()
            say(did="cut", at=feed.place["position"])
    server.shutdown()


def publish(registry: Registry, url: str) -> None:
    next_ = registry.query("cards.next", {"agentId": registry.agent_id})
    card = agent_card(url, registry.issuer, SCOPE)
    published = registry.mutate(
        "cards.publish",
        {
            "agentId": registry.agent_id,
            "c0": json.dumps(signed_card(card, registry.key)),
            "sdJwt": sd_jwt(card, HIDDEN_SKILL, registry.key, next_, registry.agent_id),
            "releasePolicy": release_policy(card, registry.key, next_, registry.agent_id),
        },
    )
    say(did="published", version=published["version"], verdict=published["verdict"])


def call_peer(registry: Registry, peer: str, scope: str) -> None:
    """Asks for an introduction, waits for the answer, exchanges the token and calls."""
    asked = registry.mutate("introductions.request", {"to": peer, "purpose": "a call from Python", "scopes": [scope]})
    while asked["state"] == "pending":
        time.sleep(0.2)
        asked = registry.query("introductions.get", {"introductionId": asked["introductionId"]})
    say(did="introduced", state=asked["state"])
    hit = next(one for one in registry.query("discovery.search", {"text": "scanned documents"})["hits"] if one["agentId"] == peer)
    task = registry.mutate("tasks.create", {"description": "a call from Python"})
    token = registry.exchange(hit["audience"], scope, task_id=task["taskId"])
    answer = registry.http.post(hit["endpoint"], content="page 1", headers=registry.headers("POST", hit["endpoint"], token))
    say(did="called", status=answer.status_code, answer=answer.text)


def approve_all(registry: Registry) -> None:
    """Reads the inbox by position: after a restart it would go on from the last number it had handled."""
    last = 0
    while True:
        page = registry.query("introductions.inbox", {"after": last})
        for item in page["items"]:
            if item["kind"] == "requested" and item["to"] == registry.agent_id:
                registry.mutate("introductions.approve", {"introductionId": item["introductionId"]})
                say(did="approved", who=item["from"])
        last = page["last"]
        time.sleep(0.2)


class Handler(BaseHTTPRequestHandler):
    callee: Callee
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        try:
            claims = self.callee.admit("POST", self.path, self.headers.get("authorization"), self.headers.get("dpop"))
            self._send(200, {"pages": text.count("\f") + 1, "for": claims["sub"], "task": claims.get("task_id")})
        except Denied as denied:
            self._send(denied.status, {"error": denied.error})

    def _send(self, status: int, body: dict) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        if status in (401, 403):
            self.send_header("www-authenticate", f'DPoP error="{body["error"]}", algs="ES256"')
        if status == 503:
            self.send_header("retry-after", "1")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_args) -> None:
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
