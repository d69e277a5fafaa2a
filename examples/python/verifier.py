"""Checks calls to this agent: token, proof with replay protection, audience, standing, freshness, scope (RFC 9449 §7)."""

import re
import threading
import time

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, import_key

from feed import Feed
from registry import Registry, digest

SKEW, PROOF_WINDOW, REREAD = 5, 60, 30


class Refused(Exception):
    def __init__(self, status: int, error: str, text: str):
        super().__init__(text)
        self.status, self.error = status, error

    @property
    def headers(self) -> dict[str, str]:
        if self.status == 503:
            return {"Retry-After": "1"}
        return {"WWW-Authenticate": f'DPoP error="{self.error}", algs="ES256 EdDSA"'}


def require(holds: bool, text: str) -> None:
    if not holds:
        raise Refused(401, "invalid_token", text)


class Verifier:
    def __init__(self, registry: Registry, feed: Feed, audience: str, public_url: str):
        self.registry, self.feed, self.audience, self.public_url = registry, feed, audience, public_url
        self.keys: dict[str, dict] = {}
        self.read_at = float("-inf")
        self.spent: dict[tuple[str, str], float] = {}
        self.lock = threading.Lock()

    def verify(self, method: str, path: str, authorization: list[str], dpop: list[str], scope: str) -> dict:
        """The claims of a token under which this request may be served."""
        found = re.fullmatch(r"DPoP ([A-Za-z0-9._~+/-]+=*)", authorization[0], re.IGNORECASE) if len(authorization) == 1 else None
        require(found is not None and len(dpop) == 1, "send one DPoP-bound token and one proof")
        try:
            claims, kid = self._token(found[1])
            jkt, jti, until = self._proof(dpop[0], method, path, found[1])
        except (JoseError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise Refused(401, "invalid_token", "token or proof is malformed or not signed by a key that counts") from error
        require(jkt == claims["cnf"]["jkt"], "the proof is by another key than the token is bound to")
        standing = claims["standing"]
        on = {*standing["dependsOn"], "tok:" + claims["jti"].removeprefix("tok_"), f"rk:{kid}"}
        stands = self.feed.stands(on, standing["at"])
        if stands is None:
            raise Refused(503, "standing_unknown", "it is not known now whether the token stands")
        require(stands, "the token no longer stands")
        require(self._spend((jkt, jti), until), "the DPoP proof was used before")
        if scope not in claims["scope"].split():
            raise Refused(403, "insufficient_scope", f"this call needs the scope {scope}")
        return claims

    def _token(self, text: str) -> tuple[dict, str]:
        kid = jws.extract_compact(text.encode()).headers()["kid"]
        key = self._key(kid)
        token = jwt.decode(text, key, algorithms=["ES256"])
        claims, now = token.claims, max(time.time(), self.feed.time)
        require(token.header["typ"] == "at+jwt" and key.thumbprint() == kid, "it is no access token")
        require(claims["iss"] == self.registry.issuer and claims["aud"] == self.audience, "it is for another audience")
        require(claims["iat"] <= now + SKEW and now < claims["exp"] <= claims["iat"] + 3600, "it has expired")
        return claims, kid

    def _key(self, kid: str):
        """The registry's token key of this name; an unknown one makes it read them again, not more often than every 30 s."""
        with self.lock:
            if kid not in self.keys and time.monotonic() - self.read_at >= REREAD:
                answer = self.registry.http.get(self.registry.metadata["jwks_uri"]).raise_for_status()
                self.keys = {jwk["kid"]: jwk for jwk in answer.json()["keys"] if jwk["credence_use"] == "token"}
                self.read_at = time.monotonic()
        return KeySet.import_key_set({"keys": [self.keys[kid]]}).keys[0]

    def _proof(self, text: str, method: str, path: str, token: str) -> tuple[str, str, float]:
        header = jws.extract_compact(text.encode()).headers()
        jwk = header["jwk"]
        require(header["typ"] == "dpop+jwt" and "d" not in jwk and jwk["kty"] in ("EC", "OKP"), "it is no proof")
        key = import_key({name: jwk[name] for name in ("kty", "crv", "x", "y") if name in jwk})
        claims = jwt.decode(text, key, algorithms=["ES256", "EdDSA"]).claims
        require(claims["htm"] == method and claims["htu"] == self.public_url + path, "the proof is for another request")
        require(abs(claims["iat"] - time.time()) <= PROOF_WINDOW, "the proof is too old")
        require(claims["ath"] == digest(token), "the proof is for another token")
        require(isinstance(claims["jti"], str), "the proof has no jti")
        return key.thumbprint(), claims["jti"], claims["iat"] + PROOF_WINDOW + 1

    def _spend(self, name: tuple[str, str], until: float) -> bool:
        """Once per proof key (RFC 9449 §11.1). In memory: a restart forgets what the last minute has used."""
        with self.lock:
            now = time.time()
            self.spent = {key: end for key, end in self.spent.items() if end > now}
            if name in self.spent:
                return False
            self.spent[name] = until
            return True
