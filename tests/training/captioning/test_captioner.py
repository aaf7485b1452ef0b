from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.captioning import GRID, recipe
from training.captioning.data import Batch, CaptionData, cells_of
from training.captioning.examples import Example, scene_examples
from training.captioning.loss import CaptionObjective, caption_loss
from training.captioning.model import Captioner
from training.captioning.prepare import learn_vocabulary
from training.captioning.scenes import Box
from training.captioning.search import greedy_captions, next_log_probs
from training.captioning.settings import CaptionRecipe, load_caption_recipe
from training.errors import TrainingError
from training.objective import weighted_means
from training.search import BeamSettings, beam_search
from training.vocabulary import BEGIN_ID, END_ID


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> CaptionRecipe:
    return recipe(tmp_path_factory.mktemp("tiny"), "decoder.dropout=0.0", "stamps.num_views=0")


@pytest.fixture(scope="module")
def data(tiny: CaptionRecipe) -> CaptionData:
    """Scenes with features that are as good as their pictures: random, but different for each."""
    examples = [example for example in scene_examples(tiny, 0) if example.split == "train"]
    features = np.random.default_rng(0).random((len(examples), 6, 24)).astype(np.float16)
    return CaptionData(examples, features, learn_vocabulary(tiny, examples), tiny)


def make_model(tiny: CaptionRecipe, data: CaptionData) -> Captioner:
    torch.manual_seed(0)
    return Captioner(tiny, len(data.vocabulary)).eval()


def first_batch(data: CaptionData) -> Batch:
    return data.batch(next(data.fixed()))


def test_a_batch_begins_with_its_languages_and_looks_where_its_words_do(data: CaptionData) -> None:
    told = next(data.fixed())
    batch = data.batch(told)
    assert batch.features.shape == (16, 6, 24)
    assert batch.target_input[:, 0].tolist() == [BEGIN_ID] * 16
    assert batch.target_input[:, 1].tolist() == batch.target_output[:, 0].tolist()
    assert [one.language for one in told[:2]] == ["en", "ko"]
    assert batch.target_output[0, 0] == data.tag_ids["en"] != data.tag_ids["ko"]
    for row, one in enumerate(told):
        ids = [int(token) for token in batch.target_output[row] if token]
        assert ids[-1] == END_ID
        assert data.vocabulary.decode(ids[1:-1]) == one.caption.text
        # Tokens of a noun look at the cells of its box; the full stop looks nowhere.
        mention = one.caption.mentions[-1]
        pieces = data.vocabulary.encode_with_places(one.caption.text)
        inside = [place for place, (_, begin, end) in enumerate(pieces) if begin < mention.end and end > mention.begin]
        expected = cells_of([one.example.boxes[thing] for thing in mention.things], GRID)
        assert all(torch.equal(batch.looked_at[row, place + 1], expected) for place in inside)
        assert not batch.looked_at[row, 0].any()
        assert not batch.looked_at[row, len(ids) - 1 :].any()


def test_cells_of_boxes() -> None:
    left = cells_of([Box(0.0, 0.0, 0.5, 1.0)], GRID)
    assert left.tolist() == [True, False, False, True, False, False]  # the middles of the second column lie on the edge
    assert cells_of([Box(0.0, 0.0, 1.0, 1.0)], GRID).all()
    small = cells_of([Box(0.95, 0.95, 0.99, 0.99)], GRID)
    assert small.tolist() == [False] * 5 + [True]


def test_an_epoch_tells_every_scene_in_every_language_anew(data: CaptionData) -> None:
    first, again, second = ([one for batch in data.epoch(number) for one in batch] for number in (0, 0, 1))
    assert first == again
    assert first != second
    assert len(first) == 2 * len(data.examples)
    assert {(one.example.number, one.language) for one in first} == {
        (example.number, language) for example in data.examples for language in ("en", "ko")
    }


def test_steps_equal_the_whole_and_attention_sums_to_one(tiny: CaptionRecipe, data: CaptionData) -> None:
    model, batch = make_model(tiny, data), first_batch(data)
    lengths = model.lengths(batch.features)
    readouts, attention = model.attend_and_tell(batch.features, lengths, batch.target_input)
    torch.testing.assert_close(attention.sum(dim=-1), torch.ones(attention.shape[:2]))
    state = model.start(batch.features, lengths)
    for position in range(batch.target_input.shape[1]):
        readout = model.step(batch.target_input[:, position], state)
        torch.testing.assert_close(readout, readouts[:, position])
        assert state.weights is not None
        torch.testing.assert_close(state.weights[:, 0], attention[:, position])


def test_attention_asks_for_the_last_word(tiny: CaptionRecipe, data: CaptionData) -> None:
    model, batch = make_model(tiny, data), first_batch(data)
    lengths = model.lengths(batch.features)
    changed = batch.target_input.clone()
    changed[:, 3] = changed[:, 3].roll(1)
    one, other = (model.attend_and_tell(batch.features, lengths, ids)[1] for ids in (batch.target_input, changed))
    torch.testing.assert_close(one[:, :3], other[:, :3])
    assert (one[:, 3] - other[:, 3]).abs().max() > 1e-4


