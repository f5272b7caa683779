"""`/why` without a browser: objects of known class, mistakes, sentences, and what is said where there is nothing."""

import uuid
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from dashboard.judgements import mistakes
from dashboard.pages import why_sections as sections
from dashboard.state import ServerState
from data.campaign import create_campaign
from data.scores import SCORE_SCHEMA, write_part
from data.votes import Vote
from lensmodel.errors import EvaluationError
from lensmodel.models import default_model
from tests.fixtures.campaigns import MODEL, add_objects, add_scores

OTHER = "other-net-4567abcd"


@pytest.fixture
def state(tmp_path):
    """Ten rings, ten arcs, twenty spirals. Found at p > 0.5: nine rings, three arcs; two spirals pass."""
    campaign = create_campaign(tmp_path / "c", survey="euclid", title="Test campaign")
    kinds = {"ring": ("lens", 10, 9), "arc": ("lens", 10, 3), "spiral": ("nonlens", 20, 2)}
    for subtype, (class_, number, taken) in kinds.items():
        for n in range(number):
            columns = {"class": class_, "subtype": subtype} | (
                {"theta_E_arcsec": 1 + n / 10} if class_ == "lens" else {}
            )
            add_objects(campaign, [f"{subtype}-{n}"], columns=columns, size_px=16)
        add_scores(
            campaign, {f"{subtype}-{n}": (1.0 if n < taken else -1.0) - n / 100 for n in range(number)}
        )
    state = ServerState(campaign, inspector="Ada")
    yield state
    state.close()


@pytest.fixture
def plain(tmp_path):
    """A campaign of four objects that nobody knows anything of."""
    campaign = create_campaign(tmp_path / "plain", survey="euclid", title="Plain")
    add_objects(campaign, ["a", "b", "c", "d"], size_px=16)
    add_scores(campaign, {"a": 2.0, "b": -2.0, "c": 1.0, "d": None})
    state = ServerState(campaign, inspector="Ada")
    yield state
    state.close()


def vote(state: ServerState, object_id: str, grade: str, flag: str | None = None) -> None:
    one = Vote(str(uuid.uuid4()), object_id, "Ada", "revealed", grade, datetime.now(UTC), flag=flag)
    state.labels.add(one)


def contents(state: ServerState, point: str = "p_half") -> sections.Contents:
    return sections.contents_of(state, [MODEL], point)


def ids_of(state: ServerState, kind: str, order: str = "confidence", selection=None, flagged=()) -> list[str]:
    found = contents(state)
    rows = mistakes(kind, order, found.subjects, found.judged[0], selection or {}, flagged)
    return [object_id for object_id, _ in found.subjects.catalogue.listed(rows)]


def test_the_first_sentence_counts_what_is_found_and_what_passes(state):
    assert "finds 60.0 % (38.7 to 78.1 %; 12 of 20) of the lenses" in sections.summary_html(contents(state))
    assert "2 of 20 non-lenses pass" in sections.summary_html(contents(state))


def test_each_kind_has_its_share_in_the_sentence_and_in_the_plot(state):
    found = contents(state)
    subtypes = found.subjects.partition("subtype")
    assert "90 % ± 19 % of ring lenses, 30 % ± 25 % of arc lenses" in sections.card_html(found, subtypes)
    columns = sections.columns_of(found, {})["subtype"]["data-0"]
    assert dict(zip(columns["bin"], columns["share"], strict=True)) == pytest.approx(
        {"arc": 0.3, "ring": 0.9}
    )


def test_a_selected_kind_restricts_the_other_plots(state):
    found = contents(state)
    names = [group.name for group in found.subjects.partition("subtype").groups]
    selection = {"subtype": frozenset({names.index("ring")})}
    radii = sections.columns_of(found, selection)["theta_E_arcsec"]["data-0"]
    assert (radii["of"].sum(), radii["found"].sum()) == (10, 9)
    assert sections.columns_of(found, {})["theta_E_arcsec"]["data-0"]["of"].sum() == 20
    assert "Selected: subtype ring" in sections.chosen_html(found, selection)


