"""Verifies requests to this agent: token, proof with replay protection, audience, standing, freshness and scope (RFC 9449 §7)."""

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


def require(is_met: bool, text: str) -> None:
    if not is_met:
        raise Refused(401, "invalid_token", text)


class Verifier:
    def __init__(self, registry: Registry, feed: Feed, audience: str, public_url: str):
        self.registry, self.feed, self.audience, self.public_url = registry, feed, audience, public_url
        self.keys: dict[str, dict] = {}
        self.read_at = float("-inf")
        self.consumed: dict[tuple[str, str], float] = {}
        self.lock = threading.Lock()

    def verify(self, method: str, path: str, authorization: list[str], dpop: list[str], scope: str) -> dict:
        """Returns the claims of the token. Raises Refused if the request must not be served."""
        found = re.fullmatch(r"DPoP ([A-Za-z0-9._~+/-]+=*)", authorization[0], re.IGNORECASE) if len(authorization) == 1 else None
        require(found is not None and len(dpop) == 1, "send one access token (Authorization: DPoP …) and one proof (DPoP: …)")
        try:
            claims, kid = self._token(found[1])
            jkt, jti, expires_at = self._proof(dpop[0], method, path, found[1])
        except (JoseError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise Refused(401, "invalid_token", "the token or the proof is malformed, or its signature is not valid") from error
        require(jkt == claims["cnf"]["jkt"], "the DPoP proof is not signed by the key that the token is bound to")
        standing = claims["standing"]
        depends_on = {*standing["dependsOn"], "tok:" + claims["jti"].removeprefix("tok_"), f"rk:{kid}"}
        stands = self.feed.stands(depends_on, standing["at"])
        if stands is None:
            raise Refused(503, "standing_unknown", "cannot confirm now that the token has not been revoked; retry later")
        require(stands, "the token, or something that it depends on, has been revoked")
        require(self._consume((jkt, jti), expires_at), "the DPoP proof has been used before")
        if scope not in claims["scope"].split():
            raise Refused(403, "insufficient_scope", f"this request requires the scope {scope}")
        return claims

    def _token(self, text: str) -> tuple[dict, str]:
        kid = jws.extract_compact(text.encode()).headers()["kid"]
        key = self._key(kid)
        token = jwt.decode(text, key, algorithms=["ES256"])
        claims, now = token.claims, max(time.time(), self.feed.time)
        require(token.header["typ"] == "at+jwt" and key.thumbprint() == kid, "the token is not an access token of the registry")
        require(claims["iss"] == self.registry.issuer and claims["aud"] == self.audience, "the token is for another issuer or audience")
        require(claims["iat"] <= now + SKEW and now < claims["exp"] <= claims["iat"] + 3600, "the token is not valid now")
        require("max_calls" not in claims, "the token limits the number of calls, which this server does not count")
        return claims, kid

    def _key(self, kid: str):
        """Returns the registry's token key with this id. For an unknown id the keys are fetched again, at most once in 30 s."""
        with self.lock:
            if kid not in self.keys and time.monotonic() - self.read_at >= REREAD:
                response = self.registry.http.get(self.registry.metadata["jwks_uri"]).raise_for_status()
                self.keys = {jwk["kid"]: jwk for jwk in response.json()["keys"] if jwk["credence_use"] == "token"}
                self.read_at = time.monotonic()
        return KeySet.import_key_set({"keys": [self.keys[kid]]}).keys[0]

    def _proof(self, text: str, method: str, path: str, token: str) -> tuple[str, str, float]:
        header = jws.extract_compact(text.encode()).headers()
        jwk = header["jwk"]
        require(header["typ"] == "dpop+jwt" and "d" not in jwk and jwk["kty"] in ("EC", "OKP"), "the proof is not a DPoP proof")
        key = import_key({name: jwk[name] for name in ("kty", "crv", "x", "y") if name in jwk})
        claims = jwt.decode(text, key, algorithms=["ES256", "EdDSA"]).claims
        require(claims["htm"] == method and claims["htu"] == self.public_url + path, "the proof is for another request")
        require(abs(claims["iat"] - time.time()) <= PROOF_WINDOW, "the `iat` of the proof is more than 60 s away from now")
        require(claims["ath"] == digest(token), "the proof is for another token")
        require(isinstance(claims["jti"], str), "the proof has no jti")
        return key.thumbprint(), claims["jti"], claims["iat"] + PROOF_WINDOW + 1

    def _consume(self, name: tuple[str, str], expires_at: float) -> bool:
        """True on the first use of this key and `jti` (RFC 9449 §11.1). The proofs are in memory, so a restart forgets the last minute."""
        with self.lock:
            now = time.time()
            self.consumed = {key: expiry for key, expiry in self.consumed.items() if expiry > now}
            if name in self.consumed:
                return False
            self.consumed[name] = expires_at
            return True
