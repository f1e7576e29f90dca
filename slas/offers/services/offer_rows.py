"""The format of CSV files of offers, and the reader of their rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final

from django.utils.translation import gettext as _

from alliance.cities import CityFinder, UnknownCity
from alliance.csv_cells import read_code
from alliance.csv_files.columns import FileFormat
from alliance.csv_files.reading import read_header
from alliance.csv_files.records import Record, RowProblem, detail_and_remedy
from alliance.errors import FieldError, InvalidInput
from alliance.numbers import whole_number
from slas.offers.services.offers import OfferTerms, check_terms
from slas.promises.models import ServiceTier
from slas.promises.prices import InvalidAmount, fen_from_yuan
from slas.promises.tiers import tier_named

COLUMNS: Final = ("tier", "origin", "destination", "price", "daily_capacity", "on_sale")
MAX_ROWS: Final = 20_000
# What the columns are called in files for Chinese readers; read as well.
LABELS: Final = {
    "时效产品": "tier",
    "始发城市": "origin",
    "目的城市": "destination",
    "价格（元）": "price",
    "每日件量上限": "daily_capacity",
    "是否在售": "on_sale",
}
FORMAT: Final = FileFormat(
    columns=COLUMNS,
    required=COLUMNS[:5],
    # Blank lines are no rows, but a file of nothing else must end.
    max_lines=10 * MAX_ROWS,
    labels=LABELS,
    meant={
        "service": ("tier",),
        "product": ("tier",),
        "from": ("origin",),
        "from city": ("origin",),
        "to": ("destination",),
        "to city": ("destination",),
        "fee": ("price",),
        "rate": ("price",),
        "price cny": ("price",),
        "price yuan": ("price",),
        "capacity": ("daily_capacity",),
        "parcels a day": ("daily_capacity",),
        "limit": ("daily_capacity",),
        "active": ("on_sale",),
        "enabled": ("on_sale",),
        "sale": ("on_sale",),
        "服务": ("tier",),
        "时效": ("tier",),
        "产品": ("tier",),
        "始发": ("origin",),
        "始发地": ("origin",),
        "出发地": ("origin",),
        "目的地": ("destination",),
        "到达地": ("destination",),
        "价格": ("price",),
        "单价": ("price",),
        "运费": ("price",),
        "件量": ("daily_capacity",),
        "日件量": ("daily_capacity",),
        "运力": ("daily_capacity",),
        "在售": ("on_sale",),
        "上架": ("on_sale",),
        "启用": ("on_sale",),
    },
)
SAMPLES: Final = (
    ("same_day", "CN-HGH", "CN-HGH", "12.50", "200", "yes"),
    ("next_day", "CN-HGH", "CN-CTU", "18.00", "100", "yes"),
    ("standard", "CN-HGH", "CN-CTU", "9.80", "500", "no"),
)
_TRUE: Final = frozenset({"", "yes", "true", "1", "y", "on", "是", "上架", "在售", "启用"})
_FALSE: Final = frozenset({"no", "false", "0", "n", "off", "否", "下架", "停售", "停用"})


@dataclass(frozen=True, slots=True)
class OfferRow:
    """One row of a file: its line, its cells as they stand there, and why they cannot be read."""

    line: int
    cells: Mapping[str, str]
    problem: RowProblem | None = None


def read_rows(file: IO[bytes], encoding: str) -> Iterator[OfferRow]:
    """Read the rows of an examined file; empty rows are passed over."""
    columns, records = read_header(file, encoding, FORMAT)
    for record in records:
        if not record.is_blank:
            yield _row(columns, record)


class TermsReader:
    """Reads the terms of rows; each tier and city is looked up once."""

    def __init__(self, served: frozenset[int] | None) -> None:
        self.served = served
        self.tiers = {tier.code: tier for tier in ServiceTier.objects.all()}
        self.cities = CityFinder()

    def terms(self, row: OfferRow) -> OfferTerms:
        """Return the terms of a row, or raise InvalidInput with all its errors."""
        if row.problem:
            raise InvalidInput(errors=[FieldError("", detail_and_remedy(row.problem), row.problem.value)])
        cells = {name: read_code(text) for name, text in row.cells.items()}
        errors: list[FieldError] = []
        values: dict[str, Any] = {}
        tier = self.tiers.get(tier_named(cells.get("tier", "")))
        if tier is None:
            message = _("Unknown tier. Choose from: %(known)s.") % {"known": ", ".join(self.tiers)}
            errors.append(FieldError("/tier", message, "choice"))
        for column in ("origin", "destination"):
            if not cells.get(column):
                errors.append(FieldError(f"/{column}", _("This field is required."), "required"))
                continue
            try:
                values[column] = self.cities.find(cells[column])
            except UnknownCity as error:
                errors.append(FieldError(f"/{column}", str(error), error.code))
        try:
            values["price_fen"] = fen_from_yuan(cells.get("price", ""))
        except InvalidAmount as error:
            errors.append(FieldError("/price", str(error), error.code))
        values["daily_capacity"] = whole_number(cells.get("daily_capacity", ""))
        if values["daily_capacity"] is None:
            message = _("Enter parcels a day as a whole number.")
            errors.append(FieldError("/daily_capacity", message, "number"))
        on_sale = cells.get("on_sale", "").lower()
        if on_sale not in _TRUE | _FALSE:
            errors.append(FieldError("/on_sale", _("Enter yes or no."), "choice"))
        if errors or tier is None:
            raise InvalidInput(errors=errors)
        terms = OfferTerms(tier=tier, active=on_sale in _TRUE, **values)
        check_terms(terms, self.served if terms.active else None)
        return terms


def _row(columns: Sequence[str], record: Record) -> OfferRow:
    cells = dict(zip(columns, record.cells, strict=False))
    return OfferRow(record.line, cells, record.problem_among(columns, must_fill=True))
