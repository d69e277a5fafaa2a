"""Signs a card: the public card as JWS over its canonical form, and the card with its non-public parts as SD-JWT (RFC 9901)."""

import json
import secrets
import time

from joserfc import jws

from registry import Registry, base64url, digest, sign

DAYS_30 = 30 * 86_400
RANDOM = secrets.SystemRandom()


def canonical(value) -> str:
    """RFC 8785 for what stands in a card: texts, flags, lists and objects, whose names are ASCII. (Of numbers it would need more.)"""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def publish(registry: Registry, card: dict, hidden: dict[str, str]) -> dict:
    """Publishes a card. `hidden`: id of a skill → tier of those who may see it (`authenticated`, `introduced`).

    The card has no member without a value (empty text, list or object), so that all canonical forms of A2A agree on it.
    """
    turn = registry.query("cards.next", agentId=registry.client_id)
    key, now = registry.key, int(time.time())
    public = {**card, "skills": [skill for skill in card["skills"] if skill["id"] not in hidden]}
    protected, _, signature = jws.serialize_compact(
        {"alg": "ES256", "kid": key.thumbprint(), "typ": "JOSE"}, canonical(public).encode(), key, algorithms=["ES256"]
    ).split(".")
    public_card = {**public, "signatures": [{"protected": protected, "signature": signature}]}
    card_sha256 = digest(canonical(public))

    split, disclosures, tiers = split_card(card, hidden)
    claims = {
        "iss": registry.client_id,
        "sub": turn["sub"],
        "iat": now,
        "exp": now + DAYS_30,
        "vct": turn["vct"],
        "card_id": registry.client_id,
        "card_version": turn["version"],
        "card_sha256": card_sha256,
        "agent_card": split,
        "_sd_alg": "sha-256",
    }
    sd_jwt = "~".join([sign("dc+sd-jwt", claims, key, {"kid": key.thumbprint()}), *disclosures, ""])
    policy = {
        "iss": registry.client_id,
        "sub": turn["sub"],
        "iat": now,
        "number": turn["releaseNumber"],
        "card_sha256": card_sha256,
        "default": "introduced",
        "tiers": tiers,
    }
    release = sign("credence-release+jwt", policy, key, {"kid": key.thumbprint()})
    return registry.mutate("cards.publish", agentId=registry.client_id, publicCard=json.dumps(public_card), sdJwt=sd_jwt, releasePolicy=release)


def split_card(card: dict, hidden: dict[str, str]) -> tuple[dict, list[str], dict[str, str]]:
    """The card with digests in place of the hidden skills, the disclosures, and the tier of each by its place among the digests."""
    plain, digests, disclosures, tier_of = [], [], [], {}
    for skill in card["skills"]:
        if skill["id"] not in hidden:
            plain.append(skill)
            continue
        disclosure = base64url(json.dumps([secrets.token_urlsafe(16), skill]).encode())
        disclosures.append(disclosure)
        digests.append(digest(disclosure))
        tier_of[digests[-1]] = hidden[skill["id"]]
    skills = mixed(plain, padded(digests))
    tiers = {f"/skills/{place}": tier_of[one["..."]] for place, one in enumerate(skills) if one.get("...") in tier_of}
    # Padded where something could be hidden, so that nobody can tell where something is.
    interfaces = mixed(card["supportedInterfaces"], padded([]))
    return {**card, "skills": skills, "supportedInterfaces": interfaces, "_sd": padded([])}, sorted(disclosures), tiers


def padded(digests: list[str]) -> list[str]:
    """With decoys (RFC 9901 §4.2.5) up to a power of two, at least 16 and more than what is hidden, in random order."""
    count = 16
    while count <= len(digests):
        count *= 2
    decoys = [digest(secrets.token_urlsafe(32)) for _ in range(count - len(digests))]
    return RANDOM.sample(digests + decoys, count)


def mixed(plain: list[dict], digests: list[str]) -> list[dict]:
    """Digests at random places; what is plain keeps its order."""
    slots = RANDOM.sample([True] * len(plain) + [False] * len(digests), len(plain) + len(digests))
    kept, placeholders = iter(plain), iter({"...": one} for one in digests)
    return [next(kept if is_plain else placeholders) for is_plain in slots]
