"""A public client with Authlib alone: it asks a person with PKCE, redeems the code, calls a URL, and refreshes the token.

It prints the URL that the person opens, and reads the URL to which the browser was sent back.
"""

import json
import sys

import httpx
from authlib.common.security import generate_token
from authlib.integrations.httpx_client import OAuth2Client

given = json.loads(sys.stdin.readline())
metadata = httpx.get(given["issuer"] + "/.well-known/oauth-authorization-server").json()
client = OAuth2Client(
    client_id=given["clientId"],
    token_endpoint_auth_method="none",
    redirect_uri=given["redirectUri"],
    scope="files:read offline_access",
    code_challenge_method="S256",
)
verifier = generate_token(48)
url, state = client.create_authorization_url(
    metadata["authorization_endpoint"], code_verifier=verifier, resource=given["resource"]
)
print(url, flush=True)
back = sys.stdin.readline().strip()
token = client.fetch_token(
    metadata["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier, resource=given["resource"]
)
refreshed = client.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
print(json.dumps({"token": token, "refreshed": refreshed}))
