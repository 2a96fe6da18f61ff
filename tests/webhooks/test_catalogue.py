"""The Dutch catalogue is whole and compiled."""

import re
from gettext import GNUTranslations

from meldbalie.webhooks.catalogue import DUTCH, dutch, sentences

PLACES = re.compile(r"%\(\w+\)s")


def test_every_sentence_has_a_translation_and_no_translation_is_left_over() -> None:
    asked = {message.id for message in sentences() if message.id}
    translated = {message.id for message in dutch() if message.id and message.string and not message.fuzzy}

    assert asked
    assert asked - translated == set()
    assert translated - asked == set()


def test_a_translation_keeps_the_places_that_are_filled_in() -> None:
    for message in dutch():
        if message.id:
            assert set(PLACES.findall(message.id)) == set(PLACES.findall(message.string))


def test_what_the_app_loads_is_the_compiled_catalogue() -> None:
    with DUTCH.with_suffix(".mo").open("rb") as file:
        loaded = GNUTranslations(file)

    assert {message.id: loaded.gettext(message.id) for message in dutch() if message.id} == {
        message.id: message.string for message in dutch() if message.id
    }
