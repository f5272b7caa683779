"""What was made lately and may be asked for again, up to a size. Safe from several threads."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """The last made values by key. size_of : what a value counts; budget : what all together may."""

    def __init__(self, budget: float, *, size_of: Callable[[Value], float] = lambda _: 1) -> None:
        self._budget, self._size_of = budget, size_of
        self._values: OrderedDict[Hashable, tuple[Value, float]] = OrderedDict()
        self._total = 0.0
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value, made if it is not here; two who ask at once may both make it."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key][0]
        value = make()
        size = self._size_of(value)
        with self._lock:
            if key not in self._values:
                self._values[key] = (value, size)
                self._total += size
            while self._total > self._budget and len(self._values) > 1:
                self._total -= self._values.popitem(last=False)[1][1]
        return value
