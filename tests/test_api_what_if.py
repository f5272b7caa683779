"""`POST what-if`: answered by a process of its own, withheld as maps are, refused in a line."""

import contextlib
import json
import os
import signal
import threading
import time

import numpy as np
import pytest

from dashboard.experimenter import Experimenter
from dashboard.explainer import Explainer
from lensmodel.models import model_named
from tests.fixtures import map_workers
from tests.fixtures.campaigns import add_scores
from tests.fixtures.galaxies import campaign_of, cutout, galaxy
from tests.fixtures.servers import API, object_url, running_server
from tests.test_api_planes import unframed

URL = f"{API}/what-if"
LENS = {
    "x_arcsec": 0.2, "y_arcsec": 0.0, "theta_e_arcsec": 1.0, "offset": 0.2, "angle_deg": 30.0,
    "mag_vis": 22.0, "vis_y": 0.3,
}  # fmt: skip
STROKE = {"radius_arcsec": 0.6, "points_arcsec": [[0.0, 1.0], [1.0, 0.0]]}


@pytest.fixture(scope="module")
def version():
    return model_named("evidence-net").version


@contextlib.contextmanager
def serving(tmp_path, **settings):
    campaign = campaign_of(
        tmp_path / "c", [cutout(name, galaxy(n)) for n, name in enumerate("ab")], **settings
    )
    with running_server(campaign) as client:
        client.campaign = campaign
        yield client


def ask(client, **more):
    return client.post(URL, json={"object_id": "a", "model": "evidence-net", **more})


def decoded(answer):
    assert answer.status_code == 200, answer.text
    header, start = unframed(answer.content, b"LVW1")

    def values(entry):
        count = int(np.prod(entry["shape"]))
        return np.frombuffer(answer.content, "<f4", count, start + entry["offset"]).reshape(entry["shape"])

    return header, values


def worker_of(client):
    return client.app.state.lensvet.experimenter._worker._running


def test_a_stroke_gets_both_verdicts_its_pixels_and_the_map(tmp_path, version):
    with serving(tmp_path) as client:
        header, values = decoded(ask(client, strokes=[STROKE], map=True, fill="sky"))
    assert (header["object_id"], header["model_version"]) == ("a", version)
    assert header["now"]["logit"] != header["before"]["logit"]
    assert [patch["band"] for patch in header["patches"]] == ["VIS", "Y", "J", "H"]
    for patch in header["patches"]:
        original = galaxy(0)[patch["band"]].flux
        height, width = patch["shape"]
        before = original[patch["y_px"] : patch["y_px"] + height, patch["x_px"] : patch["x_px"] + width]
        assert len(np.unique(values(patch)[values(patch) != before])) == 1  # the level of the sky
    assert values(header["map"]).shape == (64, 64)
    assert header["map"]["unit"] == "p of a lens at this place"


def test_a_lens_is_injected_and_its_pixels_come_back(tmp_path):
    with serving(tmp_path) as client:
        header, values = decoded(ask(client, inject=LENS))
    assert header["now"]["logit"] != header["before"]["logit"]
    assert header["hidden"] is None
    assert [patch["band"] for patch in header["patches"]] == ["VIS", "Y", "J", "H"]
    patch = header["patches"][0]
    height, width = patch["shape"]
    original = galaxy(0)["VIS"].flux[patch["y_px"] :, patch["x_px"] :][:height, :width]
    added = values(patch) - original
    assert 24.6 - 2.5 * np.log10(added.sum()) < 22.0  # it is magnified


def test_no_strokes_are_the_object_as_it_is(tmp_path):
    with serving(tmp_path) as client:
        header, _ = decoded(ask(client))
    assert header["now"] == header["before"]
    assert (header["patches"], header["hidden"], header["map"]) == ([], None, None)


