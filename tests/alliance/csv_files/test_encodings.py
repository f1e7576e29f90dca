"""In which encoding a file is read: never in one that makes other people of its names."""

import io
from contextlib import suppress

import pytest
from babel import Locale

from alliance.csv_files.columns import FileFormat
from alliance.csv_files.reading import examine, read_header, write_utf8
from alliance.errors import InvalidInput

FORMAT = FileFormat(columns=("id", "name", "place"), required=("id",), max_lines=100_000)
CHINESE = [
    "王小明,人民南路四段12号3单元1203室",
    "欧阳倩,四川省成都市武侯区人民南路四段12号",
    "李堃,浙江省杭州市余杭区文一西路969号",
    "慕容嫣,贵州省黔东南苗族侗族自治州凯里市宁波路1号",
]


def file_of(rows: list[str], encoding: str) -> bytes:
    lines = ["id,name,place", *(f"{n},{row}" for n, row in enumerate(rows))]
    return "\r\n".join(lines).encode(encoding, "ignore")


def names_in(content: bytes) -> list[str]:
    """The names of the rows that are read; those that are rejected are left out."""
    raw, copy = io.BytesIO(content), io.BytesIO()
    file = copy if write_utf8(raw, copy, FORMAT) else raw
    _columns, records = read_header(file, examine(file, FORMAT).encoding, FORMAT)
    return [record.cells[1] for record in records if not record.problem]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk"])
@pytest.mark.parametrize("ascii_rows", [0, 500])
def test_chinese_is_read(encoding: str, ascii_rows: int) -> None:
    rows = ["Li Wei,Road 1"] * ascii_rows + CHINESE
    assert names_in(file_of(rows, encoding))[ascii_rows:] == [row.split(",")[0] for row in CHINESE]


@pytest.mark.parametrize("row", CHINESE)
def test_one_row_of_chinese_is_enough(row: str) -> None:
    assert names_in(file_of([row], "gb18030")) == [row.split(",")[0]]


OTHERS = [
    ("ko", "cp949", "박민호,서울로 문로 1"),
    ("ko", "euc_kr", "이영희,부산광역시 해운대구 우동"),
    ("ja", "cp932", "山田太郎,東京都千代田区丸の内1-9-1"),
    ("ja", "euc_jp", "佐藤花子,大阪府大阪市北区梅田"),
    ("zh_Hant", "big5", "陳怡君,高雄市前鎮區中山二路"),
    ("de", "cp1252", "Jörg Böcker,Königstraße 12"),
    ("fr", "mac_roman", "Hélène Lefèvre,12 rue de l’Église"),
    ("es", "cp1252", "José Muñoz,Calle Año 3"),
    ("pl", "cp1250", "Łódź Wałęsa,Kraków"),
    ("tr", "cp1254", "İlker Şahin,Çağlar"),
    ("ru", "cp1251", "Иван Петров,Москва Тверская улица 1"),
    ("ru", "koi8_r", "Иван Петров,Москва Тверская улица 1"),
    ("el", "cp1253", "Γιώργος,Αθήνα"),
    ("he", "cp1255", "דוד,תל אביב"),
    ("ar", "cp1256", "محمد,شارع القاهرة"),
    ("th", "tis_620", "สมชาย,ถนนสุขุมวิท กรุงเทพมหานคร"),
    ("vi", "cp1258", "Nguyên Văn Ðô,Hà Nôi"),
]


@pytest.mark.parametrize(("language", "encoding", "row"), OTHERS)
def test_other_encodings_are_never_read_as_gb18030(language: str, encoding: str, row: str) -> None:
    for rows in ([row], [row] * 3):
        with pytest.raises(InvalidInput) as refused:
            names_in(file_of(rows, encoding))
        assert "CSV UTF-8" in refused.value.errors[0].message


@pytest.mark.parametrize(("language", "encoding", "row"), OTHERS)
def test_long_lists_in_other_encodings_have_no_other_names(language: str, encoding: str, row: str) -> None:
    countries = [name for name in Locale.parse(language).territories.values() if "," not in name]
    # Where half of the names are ASCII the file is read without the others.
    with suppress(InvalidInput):
        read = names_in(file_of([f"{name},1" for name in countries], encoding))
        assert set(read) <= {name.encode(encoding, "ignore").decode(encoding) for name in countries}


@pytest.mark.parametrize(("language", "encoding", "row"), OTHERS)
def test_few_rows_in_another_encoding_cost_themselves(language: str, encoding: str, row: str) -> None:
    assert names_in(file_of(["Li Wei,Road 1", row, "Li Lei,Road 2"], encoding)) == ["Li Wei", "Li Lei"]


def test_few_bad_rows_among_chinese_cost_themselves() -> None:
    content = file_of(CHINESE, "gb18030") + b"\r\n9,\xff\xff,x\r\n"
    assert len(names_in(content)) == len(CHINESE)
    content = file_of(CHINESE, "utf-8") + b"\r\n9,\xff\xff,x\r\n"
    assert len(names_in(content)) == len(CHINESE)


WIDE = ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]


@pytest.mark.parametrize("encoding", WIDE)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_utf16_and_utf32_are_read_when_the_mark_or_the_columns_are_certain(encoding: str, mark: str) -> None:
    content = (mark + file_of(CHINESE, "utf-8").decode()).encode(encoding)
    assert names_in(content) == [row.split(",")[0] for row in CHINESE]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-32-be"])
def test_wide_file_of_other_columns_is_told(encoding: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        names_in("a,b,c\n1,2,3\n".encode(encoding))
    message = refused.value.errors[0].message
    assert "UTF-16" in message or "binary" in message


def test_half_a_character_in_utf16_costs_its_row() -> None:
    content = "id,name,place\n1,Li,x\n2,W".encode("utf-16") + "\ud842".encode("utf-16-le", "surrogatepass")
    assert names_in(content + ",y\n".encode("utf-16-le"))[0] == "Li"
    assert "\ufffd" in names_in(content + ",y\n".encode("utf-16-le"))[1]
