"""Signing in: what opens the door, what does not, and how it shuts."""

import stat

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer

from dashboard.errors import ServeError
from dashboard.passwords import hashed, is_right
from dashboard.rate_limit import RateLimit
from dashboard.secret import derived, secret_of
from dashboard.signing_in import COOKIE, TRIES
from dashboard.tickets import Ticket, Tickets
from data import audit_log
from data.errors import PeopleError
from data.label_store import LabelStore
from data.people import account_of
from data.people_store import PeopleStore
from tests.fixtures.campaigns import filled_campaign
from tests.fixtures.groups import PASSWORD, signed_in, team_server
from tests.fixtures.servers import API


@pytest.fixture
def client(tmp_path):
    with team_server(filled_campaign(tmp_path / "c", ["a"], size_px=4)) as client:
        yield client


@pytest.fixture
def people(database_url):
    with LabelStore.open(database_url) as labels:
        yield PeopleStore(labels.engine)


def with_cookie(client: httpx.Client, cookie: str) -> int:
    return client.get(f"{API}/health", headers={"Cookie": f"{COOKIE}={cookie}"}).status_code


def test_name_and_password_open_the_door_and_the_cookie_is_out_of_scripts_reach(client):
    answer = client.post(f"{API}/sign-in", json={"name": "  IVO ", "password": PASSWORD})
    assert answer.json() == {"name": "Ivo", "role": "inspector"}
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert client.get(f"{API}/campaign").json()["inspector"] == "Ivo"


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("Ivo", "wrong"),
        ("Nobody", PASSWORD),
        ("", ""),
        ("Ivo", None),
        (None, PASSWORD),
        ("Ivo", ["x"]),
        ("Ivo", "x" * 9000),
        ("I\0vo", PASSWORD),
        ("Ivo", "\0"),
    ],
)
def test_a_wrong_name_and_a_wrong_password_are_answered_alike(client, name, password):
    answer = client.post(f"{API}/sign-in", json={"name": name, "password": password})
    assert (answer.status_code, answer.json()["detail"]) == (401, "name and password do not fit")


def test_guessing_ends_after_a_few_tries(client):
    for _ in range(TRIES):
        client.post(f"{API}/sign-in", json={"name": "Ivo", "password": "guess"})
    assert client.post(f"{API}/sign-in", json={"name": "Ivo", "password": PASSWORD}).status_code == 429


def test_no_forged_or_foreign_cookie_opens_the_door(client, tmp_path):
    mine = signed_in(client, "Ivo").cookies[COOKIE]
    assert with_cookie(client, mine) == 200
    payload, rest = mine.split(".", 1)
    campaign = client.app.state.lensvet.campaign
    other_secret = secret_of(tmp_path)
    forged = URLSafeTimedSerializer(derived(other_secret, "sign-in"), salt=campaign.identifier)
    unsalted = URLSafeTimedSerializer(derived(secret_of(campaign.path), "sign-in"), salt="other")
    for cookie in (
        forged.dumps(["ada", 1]),
        unsalted.dumps(["ada", 1]),
        f"{payload}A.{rest}",
        payload,
        "",
        "x" * 4000,
        "W10.W10.W10",
    ):
        assert with_cookie(client, cookie) == 401


def test_signing_out_everywhere_shuts_every_browser(client):
    first, second = signed_in(client, "Ivo"), signed_in(client, "Ivo")
    assert second.get(f"{API}/health").status_code == 200
    assert first.post(f"{API}/sign-out", params={"everywhere": True}, json={}).status_code == 204
    assert second.get(f"{API}/health").status_code == 401


def test_a_changed_password_shuts_the_other_browsers_and_needs_the_old_one(client):
    first, second = signed_in(client, "Ivo"), signed_in(client, "Ivo")
    new = "nine loud giraffes"
    assert first.post(f"{API}/me/password", json={"old": "no", "password": new}).status_code == 401
    assert first.post(f"{API}/me/password", json={"old": PASSWORD, "password": "short"}).status_code == 422
    assert first.post(f"{API}/me/password", json={"old": PASSWORD, "password": new}).status_code == 200
    assert first.get(f"{API}/health").status_code == 200
    assert second.get(f"{API}/health").status_code == 401


def test_an_invitation_lets_one_person_choose_a_password_once(client):
    admin = signed_in(client, "Ada")
    invited = admin.post(f"{API}/people", json={"name": "Zoë", "role": "inspector"}).json()
    token = invited["join"].removeprefix("/join/")
    assert client.get(f"{API}/join/{token}").json()["name"] == "Zoë"
    assert client.post(f"{API}/join/{token}", json={"password": "zoë zoë zoë"}).status_code == 422
    newcomer = httpx.Client(base_url=client.base_url)
    assert newcomer.post(f"{API}/join/{token}", json={"password": PASSWORD}).status_code == 200
    assert newcomer.get(f"{API}/campaign").json()["inspector"] == "Zoë"
    assert client.post(f"{API}/join/{token}", json={"password": PASSWORD}).status_code == 422
    assert client.get(f"{API}/join/made-up").status_code == 422
    newcomer.close()


