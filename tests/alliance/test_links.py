"""Names that mail programs would turn into links."""

import pytest

from alliance.choices import OrganisationKind
from alliance.errors import InvalidInput
from alliance.links import has_link
from alliance.members.services.actors import actor_of_user
from alliance.members.services.organisations import create_organisation
from tests import factories


@pytest.mark.parametrize(
    "name",
    [
        "https://evil.example/win", "Win at evil.com", "WWW.evil", "evil.com/prize", "mailto:x", "me@evil.cn",
        "ｅｖｉｌ．ｃｏｍ", "evil。com", "evil.\u200bcom", "领奖evil.top", "evil.museum/x",
    ],
)  # fmt: skip
def test_links_are_found(name: str) -> None:
    assert has_link(name)


@pytest.mark.parametrize(
    "name",
    [
        "Lotus Tea Co.Ltd",
        "S.F. Express",
        "St. Gallen Post",
        "杭州飞燕速递有限公司",
        "A/B Logistics",
        "No.1 Tea",
    ],
)
def test_names_are_no_links(name: str) -> None:
    assert not has_link(name)


@pytest.mark.django_db
@pytest.mark.parametrize("kind", [OrganisationKind.MERCHANT, OrganisationKind.COURIER])
def test_organisations_are_not_named_after_links(kind: OrganisationKind) -> None:
    actor = actor_of_user(factories.user("new@alliance.example"))
    with pytest.raises(InvalidInput) as refused:
        create_organisation(actor=actor, kind=kind, name="You won, see evil.com")
    assert refused.value.errors[0].field == "name"
