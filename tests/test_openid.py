"""Signing in with an account elsewhere: whom it lets in, and that no lie of a provider or a browser does."""

import httpx
import pytest
from joserfc.jwk import RSAKey

from data.campaign import Campaign, open_campaign
from data.errors import CampaignError
from tests.fixtures.campaigns import filled_campaign
from tests.fixtures.groups import signed_in, team_server
from tests.fixtures.openid_provider import Provider, running_provider
from tests.fixtures.servers import API


@pytest.fixture
def provider():
    with running_provider() as provider:
        yield provider


def with_service(campaign: Campaign, **service: str) -> Campaign:
    lines = "\n".join(f'{name} = "{value}"' for name, value in service.items())
    text = campaign.settings_path.read_text(encoding="utf-8")
    campaign.settings_path.write_text(f"{text}\n[sign_in.orcid]\n{lines}\n", encoding="utf-8")
    secret = campaign.path / ".client-secret-orcid"
    secret.touch(mode=0o600)
    secret.write_text("ours\n")
    return open_campaign(campaign.path)


@pytest.fixture
def client(tmp_path, provider):
    campaign = filled_campaign(tmp_path / "c", ["a"], size_px=4)
    campaign = with_service(campaign, title="ORCID", issuer=provider.address, client_id="lensvet")
    with team_server(campaign) as client:
        yield client


def browser(client: httpx.Client) -> httpx.Client:
    return httpx.Client(base_url=client.base_url, follow_redirects=True, timeout=30)


def invitation(client: httpx.Client, name: str = "Zoë") -> str:
    admin = signed_in(client, "Ada")
    return (
        admin.post(f"{API}/people", json={"name": name, "role": "inspector"})
        .json()["join"]
        .removeprefix("/join/")
    )


def come_in(client: httpx.Client, **parameters: str) -> httpx.Response:
    with browser(client) as one:
        answer = one.get("/sign-in/with/orcid", params=parameters)
        health = one.get(f"{API}/campaign")
    answer.extensions["who"] = health.json().get("inspector") if health.status_code == 200 else None
    return answer


def test_whoever_was_invited_comes_in_with_that_account_ever_after(client):
    assert client.get(f"{API}/sign-in").json()["services"] == [{"name": "orcid", "title": "ORCID"}]
    token = invitation(client)
    assert come_in(client, invitation=token).extensions["who"] == "Zoë"
    assert come_in(client).extensions["who"] == "Zoë"
    again = come_in(client, invitation=token)
    assert "was%20used" in str(again.url)


def test_nobody_comes_in_by_having_an_account_elsewhere(client):
    answer = come_in(client)
    assert answer.extensions["who"] is None
    assert "invitation" in str(answer.url)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "other"},
        {"aud": "somebody-else"},
        {"iss": "https://evil.example"},
        {"exp": 1_000_000},
        {"sub": None},
    ],
    ids=lambda claims: next(iter(claims)),
)
def test_a_token_that_is_not_for_us_opens_nothing(client, provider: Provider, claims):
    come_in(client, invitation=invitation(client))
    provider.claims = claims
    answer = come_in(client)
    assert answer.extensions["who"] is None
    assert "did%20not%20vouch" in str(answer.url)


def test_a_token_signed_by_another_key_opens_nothing(client, provider: Provider):
    come_in(client, invitation=invitation(client))
    provider.signs_with = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256"}, private=True)
    assert come_in(client).extensions["who"] is None


def test_an_answer_that_this_browser_did_not_ask_for_is_refused(client):
    come_in(client, invitation=invitation(client))
    with browser(client) as other:
        answer = other.get("/sign-in/with/orcid/callback", params={"code": "x", "state": "y"})
        assert "not%20begun" in str(answer.url)
        assert other.get(f"{API}/health").status_code == 401


@pytest.mark.parametrize("next", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_nobody_is_led_elsewhere(client, next):
    come_in(client, invitation=invitation(client))
    assert come_in(client, next=next).url.host == "127.0.0.1"


def test_a_provider_that_is_away_is_said_to_be(client, provider: Provider):
    provider.address = "http://127.0.0.1:9"
    with browser(client) as one:
        assert one.get("/sign-in/with/orcid").status_code == 401
        assert one.get("/sign-in/with/other").status_code == 422


@pytest.mark.parametrize(
    "service",
    [
        {"issuer": "http://evil.example", "client_id": "x"},
        {"issuer": "https://orcid.org"},
        {"client_id": "x", "kind": "saml"},
        {"client_id": "x", "issuer": "https://orcid.org", "secret": "x"},
    ],
    ids=str,
)
def test_a_service_that_cannot_work_is_a_wrong_setting(tmp_path, service):
    with pytest.raises(CampaignError, match=r"sign_in\.orcid"):
        with_service(filled_campaign(tmp_path / "c", ["a"], size_px=4), **service)