def test_p_lens_is_at_the_prior_of_the_campaign(tmp_path, version):
    with serving(tmp_path) as client:
        header, _ = decoded(ask(client))
        settings = client.campaign.path / "campaign.toml"
    settings.write_text(settings.read_text() + "\nprior = 0.001\n")
    from data.campaign import open_campaign

    campaign = open_campaign(settings.parent)
    add_scores(campaign, {"a": 1.0}, model=version)
    (campaign.scores_path(version) / "model.json").write_text(json.dumps({"prior": 0.5}))
    with running_server(campaign) as client:
        moved, _ = decoded(ask(client))
    logit = header["now"]["logit"]
    assert moved["now"]["logit"] == logit
    assert moved["now"]["p_lens"] == pytest.approx(1 / (1 + np.exp(-(logit - np.log(999)))), rel=1e-3)


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        ({"object_id": "nobody"}, 404, "no object"),
        ({"model": "nothing-00000000"}, 404, "model 'nothing-00000000' is not here"),
        ({"model": None}, 422, "model"),
        ({"fill": "zeros"}, 422, "'median', 'sky' or 'noise'"),
        ({"bands": ["K"]}, 422, "bands has 'K'; the object has VIS, Y, J, H"),
        ({"strokes": [{**STROKE, "radius_arcsec": 0}]}, 422, "radius_arcsec"),
        ({"strokes": [{**STROKE, "radius_arcsec": "wide"}]}, 422, "radius_arcsec"),
        ({"strokes": [{**STROKE, "points_arcsec": []}]}, 422, "points_arcsec"),
        ({"strokes": [{**STROKE, "points_arcsec": [[0, 1, 2]]}]}, 422, "points_arcsec"),
        ({"strokes": [{**STROKE, "points_arcsec": [[0, 1e9]]}]}, 422, "points_arcsec"),
        ({"strokes": [{**STROKE, "points_arcsec": [[0, 1]] * 10_001}]}, 422, "10001 points; at most 10000"),
        ({"mask": "none"}, 422, "mask"),
        ({"inject": {**LENS, "theta_e_arcsec": 100}}, 422, "theta_e_arcsec"),
        ({"inject": {**LENS, "mag_vis": "bright"}}, 422, "mag_vis"),
        ({"inject": {"x_arcsec": 1}}, 422, "y_arcsec"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line_and_starts_no_process(tmp_path, more, status, words):
    with serving(tmp_path) as client:
        answer = ask(client, **more)
        assert answer.status_code == status
        assert words in answer.json()["detail"]
        assert "\n" not in answer.json()["detail"]
        assert worker_of(client) is None


def test_not_a_number_is_refused(tmp_path):
    with serving(tmp_path) as client:
        body = json.dumps(
            {"object_id": "a", "model": "evidence-net", "strokes": [{**STROKE, "radius_arcsec": np.nan}]}
        )
        answer = client.post(URL, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422
        assert "finite" in answer.json()["detail"]


def test_the_guard_stands_before_it(tmp_path):
    with serving(tmp_path) as client:
        body = json.dumps({"object_id": "a", "model": "evidence-net"})
        assert client.post(URL, content=body, headers={"Content-Type": "text/plain"}).status_code == 415
        elsewhere = {"Content-Type": "application/json", "Origin": "https://example.org"}
        assert client.post(URL, content=body, headers=elsewhere).status_code == 403
        long = json.dumps({"object_id": "a" * 1_100_000, "model": "evidence-net"})
        assert client.post(URL, content=long, headers={"Content-Type": "application/json"}).status_code == 413
        assert worker_of(client) is None


def test_everything_hidden_is_refused_with_the_reason(tmp_path):
    with serving(tmp_path) as client:
        answer = ask(client, strokes=[{"radius_arcsec": 50, "points_arcsec": [[0, 0]]}], fill="sky")
    assert answer.status_code == 422
    assert "constant" in answer.json()["detail"]


def test_a_worker_that_dies_is_started_again(tmp_path):
    with serving(tmp_path) as client:
        first, _ = decoded(ask(client))
        os.kill(worker_of(client)[0].pid, signal.SIGKILL)
        again, _ = decoded(ask(client))
    assert again == first


def test_a_worker_that_dies_of_every_question_is_503_and_the_server_lives(tmp_path):
    with serving(tmp_path) as client:
        state = client.app.state.lensvet
        state.experimenter = Experimenter(client.campaign, map_workers.dead_on_arrival)
        answer = ask(client)
        assert answer.status_code == 503
        assert "lensvet-what-if died" in answer.json()["detail"]
        assert client.get(object_url("a")).status_code == 200


def test_a_map_that_takes_long_does_not_keep_the_brush_waiting(tmp_path):
    with serving(tmp_path) as client:
        decoded(ask(client))
        add_scores(client.campaign, {"a": 1.0}, model="evidence-net-0123abcd")
        client.app.state.lensvet.explainer = Explainer(client.campaign, map_workers.never_answering)
        url = object_url("a", "maps", "evidence-net-0123abcd", "occlusion")
        waiting = threading.Thread(
            target=lambda: contextlib.suppress(Exception) and client.get(url, timeout=60)
        )
        waiting.start()
        while client.app.state.lensvet.explainer._worker._running is None:
            time.sleep(0.01)
        decoded(ask(client, strokes=[STROKE]))
        assert waiting.is_alive()
        client.app.state.lensvet.explainer.close()
        waiting.join()


def test_the_worker_ends_with_the_server(tmp_path):
    with serving(tmp_path) as client:
        decoded(ask(client))
        pid = worker_of(client)[0].pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_api_documents_it(tmp_path):
    with serving(tmp_path) as client:
        described = client.get(f"{API}/openapi.json").json()
    assert "post" in described["paths"][URL]
    assert described["components"]["schemas"]["WhatIfAsked"]["properties"]["fill"]["enum"] == [
        "median",
        "sky",
        "noise",
    ]
