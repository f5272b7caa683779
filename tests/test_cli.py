"""The command line: errors in one line, exit codes, help by example, children that end."""

import re
import signal
import subprocess
import sys

import httpx
import psutil
import pytest

from dashboard import cli
from dashboard.commands import COMMANDS
from data.campaign import open_campaign
from data.cutouts import Cutout
from data.errors import CampaignError
from lensmodel.scoring import ScoringReport, Tally
from tests.fixtures.campaigns import add_scores, filled_campaign
from tests.fixtures.networks import added_model, evidence_model
from tests.fixtures.odd_files import picture, write_fits
from tests.fixtures.packed import fill, planes
from tests.fixtures.servers import API, address_in, lensvet_process


def run(*words: object) -> int:
    """The exit code."""
    try:
        return cli.main([str(word) for word in words])
    except SystemExit as end:
        return int(end.code or 0)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_by_examples(name: str, capsys):
    assert run(name, "--help") == 0
    text = capsys.readouterr().out
    assert "examples:" in text
    assert f"  lensvet {name}" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_of_every_command_can_be_typed(name: str):
    parser = cli.make_parser()
    for line in re.findall(r"^  (lensvet .*?)(?:   .*)?$", COMMANDS[name].EXAMPLES, re.MULTILINE):
        import shlex

        assert parser.parse_args(shlex.split(line)[1:]).command == name


def test_help_imports_nothing_slow():
    code = (
        "import sys; from dashboard import cli; cli.make_parser().format_help(); print(sorted(sys.modules))"
    )
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for package in ("torch", "numpy", "panel", "astropy", "zarr", "sqlalchemy", "rich"):
        assert f"'{package}'" not in listed


@pytest.mark.parametrize(
    "words",
    [
        ["nothing"],
        [],
        ["new"],
        ["new", "x"],
        ["serve", "x", "--port", "70000"],
        ["serve", "x", "--port", "http"],
        ["simulate", "x", "--number", "ten", "--seed", "1"],
        ["ingest", "x"],
        ["ingest", "x", "y", "--band", "F814W"],
        ["ingest", "x", "y", "--band", "=VIS"],
        ["ingest", "x", "y", "--pixel-scale", "small"],
        ["--nothing"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_exit_code_2(words: list[str], capsys):
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("lensvet")
    assert "--help" in error


@pytest.mark.parametrize(
    "words",
    [
        ["serve", "NOWHERE"],
        ["ingest", "NOWHERE", "x"],
        ["score", "NOWHERE"],
        ["export", "NOWHERE", "x.csv"],
        ["explain", "NOWHERE", "--model", "m", "--method", "evidence"],
        ["new", "NOWHERE", "--survey", "sloan"],
        ["new", "NOWHERE", "--survey", "euclid", "--reveal", "never"],
        ["models", "add", "NOWHERE.pt"],
    ],
    ids=" ".join,
)
def test_a_failure_is_one_line_and_exit_code_1(words: list[str], tmp_path, capsys):
    here = [word.replace("NOWHERE", str(tmp_path / "nowhere")) for word in words]
    assert run(*here) == 1
    error = capsys.readouterr().err
    assert error.startswith("lensvet: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--band", "F814W=I"], "F814W is taken for 'I'; expected one of VIS, Y, J, H"),
        (["--band", "F814W=VIS", "--band", "F814W=H"], "F814W is taken for VIS"),
        (["--pixel-scale", "-0.05"], "the pixel scale is -0.05; expected arcsec between"),
        (["--pixel-scale", "nan"], "the pixel scale is nan; expected arcsec between"),
    ],
)
def test_a_filter_or_a_pixel_scale_that_cannot_be_is_refused(campaign, words, complaint, capsys):
    before = campaign.settings_path.read_bytes()
    assert run("ingest", campaign.path, campaign.path, *words) == 1
    error = capsys.readouterr().err
    assert complaint in error
    assert error.strip().count("\n") == 0
    assert campaign.settings_path.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["grad-cam", "--window", "4"], "Grad-CAM has no option window_px; it has layer"),
        (
            ["occlusion-vis", "--layer", "4"],
            "Occlusion in VIS has no option layer; it has window_px, stride_px",
        ),
        (["saliency", "--unit", "logit"], "Saliency has no option unit; it has none"),
        (["occlusion-z"], "OU-66 has no occlusion-z; it has grad-cam"),
    ],
)
def test_an_option_of_another_method_is_refused_in_a_line(campaign, tmp_path, words, complaint, capsys):
    added_model(tmp_path)
    assert run("explain", campaign.path, "--model", "ou-66", "--method", *words) == 1
    error = capsys.readouterr().err
    assert complaint in error
    assert error.strip().count("\n") == 0


def test_maps_with_options_say_where_they_are_and_the_usual_ones_are_not_touched(campaign, tmp_path, capsys):
    fill(campaign, [Cutout("a", planes((200, 200)))])
    version = added_model(tmp_path).version
    words = ["--window", 33, "--stride", 11, "--baseline", "noise", "--unit", "logit"]
    assert run("explain", campaign.path, "--model", "ou-66", "--method", "occlusion-vis", *words) == 0
    path = campaign.maps_path(version, "occlusion-vis,baseline=noise,stride_px=11,unit=logit,window_px=33")
    said = " ".join(capsys.readouterr().out.split())
    assert f"1 maps computed, 0 were there: {path}" in said
    assert path.exists()
    assert not campaign.maps_path(version, "occlusion-vis").exists()


