"""How fast maps are: occlusion against captum's in the same run, and Grad-CAM against bare passes."""

import os
import time
from collections.abc import Callable

import numpy as np
import torch
from captum.attr import Occlusion
from torch import Tensor

from lensmodel.explain import grad_cam, occlusion
from lensmodel.explain.cams import class_activation_maps
from lensmodel.models import load_network, model_named
from lensmodel.networks import LensNetwork
from tests.benchmarks.rows import Row, at_least, at_most
from tests.fixtures.networks import lively_network

# Networks, side of the image and of a square (px), and how many times faster than captum.
AGAINST_CAPTUM = (("ou-200", 200, 4, 60.0), ("ou-66", 66, 1, 6.0))
PER_EVAL = (1, 8, 32, 128)
TRIAL_SQUARES = 128  # by which captum's best perturbations_per_eval is found
MOST_DIFFERENCE = 1e-5
OVERLAPPING_SECONDS = 0.3
IMAGES = 64
BATCH = 16
MOST_PASSES = 1.3
ROUNDS = 3


def bench() -> list[Row]:
    """Both codes on as many threads as there are cores."""
    torch.set_num_threads(os.cpu_count() or 1)
    rows = [row for layout in AGAINST_CAPTUM for row in _against_captum(*layout)]
    return [*rows, _overlapping(), _batched_grad_cam()]


def _against_captum(name: str, side_px: int, square_px: int, least: float) -> list[Row]:
    network, image = lively_network(name), _image(side_px)

    def ours() -> np.ndarray:
        return occlusion.explain(network, image, window_px=square_px, unit="logit")

    per_eval = min(
        PER_EVAL, key=lambda number: _seconds(lambda: _captum_trial(network, image, square_px, number))
    )
    started = time.perf_counter()
    theirs = _captum(network, image, square_px, per_eval)
    captum_s = time.perf_counter() - started
    ours_s, drawn = _best(ours), ours()
    title = f"occlusion of {name}, {(side_px // square_px) ** 2:,} squares of {square_px} px"
    times = f"captum {captum_s:.1f} s ({per_eval} per pass), here {ours_s:.2f} s"
    return [
        at_least(f"{title}, against captum", captum_s / ours_s, least, "times as fast", reference=times),
        at_most(
            f"{title}, largest difference",
            float(np.abs(drawn + theirs).max()),
            MOST_DIFFERENCE,
            "of the logit",
        ),
    ]


def _overlapping() -> Row:
    network, image = load_network(model_named("evidence-net")), _image(100)
    seconds = _best(lambda: occlusion.explain(network, image, window_px=8, stride_px=4))
    return at_most(
        "occlusion of evidence-net, 100x100 px, squares of 8 px at every 4th",
        seconds,
        OVERLAPPING_SECONDS,
        "s",
    )


def _batched_grad_cam() -> Row:
    network, images = (
        load_network(model_named("evidence-net")),
        torch.stack([_image(100, seed=n) for n in range(IMAGES)]),
    )

    def passes() -> None:
        for batch in images.split(BATCH):
            seen = batch.clone().requires_grad_()
            torch.autograd.grad(network(seen).logit.sum(), seen)

    share = _best(lambda: class_activation_maps(network, images, grad_cam.combine)) / _best(passes)
    return at_most(f"Grad-CAM of {IMAGES} cutouts", share, MOST_PASSES, "forward and backward passes")


def _captum(network: LensNetwork, image: Tensor, square_px: int, per_eval: int) -> np.ndarray:
    with torch.inference_mode():
        shape = (len(image), square_px, square_px)
        return (
            Occlusion(lambda images: network(images).logit)
            .attribute(
                image[None], sliding_window_shapes=shape, strides=shape, perturbations_per_eval=per_eval
            )[0, 0]
            .numpy()
        )


def _captum_trial(network: LensNetwork, image: Tensor, square_px: int, per_eval: int) -> None:
    """Passes with some squares hidden, as many at a time: captum's cost, without all its squares."""
    with torch.inference_mode():
        for first in range(0, TRIAL_SQUARES, per_eval):
            network(image.repeat(min(per_eval, TRIAL_SQUARES - first), 1, 1, 1))


def _image(side_px: int, seed: int = 0) -> Tensor:
    return torch.rand(4, side_px, side_px, generator=torch.Generator().manual_seed(seed))


def _best(call: Callable[[], object]) -> float:
    return min(_seconds(call) for _ in range(ROUNDS))


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
