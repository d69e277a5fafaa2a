"""Signs an Agent Card and hides one of its skills (SD-JWT, RFC 9901): what a publisher sends to the registry."""

import json
import secrets
import time

from jose import Key, base64url, canonical, digest

PADDED = 16  # digests in every list: neither their number nor their place tells what is hidden


def agent_card(url: str, issuer: str, scope: str) -> dict:
    return {
        "name": "Python pages",
        "description": "Counts the pages of a text.",
        "version": "1.0.0",
        "supportedInterfaces": [{"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
        "capabilities": {"streaming": False},
        "securitySchemes": {
            "credence": {
                "oauth2SecurityScheme": {
                    "flows": {"clientCredentials": {"tokenUrl": f"{issuer}/oauth/token", "scopes": {scope: "count pages"}}}
                }
            }
        },
        "securityRequirements": [{"schemes": {"credence": {"list": [scope]}}}],
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [{"id": "count-pages", "name": "Count pages", "description": "Counts pages.", "tags": ["pages"]}],
    }


def signed_card(card: dict, key: Key) -> dict:
    """The public card with its signature (A2A section 8.4): over the RFC 8785 bytes of the card without signatures."""
    head, _, signature = key.sign({"typ": "JOSE", "kid": key.thumbprint}, canonical(card)).split(".")
    return {**card, "signatures": [{"protected": head, "signature": signature}]}


def sd_jwt(card: dict, hidden_skill: dict, key: Key, next_: dict, agent_id: str) -> str:
    """The card with one more skill, as a disclosure of its own."""
    disclosure = base64url(json.dumps([secrets.token_urlsafe(16), hidden_skill]).encode())
    now = int(time.time())
    claims = {
        "iss": agent_id,
        "sub": next_["sub"],
        "iat": now,
        "exp": now + 30 * 86400,
        "vct": next_["vct"],
        "card_id": agent_id,
        "card_version": next_["version"],
        "card_sha256": digest(canonical(card)),
        "agent_card": {
            **card,
            "skills": card["skills"] + placeholders(digest(disclosure.encode())),
            "supportedInterfaces": card["supportedInterfaces"] + placeholders(),
            "_sd": decoys(PADDED),
        },
        "_sd_alg": "sha-256",
    }
    return f"{key.sign_jwt({'typ': 'dc+sd-jwt', 'kid': key.thumbprint}, claims)}~{disclosure}~"


def release_policy(card: dict, key: Key, next_: dict, agent_id: str) -> str:
    """Who may see what is hidden: by default whoever is introduced."""
    claims = {
        "iss": agent_id,
        "sub": next_["sub"],
        "iat": int(time.time()),
        "number": next_["releaseNumber"],
        "card_sha256": digest(canonical(card)),
        "default": "introduced",
        "tiers": {},
    }
    return key.sign_jwt({"typ": "credence-release+jwt", "kid": key.thumbprint}, claims)


def decoys(count: int) -> list[str]:
    return [digest(secrets.token_bytes(32)) for _ in range(count)]


def placeholders(*digests: str) -> list[dict]:
    every = [*digests, *decoys(PADDED - len(digests))]
    secrets.SystemRandom().shuffle(every)
    return [{"...": one} for one in every]
