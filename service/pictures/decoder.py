"""Pictures decoded beside the event loop, few at a time."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidRequestError, QueueFullError
from service.pictures.decoding import decode
from service.settings import Settings

NUM_THREADS = 2
"""A picture of the largest size takes some hundred megabytes while it is decoded."""
RETRY_SECONDS = 1.0


class PictureDecoder:
    """Has threads of its own, so that large pictures hold up no other work. Belongs to the event loop."""

    def __init__(self, settings: Settings) -> None:
        self._max_bytes, self._max_pixels = settings.max_image_bytes, settings.max_image_pixels
        self._max_waiting = settings.max_waiting
        self._num_waiting = 0
        self._threads = ThreadPoolExecutor(NUM_THREADS, "pictures")

    async def decode(self, content: bytes, height: int, width: int) -> NDArray[np.uint8]:
        """See `service.pictures.decoding.decode`.

        Raises:
            InvalidRequestError: it is no picture that is taken; names `image` and the limit.
            QueueFullError: too many are waiting.
        """
        if not content:
            raise InvalidRequestError.of("image", "is empty; send a PNG or JPEG file")
        if len(content) > self._max_bytes:
            raise InvalidRequestError.of("image", f"{len(content)} bytes; limit {self._max_bytes}")
        if self._num_waiting >= self._max_waiting:
            raise QueueFullError(self._max_waiting, RETRY_SECONDS)
        loop = asyncio.get_running_loop()
        self._num_waiting += 1
        try:
            return await loop.run_in_executor(self._threads, decode, content, height, width, self._max_pixels)
        finally:
            self._num_waiting -= 1

    def stop(self) -> None:
        """End the threads when they have done what they are doing."""
        self._threads.shutdown(wait=False, cancel_futures=True)
