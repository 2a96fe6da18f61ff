"""CVSS vectors are rated as their specifications say; anything else is refused in a sentence."""

import pytest
from cvss.constants3 import METRICS_MANDATORY as BASE_OF_3
from cvss.constants3 import METRICS_VALUES as METRICS_OF_3
from cvss.constants4 import METRICS_MANDATORY as BASE_OF_4
from cvss.constants4 import METRICS_VALUE_NAMES as METRICS_OF_4
from hypothesis import given
from hypothesis import strategies as st
from meldbalie.models import severity
from meldbalie.models.errors import Refused
from meldbalie.models.severity import Rating, Severity, rating_by_vector

HIGH = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"
WORST = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"
WORST_OF_4 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H"


@pytest.mark.parametrize(
    ("vector", "rated", "score"),
    [
        (HIGH, "high", 7.5),
        (WORST, "critical", 10.0),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "medium", 6.1),
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", "low", 3.1),
        ("CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "medium", 6.8),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", "none", 0.0),
        (WORST_OF_4, "critical", 10.0),
        ("CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "high", 7.3),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", "none", 0.0),
    ],
)
def test_a_vector_has_the_score_and_the_rating_of_its_specification(
    vector: str, rated: str, score: float
) -> None:
    assert rating_by_vector(vector) == Rating(Severity(rated), score, vector)


@pytest.mark.parametrize(
    ("vector", "rated", "score"),
    [
        (f"{WORST}/E:U/RL:O", "high", 8.7),  # threat: temporal metrics of 3.1
        (f"{WORST}/MC:N/MI:N/MA:N", "none", 0.0),  # nothing to lose here: environmental metrics
        (f"{HIGH}/E:P/CR:H", "high", 8.8),  # both
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U", "high", 8.1),
    ],
)
def test_threat_and_surroundings_are_counted_in(vector: str, rated: str, score: float) -> None:
    rating = rating_by_vector(vector)

    assert (rating.severity.value, rating.score) == (rated, score)


def test_a_vector_is_kept_in_the_order_of_its_specification_without_what_is_not_defined() -> None:
    assert rating_by_vector(f" {HIGH}/E:X/CR:X\n").vector == HIGH
    assert rating_by_vector("CVSS:3.1/A:N/I:N/C:H/S:U/UI:N/PR:N/AC:L/AV:N") == rating_by_vector(HIGH)


def test_metrics_that_are_not_defined_do_not_make_a_score_environmental() -> None:
    """The formula of CVSS 3.1 gives some vectors 0.1 more there, by rounding alone."""
    vector = "CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:C/C:H/I:H/A:H"

    assert rating_by_vector(f"{vector}/CR:X").score == rating_by_vector(vector).score == 6.8


def test_a_rating_reads_as_handlers_say_it() -> None:
    assert str(rating_by_vector(HIGH)) == f"high, 7.5 ({HIGH})"
    assert str(rating_by_vector(WORST)) == f"critical, 10.0 ({WORST})"
    assert str(Rating(Severity.NONE)) == "none"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("AV:N/AC:L/Au:N/C:P/I:P/A:P", "'AV:N/AC:L/Au:N/C:P/I:P/A:P' cannot be read"),  # CVSS 2
        ("CVSS:2.0/AV:N", "'CVSS:2.0/AV:N' cannot be read"),
        ("CVSS:4.1/AV:N", "'CVSS:4.1/AV:N'"),
        ("CVSS:3.1", "'CVSS:3.1'"),
        ("7.5", "'7.5'"),
        (HIGH.lower(), f"'{HIGH.lower()}'"),
        (f"{HIGH}/", f"'{HIGH}/'"),
        ("CVSS:3.1/AV:N", 'Missing mandatory metrics "AC, PR, UI, S, C, I, A"'),
        (HIGH.replace("AV:N", "AV:Q"), 'Unknown value "Q" in field "AV:Q"'),
        (f"{HIGH}/AV:N", 'Duplicate metric "AV"'),
        (HIGH.replace("3.1", "4.0"), "Invalid metric"),
        (HIGH + "/CR:H" * 60, "of 344 characters"),
    ],
)
def test_a_bad_vector_is_refused_with_what_is_wrong_and_the_way_out(given: str, named: str) -> None:
    with pytest.raises(Refused) as refusal:
        rating_by_vector(given)

    assert named in str(refusal.value)
    assert "of version 3.0, 3.1 or 4.0, such as CVSS:3.1/AV:N/AC:L/" in str(refusal.value)


@pytest.mark.parametrize("words", ["Sanne", "formulieren.voorbeeld.example", "10.20.30.40", "geen idee"])
def test_words_in_the_wrong_field_are_not_repeated(words: str) -> None:
    """The refusal stands on the card, and the card in Prefect."""
    with pytest.raises(Refused, match=f"of {len(words)} characters") as refusal:
        rating_by_vector(words)

    assert words not in str(refusal.value)


VECTORS = st.one_of(
    *(
        st.fixed_dictionaries(
            {metric: st.sampled_from(sorted(values)) for metric, values in metrics.items() if metric in base},
            optional={
                metric: st.sampled_from(sorted(values))
                for metric, values in metrics.items()
                if metric not in base
            },
        ).map(lambda chosen, version=version: "/".join([version, *(f"{m}:{v}" for m, v in chosen.items())]))
        for version, metrics, base in (
            ("CVSS:3.0", METRICS_OF_3, BASE_OF_3),
            ("CVSS:3.1", METRICS_OF_3, BASE_OF_3),
            ("CVSS:4.0", METRICS_OF_4, BASE_OF_4),
        )
    )
)
UP_TO = {
    Severity.NONE: 0.0,
    Severity.LOW: 3.9,
    Severity.MEDIUM: 6.9,
    Severity.HIGH: 8.9,
    Severity.CRITICAL: 10,
}


@given(VECTORS)
def test_every_vector_is_rated_by_its_score_and_read_again_as_the_same(vector: str) -> None:
    rating = rating_by_vector(vector)

    assert rating.score is not None
    assert rating.vector is not None
    assert rating.severity is next(name for name, most in UP_TO.items() if rating.score <= most)
    assert rating_by_vector(rating.vector) == rating


@given(VECTORS, st.data())
def test_a_mangled_vector_is_rated_or_refused_and_nothing_else(vector: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(vector)))
    until = data.draw(st.integers(at, len(vector)))
    put = data.draw(st.text(max_size=8) | st.sampled_from(["/", ":", "//", "CVSS:4.0/", "X", vector]))
    try:
        rating_by_vector(vector[:at] + put + vector[until:])
    except Refused as refusal:
        assert "cannot be read" in str(refusal)  # noqa: PT017 - either end is right


@given(st.text())
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        rating_by_vector(text)


def test_a_failure_of_the_library_is_a_refusal_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(vector: str) -> None:
        raise KeyError(vector)

    monkeypatch.setattr(severity, "CVSS3", fails)

    with pytest.raises(Refused, match="cannot be rated: give the whole vector"):
        rating_by_vector(HIGH)