@torch.no_grad()
def test_the_loss_is_what_its_equation_says(tiny: CaptionRecipe, data: CaptionData) -> None:
    model, batch = make_model(tiny, data), first_batch(data)
    loss = caption_loss(model, batch, label_smoothing=0.0)
    readouts, attention = model.attend_and_tell(batch.features, model.lengths(batch.features), batch.target_input)
    log_probs = model.log_probs(readouts)
    captions, unevenness, astray, guided = 0.0, 0.0, 0.0, 0
    for row in range(len(readouts)):
        real = [place for place, token in enumerate(batch.target_output[row]) if token]
        captions -= sum(float(log_probs[row, place, batch.target_output[row, place]]) for place in real)
        unevenness += float((1 - attention[row, real].sum(dim=0)).square().mean())
        for place in real:
            if batch.looked_at[row, place].any():
                astray -= float(attention[row, place][batch.looked_at[row, place]].sum().log())
                guided += 1
    assert float(loss.captions) == pytest.approx(captions, rel=1e-4)
    assert float(loss.unevenness) == pytest.approx(unevenness, rel=1e-4)
    assert float(loss.astray) == pytest.approx(astray, rel=1e-4)
    assert (loss.num_guided, loss.num_captions) == (guided, 16)
    mean = captions / loss.num_tokens + 0.1 * unevenness / 16 + 0.3 * astray / guided
    assert float(loss.total(tiny.attention)) == pytest.approx(mean, rel=1e-4)


def test_batches_of_one_update_equal_one_big_batch(tiny: CaptionRecipe, data: CaptionData) -> None:
    model, told = make_model(tiny, data), next(data.fixed())
    objective = CaptionObjective(model, tiny.attention)
    gradients = []
    for cuts in ((16,), (5, 16)):
        batches = [data.batch(told[first:last]) for first, last in itertools.pairwise((0, *cuts))]
        counts = objective.total_counts(batches)
        for batch in batches:
            weighted_means(objective(batch, 0.1), counts, objective.weights).backward()  # type: ignore[no-untyped-call]
        gradients.append([weight.grad.clone() for weight in model.parameters() if weight.grad is not None])
        model.zero_grad()
    for apart, whole in zip(*gradients, strict=True):
        torch.testing.assert_close(apart, whole, atol=1e-5, rtol=1e-4)


def test_captions_are_learned_from_features_and_the_encoder_stays(tiny: CaptionRecipe, data: CaptionData) -> None:
    model = make_model(tiny, data)
    before = {name: weight.clone() for name, weight in model.convolutions.state_dict().items()}
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=1e-2)
    told = sorted(next(data.fixed()), key=lambda one: len(one.caption.text))[:4]
    batch = data.batch(told)
    for _ in range(120):
        loss = caption_loss(model, batch, label_smoothing=0.0)
        loss.total(tiny.attention).backward()
        optimizer.step()
        optimizer.zero_grad()
    tags = [data.tag_ids[one.language] for one in told]
    found = greedy_captions(model, batch.features, tags, tiny.max_caption_tokens)
    assert [data.vocabulary.decode(ids) for ids in found] == [one.caption.text for one in told]
    paid = loss.astray.item() / loss.num_guided
    assert paid < 0.2  # nats: words look at their things
    assert all(torch.equal(weight, before[name]) for name, weight in model.convolutions.state_dict().items())
    # A beam begins with the tag, which it cannot choose, and finds the same where the model is sure.
    next_of = next_log_probs(model, batch.features[0], tags[0])
    [best] = beam_search(next_of, BeamSettings(3, tiny.max_caption_tokens))
    assert best.token_ids == (tags[0], *found[0])


def test_recipes_name_what_is_wrong(tmp_path: Path) -> None:
    assert load_caption_recipe("captions-en-ko").picture.grid == (7, 7)
    for override, message in (
        ("picture.height=100", "multiples of 32"),
        ("languages=[en, fr]", "told in en and ko"),
        ("decoder.decoder=luong", "bahdanau decoder"),
        ("attention.guidence=1", "guidence"),
        ("batch_captions=0", "batch_captions"),
    ):
        with pytest.raises(TrainingError, match=message):
            recipe(tmp_path, override)


def test_scenes_of_a_prepared_split_have_boxes_in_the_picture(tiny: CaptionRecipe) -> None:
    examples: list[Example] = list(scene_examples(tiny, 5))
    assert [example.first_view for example in examples] == list(range(5, 5 + len(examples)))
    for example in examples:
        assert all(0 <= box.left < box.right <= 1 and 0 <= box.top < box.bottom <= 1 for box in example.boxes)
