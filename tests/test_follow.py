"""`lensvet score --follow`: files that arrive later are read, scored and listed while the server runs."""

import signal
import time

import pytest

from dashboard import cli
from data.campaign import open_campaign
from tests.fixtures.euclid_files import write_euclid
from tests.fixtures.servers import API, lensvet_process, running_server

PATIENCE_S = 90


def test_a_file_that_arrives_later_is_scored_and_shown_and_ctrl_c_ends_it(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    write_euclid(source / "first.fits", seed=1)
    assert cli.main(["new", str(tmp_path / "c"), "--survey", "euclid"]) == 0
    assert cli.main(["ingest", str(tmp_path / "c"), str(source)]) == 0
    campaign = open_campaign(tmp_path / "c")
    log = tmp_path / "log"
    with (
        running_server(campaign) as client,
        lensvet_process(["score", str(campaign.path), "--follow"], log=log) as follower,
    ):
        wait_for_scores(client, 1, log)
        write_euclid(source / "second.fits", seed=2)
        wait_for_scores(client, 2, log)
        listed = client.get(f"{API}/queue").json()
        follower.send_signal(signal.SIGINT)
        assert follower.wait(15) == 0
    assert {item["object_id"] for item in listed["items"]} == {"first", "second"}
    assert "Traceback" not in log.read_text()
    assert "stopped following" in log.read_text()


def test_what_is_ingested_and_scored_by_commands_is_exported_by_one(tmp_path, capsys):
    (tmp_path / "source").mkdir()
    write_euclid(tmp_path / "source" / "one.fits", seed=1)
    folder = str(tmp_path / "c")
    for words in (
        ["new", folder, "--survey", "euclid"],
        ["ingest", folder, str(tmp_path / "source")],
        ["score", folder],
        ["explain", folder, "--model", "evidence-net", "--method", "evidence"],
        ["export", folder, str(tmp_path / "out.csv")],
        ["doctor", folder],
    ):
        assert cli.main(words) == 0, capsys.readouterr()
    assert (tmp_path / "out.csv").read_text().splitlines()[1].startswith('"one"')
    said = capsys.readouterr().out
    assert "1 objects added" in said
    assert "1 scored" in said
    assert "1 maps computed" in said


def wait_for_scores(client, count: int, log) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while sum(client.get(f"{API}/health").json()["scored"].values()) < count:
        if time.monotonic() > deadline:
            pytest.fail(f"no score came: {log.read_text()}")
        time.sleep(0.1)
