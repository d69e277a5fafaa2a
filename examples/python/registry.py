"""Requests of an agent to its registry: private_key_jwt and DPoP over plain HTTP. Each tRPC procedure has a URL."""

import base64
import hashlib
import json
import os
import secrets
import time

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def digest(text: str) -> str:
    return base64url(hashlib.sha256(text.encode()).digest())


def load_key(file: str) -> ECKey:
    """Reads the private key in `file`. If there is none, creates one, which only the owner of the file may read."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if os.stat(file).st_mode & 0o077:
            raise PermissionError(f"{file} can be read or changed by other users; run: chmod 600 {file}") from None
        with open(file, encoding="utf-8") as saved:
            return ECKey.import_key(json.load(saved))
    key = ECKey.generate_key("P-256", private=True)
    with os.fdopen(descriptor, "w", encoding="utf-8") as created:
        json.dump(key.as_dict(private=True), created)
    return key


def public_jwk(key) -> dict:
    return {name: value for name, value in key.as_dict(private=False).items() if name in ("kty", "crv", "x", "y")}


def sign(typ: str, claims: dict, key, header: dict | None = None) -> str:
    return jwt.encode({"typ": typ, "alg": "ES256", **(header or {})}, claims, key, algorithms=["ES256"])


class RegistryError(Exception):
    def __init__(self, status: int, reason: str, text: str):
        super().__init__(f"{reason}: {text}")
        self.status, self.reason = status, reason


class Registry:
    """One client of a registry. Its private key is never sent."""

    def __init__(self, issuer: str, client_id: str, key):
        self.issuer, self.client_id, self.key = issuer, client_id, key
        self.http = httpx.Client(timeout=10)  # httpx follows no redirect, so a token is never sent to another server
        self.nonce: str | None = None
        self.root: tuple[str, float] | None = None
        self.metadata = self.http.get(f"{issuer}/.well-known/oauth-authorization-server").json()
        # RFC 8414 §3.3: a malicious server could otherwise collect assertions that an honest registry accepts.
        if self.metadata["issuer"] != issuer:
            raise RegistryError(0, "invalid_client_metadata", f"the metadata names the issuer {self.metadata['issuer']}, not {issuer}")

    def confirm(self, registration_token: str) -> None:
        """Confirms the registration with this agent's key. The agent becomes active."""
        now = int(time.time())
        claims = {"aud": self.issuer, "iat": now, "exp": now + 120, "jti": secrets.token_urlsafe(16), "owner": self.client_id}
        proof = sign("credence-key-proof+jwt", claims, self.key, {"kid": self.key.thumbprint()})
        body = {"agentId": self.client_id, "registrationToken": registration_token, "jwk": public_jwk(self.key), "proof": proof}
        self._data(self.http.post(f"{self.issuer}/trpc/agents.confirm", json=body))

    def confirm_once(self, registration_token: str | None) -> None:
        """Confirms the registration, unless an earlier start has: then the registry knows the key."""
        try:
            self.root_token()
        except RegistryError as error:
            if error.reason != "invalid_client" or registration_token is None:
                raise
            self.confirm(registration_token)

    def query(self, path: str, **parameters):
        return self._call("GET", path, parameters)

    def mutate(self, path: str, **parameters):
        return self._call("POST", path, parameters)

    def exchange(self, audience: str, scope: str, **more: str) -> str:
        """Exchanges the root token for a token for one peer (RFC 8693)."""
        form = {"subject_token": self.root_token(), "subject_token_type": ACCESS_TOKEN, "audience": audience, "scope": scope, **more}
        return self._token({"grant_type": EXCHANGE, **form})["access_token"]

    def root_token(self) -> str:
        if self.root is None or self.root[1] < time.time():
            token = self._token({"grant_type": "client_credentials"})
            self.root = (token["access_token"], time.time() + token["expires_in"] - 30)
        return self.root[0]

    def credentials(self, method: str, url: str, token: str | None = None) -> dict[str, str]:
        """Returns the headers of one request: the token, and a proof for this request only (RFC 9449 §7)."""
        access = token or self.root_token()
        return {"authorization": f"DPoP {access}", "dpop": self.proof(method, url, ath=digest(access))}

    def proof(self, method: str, url: str, **more: str) -> str:
        claims = {"jti": secrets.token_urlsafe(16), "htm": method, "htu": url, "iat": int(time.time()), **more}
        return sign("dpop+jwt", claims, self.key, {"jwk": public_jwk(self.key)})

    def _call(self, method: str, path: str, parameters: dict):
        url = f"{self.issuer}/trpc/{path}"
        content = {"params": {"input": json.dumps(parameters)}} if method == "GET" else {"json": parameters}
        try:
            return self._data(self.http.request(method, url, headers=self.credentials(method, url), **content))
        except RegistryError as error:
            # A changed ceiling or a rotated key revokes the root token; a new one is issued under the new version.
            if error.reason != "invalid_token":
                raise
            self.root = None
            return self._data(self.http.request(method, url, headers=self.credentials(method, url), **content))

    def _token(self, form: dict) -> dict:
        url = self.metadata["token_endpoint"]
        # RFC 9449 §8: retry with the nonce of the error response. An assertion and a proof may be used once, so each attempt creates new
        # ones.
        for _ in range(2):
            now = int(time.time())
            claims = {"iss": self.client_id, "sub": self.client_id, "aud": self.issuer, "iat": now, "exp": now + 60}
            assertion = sign("client-authentication+jwt", {**claims, "jti": secrets.token_urlsafe(16)}, self.key)
            proof = self.proof("POST", url, **({"nonce": self.nonce} if self.nonce else {}))
            body = {**form, "client_assertion_type": JWT_BEARER, "client_assertion": assertion}
            response = self.http.post(url, data=body, headers={"dpop": proof})
            self.nonce = response.headers.get("dpop-nonce", self.nonce)
            if response.is_success:
                return response.json()
            if response.json()["error"] != "use_dpop_nonce":
                break
        problem = response.json()
        raise RegistryError(response.status_code, problem["error"], problem.get("error_description", ""))

    @staticmethod
    def _data(response: httpx.Response):
        body = response.json()
        if response.is_success:
            return body["result"]["data"]
        raise RegistryError(response.status_code, body["error"]["data"]["reason"], body["error"]["message"])
