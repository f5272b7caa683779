"""The progress bar of long commands: how many, how fast, how long still."""

import contextlib
from collections.abc import Callable, Iterator

Show = Callable[[int, int | None], None]


@contextlib.contextmanager
def progress_bar(doing: str, unit: str) -> Iterator[Show]:
    """Gives `show(done, total)`, total None while it is not known; draws on stderr, off every pipe."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(doing, total=None, rate="", visible=False)

        def show(done: int, total: int | None) -> None:
            speed = bars.tasks[task].speed
            rate = f"{speed:,.0f} {unit}/s" if speed else ""
            bars.update(task, completed=done, total=total or max(done, 1), rate=rate, visible=True)

        yield show
