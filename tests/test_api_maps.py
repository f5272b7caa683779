"""`GET objects/{object_id}/maps/{model}/{method}`: computed by one worker process, when somebody asks."""

import contextlib
import os
import signal
import threading
import time

import numpy as np
import pytest

from dashboard.explainer import Explainer
from lensmodel.explain import METHODS
from tests.fixtures import map_workers
from tests.fixtures.campaigns import MODEL, add_scores, filled_campaign
from tests.fixtures.servers import object_url, running_server
from tests.test_api_planes import unframed


@contextlib.contextmanager
def serving(tmp_path, worker):
    campaign = filled_campaign(tmp_path / "c", ["a", "a/b", *(f"o{n}" for n in range(8))])
    add_scores(campaign, {"a": 1.0})
    with running_server(campaign) as client:
        state = client.app.state.lensvet
        state.explainer = Explainer(campaign, worker)
        client.campaign = campaign
        yield client


def map_url(object_id: str, model: str = MODEL, method: str = "evidence") -> str:
    return object_url(object_id, "maps", model, method)


def jobs_of(client) -> list[str]:
    path = client.campaign.path / "jobs.txt"
    return path.read_text().split() if path.exists() else []


def worker_of(client) -> int:
    process, _ = client.app.state.lensvet.explainer._worker._running
    return process.pid


def test_a_map_is_computed_once_and_kept(tmp_path):
    with serving(tmp_path, map_workers.spot_maps) as client:
        first = client.get(map_url("a"))
        assert first.status_code == 200, first.text
        assert client.get(map_url("a")).content == first.content
        assert client.get(map_url("a/b")).status_code == 200
        assert jobs_of(client) == ["a", "a/b"]


def test_a_map_arrives_as_it_was_computed_with_its_place(tmp_path):
    with serving(tmp_path, map_workers.spot_maps) as client:
        body = client.get(map_url("a")).content
    header, start = unframed(body, b"LVM1")
    values = np.frombuffer(body, "<f4", offset=start).reshape(header["shape"])
    assert start % 8 == 0
    assert values[5, 9] == 1
    assert np.isnan(values[0, 0])
    method = METHODS["evidence"]
    assert (header["signed"], header["unit"], header["method"]) == (method.signed, method.unit, "evidence")
    assert header["pixel_scale_arcsec"] == pytest.approx(0.1)
    assert header["position"]["x_arcsec"] == pytest.approx(0.15)
    assert header["position"]["y_arcsec"] == pytest.approx(-0.25)


def test_a_map_of_one_band_comes_by_the_bands_name_and_is_signed(tmp_path):
    with serving(tmp_path, map_workers.spot_maps) as client:
        header, _ = unframed(client.get(map_url("a", method="occlusion-vis")).content, b"LVM1")
    assert (header["method"], header["signed"], header["unit"]) == ("occlusion-vis", True, "change of p")


def _quality(client, method, quality):
    answer = client.get(map_url("a", method=method), params={"quality": quality})
    assert answer.status_code == 200, answer.text
    return unframed(answer.content, b"LVM1")[0]["quality"]


def test_a_coarse_map_comes_first_and_is_never_taken_for_the_fine_one(tmp_path):
    with serving(tmp_path, map_workers.spot_maps) as client:
        assert _quality(client, "occlusion", "coarse") == "coarse"
        assert _quality(client, "occlusion", "coarse") == "coarse"
        assert _quality(client, "occlusion", "fine") == "fine"
        assert _quality(client, "occlusion", "coarse") == "fine"
        assert jobs_of(client) == ["a,coarse", "a"]


def test_a_method_that_is_fast_has_no_coarse_map(tmp_path):
    with serving(tmp_path, map_workers.spot_maps) as client:
        assert _quality(client, "evidence", "coarse") == "fine"
        assert jobs_of(client) == ["a"]
        assert client.get(map_url("a"), params={"quality": "draft"}).status_code == 422


@pytest.mark.parametrize(
    ("object_id", "model", "method"),
    [
        ("nobody", MODEL, "evidence"),
        ("a", "nothing-00000000", "evidence"),
        ("a", "../../scores", "evidence"),
        ("a", MODEL, "guesswork"),
        ("a", MODEL, "../occlusion"),
        ("a", MODEL, "occlusion-../../scores"),
        ("a", MODEL, "occlusion,unit=logit"),
    ],
)
def test_what_is_not_known_is_404_and_starts_no_process(tmp_path, object_id, model, method):
    with serving(tmp_path, map_workers.spot_maps) as client:
        answer = client.get(map_url(object_id, model.replace("/", "%2F"), method.replace("/", "%2F")))
        assert answer.status_code == 404
        assert client.app.state.lensvet.explainer._worker._running is None


def test_an_object_that_the_model_cannot_see_is_422_with_the_reason(tmp_path):
    with serving(tmp_path, map_workers.refusing_maps) as client:
        answer = client.get(map_url("a"))
    assert answer.status_code == 422
    assert "OU-66 needs 66" in answer.json()["detail"]


def test_a_worker_that_dies_is_started_again(tmp_path):
    with serving(tmp_path, map_workers.dying_once) as client:
        assert client.get(map_url("a")).status_code == 200
        os.kill(worker_of(client), signal.SIGKILL)
        assert client.get(map_url("a/b")).status_code == 200


