"""Models and their cards: what is known, what is added, what is refused."""

import dataclasses
import json
import pickle
import subprocess
import sys

import pytest
import torch
from torch import nn

from lensmodel.checkpoint import fold_batch_norms
from lensmodel.errors import ModelError, WeightsError
from lensmodel.models import (
    MODELS,
    SHIPPED,
    _recognised,
    add_model,
    known_models,
    load_network,
    model_named,
    models_folder,
    read_card,
    write_card,
)
from tests.fixtures.networks import added_model, evidence_model, random_network, random_weights

WILDE = ("ou-j", "ou-y", "ou-h", "ou-jyh", "ou-66", "ou-vis", "ou-200")


@pytest.mark.parametrize("name", WILDE)
def test_a_weight_file_is_recognised_and_named(name, tmp_path):
    card = add_model(random_weights(tmp_path, name))
    assert (card.name, card.bands, card.field_px) == (name, MODELS[name].bands, MODELS[name].field_px)
    assert known_models()[name] == card
    assert not card.predicts_position
    assert not card.calibrated


def test_a_version_names_the_weights(tmp_path):
    card = added_model(tmp_path)
    assert card.version == f"ou-66-{card.sha256[:8]}"
    assert model_named(card.version) == model_named("ou-66") == card


def test_an_unknown_name_lists_what_there_is(tmp_path):
    added_model(tmp_path)
    with pytest.raises(ModelError, match=r"'ou-67' is not known; known are .*ou-66.*lensvet models add"):
        model_named("ou-67")


def test_a_loaded_network_evaluates_and_has_the_weights_of_the_file(tmp_path):
    network = load_network(added_model(tmp_path, seed=5))
    assert not network.training
    for given, expected in zip(
        network.parameters(), random_network("ou-66", seed=5).parameters(), strict=True
    ):
        assert torch.equal(given, expected)


def test_folded_batch_normalisation_changes_no_result():
    torch.manual_seed(2)
    norm = nn.BatchNorm2d(3)
    for value in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        value.data.uniform_(0.5, 2)
    stack = nn.Sequential(nn.Conv2d(2, 3, 3, bias=False), norm, nn.ReLU(), nn.Conv2d(3, 2, 3)).eval()
    image = torch.randn(4, 2, 12, 12, requires_grad=True)
    expected = stack(image)
    fold_batch_norms(stack)
    torch.testing.assert_close(stack(image), expected)
    stack(image).sum().backward()  # as Grad-CAM does
    assert [type(layer) for layer in stack] == [nn.Conv2d, nn.Identity, nn.ReLU, nn.Conv2d]


def test_adding_the_same_file_again_changes_nothing(tmp_path):
    assert added_model(tmp_path) == added_model(tmp_path / "again")


def test_other_weights_under_a_name_that_is_taken_are_refused(tmp_path):
    first = added_model(tmp_path)
    with pytest.raises(
        ModelError, match=r"another model is called ou-66 .* a name of its own on its card, or remove"
    ):
        added_model(tmp_path / "other", seed=1)
    assert model_named("ou-66") == first


def test_bands_with_one_layout_are_told_apart_by_the_name_of_the_file(tmp_path):
    file = random_weights(tmp_path, "ou-y")
    named = file.rename(tmp_path / "retrained_ou_h_v2.pt")
    assert add_model(named).name == "ou-h"


def test_bands_that_nothing_tells_apart_are_refused(tmp_path):
    file = random_weights(tmp_path, "ou-y").rename(tmp_path / "weights.pt")
    with pytest.raises(WeightsError, match=r"fits ou-j, ou-y, ou-h.*name the file after its band.*OU_Y\.pt"):
        add_model(file)


def test_the_published_files_are_known_whatever_they_are_called(shared_folder, tmp_path):
    renamed = tmp_path / "weights.pt"
    renamed.write_bytes((shared_folder / "wilde2022" / "OU_Y.pt").read_bytes())
    assert add_model(renamed).name == "ou-y"
    names = [add_model(file).name for file in sorted((shared_folder / "wilde2022").glob("OU_*.pt"))]
    assert sorted(names) == sorted(WILDE)


