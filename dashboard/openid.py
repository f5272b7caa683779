"""Signing in with an account elsewhere: OpenID Connect (ORCID, an institute's own) and GitHub.

Only people who are here already come in: whoever opens an invitation may use such an account in place of a password,
and from then on signs in with it. Authorization code flow with PKCE (RFC 7636); ID tokens are checked as OpenID
Connect Core 1.0, section 3.1.3.7, says.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from itsdangerous import BadSignature, URLSafeTimedSerializer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from dashboard.errors import BadRequestError, ServeError, SignInError
from dashboard.secret import derived
from data.campaign import SignInService

LONGEST_S = 600
TIMEOUT_S = 15.0
_GITHUB = {
    "issuer": "https://github.com",
    "authorization_endpoint": "https://github.com/login/oauth/authorize",
    "token_endpoint": "https://github.com/login/oauth/access_token",
    "userinfo_endpoint": "https://api.github.com/user",
}
_ALGORITHMS = ["RS256", "ES256", "PS256", "EdDSA"]


@dataclass(frozen=True)
class Identity:
    """Who somebody is elsewhere. invitation : token of one that they opened here. next : where to go then."""

    issuer: str
    subject: str
    invitation: str | None
    next: str


class OpenId:
    """The services of one campaign."""

    def __init__(self, services: Mapping[str, SignInService], folder: Path, secret: bytes) -> None:
        self._services = dict(services)
        self._secrets = {name: _client_secret(folder, name) for name in services}
        self._signer = URLSafeTimedSerializer(derived(secret, "openid"))

    @property
    def titles(self) -> list[dict[str, str]]:
        """Names and titles, for the page."""
        return [{"name": name, "title": one.title} for name, one in self._services.items()]

    async def begin(self, name: str, *, callback: str, invitation: str | None, next: str) -> tuple[str, str]:
        """Where to send the browser, and what it must bring back in its cookie.

        Raises
        ------
        BadRequestError, SignInError
        """
        service = self._service(name)
        metadata = await self._metadata(service)
        verifier, nonce = generate_token(64), secrets.token_urlsafe(24)
        async with self._client(name, callback) as client:
            address, state = client.create_authorization_url(
                metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
            )
        kept = {
            "name": name,
            "state": state,
            "verifier": verifier,
            "nonce": nonce,
            "invitation": invitation,
            "next": next,
        }
        return address, str(self._signer.dumps(kept))

    async def finish(
        self, name: str, *, callback: str, code: str | None, state: str | None, cookie: str | None
    ) -> Identity:
        """Who came back from the service.

        Raises
        ------
        SignInError
            If this is not the answer to what this browser began, or the service does not vouch for it.
        """
        kept = self._kept(cookie)
        if not code or not state or kept["name"] != name or not secrets.compare_digest(state, kept["state"]):
            raise SignInError("this sign-in was not begun in this browser, or took too long: begin again")
        service = self._service(name)
        metadata = await self._metadata(service)
        try:
            async with self._client(name, callback) as client:
                token = await client.fetch_token(
                    metadata["token_endpoint"], code=code, code_verifier=kept["verifier"]
                )
                if service.kind == "github":
                    user = await client.get(metadata["userinfo_endpoint"])
                    return Identity(
                        metadata["issuer"],
                        str(user.raise_for_status().json()["id"]),
                        kept["invitation"],
                        kept["next"],
                    )
            subject = await self._subject(service, metadata, token, kept["nonce"])
        except (OAuthError, httpx.HTTPError, JoseError, KeyError, ValueError) as error:
            raise SignInError(
                f"{service.title} did not vouch for this sign-in ({type(error).__name__})"
            ) from error
        return Identity(metadata["issuer"], subject, kept["invitation"], kept["next"])

    async def _subject(
        self, service: SignInService, metadata: Mapping[str, Any], token: Mapping[str, Any], nonce: str
    ) -> str:
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
            keys = (await client.get(metadata["jwks_uri"])).raise_for_status().json()
        decoded = jwt.decode(token["id_token"], KeySet.import_key_set(keys), algorithms=_ALGORITHMS)
        jwt.JWTClaimsRegistry(
            leeway=60,
            iss={"essential": True, "value": metadata["issuer"]},
            aud={"essential": True, "value": service.client_id},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
            sub={"essential": True},
        ).validate(decoded.claims)
        return str(decoded.claims["sub"])

    async def _metadata(self, service: SignInService) -> dict[str, Any]:
        if service.kind == "github":
            return _GITHUB
        address = f"{service.issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
                found: dict[str, Any] = (await client.get(address)).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise SignInError(f"{service.title} does not answer: try again, or use a password") from error
        if found.get("issuer", "").rstrip("/") != service.issuer.rstrip("/"):
            raise SignInError(f"{service.title} calls itself by another name than campaign.toml does")
        return found

    def _client(self, name: str, callback: str) -> Any:
        service = self._service(name)
        return AsyncOAuth2Client(
            client_id=service.client_id,
            client_secret=self._secrets[name],
            scope="read:user" if service.kind == "github" else "openid",
            redirect_uri=callback,
            code_challenge_method="S256",
            timeout=TIMEOUT_S,
        )

    def _service(self, name: str) -> SignInService:
        if name not in self._services:
            raise BadRequestError(f"{name!r:.40} is no way to sign in here")
        return self._services[name]

    def _kept(self, cookie: str | None) -> dict[str, Any]:
        try:
            kept: dict[str, Any] = self._signer.loads(cookie or "", max_age=LONGEST_S)
        except BadSignature:
            raise SignInError(
                "this sign-in was not begun in this browser, or took too long: begin again"
            ) from None
        return kept


def _client_secret(folder: Path, name: str) -> str:
    """What the service gave to tell us apart, from a file that nobody else can read.

    Raises
    ------
    ServeError
    """
    path = folder / f".client-secret-{name}"
    if not path.is_file():
        raise ServeError(
            f"campaign.toml has sign_in.{name}, whose client secret belongs in {path} (chmod 600)"
        )
    if path.stat().st_mode & 0o077:
        raise ServeError(f"{path} can be read by others: chmod 600 {path}")
    return path.read_text(encoding="utf-8").strip()