def test_a_worker_that_dies_of_the_same_map_again_is_503_and_the_server_lives(tmp_path):
    with serving(tmp_path, map_workers.always_dying) as client:
        assert client.get(map_url("a")).status_code == 503
        assert client.get(object_url("a")).status_code == 200


def test_the_newest_request_is_next_and_what_nobody_waits_for_is_left_out(tmp_path):
    with serving(tmp_path, map_workers.slow_maps) as client:
        impatient = [threading.Thread(target=ask_and_leave, args=(client, f"o{n}")) for n in range(6)]
        for thread in impatient:
            thread.start()
            time.sleep(0.05)
        assert client.get(map_url("o7")).status_code == 200
        for thread in impatient:
            thread.join()
        assert jobs_of(client).index("o7") <= 2
        assert len(jobs_of(client)) < 7


def test_other_requests_are_answered_while_a_map_is_computed(tmp_path):
    with serving(tmp_path, map_workers.slow_maps) as client:
        asking = threading.Thread(target=client.get, args=(map_url("a"),))
        asking.start()
        time.sleep(0.3)
        started = time.monotonic()
        assert client.get(object_url("a", "planes")).status_code == 200
        took_s = time.monotonic() - started
        assert asking.is_alive()
        asking.join()
        assert took_s < 0.4


def ask_ahead(client, *object_ids: str, inspector: str | None = None, **other):
    content = {"model": MODEL, "methods": ["evidence"], "object_ids": list(object_ids)} | other
    headers = {"Cookie": f"lensvet_inspector={inspector}"} if inspector else None
    return client.post("/api/v1/maps/ahead", json=content, headers=headers)


def jobs_when(client, number: int) -> list[str]:
    ends = time.monotonic() + 20
    while len(jobs_of(client)) < number and time.monotonic() < ends:
        time.sleep(0.02)
    return jobs_of(client)


def test_maps_asked_for_ahead_are_there_when_somebody_comes(tmp_path):
    with serving(tmp_path, map_workers.spot_maps) as client:
        assert ask_ahead(client, "a", "a/b").status_code == 202
        assert jobs_when(client, 2) == ["a", "a/b"]
        assert client.get(map_url("a/b")).status_code == 200
        assert jobs_of(client) == ["a", "a/b"]


def start_workers(client) -> None:
    """Both, whatever they take to start."""
    assert client.get(map_url("a")).status_code == 200
    ask_ahead(client, "o0")
    assert jobs_when(client, 2) == ["a", "o0"]


def test_the_map_on_screen_does_not_wait_for_those_ahead_and_newer_ones_replace_older(tmp_path):
    with serving(tmp_path, map_workers.slow_maps) as client:
        start_workers(client)
        ask_ahead(client, "o1", "o2", "o3", "o4")
        jobs_when(client, 3)
        ask_ahead(client, "o6", "o7")
        assert client.get(map_url("a/b")).status_code == 200
        done = jobs_when(client, 6)
        assert done[2] == "o1"
        assert done.index("a/b") <= 4
        assert done.index("o6") < done.index("o7")
        assert not {"o2", "o3", "o4"} & set(done)


def test_a_map_that_is_being_computed_ahead_is_waited_for_and_not_computed_beside(tmp_path):
    with serving(tmp_path, map_workers.slow_maps) as client:
        start_workers(client)
        ask_ahead(client, "o1")
        jobs_when(client, 3)
        assert client.get(map_url("o1")).status_code == 200
        assert jobs_of(client) == ["a", "o0", "o1"]


def test_inspectors_take_turns_ahead(tmp_path):
    with serving(tmp_path, map_workers.slow_maps) as client:
        ask_ahead(client, "o0", "o1", "o2", inspector="Ana")
        ask_ahead(client, "o5", "o6", "o7", inspector="Ben")
        assert "o5" in jobs_when(client, 3)[:3]


def test_a_worker_that_dies_of_a_map_ahead_is_not_sent_after_the_rest(tmp_path):
    with serving(tmp_path, map_workers.always_dying) as client:
        ask_ahead(client, "o0", "o1", "o2")
        jobs_when(client, 2)
        time.sleep(0.5)
        assert jobs_of(client) == ["o0", "o0"]
        assert client.get(object_url("a")).status_code == 200


@pytest.mark.parametrize(
    ("other", "status"),
    [
        ({"object_ids": ["nobody"]}, 404),
        ({"model": "nothing-00000000"}, 404),
        ({"methods": ["guesswork"]}, 404),
        ({"object_ids": [f"o{n}" for n in range(8)] * 2}, 422),
        ({"object_ids": "a"}, 422),
    ],
)
def test_nothing_is_computed_ahead_of_what_is_not_known_or_too_much(tmp_path, other, status):
    with serving(tmp_path, map_workers.spot_maps) as client:
        assert ask_ahead(client, "a", **other).status_code == status
        assert client.app.state.lensvet.explainer._worker_ahead._running is None


def test_the_worker_ends_with_the_server_also_in_the_middle_of_a_map(tmp_path):
    with serving(tmp_path, map_workers.slow_maps) as client:
        client.get(map_url("a"))
        pid = worker_of(client)
        threading.Thread(target=ask_and_leave, args=(client, "a/b")).start()
        time.sleep(0.1)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def ask_and_leave(client, object_id: str) -> None:
    import httpx

    with contextlib.suppress(httpx.HTTPError):
        httpx.get(f"{str(client.base_url).rstrip('/')}{map_url(object_id)}", timeout=0.1)