def test_weights_for_another_layout_are_refused_with_what_differs(tmp_path):
    state = random_network("ou-66").state_dict()
    state["layer.0.weight"] = torch.zeros(50, 5, 3, 3)
    torch.save(state, tmp_path / "five_bands.pt")
    with pytest.raises(
        WeightsError, match=r"closest is ou-j: layer.0.weight has shape \(50, 5, 3, 3\), expected \(50, 1"
    ):
        add_model(tmp_path / "five_bands.pt")


def test_weights_that_are_not_finite_are_refused(tmp_path):
    state = random_network("ou-66").state_dict()
    state["fc_layer.2.bias"][0] = float("nan")
    torch.save(state, tmp_path / "broken.pt")
    with pytest.raises(WeightsError, match=r"holds NaN or infinity in fc_layer\.2\.bias"):
        add_model(tmp_path / "broken.pt")


class _RunsCode:
    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return open, (str(self.witness), "w")


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_runs_code_is_refused_and_runs_nothing(tmp_path, protocol):
    witness = tmp_path / "witness"
    (tmp_path / "evil.pt").write_bytes(pickle.dumps({"w": _RunsCode(witness)}, protocol=protocol))
    torch.save({"w": _RunsCode(witness)}, tmp_path / "evil_zip.pt")
    for name in ("evil.pt", "evil_zip.pt"):
        with pytest.raises(WeightsError, match="was not loaded, since it could run code"):
            add_model(tmp_path / name)
    assert not witness.exists()
    assert not models_folder().exists()


def test_a_saved_module_is_refused_and_told_how_to_save_weights(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")
    with pytest.raises(WeightsError, match=r"holds more than tensors \(torch.*Linear\).*state_dict"):
        add_model(tmp_path / "module.pt")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.999])
def test_a_truncated_file_is_refused(tmp_path, share):
    whole = random_weights(tmp_path, "ou-66").read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(WeightsError, match=r"cut\.pt"):
        add_model(tmp_path / "cut.pt")


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {}}, {1: torch.ones(1)}, torch.ones(3)])
def test_what_is_no_state_dict_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="not a plain state dict"):
        add_model(tmp_path / "other.pt")


@pytest.mark.parametrize(
    "content", [b"", b"hello world", b"\x80\x02.", b"PK\x03\x04", bytes(range(256)) * 40]
)
def test_any_other_file_is_refused(tmp_path, content):
    (tmp_path / "other.pt").write_bytes(content)
    with pytest.raises(WeightsError, match=r"other\.pt"):
        add_model(tmp_path / "other.pt")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="is not a file"):
        add_model(tmp_path / "none.pt")


def test_weights_that_changed_on_disk_are_not_run(tmp_path):
    card = added_model(tmp_path)
    card.weights_path.write_bytes(random_weights(tmp_path, "ou-66", seed=9).read_bytes())
    with pytest.raises(WeightsError, match="has changed since ou-66-"):
        load_network(card)


