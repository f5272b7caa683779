"""What a person does on the stage, as functions for the tests."""

import re

from playwright.sync_api import Locator, Page, expect


def stage(page: Page) -> Locator:
    return page.locator('[data-testid="stage"]')


def part(page: Page, test_id: str) -> Locator:
    return page.locator(f'[data-testid="{test_id}"]')


def open_vet(page: Page, url: str) -> str:
    """Open the page and wait for the first candidate; returns its id."""
    page.goto(f"{url}/vet")
    return painted(page)


def painted(page: Page, *, other_than: str = "") -> str:
    """The id of the candidate on the canvas, once there is one (another one, if asked for)."""
    expect(stage(page)).not_to_have_attribute("data-object-id", "")
    expect(stage(page)).not_to_have_attribute("data-object-id", other_than)
    return stage(page).get_attribute("data-object-id") or ""


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def grade(page: Page, key: str) -> str:
    """Grade what is painted by its key and wait for the next one; returns the id that was graded."""
    graded = painted(page)
    page.keyboard.press(key)
    expect(stage(page)).not_to_have_attribute("data-object-id", graded)
    return graded


def all_saved(page: Page) -> None:
    """Wait until the server has every vote."""
    expect(stage(page)).to_have_attribute("data-unacked", "0")


def waits_to_be_saved(page: Page, count: int) -> None:
    expect(stage(page)).to_have_attribute("data-unacked", re.compile(rf"^{count}$"))
