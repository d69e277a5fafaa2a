"""An agent of a Credence registry in Python, with stock libraries only. See README.md beside it.

AGENT='{"issuer": …, "agentId": …, "registrationToken": …}' python agent.py

It makes its key, confirms its registration, publishes a card with a hidden skill, follows what ends, and serves calls that it has checked.
With `"find"` and `"scope"` in AGENT it also finds a peer by that text, is introduced to it, exchanges a token for it and calls it.
"""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from card import publish
from feed import Feed
from registry import Registry, new_key
from verifier import Refused, Verifier

SCOPE = "translate:text"
MAX_BODY = 1_000_000


def tell(event: str, **more) -> None:
    """One JSON line per event."""
    print(json.dumps({"event": event, **more}), flush=True)


def main() -> None:
    told = json.loads(os.environ["AGENT"])
    registry = Registry(told["issuer"], told["agentId"], new_key())
    registry.confirm(told["registrationToken"])
    server = ThreadingHTTPServer(("127.0.0.1", told.get("port", 0)), Handler)
    public_url = told.get("publicUrl", f"http://127.0.0.1:{server.server_port}")
    published = publish(registry, card_at(f"{public_url}/a2a", registry.issuer), hidden={"translate-contract": "introduced"})
    tell("published", version=published["version"], verdict=published["verdict"]["state"])
    server.verifier = Verifier(registry, Feed(registry, tell), f"{registry.issuer}/agents/{registry.client_id}", public_url)
    if "find" in told:
        call_peer(registry, told["find"], told["scope"])
    tell("listening", port=server.server_port)
    server.serve_forever()


def call_peer(registry: Registry, text: str, scope: str) -> None:
    """Finds a peer, asks for an introduction and waits for it, then calls under a token for this one peer, scope and task."""
    [peer, *_] = registry.query("discovery.search", text=text)["hits"]
    asked = registry.mutate("introductions.request", to=peer["agentId"], purpose="translate what it reads", scopes=[scope])
    while asked["state"] == "pending":
        time.sleep(0.2)
        asked = registry.query("introductions.get", introductionId=asked["introductionId"])
    tell("introduced", state=asked["state"], to=peer["agentId"])
    task = registry.mutate("tasks.create", description="read one page")
    token = registry.exchange(peer["audience"], scope, task_id=task["taskId"])
    headers = {**registry.credentials("POST", peer["endpoint"], token), "content-type": "text/plain"}
    answer = httpx.post(peer["endpoint"], headers=headers, content="page 1")
    registry.mutate("tasks.end", taskId=task["taskId"])
    tell("called", status=answer.status_code, answer=answer.text)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        if length > MAX_BODY:
            self.close_connection = True
            return self.answer(413, {"error": "too_large"}, {})
        body = self.rfile.read(length).decode()
        credentials = [self.headers.get_all(name, []) for name in ("authorization", "dpop")]
        try:
            claims = self.server.verifier.verify("POST", self.path.partition("?")[0], *credentials, scope=SCOPE)
        except Refused as refused:
            return self.answer(refused.status, {"error": refused.error, "error_description": str(refused)}, refused.headers)
        except httpx.HTTPError:
            return self.answer(503, {"error": "standing_unknown", "error_description": "no keys"}, {"Retry-After": "1"})
        actors, act = [], claims.get("act")
        while act:
            actors.insert(0, act["sub"])
            act = act.get("act")
        seen = {"subject": claims["sub"], "actors": actors, "scopes": claims["scope"].split(), "task": claims.get("task_id"), "body": body}
        self.answer(200, seen, {})

    def answer(self, status: int, content: dict, headers: dict[str, str]) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_) -> None:
        pass


def card_at(url: str, issuer: str) -> dict:
    def skill(id_: str, name: str) -> dict:
        return {"id": id_, "name": name, "description": f"{name}, sentence by sentence.", "tags": ["translate"]}

    flow = {"tokenUrl": f"{issuer}/oauth/token", "scopes": {SCOPE: "translate a text", "translate:admin": "change glossaries"}}
    return {
        "name": "Python Polyglot",
        "description": "Translates texts, even Ελληνικά.",
        "version": "1.0.0",
        "supportedInterfaces": [{"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
        "capabilities": {"streaming": True},
        "securitySchemes": {"credence": {"oauth2SecurityScheme": {"flows": {"clientCredentials": flow}}}},
        "securityRequirements": [{"schemes": {"credence": {"list": [SCOPE]}}}],
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [skill("translate-text", "Translate a text"), skill("translate-contract", "Translate a contract")],
    }


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(0)