def test_a_card_with_its_weights_is_added_under_its_own_name(tmp_path):
    file = random_weights(tmp_path, "ou-66").rename(tmp_path / "mine.pt")
    card = dataclasses.replace(added_model(tmp_path / "other", seed=3), name="mine", title="Mine")
    write_card(card, tmp_path / "mine.json")
    values = json.loads((tmp_path / "mine.json").read_text())
    del values["sha256"]
    (tmp_path / "mine.json").write_text(json.dumps(values))
    added = add_model(tmp_path / "mine.json")
    assert (added.name, added.weights_path.parent) == ("mine", models_folder())
    assert added.weights_path.read_bytes() == file.read_bytes()
    assert list(known_models())[-2:] == ["mine", "ou-66"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": "../../evil"}, "expected lower-case letters"),
        ({"name": None}, "expected lower-case letters"),
        ({"architecture": "resnet"}, "architecture 'resnet'; known are evidence-net"),
        ({"sha256": "zz"}, "expected 64 hexadecimal digits"),
        ({"bands": None}, "is no model card"),
        ({"bands": []}, r"bands \(\)"),
        ({"bands": ["VIS"]}, "does not fit OU66"),
        ({"pixel_scale_arcsec": -1}, "pixel_scale_arcsec -1"),
        ({"pixel_scale_arcsec": "0.3"}, "pixel_scale_arcsec '0.3'"),
        ({"field_px": 0}, "field_px 0"),
        ({"field_px": 99}, "cannot judge an image of 4 bands, 99x99 px"),
        ({"title": 7}, "title 7"),
        ({"prior": "half"}, "prior 'half'"),
        ({"prior": 1.0}, "prior 1.0"),
        ({"prior": True}, "prior True"),
    ],
)
def test_a_card_that_is_wrong_is_refused_with_the_reason(tmp_path, change, complaint):
    card = added_model(tmp_path / "added")
    random_weights(tmp_path, "ou-66").rename(tmp_path / "mine.pt")
    write_card(card, tmp_path / "mine.json")
    values = json.loads((tmp_path / "mine.json").read_text())
    (tmp_path / "mine.json").write_text(json.dumps(values | {"name": "mine"} | change))
    with pytest.raises(ModelError, match=complaint):
        add_model(tmp_path / "mine.json")


@pytest.mark.parametrize("text", ["", "[]", "{", '"x"', "{}"])
def test_a_file_that_is_no_card_is_refused(tmp_path, text):
    random_weights(tmp_path, "ou-66").rename(tmp_path / "mine.pt")
    (tmp_path / "mine.json").write_text(text)
    with pytest.raises(ModelError, match="is no model card"):
        read_card(tmp_path / "mine.json")


def test_a_card_without_weights_is_refused(tmp_path):
    (tmp_path / "mine.json").write_text("{}")
    with pytest.raises(ModelError, match=r"mine\.pt should lie beside it"):
        read_card(tmp_path / "mine.json")


def test_every_shipped_model_loads():
    for card in known_models().values():
        assert card.weights_path.parent == SHIPPED
        load_network(card)


def test_the_tables_are_read_without_torch():
    code = (
        "import sys, lensmodel.models, lensmodel.explain, lensmodel.errors; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("said", "expected"), [({}, False), ({"bands_may_be_missing": True}, True)])
def test_a_card_says_whether_bands_may_be_missing_and_an_older_one_means_no(tmp_path, said, expected):
    path = tmp_path / "mine.json"
    write_card(evidence_model(tmp_path), path)
    random_weights(tmp_path, "evidence-net").rename(tmp_path / "mine.pt")
    values = json.loads(path.read_text())
    del values["bands_may_be_missing"]
    path.write_text(json.dumps(values | said | {"a field of the future": 1}))
    card = read_card(path)
    assert card.bands_may_be_missing is expected
    write_card(card, path)
    assert read_card(path) == card


@pytest.mark.parametrize(
    ("architecture", "said", "expected"),
    [("evidence-net", "yes", "true or false"), ("ou-66", True, "false, for OU-66 needs every band")],
)
def test_a_card_cannot_say_that_of_a_network_that_needs_every_band(tmp_path, architecture, said, expected):
    card = dataclasses.replace(
        added_model(tmp_path),
        architecture=architecture,
        bands=MODELS[architecture].bands,
        bands_may_be_missing=said,
    )
    path = card.weights_path.with_suffix(".json")
    write_card(card, path)
    with pytest.raises(ModelError, match=f"bands_may_be_missing .*; expected {expected}"):
        read_card(path)


def test_a_weight_file_alone_does_not_say_that_it_was_trained_without_bands(tmp_path):
    assert MODELS["evidence-net"].bands_may_be_missing
    weights = random_weights(tmp_path, "evidence-net")
    card = _recognised(weights)
    assert card.bands_may_be_missing is False
