"""What a page complains of and asks for while a test looks at it."""

from playwright.sync_api import Page

INSIDE = ("file:", "data:", "blob:")


def hear(page: Page, inside: tuple[str, ...] = INSIDE) -> list[str]:
    """Return a list that fills with a page's errors, and with requests that lead out of it."""
    heard: list[str] = []
    page.on("console", lambda m: heard.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith(inside) else heard.append(r.url))
    return heard