def test_a_new_role_holds_at_once_and_none_shuts_the_door(client):
    admin, ivo = signed_in(client, "Ada"), signed_in(client, "Ivo")
    assert ivo.get(f"{API}/people").status_code == 403
    admin.post(f"{API}/people/role", json={"name": "Ivo", "role": "admin"})
    ivo = signed_in(client, "Ivo")
    assert ivo.get(f"{API}/people").status_code == 200
    admin.post(f"{API}/people/role", json={"name": "Ivo", "role": "none"})
    assert ivo.get(f"{API}/health").status_code == 401
    answer = client.post(f"{API}/sign-in", json={"name": "Ivo", "password": PASSWORD})
    assert answer.status_code == 401


def test_the_last_admin_stays(client):
    admin = signed_in(client, "Ada")
    answer = admin.post(f"{API}/people/role", json={"name": "Ada", "role": "lead"})
    assert answer.status_code == 422
    assert "only admin" in answer.json()["detail"]


def test_the_log_tells_who_did_what_and_keeps_no_secret(client):
    admin = signed_in(client, "Ada")
    client.post(f"{API}/sign-in", json={"name": "Ivo", "password": "a guess of mine"})
    token = admin.post(f"{API}/people/invitation", json={"name": "Ivo"}).json()["join"]
    told = admin.get(f"{API}/audit")
    actions = [entry["action"] for entry in told.json()["entries"]]
    assert actions[:2] == ["invited", "sign-in refused"]
    assert "person added" in actions
    for secret in (PASSWORD, "a guess of mine", token.removeprefix("/join/"), "argon2"):
        assert secret not in told.text


def test_a_link_leads_through_signing_in_to_where_it_points(client):
    answer = client.get("/vet?object=a", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fvet%3Fobject%3Da"
    page = client.get(answer.headers["location"])
    assert page.status_code == 200
    assert "'unsafe-inline'" not in page.headers["content-security-policy"]


@pytest.mark.parametrize("name", ["Ivo", " ivo", "IVO", "Ｉｖｏ", "I​vo", "Іvo", "Ivо"])
def test_no_name_that_looks_like_anothers_is_let_in(people, name):
    people.add("Ivo", "inspector", by="test")
    with pytest.raises(PeopleError):
        people.add(name, "inspector", by="test")


@example("Aµ")  # the micro sign, a Greek letter once it is folded
@example("\ufdfa" * 30)  # one character that folds to eighteen
@given(st.text(max_size=30))
def test_an_account_is_the_same_however_it_is_written(name):
    try:
        account = account_of(name)
    except PeopleError:
        return
    assert account_of(account) == account
    assert account_of(f" {name} ") == account


@pytest.mark.parametrize(
    "password", ["short", "a" * 20, "passwordpassword", "Ada Lovelace!", "x" * 300, 12345678901234]
)
def test_weak_passwords_are_refused(password):
    with pytest.raises(PeopleError):
        hashed(password, name="Ada Lovelace")


def test_a_password_is_stored_so_that_nobody_can_read_it():
    stored = hashed("seven quiet zebras", name="Ada")
    assert stored.startswith("$argon2id$")
    assert is_right("seven quiet zebras", stored)
    assert not is_right("seven quiet zebra", stored)
    assert not is_right("seven quiet zebras", None)


def test_the_secret_is_made_once_and_readable_by_nobody_else(tmp_path):
    secret = secret_of(tmp_path)
    path = tmp_path / ".secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret_of(tmp_path) == secret
    assert len(set(secret)) > 8
    path.chmod(0o644)
    with pytest.raises(ServeError, match="chmod 600"):
        secret_of(tmp_path)


def test_two_processes_that_start_at_once_have_one_secret(tmp_path):
    first = secret_of(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".secret"]
    assert secret_of(tmp_path) == first


def test_a_ticket_is_read_by_whom_it_was_written_for_alone():
    tickets = Tickets(b"k" * 32)
    written = tickets.written(Ticket(3, 123_456, 1), "ada")
    assert tickets.read(written, "ada") == Ticket(3, 123_456, 1)
    assert tickets.read(written, "ida") is None
    assert Tickets(b"l" * 32).read(written, "ada") is None
    assert tickets.read("a" * 26, "ada") is None
    assert tickets.read("EUCL J174517.55+655612.5", "ada") is None


def test_a_bucket_empties_and_fills_again():
    limit = RateLimit(per_s=10, burst=20)
    assert [limit.is_spent("a", now=0.0) for _ in range(21)] == [False] * 20 + [True]
    assert not limit.is_spent("b", now=0.0)
    assert [limit.is_spent("a", now=0.5) for _ in range(6)] == [False] * 5 + [True]


def test_the_log_is_only_ever_added_to(people, database_url):
    person = people.add("Ada", "admin", by="test")
    people.set_password(person.account, "hash", by="test")
    with LabelStore.open(database_url) as labels:
        actions = [entry.action for entry in audit_log.entries(labels.engine)]
        assert actions == ["password set", "person added"]
        with labels.engine.begin() as connection, pytest.raises(Exception, match="append-only"):
            connection.exec_driver_sql("DELETE FROM audit")
