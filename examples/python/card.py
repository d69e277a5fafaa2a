"""Signs a card: the public card as JWS over its canonical form, and the card with its non-public parts as SD-JWT (RFC 9901)."""

import json
import secrets
import time

from joserfc import jws

from registry import Registry, base64url, digest, sign

DAYS_30 = 30 * 86_400
RANDOM = secrets.SystemRandom()


def canonical(value) -> str:
    """RFC 8785 for the values of a card: strings, booleans, lists and objects with ASCII names. Numbers would need more code."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def publish(registry: Registry, card: dict, non_public: dict[str, str]) -> dict:
    """Publishes a card. `non_public` maps the id of a skill to the tier that may see it (`authenticated` or `introduced`).

    The card must not have an empty string, list or object: the canonical forms of A2A differ in how they treat these.
    """
    next_version = registry.query("cards.next", agentId=registry.client_id)
    key, now = registry.key, int(time.time())
    public = {**card, "skills": [skill for skill in card["skills"] if skill["id"] not in non_public]}
    protected, _, signature = jws.serialize_compact(
        {"alg": "ES256", "kid": key.thumbprint(), "typ": "JOSE"}, canonical(public).encode(), key, algorithms=["ES256"]
    ).split(".")
    public_card = {**public, "signatures": [{"protected": protected, "signature": signature}]}
    card_sha256 = digest(canonical(public))
    # The same public card again keeps its version
    is_same = next_version["published"] > 0 and card_sha256 == next_version.get("cardSha256")
    version = next_version["published"] if is_same else next_version["version"]

    split, disclosures, tiers = split_card(card, non_public)
    claims = {
        "iss": registry.client_id,
        "sub": next_version["sub"],
        "iat": now,
        "exp": now + DAYS_30,
        "vct": next_version["vct"],
        "card_id": registry.client_id,
        "card_version": version,
        "card_sha256": card_sha256,
        "agent_card": split,
        "_sd_alg": "sha-256",
    }
    sd_jwt = "~".join([sign("dc+sd-jwt", claims, key, {"kid": key.thumbprint()}), *disclosures, ""])
    policy = {
        "iss": registry.client_id,
        "sub": next_version["sub"],
        "iat": now,
        "number": next_version["releaseNumber"],
        "card_sha256": card_sha256,
        "default": "introduced",
        "tiers": tiers,
    }
    release = sign("credence-release+jwt", policy, key, {"kid": key.thumbprint()})
    card_json = json.dumps(public_card)
    return registry.mutate("cards.publish", agentId=registry.client_id, publicCard=card_json, sdJwt=sd_jwt, releasePolicy=release)


def split_card(card: dict, non_public: dict[str, str]) -> tuple[dict, list[str], dict[str, str]]:
    """Returns the card with digests in place of the non-public skills, the disclosures, and the tier of each digest by JSON Pointer."""
    public, digests, disclosures, tier_of = [], [], [], {}
    for skill in card["skills"]:
        if skill["id"] not in non_public:
            public.append(skill)
            continue
        disclosure = base64url(json.dumps([secrets.token_urlsafe(16), skill]).encode())
        disclosures.append(disclosure)
        digests.append(digest(disclosure))
        tier_of[digests[-1]] = non_public[skill["id"]]
    skills = mix(public, pad(digests))
    tiers = {f"/skills/{index}": tier_of[skill["..."]] for index, skill in enumerate(skills) if skill.get("...") in tier_of}
    # Every list that could have non-public elements is padded, so the card does not reveal which lists have them.
    interfaces = mix(card["supportedInterfaces"], pad([]))
    return {**card, "skills": skills, "supportedInterfaces": interfaces, "_sd": pad([])}, sorted(disclosures), tiers


def pad(digests: list[str]) -> list[str]:
    """Adds decoy digests (RFC 9901 §4.2.5) up to a power of two, at least 16 and more than the real digests, in random order."""
    count = 16
    while count <= len(digests):
        count *= 2
    decoys = [digest(secrets.token_urlsafe(32)) for _ in range(count - len(digests))]
    return RANDOM.sample(digests + decoys, count)


def mix(public: list[dict], digests: list[str]) -> list[dict]:
    """Inserts digests at random indexes; the public elements keep their order."""
    order = RANDOM.sample([True] * len(public) + [False] * len(digests), len(public) + len(digests))
    elements, placeholders = iter(public), iter({"...": digest_} for digest_ in digests)
    return [next(elements if is_public else placeholders) for is_public in order]
