"""What an agent signs: compact JWS with joserfc, thumbprints, proofs. Nothing here knows a registry."""

import base64
import hashlib
import json
import secrets
import time

from joserfc import jws
from joserfc.jwk import ECKey


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def digest(data: bytes) -> str:
    return base64url(hashlib.sha256(data).digest())


def canonical(value) -> bytes:
    """RFC 8785 for JSON whose names are ASCII and whose numbers are integers, as in these documents."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Key:
    """An ES256 key that never leaves this process."""

    def __init__(self):
        self._key = ECKey.generate_key("P-256")
        whole = self._key.as_dict(private=False)
        self.public = {name: whole[name] for name in ("kty", "crv", "x", "y")}
        self.thumbprint = self._key.thumbprint()

    def sign(self, header: dict, payload: bytes) -> str:
        return jws.serialize_compact({"alg": "ES256", **header}, payload, self._key)

    def sign_jwt(self, header: dict, claims: dict) -> str:
        return self.sign(header, json.dumps(claims).encode())

    def assertion(self, client_id: str, issuer: str) -> str:
        """private_key_jwt (RFC 7523 section 2.2): for one issuer, for a minute, for one use."""
        now = int(time.time())
        claims = {"iss": client_id, "sub": client_id, "aud": issuer, "iat": now, "exp": now + 60, "jti": secrets.token_urlsafe(16)}
        return self.sign_jwt({"typ": "client-authentication+jwt", "kid": self.thumbprint}, claims)

    def proof(self, method: str, url: str, token: str | None = None, nonce: str | None = None) -> str:
        """A DPoP proof (RFC 9449 section 4.2): for one request."""
        claims = {"jti": secrets.token_urlsafe(16), "htm": method, "htu": url, "iat": int(time.time())}
        if token is not None:
            claims["ath"] = digest(token.encode())
        if nonce is not None:
            claims["nonce"] = nonce
        return self.sign_jwt({"typ": "dpop+jwt", "jwk": self.public}, claims)


def verified(token: str, key: dict, algorithm: str = "ES256") -> tuple[dict, dict]:
    """Header and claims of a compact JWS that this public key has signed, or an exception."""
    signed = jws.deserialize_compact(token, ECKey.import_key(key), algorithms=[algorithm])
    return signed.headers(), json.loads(signed.payload)


def header_of(token: str) -> dict:
    head = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))


def thumbprint(key: dict) -> str:
    return ECKey.import_key(key).thumbprint()
