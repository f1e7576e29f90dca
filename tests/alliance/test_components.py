"""The components of docs/ui.md, rendered and parsed."""

import re
from pathlib import Path

import pytest
from django.conf import LazySettings, settings
from django.template import Context, Template
from django.test import Client
from django.utils.translation import override

from alliance.portal import badges
from alliance.portal.charts import Band, Chart, Series
from alliance.portal.icons import icons
from couriers.choices import ApplicationState
from parcels.choices import ParcelStatus, ScanCode
from slas.choices import Outcome
from tests.alliance.helpers import gallery
from tests.alliance.helpers.pages import refused_by_policy

TEMPLATES = [
    file
    for file in (settings.BASE_DIR / "templates").rglob("*.html")
    # Mail is read by mail programs, which know style attributes only.
    if "mail" not in file.parts and "email" not in file.parts
]


def draw(source: str, **context: object) -> str:
    return Template("{% load ui %}" + source).render(Context(context))


@pytest.fixture
def gallery_page(merchant_client: Client, settings: LazySettings) -> str:
    settings.ROOT_URLCONF = "tests.alliance.helpers.gallery"
    settings.TEMPLATES[0]["DIRS"] = [*settings.TEMPLATES[0]["DIRS"], Path(__file__).parent / "templates"]
    settings.TEMPLATES = [*settings.TEMPLATES]
    return merchant_client.get("/gallery/").content.decode()


@pytest.mark.django_db
def test_a_filter_says_beside_it_what_is_wrong(gallery_page: str) -> None:
    beside = gallery_page.split('<div class="ca-field-error" id="id_lane_error" hx-swap-oob="true">')[1]
    assert beside.startswith("<p>Select a valid choice. moon is not one of the available choices.</p></div>")
    assert 'aria-describedby="id_lane_error"' in gallery_page


@pytest.mark.django_db
def test_gallery_draws_every_component_within_the_policy(gallery_page: str) -> None:
    assert refused_by_policy(gallery_page) == []
    for part in (
        *("ca-stat", "ca-rates", "ca-chart", "ca-filters", "ca-table", "ca-pager", "ca-badge", "ca-timeline"),
        *("ca-stepper", "ca-drop", "ca-progress", "ca-empty", "ca-facts", "breadcrumb", "modal"),
    ):
        assert re.search(rf'class="[^"]*\b{part}\b', gallery_page), part


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: str(file.relative_to(settings.BASE_DIR)))
def test_template_carries_nothing_the_policy_refuses(file: Path) -> None:
    text = re.sub(r"{#.*?#}|{% comment %}.*?{% endcomment %}", "", file.read_text("utf-8"), flags=re.S)
    # Tags inside attributes confuse a parser of HTML; what they print is checked on the pages.
    assert refused_by_policy(re.sub(r"{%.*?%}|{{.*?}}", "x", text, flags=re.S)) == []


