"""How many requests one person or address may send: a bucket that fills at a steady rate."""

import time
from collections import OrderedDict
from dataclasses import dataclass

# Somebody who leafs through candidates sends about twenty a second; the first page asks for a hundred at once.
PER_S = 40.0
BURST = 300.0
_KEPT = 20_000


@dataclass
class _Bucket:
    tokens: float
    moment: float


class RateLimit:
    """Buckets by key. For one event loop; nothing in it waits."""

    def __init__(self, *, per_s: float = PER_S, burst: float = BURST) -> None:
        self._per_s, self._burst = per_s, burst
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def is_spent(self, key: str, *, now: float | None = None) -> bool:
        """Take one request from the bucket; whether there was none left."""
        moment = time.monotonic() if now is None else now
        bucket = self._buckets.setdefault(key, _Bucket(self._burst, moment))
        self._buckets.move_to_end(key)
        while len(self._buckets) > _KEPT:
            self._buckets.popitem(last=False)
        bucket.tokens = min(self._burst, bucket.tokens + (moment - bucket.moment) * self._per_s)
        bucket.moment = moment
        if bucket.tokens < 1:
            return True
        bucket.tokens -= 1
        return False
