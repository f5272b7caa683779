"""Filters: what people type, as SQL and as a mask, means the same; what is wrong is said."""

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import FilterError
from data.filters import (
    Comparison,
    Every,
    Missing,
    Not,
    Some,
    as_mask,
    as_sql,
    checked,
    columns_of,
    in_words,
    parsed,
    within,
)

NUMBERS = np.array([0.1, 0.5, np.nan, 0.9, -3.0, 7.0])
OTHERS = np.array([1.0, np.nan, 2.0, 3.0, -3.0, np.nan])
TEXTS = np.array(["ring", "", "spiral", "Ring", "ring", 'O\'Neil "x"'])
COLUMNS = {"p_lens": NUMBERS, "I E": OTHERS, "class": TEXTS}
KINDS = {"p_lens": "number", "I E": "number", "class": "text"}


def by_sql(condition) -> list[bool]:
    table = pa.table(
        {
            "p_lens": pa.array(NUMBERS, from_pandas=True),
            "I E": pa.array(OTHERS, from_pandas=True),
            "class": pa.array([text or None for text in TEXTS]),
            "n": range(6),
        }
    )
    where, values = as_sql(condition)
    with duckdb.connect() as connection:
        connection.register("t", table)
        met = connection.execute(f"SELECT n FROM t WHERE {where}", values).fetchall()
    return [n in {row[0] for row in met} for n in range(6)]


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("", [1, 1, 1, 1, 1, 1]),
        ("p_lens > 0.5", [0, 0, 0, 1, 0, 1]),
        ("P_LENS >= .5 and p_lens<1e0", [0, 1, 0, 1, 0, 0]),
        ("p_lens > 0.5 or `I E` = -3", [0, 0, 0, 1, 1, 1]),
        ("p_lens > 5 or p_lens > 0 and `I E` > 2", [0, 0, 0, 1, 0, 1]),
        ("(p_lens > 5 or p_lens > 0) and `I E` > 2", [0, 0, 0, 1, 0, 0]),
        ("not p_lens > 0.5", [1, 1, 1, 0, 1, 0]),
        ("p_lens is missing", [0, 0, 1, 0, 0, 0]),
        ("`I E` is not missing", [1, 0, 1, 1, 1, 0]),
        ("class is missing", [0, 1, 0, 0, 0, 0]),
        ('class = "ring"', [1, 0, 0, 0, 1, 0]),
        ("class != 'ring'", [0, 0, 1, 1, 0, 1]),
        (r"""class = "O'Neil \"x\"" """, [0, 0, 0, 0, 0, 1]),
        ("class in ('ring', \"spiral\")", [1, 0, 1, 0, 1, 0]),
        ("p_lens between 0.5 and 0.9 and `I E` > 0", [0, 0, 0, 1, 0, 0]),
        ("p_lens == 7 or p_lens <> 7", [1, 1, 0, 1, 1, 1]),
    ],
)
def test_a_filter_means_the_same_in_the_database_and_in_memory(text, met):
    condition = checked(parsed(text), KINDS)
    assert by_sql(condition) == [bool(value) for value in met]
    assert as_mask(condition, COLUMNS, 6).tolist() == [bool(value) for value in met]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p_lens >", "the end' at character .*expected a number"),
        ("> 3", "expected a column"),
        ("p_lens > 0.5 p_lens", "expected and, or"),
        ("(p_lens > 0.5", r"expected \)"),
        ("p_lens", "expected a comparison"),
        ("p_lens > p_lens", "expected a number"),
        ("p_lens ; drop", "not understood"),
        ("p_lens > 3abc", "not understood"),
        ("`p_lens > 3", "not understood"),
        ("and", "expected a column"),
        ("p_lens in ()", "expected a number"),
        ("p_lens between 1 or 2", "expected and"),
        ("(" * 100 + "p_lens > 1" + ")" * 100, "parentheses within"),
        ("not " * 100 + "p_lens > 1", "within each other"),
        ("x" * 3000, "3000 characters"),
    ],
)
def test_what_is_not_understood_is_said(text, message):
    with pytest.raises(FilterError, match=message):
        parsed(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing > 1", "no column 'nothing'; there are I E, class, p_lens"),
        ('p_lens > "high"', "p_lens is compared with 'high'; expected a number"),
        ("class > 3", "class is compared with 3.0; expected text"),
    ],
)
def test_a_filter_must_fit_the_table(text, message):
    with pytest.raises(FilterError, match=message):
        checked(parsed(text), KINDS)


def test_words_stand_for_conditions():
    assert columns_of(parsed("ungraded and disputed")) == {"n_votes", "score_spread"}
    assert parsed("graded") == Comparison("n_votes", ">", 0.0)


conditions = st.recursive(
    st.one_of(
        st.builds(
            Comparison,
            st.sampled_from(["p_lens", "I E"]),
            st.sampled_from(["<", "<=", ">", ">=", "=", "!="]),
            st.sampled_from([-3.0, 0.0, 0.5, 2.0, 1e30]),
        ),
        st.builds(
            Comparison,
            st.just("class"),
            st.sampled_from(["=", "!=", "<"]),
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        ),
        st.builds(Missing, st.sampled_from(list(KINDS))),
    ),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(Every, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Some, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=5,
)


@given(conditions)
def test_every_condition_survives_being_written_down_and_means_the_same_everywhere(condition):
    again = checked(parsed(in_words(condition)), KINDS)
    mask = as_mask(condition, COLUMNS, 6).tolist()
    assert as_mask(again, COLUMNS, 6).tolist() == mask
    assert by_sql(condition) == mask


def test_a_range_without_bounds_is_met_by_everything():
    assert within("p_lens") == Every()
    assert in_words(within("p_lens", 0.5, 0.9)) == "p_lens >= 0.5 and p_lens <= 0.9"
