"""python -m tests.web.scene FILE: a picture of two things, of combinations that captioners are trained on."""

from __future__ import annotations

import sys

import numpy as np

from training.captioning.scenes import draw_scene

SIDE = 448
SEED = 9


def main() -> None:
    random = np.random.default_rng(SEED)
    while (scene := draw_scene("known", random)).kind != "left":
        pass
    scene.render(SIDE, random).save(sys.argv[1], "PNG")


if __name__ == "__main__":
    main()