@pytest.mark.parametrize(
    ("family", "choices"),
    [
        ("parcel", ParcelStatus),
        ("scan", ScanCode),
        ("outcome", Outcome),
        ("application", ApplicationState),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_state_has_a_badge_with_its_own_words(family: str, choices: type, language: str) -> None:
    with override(language):
        labels = {value: str(badge.label) for value, badge in badges.FAMILIES[family].items()}
        assert labels == {value: str(label) for value, label in choices.choices}


def test_badges_use_colours_and_icons_that_exist() -> None:
    styles = (settings.BASE_DIR / "alliance/static/css/components.css").read_text()
    for family in badges.FAMILIES.values():
        for badge in family.values():
            assert f'[data-colour="{badge.colour}"]' in styles
            assert badge.icon in icons()


def test_icons_in_templates_exist() -> None:
    icon_names = {
        name
        for file in TEMPLATES
        for name in re.findall(r'\bicon[ =]"([a-z0-9-]+)"', file.read_text("utf-8"))
    }
    assert icon_names
    assert not icon_names - icons().keys()


def test_unknown_state_shows_its_own_name() -> None:
    assert "Lost at sea" in draw('{% state_badge "lost_at_sea" %}')


def test_badge_escapes_its_words() -> None:
    assert "<b>" not in draw('{% state_badge "x" label=label %}', label="<b>")


def test_rate_pair_shows_both_rates_with_n() -> None:
    html = draw("{% rate_pair raw accountable 2110 excused=57 %}", raw=0.91308, accountable=0.9388)
    assert [part in html for part in ("91.31", "93.88", "2,110", "57 exempt")] == [True] * 4
    assert "few parcels" not in html


def test_rate_of_few_parcels_is_flagged() -> None:
    assert "few parcels" in draw("{% rate_pair 0.5 0.5 29 %}")
    assert "few parcels" not in draw("{% rate_pair 0.5 0.5 30 %}")


def test_rate_of_no_parcels_is_no_rate() -> None:
    html = draw("{% rate_pair None None 0 %}")
    assert "%" not in html
    assert "No parcel was due" in html


def test_percent_filter_writes_a_dash_for_nothing() -> None:
    assert draw("{{ a|percent }} {{ b|percent:1 }}", a=None, b=0.5) == "– 50.0\N{NO-BREAK SPACE}%"


def _chart(**options: object) -> Chart:
    return Chart("c", "Rate", ["1", "2"], [Series("Raw", [0.5, None])], unit="percent", **options)


def test_chart_has_a_table_with_the_same_numbers() -> None:
    html = draw("{% chart chart %}", chart=_chart(counts=[40, 0], counts_name="n"))
    assert '<template id="c-data">' in html
    cells = re.findall(r"<t[hd][^>]*>([^<]+)</t[hd]>", html)
    assert [cell.replace("\xa0", " ") for cell in cells] == ["Raw", "n", "1", "50.00 %", "40", "2", "–", "0"]


def test_chart_gap_stays_a_gap() -> None:
    assert _chart().as_json()["series"][0]["values"] == [0.5, None]


def test_chart_without_a_value_is_an_empty_state() -> None:
    html = draw("{% chart chart %}", chart=Chart("c", "Rate", ["1"], [Series("Raw", [None])]))
    assert "No data for this period yet" in html
    assert "data-chart=" not in html


def test_chart_band_and_uneven_series() -> None:
    assert _chart(band=Band("CI", [0.4, None], [0.6, None])).as_json()["band"]["low"] == [0.4, None]
    with pytest.raises(ValueError, match="zip"):
        _uneven = Chart("c", "Rate", ["1", "2"], [Series("a", [1, 2]), Series("b", [1])]).lines


def test_chart_words_cannot_leave_their_element() -> None:
    html = draw("{% chart chart %}", chart=Chart("c", "Rate", ["</script><b>"], [Series("Raw", [1])]))
    assert "</script><b>" not in html


def test_form_errors_are_linked_to_their_fields() -> None:
    form = gallery.GalleryForm({"permit": "much too long"})
    html = draw("{% form_errors form %}", form=form)
    assert 'href="#id_permit"' in html
    # Radio buttons have no one input to go to: their group is the target.
    assert 'href="#div_id_speed"' in html


def test_pager_with_target_swaps_one_part() -> None:
    html = draw('{% pager "?cursor=b" "" target="#list" %}')
    assert 'hx-target="#list"' in html
    assert 'rel="next" href="?cursor=b"' in html
    assert 'rel="prev"' not in html
    assert draw('{% pager "" "" %}').strip() == ""


def test_progress_polls_until_finished() -> None:
    assert 'hx-get="/job/"' in draw('{% progress 40 100 url="/job/" %}')
    assert "hx-get" not in draw('{% progress 100 100 url="/job/" %}')


def test_timeline_marks_the_newest_entry_that_is_not_struck() -> None:
    entries = [{"title": "Delivered", "struck": True}, {"title": "Arrived"}, {"title": "Departed"}]
    [newest] = re.findall(
        r'class="ca-timeline-item newest".*?</li>', draw("{% timeline entries %}", entries=entries), re.S
    )
    assert "Arrived" in newest


def test_withdrawn_entry_of_a_timeline_is_struck_out() -> None:
    html = draw("{% timeline entries %}", entries=[{"title": "Arrived", "struck": True}])
    assert "<del>Arrived</del>" in html


def test_confirm_dialog_posts_with_the_token() -> None:
    html = draw('{% confirm_dialog "d" "Sure?" "Really." action="/x/" %}', csrf_token="token-of-test")
    assert 'method="post" action="/x/"' in html
    assert 'value="token-of-test"' in html
