from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import training.loss
from training.loss import projected_cross_entropy

NUM_TOKENS, SIZE, VOCABULARY_SIZE = 37, 16, 50


def _inputs(with_bias: bool) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
    torch.manual_seed(2)
    states, weight = torch.randn(NUM_TOKENS, SIZE), torch.randn(VOCABULARY_SIZE, SIZE)
    bias = torch.randn(VOCABULARY_SIZE).requires_grad_() if with_bias else None
    return states.requires_grad_(), weight.requires_grad_(), bias, torch.randint(VOCABULARY_SIZE, (NUM_TOKENS,))


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("chunk_logits", [1, 10 * VOCABULARY_SIZE, 2**21])
def test_loss_and_gradients_are_those_of_pytorch(
    monkeypatch: pytest.MonkeyPatch, chunk_logits: int, smoothing: float, with_bias: bool
) -> None:
    monkeypatch.setattr(training.loss, "CHUNK_LOGITS", chunk_logits)
    states, weight, bias, targets = _inputs(with_bias)
    inputs = [tensor for tensor in (states, weight, bias) if tensor is not None]
    expected = F.cross_entropy(F.linear(states, weight, bias), targets, reduction="sum", label_smoothing=smoothing)
    found = projected_cross_entropy(states, weight, bias, targets, smoothing)
    torch.testing.assert_close(found, expected)
    gradients = zip(torch.autograd.grad(found / 3, inputs), torch.autograd.grad(expected / 3, inputs), strict=True)
    for gradient, right in gradients:
        torch.testing.assert_close(gradient, right, rtol=1e-4, atol=1e-5)


def test_loss_of_a_hopeless_model_is_finite() -> None:
    states = torch.tensor([[1000.0, 0.0]], requires_grad=True)
    loss = projected_cross_entropy(states, torch.eye(2), None, torch.tensor([1]), 0.0)
    assert loss.item() == 1000.0
    loss.backward()
    assert states.grad is not None
    assert states.grad.tolist() == [[1.0, -1.0]]


def test_under_autocast_the_loss_stays_float32_and_near() -> None:
    states, weight, _, targets = _inputs(with_bias=False)
    exact = projected_cross_entropy(states, weight, None, targets, 0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = projected_cross_entropy(states, weight, None, targets, 0.1)
    assert mixed.dtype == torch.float32
    assert mixed.item() == pytest.approx(exact.item(), rel=0.01)
    [gradient] = torch.autograd.grad(mixed, [weight])
    [right] = torch.autograd.grad(exact, [weight])
    assert (gradient - right).norm() < 0.02 * right.norm()


def test_without_gradients_nothing_is_kept() -> None:
    states, weight, _, targets = _inputs(with_bias=False)
    with torch.no_grad():
        loss = projected_cross_entropy(states, weight, None, targets, 0.1)
    assert not loss.requires_grad