def test_misses_and_false_positives_come_most_confident_first(state):
    assert ids_of(state, "false_negative")[:2] == ["ring-9", "arc-9"]  # equal logits: as in the catalogue
    assert ids_of(state, "false_negative")[-1] == "arc-3"
    assert ids_of(state, "false_positive") == ["spiral-0", "spiral-1"]


def test_the_gallery_keeps_to_the_selection(state):
    names = [group.name for group in contents(state).subjects.partition("subtype").groups]
    rings = {"subtype": frozenset({names.index("ring")})}
    assert ids_of(state, "false_negative", selection=rings) == ["ring-9"]
    assert ids_of(state, "false_positive", selection=rings) == []
    assert ids_of(state, "flagged", selection=rings, flagged=["arc-0", "ring-0"]) == ["ring-0"]


def test_where_and_why_order_the_gallery_the_least_agreeing_first(state):
    found = contents(state)
    scores = found.judged[0].scores
    scores.where_why[:] = np.arange(len(scores.where_why))[::-1]
    rows = mistakes("false_negative", "where_why", found.subjects, found.judged[0], {})
    assert (np.diff(scores.where_why[rows]) > 0).all()


def test_what_inspectors_flagged_is_in_the_gallery_with_the_flag(state):
    vote(state, "ring-0", "A", flag="wrong_reason")
    gallery = sections.gallery_of(state, contents(state), "flagged", "confidence", {}, 24, "evidence")
    assert gallery.total == 1
    assert 'href="vet?object=ring-0"' in gallery.html
    assert "× 1" in gallery.html


def test_an_id_with_special_characters_is_one_link_and_no_markup(plain):
    nasty = '<b>"x"&?#/'
    add_objects(plain.campaign, [nasty], size_px=16)
    vote(plain, nasty, "A", flag="wrong_reason")
    gallery = sections.gallery_of(plain, contents(plain), "flagged", "confidence", {}, 24, None)
    assert 'href="vet?object=%3Cb%3E%22x%22%26%3F%23%2F"' in gallery.html
    assert "<b>&lt;b&gt;" not in gallery.html
    assert "&lt;b&gt;&#34;x&#34;&amp;?#/" in gallery.html


def test_without_truth_the_grades_say_what_is_a_lens(plain):
    for object_id, grade in {"a": "A", "b": "B", "c": "X", "d": "A"}.items():
        vote(plain, object_id, grade)
    found = contents(plain)
    assert "50.0 %" in sections.summary_html(found)
    assert "people&#39;s grades" in sections.summary_html(found)
    assert ids_of(plain, "false_negative") == ["b"]
    assert ids_of(plain, "false_positive") == ["c"]


def test_a_new_grade_is_seen_and_nothing_else_makes_it_count_again(plain):
    vote(plain, "a", "A")
    first = plain.judgements.subjects()
    assert plain.judgements.subjects() is first
    vote(plain, "b", "X")
    assert plain.judgements.subjects().is_lens.tolist() == [True, False]


def test_without_truth_and_grades_it_says_how_to_get_some(plain):
    with pytest.raises(EvaluationError, match="grade some of them on /vet"):
        contents(plain)


def test_without_scores_it_names_the_command(plain):
    with pytest.raises(EvaluationError, match="lensvet score"):
        sections.contents_of(plain, [], "p_half")


def test_with_lenses_alone_only_a_threshold_in_p_lens_is_possible(plain):
    vote(plain, "a", "A")
    with pytest.raises(EvaluationError, match=r"choose p_lens above 0\.5"):
        contents(plain, "fpr_1pct")
    assert "there are no non-lenses" in sections.summary_html(contents(plain))


def test_few_non_lenses_are_a_caution(state):
    assert "With 20 non-lenses 0.1 % false positives means none" in sections.summary_html(
        contents(state, "fpr_0p1pct")
    )


def test_a_model_whose_weights_are_gone_is_shown_with_what_to_do(state):
    add_scores(state.campaign, {"ring-0": 1.0, "spiral-0": -1.0}, model=OTHER)
    found = sections.contents_of(state, [OTHER], "p_half")
    assert "weights of other-net-4567abcd are not on this machine" in sections.summary_html(found)
    work = sections.map_work(state, found, "evidence", {})
    assert not work.missing


