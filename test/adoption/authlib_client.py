"""A client with Authlib alone: it discovers the registry, gets a token by private_key_jwt, calls a URL with it, introspects and revokes it."""

import json
import sys

import httpx
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT, private_key_jwt_sign
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from joserfc.jwk import ECKey

given = json.load(sys.stdin)

document = httpx.get(get_well_known_url(given["issuer"], external=True)).text
# Authlib accepts only https here
AuthorizationServerMetadata(json.loads(document.replace("http://", "https://"))).validate()
metadata = AuthorizationServerMetadata(json.loads(document))


class ShortAssertion(PrivateKeyJWT):
    """By default Authlib's assertions live for an hour and name the token endpoint; the registry accepts 5 minutes and its issuer."""

    def sign(self, auth, token_endpoint):
        return private_key_jwt_sign(auth.client_secret, auth.client_id, metadata["issuer"], alg="ES256", expires_in=60)


by_key = ShortAssertion()
client = OAuth2Client(
    client_id=given["clientId"],
    client_secret=ECKey.import_key(given["privateJwk"]),
    token_endpoint_auth_method=by_key,
    revocation_endpoint_auth_method=by_key,
)


def introspect() -> dict:
    return client.introspect_token(metadata["introspection_endpoint"], token=token["access_token"]).json()


token = client.fetch_token(
    metadata["token_endpoint"], grant_type="client_credentials", resource=given["resource"], scope="files:read"
)
called = client.get(given["resource"])
before = introspect()
revoked = client.revoke_token(metadata["revocation_endpoint"], token=token["access_token"])
print(
    json.dumps(
        {
            "token": token,
            "called": [called.status_code, called.text],
            "before": before,
            "revoked": revoked.status_code,
            "after": introspect(),
        }
    )
)
