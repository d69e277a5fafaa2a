"""One agent's way to a Credence registry: OAuth without secrets, tRPC over plain HTTP."""

import json
import secrets
import time
from urllib.parse import quote

import httpx
from jose import Key

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Refused(Exception):
    """What the registry answered instead, with the reason by its name (docs/ERRORS.md)."""

    def __init__(self, reason: str, text: str):
        super().__init__(f"{reason}: {text}")
        self.reason = reason


class Registry:
    def __init__(self, issuer: str, agent_id: str, key: Key):
        self.issuer, self.agent_id, self.key = issuer, agent_id, key
        self.http = httpx.Client(timeout=10, follow_redirects=False)
        self.metadata = self.http.get(f"{issuer}/.well-known/oauth-authorization-server").json()
        if self.metadata["issuer"] != issuer:  # RFC 8414 section 3.3
            raise ValueError("the metadata are of another issuer")
        self._nonce: str | None = None
        self._root: tuple[str, float] | None = None

    def confirm(self, registration_token: str) -> None:
        """Enrols this agent's key: the first and only use of its registration token."""
        now = int(time.time())
        claims = {"aud": self.issuer, "iat": now, "exp": now + 120, "jti": secrets.token_urlsafe(16), "owner": self.agent_id}
        proof = self.key.sign_jwt({"typ": "credence-enrolment+jwt", "kid": self.key.thumbprint}, claims)
        body = {"agentId": self.agent_id, "registrationToken": registration_token, "jwk": self.key.public, "proof": proof}
        self._answer(self.http.post(f"{self.issuer}/trpc/agents.confirm", json=body))

    def root_token(self) -> str:
        """A token for the registry itself, kept until shortly before it expires."""
        if self._root is None or self._root[1] < time.time() + 30:
            body = self._token({"grant_type": "client_credentials"})
            self._root = (body["access_token"], time.time() + body["expires_in"])
        return self._root[0]

    def exchange(self, audience: str, scope: str, **more: str) -> str:
        """A token for one peer (RFC 8693)."""
        form = {"grant_type": EXCHANGE, "subject_token": self.root_token(), "subject_token_type": ACCESS_TOKEN}
        return self._token({**form, "audience": audience, "scope": scope, **more})["access_token"]

    def query(self, path: str, given: dict | None = None):
        url = f"{self.issuer}/trpc/{path}"
        headers = self.headers("GET", url)
        return self._answer(self.http.get(f"{url}?input={quote(json.dumps(given or {}))}", headers=headers))

    def mutate(self, path: str, given: dict | None = None):
        url = f"{self.issuer}/trpc/{path}"
        return self._answer(self.http.post(url, json=given or {}, headers=self.headers("POST", url)))

    def headers(self, method: str, url: str, token: str | None = None) -> dict[str, str]:
        """Token and proof for one request; the root token where none is given."""
        token = token or self.root_token()
        return {"Authorization": f"DPoP {token}", "DPoP": self.key.proof(method, url, token)}

    def _token(self, form: dict) -> dict:
        url = self.metadata["token_endpoint"]
        for _ in range(2):  # once more with the nonce that came with the refusal (RFC 9449 section 8)
            assertion = self.key.assertion(self.agent_id, self.issuer)
            answer = self.http.post(
                url,
                data={**form, "client_assertion_type": JWT_BEARER, "client_assertion": assertion},
                headers={"DPoP": self.key.proof("POST", url, nonce=self._nonce)},
            )
            self._nonce = answer.headers.get("dpop-nonce", self._nonce)
            body = answer.json()
            if answer.is_success:
                return body
            if body.get("error") != "use_dpop_nonce":
                break
        raise Refused(body["error"], body.get("error_description", ""))

    @staticmethod
    def _answer(answer: httpx.Response):
        body = answer.json()
        if answer.is_success:
            return body["result"]["data"]
        raise Refused(body["error"]["data"]["reason"], body["error"]["message"])
