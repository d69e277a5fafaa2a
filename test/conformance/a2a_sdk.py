"""Signs and verifies cards with the Python SDK of A2A. Reads one JSON object per line, and writes one per line.

{"verify": card, "jwk": public key}   -> {"ok": true} or {"error": text}
{"sign": card, "jwk": private key, "kid": kid} -> {"card": the card as the SDK serves it} or {"error": text}
"""

import json
import sys

from a2a.client.card_resolver import parse_agent_card
from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.utils.signing import create_agent_card_signer, create_signature_verifier
from jwt.api_jwk import PyJWK


def answer(request):
    key = PyJWK(request["jwk"], algorithm="ES256")
    if "verify" in request:
        create_signature_verifier(lambda kid, jku: key, ["ES256"])(parse_agent_card(request["verify"]))
        return {"ok": True}
    header = {"alg": "ES256", "kid": request["kid"], "typ": "JOSE", "jku": None}
    signer = create_agent_card_signer(key, {name: value for name, value in header.items() if value})
    return {"card": agent_card_to_dict(signer(parse_agent_card(request["sign"])))}


for line in sys.stdin:
    try:
        result = answer(json.loads(line))
    except Exception as error:  # the test compares the text
        result = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(result), flush=True)