def test_every_plot_can_be_drawn_and_names_its_data(state):
    add_scores(state.campaign, {f"ring-{n}": 1.0 for n in range(10)} | {"spiral-0": 0.0}, model=OTHER)
    found = sections.contents_of(state, [MODEL, OTHER], "p_half")
    for partition in found.subjects.partitions:
        figure = sections.figure_of(found, partition)
        sources = {renderer.data_source.name for renderer in figure.renderers}
        assert sources >= {"bins", "data-0", "data-1"}
        columns = sections.columns_of(found, {})[partition.name]
        for renderer in figure.renderers:
            source = renderer.data_source
            if source.name in columns:
                assert set(source.data) >= set(columns[source.name]) - {"share", "low_95", "high_95"}


def test_a_page_without_maps_and_without_mistakes_says_so(state):
    found = contents(state)
    gallery = sections.gallery_of(state, found, "flagged", "confidence", {}, 24, "evidence")
    assert "There are no objects flagged by inspectors: raise a flag on /vet with f." in gallery.html
    maps = sections.maps_of(state, found, sections.map_work(state, found, "evidence", {}), "evidence")
    assert (maps.plots, "There are no maps of these objects." in maps.words) == ([], True)


def test_what_people_flag_as_right_for_the_wrong_reason_is_held_against_where_why(state):
    ids = ["ring-0", "ring-1", "arc-0", "arc-1", "arc-9"]
    values = [0.9, 0.2, 0.8, 0.1, 0.0]  # arc-9 is no response
    write_part(
        state.campaign.scores_path(OTHER),
        pa.Table.from_pylist(
            [
                {"object_id": one, "logit": 1.0, "p_lens": 0.9 if value else 0.1, "where_why": value}
                for one, value in zip(ids, values, strict=True)
            ],
            schema=SCORE_SCHEMA,
        ),
    )
    found = sections.contents_of(state, [OTHER], "p_half")

    def told():
        gallery = sections.gallery_of(state, found, "false_negative", "confidence", {}, 24, None)
        return str(gallery.html).partition('data-testid="feedback">')[2].partition("<")[0]

    assert told() == ""
    vote(state, "ring-1", "A", flag="wrong_reason")
    assert "1 object flagged as right for the wrong reason: nothing else" in told()
    for one in ("ring-0", "arc-0", "arc-1", "arc-9"):
        vote(state, one, "B", flag="false_positive" if one == "arc-0" else None)
    assert "in 67 % of the pairs (" in told()
    assert "; 1 flagged, 3 graded and not flagged so)" in told()


def test_methods_whose_maps_cannot_be_stacked_are_not_offered(state):
    version = default_model().version
    add_scores(state.campaign, {"ring-0": 1.0}, model=version)
    found = sections.contents_of(state, [version], "p_half")
    offered = set(sections.methods_by_title(state, found).values())
    assert {"evidence", "grad-cam"} <= offered
    assert not {"occlusion", "occlusion-vis", "hirescam"} & offered


def test_maps_of_found_lenses_are_stacked_and_said_in_a_sentence(state):
    from data.maps import MapStore
    from lensmodel.explain import METHODS

    row = METHODS["evidence"]
    store = MapStore(state.campaign.maps_path(MODEL, "evidence"), signed=row.signed, unit=row.unit)
    map_ = np.zeros((16, 16), np.float32)
    map_[7:9, 7:9] = 1.0
    truth_columns = {"class": "lens", "subtype": "ring", "theta_E_arcsec": 0.3}
    ids = [f"placed-{n}" for n in range(3)]
    add_objects(state.campaign, ids, columns=truth_columns | {"lens_x_arcsec": 0.0, "lens_y_arcsec": 0.0})
    add_scores(state.campaign, dict.fromkeys(ids, 3.0))
    found = contents(state)
    for stored in found.subjects.catalogue.table.rows_of(ids):
        store.write(stored, map_)
    work = sections.map_work(state, found, "evidence", {})
    maps = sections.maps_of(state, found, work, "evidence")
    assert any("looks mostly at r = 0.0 θ_E" in text for text, _ in maps.plots)
    assert any("Mean of 3 lenses" in text for text, _ in maps.plots)
