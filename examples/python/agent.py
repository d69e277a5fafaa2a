"""An agent of a Credence registry in Python, with public libraries only. README.md in this folder says how to run it.

AGENT='{"issuer": …, "agentId": …, "registrationToken": …}' python agent.py

The agent creates a key at its first start and keeps it in a file (`keyFile`, default `<agentId>.key.json`). It confirms its registration, publishes a card with one skill that is not public, follows the revocation feed
and serves verified requests. With `"find"` and `"scope"` in AGENT it also searches for a peer by that text, requests an introduction,
exchanges a token and calls the peer.
"""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from card import publish
from feed import Feed
from registry import Registry, load_key
from verifier import Refused, Verifier

SCOPE = "translate:text"
MAX_BODY = 1_000_000


def log(event: str, **more) -> None:
    """Prints one line of JSON for each event."""
    print(json.dumps({"event": event, **more}), flush=True)


def main() -> None:
    config = json.loads(os.environ["AGENT"])
    key = load_key(config.get("keyFile", f"{config['agentId']}.key.json"))
    registry = Registry(config["issuer"], config["agentId"], key)
    registry.confirm_once(config.get("registrationToken"))
    server = ThreadingHTTPServer(("127.0.0.1", config.get("port", 0)), Handler)
    public_url = config.get("publicUrl", f"http://127.0.0.1:{server.server_port}")
    published = publish(registry, card_at(f"{public_url}/a2a", registry.issuer), non_public={"translate-contract": "introduced"})
    log("published", version=published["version"], verdict=published["verdict"]["state"])
    server.verifier = Verifier(registry, Feed(registry, log), f"{registry.issuer}/agents/{registry.client_id}", public_url)
    if "find" in config:
        call_peer(registry, config["find"], config["scope"])
    log("listening", port=server.server_port)
    server.serve_forever()


def call_peer(registry: Registry, text: str, scope: str) -> None:
    """Finds a peer, waits for an introduction to it, then calls it with a token for this peer, scope and task."""
    [peer, *_] = registry.query("discovery.search", text=text)["hits"]
    introduction = registry.mutate("introductions.request", to=peer["agentId"], purpose="translate what it reads", scopes=[scope])
    while introduction["state"] == "pending":
        time.sleep(0.2)
        introduction = registry.query("introductions.get", introductionId=introduction["introductionId"])
    log("introduced", state=introduction["state"], to=peer["agentId"])
    task = registry.mutate("tasks.create", description="read one page")
    token = registry.exchange(peer["audience"], scope, task_id=task["taskId"])
    headers = {**registry.credentials("POST", peer["endpoint"], token), "content-type": "text/plain"}
    response = httpx.post(peer["endpoint"], headers=headers, content="page 1")
    registry.mutate("tasks.end", taskId=task["taskId"])
    log("called", status=response.status_code, body=response.text)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        if length > MAX_BODY:
            self.close_connection = True
            return self.respond(413, {"error": "too_large"}, {})
        body = self.rfile.read(length).decode()
        credentials = [self.headers.get_all(name, []) for name in ("authorization", "dpop")]
        try:
            claims = self.server.verifier.verify("POST", self.path.partition("?")[0], *credentials, scope=SCOPE)
        except Refused as refused:
            return self.respond(refused.status, {"error": refused.error, "error_description": str(refused)}, refused.headers)
        except httpx.HTTPError:
            text = "cannot fetch the public keys of the registry; retry later"
            return self.respond(503, {"error": "standing_unknown", "error_description": text}, {"Retry-After": "1"})
        actors, act = [], claims.get("act")
        while act:
            actors.insert(0, act["sub"])
            act = act.get("act")
        seen = {"subject": claims["sub"], "actors": actors, "scopes": claims["scope"].split(), "task": claims.get("task_id"), "body": body}
        self.respond(200, seen, {})

    def respond(self, status: int, content: dict, headers: dict[str, str]) -> None:
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
