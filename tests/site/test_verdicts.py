"""The page of the claims shows what the register and the tables say."""

from playwright.sync_api import Locator, Page, expect

from tests.site.built_site import SITE
from tests.site.conftest import NewPage
from vaebook.tables.claims import decided

CLAIMS = (SITE / "chapters" / "claims.html").as_uri()


def box(page: Page, name: str) -> Locator:
    """What the page says of a claim."""
    anchor = f"#claim-{name.lower()}"
    return page.locator(f".vaebook-claim:is({anchor}, :has({anchor}))")


def test_every_claim_stands_on_its_page_with_its_verdict_and_a_tile_leads_to_it(
    new_page: NewPage,
) -> None:
    page = new_page()
    page.goto(CLAIMS)
    theirs = {k: d for k, d in decided().items() if d.claim.source != "the book"}
    assert page.locator(".vaebook-verdicts a").count() == len(theirs)
    for name, decision in decided().items():
        kind = f"claim-{decision.verdict.replace(' ', '-')}"
        assert kind in (box(page, name).get_attribute("class") or "").split()
        if name in theirs:
            tile = page.locator(f'.vaebook-verdicts a[href="#claim-{name.lower()}"]')
            expect(tile).to_have_class(kind)
            expect(tile).to_contain_text(decision.verdict)
    page.close()


def test_a_claim_opens_with_a_row_for_each_number_that_decides_it(new_page: NewPage) -> None:
    page = new_page()
    page.goto(CLAIMS)
    for name, decision in decided().items():
        # What a phone shows instead has the rows once more.
        rows = box(page, name).locator("tbody tr:not(.vaebook-table-parts *)")
        assert rows.count() == len(decision.claim.parts), name
    page.close()
