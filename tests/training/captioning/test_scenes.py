from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from training.captioning.lexicon import COLOURS, NOUNS, PLACES
from training.captioning.scene_captions import captions
from training.captioning.scenes import Box, Scene, Thing, draw_scene
from training.captioning.shapes import drawing
from training.captioning.truth import Truth, judge

NOUN = {noun.name: noun for noun in NOUNS}
COLOUR = {colour.name: colour for colour in COLOURS}


def thing(colour: str, noun: str, across: float = 0.5, down: float = 0.5, side: float = 0.3) -> Thing:
    return Thing(NOUN[noun], COLOUR[colour], Box.around(across, down, side))


def told(scene: Scene, language: str) -> list[str]:
    return [caption.text for caption in captions(scene, language)]


def test_sentences_of_every_kind_with_articles_and_particles() -> None:
    heart, star, tree = thing("orange", "heart"), thing("blue", "star"), thing("green", "tree")
    single = Scene("single", (heart,), "small", PLACES[5])
    assert told(single, "en") == ["A small orange heart on the right."]
    assert told(single, "ko") == ["오른쪽에 작은 주황색 하트가 있습니다."]
    left = Scene("left", (heart, star))
    assert told(left, "en") == [
        "An orange heart is to the left of a blue star.",
        "A blue star is to the right of an orange heart.",
    ]
    assert told(left, "ko") == [
        "주황색 하트가 파란 별의 왼쪽에 있습니다.",
        "파란 별이 주황색 하트의 오른쪽에 있습니다.",
    ]
    above = Scene("above", (star, tree))
    assert told(above, "en")[1] == "A green tree is below a blue star."
    assert told(above, "ko") == ["파란 별이 초록색 나무 위에 있습니다.", "초록색 나무가 파란 별 아래에 있습니다."]
    inside = Scene("inside", (star, heart))
    assert told(inside, "en") == ["A blue star is inside an orange heart.", "An orange heart surrounds a blue star."]
    assert told(inside, "ko") == ["파란 별이 주황색 하트 안에 있습니다.", "주황색 하트가 파란 별을 둘러싸고 있습니다."]
    count = Scene("count", (tree, tree, tree))
    assert told(count, "en") == ["Three green trees."]
    assert told(count, "ko") == ["초록색 나무가 세 그루 있습니다."]
    row = Scene("row", (heart, star, tree))
    assert told(row, "en") == ["An orange heart, a blue star and a green tree."]
    assert told(row, "ko") == ["주황색 하트와 파란 별과 초록색 나무가 있습니다."]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_mentions_stand_on_the_words_of_their_things(language: str) -> None:
    for number in range(60):
        scene = draw_scene("known", np.random.default_rng(number))
        for caption in captions(scene, language):
            assert len(caption.mentions) >= 2
            seen = set()
            for mention in caption.mentions:
                named = scene.things[mention.things[0]]
                word = caption.text[mention.begin : mention.end].lower()
                noun = {named.noun.name, named.noun.plural, named.noun.korean}
                assert word in (noun if mention.is_noun else {named.colour.name, named.colour.korean})
                seen.update(mention.things)
            assert seen == set(range(len(scene.things)))


def test_training_never_sees_what_is_held_out() -> None:
    known = [draw_scene("known", np.random.default_rng([1, number])) for number in range(250)]
    coloured = [draw_scene("colours", np.random.default_rng([2, number])) for number in range(60)]
    related = [draw_scene("relations", np.random.default_rng([3, number])) for number in range(60)]
    pairs = {(one.colour.name, one.noun.name) for scene in known for one in scene.things}
    for scene in coloured:
        assert any((one.colour.name, one.noun.name) not in pairs for one in scene.things)
    triples = {(scene.kind, *(one.noun.name for one in scene.things)) for scene in known if len(scene.things) == 2}
    for scene in related:
        assert not any(one.is_held_out for one in scene.things)
        assert (scene.kind, *(one.noun.name for one in scene.things)) not in triples
    # Every noun and every colour is learned, only not together.
    assert {noun for _, noun in pairs} == set(NOUN)
    assert {colour for colour, _ in pairs} == set(COLOUR)
    assert set(Counter(scene.kind for scene in known)) == {"single", "left", "above", "inside", "count", "row"}


def test_a_scene_is_drawn_again_from_its_seed() -> None:
    def picture(seed: int) -> bytes:
        random = np.random.default_rng(seed)
        return draw_scene("known", random).render(48, random).tobytes()

    assert picture(1) == picture(1)
    assert picture(1) != picture(2)


def test_things_are_where_their_boxes_say_and_in_their_colours() -> None:
    scene = Scene("left", (thing("red", "square", 0.25, 0.5), thing("blue", "circle", 0.75, 0.5)))
    values = np.asarray(scene.render(96, np.random.default_rng(0)), np.float64)
    for one in scene.things:
        middle = values[48, round((one.box.left + one.box.right) / 2 * 96)]
        assert np.abs(middle - one.colour.rgb).max() <= 12
    assert Box.around(0.99, 0.01, 0.5) == Box(0.5, 0.0, 1.0, 0.5)


@pytest.mark.parametrize("noun", list(NOUN))
def test_every_noun_is_drawn_in_its_colour(noun: str) -> None:
    image = np.asarray(drawing(noun, (10, 200, 30), 60, 0.0), np.int64)
    is_coloured = (np.abs(image[..., :3] - (10, 200, 30)).max(axis=-1) < 8) & (image[..., 3] > 200)
    assert is_coloured.mean() > 0.1
    assert image[0, 0, 3] == 0  # what is around it stays transparent


def test_what_is_true_of_a_caption() -> None:
    scene = Scene("left", (thing("orange", "heart"), thing("blue", "star")))
    references = {language: told(scene, language) for language in ("en", "ko")}
    right = Truth(objects=True, colours=True, places=True)
    assert all(
        judge(text, references[language], language) == right
        for language in references
        for text in told(scene, language)
    )
    wrong_colour = judge("A red heart is to the left of a blue star.", references["en"], "en")
    assert wrong_colour == Truth(objects=True, colours=False, places=True)
    wrong_side = judge("파란 별이 주황색 하트의 왼쪽에 있습니다.", references["ko"], "ko")
    assert wrong_side == Truth(objects=True, colours=True, places=False)
    wrong_noun = judge("주황색 하트가 파란 꽃의 왼쪽에 있습니다.", references["ko"], "ko")
    assert wrong_noun == Truth(objects=False, colours=False, places=False)
    assert judge("", references["en"], "en") == Truth(objects=False, colours=False, places=False)