def test_occlusion_says_when_it_took_full_passes(campaign, tmp_path, monkeypatch, capsys):
    fill(campaign, [Cutout("a", planes((64, 64)), kind="colour")])  # refused, which takes no time
    added_model(tmp_path)
    for is_local, says in ((True, False), (False, True)):
        monkeypatch.setattr("lensmodel.explain.objects.are_local", lambda _, so=is_local: so)
        assert run("explain", campaign.path, "--model", "ou-66", "--method", "occlusion") == 0
        assert ("every square took a pass of the whole image" in capsys.readouterr().out) == says


def test_a_filter_of_another_instrument_is_scored_as_the_band_that_it_is_taken_for(
    campaign, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("dashboard.commands.score.preferred_model", lambda *_: evidence_model(tmp_path))
    write_fits(tmp_path / "hubble" / "a_F814W.fits", picture(64))
    words = ["--band", "F814W=VIS", "--pixel-scale", "0.05"]
    assert run("ingest", campaign.path, tmp_path / "hubble", *words) == 0
    assert "F814W is taken for VIS" in capsys.readouterr().out
    assert run("score", campaign.path) == 0
    assert "judged without Y, J, H, 1 times" in capsys.readouterr().out


def test_debug_shows_where_an_error_came_from(tmp_path):
    with pytest.raises(CampaignError):
        cli.main(["serve", str(tmp_path), "--debug"])


def test_new_makes_a_campaign_that_opens(tmp_path, capsys):
    words = ["new", tmp_path / "q1", "--survey", "euclid", "--title", 'Q1 "group"', "--reveal", "after-grade"]
    assert run(*words) == 0
    campaign = open_campaign(tmp_path / "q1")
    assert (campaign.title, campaign.reveal) == ('Q1 "group"', "after-grade")
    assert "lensvet ingest" in capsys.readouterr().out
    assert run(*words) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org"])
def test_a_host_beyond_this_machine_is_refused_with_the_reason(host: str, tmp_path, capsys):
    campaign = filled_campaign(tmp_path / "c", ["a"], size_px=4)
    assert run("serve", campaign.path, "--host", host, "--port", 0) == 1
    assert "people add NAME --role admin" in capsys.readouterr().err


def test_a_port_that_is_taken_is_said_before_anything_is_made(tmp_path, capsys):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run("demo", "--path", tmp_path / "demo", "--port", port) == 1
    assert "--port" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


def test_doctor_finds_a_healthy_campaign_healthy(tmp_path, capsys):
    campaign = filled_campaign(tmp_path / "c", ["a"], size_px=4)
    add_scores(campaign, {"a": 1.0})
    assert run("doctor", campaign.path) == 0
    text = capsys.readouterr().out
    assert "FAIL" not in text
    assert "1, of survey euclid" in text


def test_doctor_says_what_is_broken(tmp_path, capsys):
    campaign = filled_campaign(tmp_path / "c", ["a"], size_px=4)
    campaign.catalogue_path.write_bytes(b"no parquet")
    (tmp_path / "c" / "labels.sqlite").write_bytes(b"no database, but long enough to be taken for one" * 100)
    assert run("doctor", campaign.path) == 1
    text = capsys.readouterr().out
    assert "FAIL  objects" in text
    assert "FAIL  votes" in text


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_demo_says_where_it_is_once_it_answers_and_ends_with_all_its_children(stop, tmp_path):
    log = tmp_path / "log"
    with lensvet_process(["demo", "--path", str(tmp_path / "demo"), "--port", "0"], log=log) as process:
        url = address_in(log)
        assert httpx.get(f"{url}{API}/health").json()["objects"] > 0
        start_map_worker(url)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(stop)
        assert process.wait(15) == (-signal.SIGKILL if stop == signal.SIGKILL else 0)
    ended, alive = psutil.wait_procs(children, timeout=10)
    assert ended
    assert not alive
    assert "Traceback" not in log.read_text()


def test_following_stops_on_ctrl_c_with_exit_code_0(tmp_path, monkeypatch, capsys):
    campaign = filled_campaign(tmp_path / "c", ["a"], size_px=4)
    rounds = []
    monkeypatch.setattr("dashboard.commands.score._score", lambda *_, **__: rounds.append(1) or REPORT)
    monkeypatch.setattr("dashboard.commands.score.time.sleep", interrupt_on_second_call())
    monkeypatch.setattr("lensmodel.models.default_model", lambda: CARD)
    assert run("score", campaign.path, "--follow") == 0
    assert rounds == [1]
    assert "stopped following" in capsys.readouterr().out


def start_map_worker(url: str) -> None:
    """Ask for a map, so that there is a worker; whether it comes is another test's matter."""
    (first,) = httpx.get(f"{url}{API}/queue", params={"limit": 1}).json()["items"]
    models = httpx.get(f"{url}{API}/campaign").json()["models"]
    if models:
        address = f"{url}{API}/objects/{first['object_id']}/maps/{models[0]['version']}/grad-cam"
        with pytest.raises(httpx.TimeoutException):
            httpx.get(address, timeout=0.05)


class CARD:
    version = "evidence-net-00000000"
    title = "Evidence network"


REPORT = ScoringReport(Tally(scored=1), already_there=0, seconds=0.1)


def interrupt_on_second_call():
    calls = []

    def sleep(_: float) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    return sleep
