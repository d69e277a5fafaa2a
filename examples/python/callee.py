"""The callee's side: lets nobody in without a token for this agent, a fresh proof by its key, and standing."""

import time
from urllib.parse import urlsplit

from feed import Feed
from jose import digest, header_of, thumbprint, verified
from registry import Registry

SKEW_SECONDS = 60


class Denied(Exception):
    def __init__(self, status: int, error: str):
        super().__init__(error)
        self.status, self.error = status, error


class Callee:
    def __init__(self, registry: Registry, feed: Feed, audience: str, public_url: str, scope: str):
        self._registry, self._feed = registry, feed
        self._audience, self._public_url, self._scope = audience, public_url, scope
        keys = registry.http.get(registry.metadata["jwks_uri"]).json()["keys"]
        self._keys = {key["kid"]: key for key in keys if key.get("credence_use") == "token"}
        self._used: dict[str, float] = {}  # proofs; a real callee keeps them where a restart does not forget them

    def admit(self, method: str, path: str, authorization: str | None, proof: str | None) -> dict:
        """The claims of the token of a call that may be served, or Denied."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "dpop" or not proof:
            raise Denied(401, "invalid_token")
        try:
            claims = self._token(token)
            self._proof(method, path, token, proof, claims["cnf"]["jkt"])
        except Denied:
            raise
        except Exception as error:  # whatever was wrong with it: a stranger learns nothing from the difference
            raise Denied(401, "invalid_token") from error
        if self._scope not in claims["scope"].split(" "):
            raise Denied(403, "insufficient_scope")
        return claims

    def _token(self, token: str) -> dict:
        header = header_of(token)
        kid = header.get("kid")
        header, claims = verified(token, self._keys[kid])
        good = header["typ"] == "at+jwt" and claims["iss"] == self._registry.issuer and claims["aud"] == self._audience
        if not good or claims["exp"] <= time.time():
            raise ValueError("it is not for us, or no longer")
        # Everything that was acknowledged before this call is known before it is judged
        if not self._feed.sync():
            raise Denied(503, "standing_unknown")
        stands_on = [*claims["standing"]["on"], f"tok:{claims['jti'].removeprefix('tok_')}", f"rk:{kid}"]
        if any(handle in self._feed.ended for handle in stands_on):
            raise ValueError("something that it stands on has ended")
        return claims

    def _proof(self, method: str, path: str, token: str, proof: str, jkt: str) -> None:
        """RFC 9449 section 4.3."""
        key = header_of(proof)["jwk"]
        header, claims = verified(proof, key)
        now = time.time()
        good = (
            header["typ"] == "dpop+jwt"
            and thumbprint(key) == jkt
            and claims["htm"] == method
            and claims["htu"] == self._public_url + urlsplit(path).path
            and claims["ath"] == digest(token.encode())
            and abs(claims["iat"] - now) <= SKEW_SECONDS
        )
        if not good:
            raise ValueError("the proof is not for this request")
        self._used = {name: until for name, until in self._used.items() if until > now}
        name = f"{jkt} {claims['jti']}"
        if name in self._used:
            raise ValueError("the proof was used before")
        self._used[name] = now + 2 * SKEW_SECONDS
