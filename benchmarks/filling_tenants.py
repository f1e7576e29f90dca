"""Insert millions of merchants by SQL, each with what a sign-up leaves behind.

A merchant has an organisation and a user with a verified address, who owns it. Every fourth has also made its
first steps: a contact, an API key and a pickup address. Everything follows from a merchant's number:
`email_of(8)`, `token_of(8)`. As a command it fills the database of this checkout, ten millions with 11 GB:
`python -m benchmarks.filling_tenants 10_000_000`. Import after django.setup().
"""

import argparse
import hashlib
import os
import time
from contextlib import closing
from typing import Any, Final

import psycopg2

CHUNK: Final = 250_000
PASSWORD: Final = "same-day-next-day"  # noqa: S105 -- that of the demo
# Every fourth merchant has done more than to sign up, and every thousandth user has the password.
BUSY: Final = 4
WITH_PASSWORD: Final = 1_000
SECRET: Final = "k" * 43
# Filled in this order.
TABLES: Final = (
    "alliance_organisation", "alliance_contact", "alliance_user", "account_emailaddress", "alliance_member",
    "alliance_apikey", "parcels_merchant", "parcels_pickupaddress",
)  # fmt: skip

# Parts of names, separated by spaces.
_WORDS: Final = {
    "places": (
        "北京 上海 广州 深圳 杭州 南京 苏州 成都 武汉 西安 重庆 天津 宁波 青岛 厦门 长沙 郑州 济南 合肥 福州"
        " 无锡 东莞 佛山 温州 义乌 昆明 大连 沈阳 哈尔滨 乌鲁木齐"
    ),
    "signs": (
        "华 盛 兴 隆 泰 和 顺 达 宏 伟 金 辉 天 宇 海 鑫 瑞 祥 福 安 康 源 茂 昌 荣 德 信 诚 利 丰 裕 润 博"
        " 雅 文 晨 星 光 明 远 志 恒 通 联 创 新 科 众 合 嘉 美 佳 宝 玉 龙 凤 翔 云 峰 林 森 雨 雪 春 秋 山"
    ),
    "trades": (
        "贸易 电子商务 服饰 食品 科技 家居用品 日用品 文化传播 农产品 茶业 数码 母婴用品 化妆品 体育用品 图书"
        " 五金工具 玩具 珠宝 鞋业 箱包 医疗器械 汽车配件 花卉 宠物用品 水产 乳业 酒业 办公用品 灯饰 纺织"
    ),
    "syllables": "ba chen da fei gao hua jin kai lin mei nan ou pan qing rui shan tai wei xin yun bright",
    "kinds": "Trading Foods Home Tea Books Garden Fashion Digital Toys Sports Supplies Outdoor Kitchen Pets",
}


def _word(kind: str, shift: int) -> str:
    return f"{kind}[1 + (hash >> {shift}) %% {len(_WORDS[kind].split())}]"


# Of every ten merchants seven have a Chinese name. No name says its number, or a search for digits would find
# everything; names may be the same, as those of companies in two towns.
_DRAWN = f"""
CREATE TEMPORARY TABLE drawn ON COMMIT DROP AS
SELECT n, %(organisations)s + n AS organisation_id, %(users)s + n AS user_id, hash,
    now() - (10000000 - n %% 10000000) * interval '9 seconds' AS created_at,
    CASE WHEN hash %% 10 < 7 THEN
        {_word("places", 8)} || {_word("signs", 14)} || {_word("signs", 22)}
        || CASE WHEN hash & 7 < 3 THEN {_word("signs", 30)} ELSE '' END
        || {_word("trades", 38)} || CASE WHEN hash & 15 < 14 THEN '有限公司' ELSE '商行' END
    ELSE initcap({_word("syllables", 8)} || {_word("syllables", 14)} || {_word("syllables", 20)})
        || ' ' || {_word("kinds", 30)} || CASE WHEN hash & 1 = 0 THEN ' Co., Ltd.' ELSE '' END
    END AS name,
    CASE WHEN hash %% 10 < 7 THEN {_word("signs", 18)} || {_word("signs", 26)}
        ELSE initcap({_word("syllables", 16)} || ' ' || {_word("syllables", 24)})
    END AS person
FROM (SELECT n, hashint8extended(n, 11) & 4611686018427387903 AS hash
    FROM generate_series(%(first)s::bigint, %(last)s) AS n) AS numbers,
    (SELECT {", ".join(f"string_to_array(%({kind})s, ' ') AS {kind}" for kind in _WORDS)}) AS words
"""  # noqa: S608 -- built of constants
# Of one width, so that indexes by them are filled in their order.
_NUMBER = "lpad(n::text, 8, '0')"
_EMAIL = f"'owner-' || {_NUMBER} || '@m.example'"
_PASSWORD = f"CASE WHEN n %% {WITH_PASSWORD} = 0 THEN %(password)s ELSE '!' END"
_PHONE = "'+86 138' || lpad((hash %% 100000000)::text, 8, '0')"
_INSERTS = (
    f"""INSERT INTO alliance_organisation (id, kind, status, name, slug, created_at)
    SELECT organisation_id, 'merchant', CASE WHEN hash %% 1000 = 0 THEN 'suspended' ELSE 'active' END, name,
        'merchant-' || {_NUMBER}, created_at FROM drawn""",
    f"""INSERT INTO alliance_contact (organisation_id, name, phone, email)
    SELECT organisation_id, person, {_PHONE}, {_EMAIL} FROM drawn WHERE n %% {BUSY} = 0""",
    f"""INSERT INTO alliance_user (id, password, is_superuser, email, name, is_staff, is_active, date_joined,
        language)
    SELECT user_id, {_PASSWORD}, false, {_EMAIL}, person, false, hash %% 5000 <> 0, created_at,
        CASE WHEN hash %% 10 < 7 THEN 'zh-hans' ELSE 'en' END FROM drawn""",
    f"""INSERT INTO account_emailaddress (user_id, email, verified, "primary")
    SELECT user_id, {_EMAIL}, true, true FROM drawn""",
    """INSERT INTO alliance_member (organisation_id, user_id, role, created_at)
    SELECT organisation_id, user_id, 'owner', created_at FROM drawn""",
    f"""INSERT INTO alliance_apikey (organisation_id, name, prefix, secret_hash, scopes, created_by_id,
        created_at)
    SELECT organisation_id, 'shop', 'm' || lpad(to_hex(n), 9, '0'), %(secret)s,
        '{{parcels:read,parcels:book,rates:read}}', user_id, created_at
    FROM drawn WHERE n %% {BUSY} = 0""",
    """INSERT INTO parcels_merchant (organisation_id, limit_lifted)
    SELECT organisation_id, hash %% 10000 = 0 FROM drawn""",
    f"""INSERT INTO parcels_pickupaddress (merchant_id, name, city_id, address, contact_name, contact_phone,
        is_default)
    SELECT organisation_id, 'Warehouse', (SELECT min(id) FROM alliance_city) + hash %% 30,
        'West Lake road ' || hash %% 400, person, {_PHONE}, true
    FROM drawn WHERE n %% {BUSY} = 0""",
)
# All but those of constraints. They are made anew after a filling, which is far quicker than adding to them.
_INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid::regclass::text = ANY (%s) AND NOT indisunique
"""


def email_of(number: int) -> str:
    return f"owner-{number:08}@m.example"


def token_of(number: int) -> str:
    """Return the API key of a merchant whose number can be divided by BUSY."""
    return f"ca_m{number:09x}_{SECRET}"


def fill_tenants(count: int, *, first: int = 1) -> None:
    """Add the merchants numbered from `first` on, in chunks, with the owner's rights."""
    from benchmarks.database import print_progress  # noqa: PLC0415 -- after django.setup()

    begun = time.perf_counter()
    with closing(_connect()) as connection:
        with connection, connection.cursor() as cursor:
            parameters = _parameters(cursor, first, count)
            cursor.execute(_INDEXES, [list(TABLES)])
            indexes = dict(cursor.fetchall())
            for name in indexes:
                cursor.execute(f"DROP INDEX {name}")
        for start in range(first, first + count, CHUNK):
            _fill_chunk(
                connection, {**parameters, "first": start, "last": min(start + CHUNK, first + count) - 1}
            )
            print_progress(f"merchants up to {start:,}: {time.perf_counter() - begun:.0f} s")
        for definition in indexes.values():
            with connection, connection.cursor() as cursor:
                cursor.execute("SET LOCAL maintenance_work_mem = '512MB'")
                cursor.execute(definition)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"VACUUM (ANALYZE) {', '.join(TABLES)}")
    print_progress(f"{count:,} merchants made in {time.perf_counter() - begun:.0f} s")


def _fill_chunk(connection: Any, parameters: dict[str, Any]) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        for statement in (_DRAWN, *_INSERTS):
            cursor.execute(statement, parameters)


def _parameters(cursor: Any, first: int, count: int) -> dict[str, Any]:
    """Reserve ids, and return what the statements of all chunks need."""
    from django.contrib.auth.hashers import make_password  # noqa: PLC0415 -- after django.setup()

    parameters: dict[str, Any] = {
        "password": make_password(PASSWORD),
        "secret": hashlib.sha256(SECRET.encode()).hexdigest(),
        **_WORDS,
    }
    for name in ("organisation", "user"):
        sequence = f"pg_get_serial_sequence('alliance_{name}', 'id')"
        cursor.execute(f"SELECT nextval({sequence})")
        [before] = cursor.fetchone()
        cursor.execute(f"SELECT setval({sequence}, %s)", [before + count])
        parameters[f"{name}s"] = before - first + 1
    return parameters


def _connect() -> "psycopg2.extensions.connection":
    """Log in as the superuser if there is one, who need not check foreign keys; else as the owner."""
    from django.conf import settings  # noqa: PLC0415 -- after django.setup()

    from alliance.embedded.postgres import SUPERUSER  # noqa: PLC0415
    from benchmarks.database import parameters_of  # noqa: PLC0415

    owner = parameters_of(settings.DATABASES["default"]["NAME"], is_owner=True)
    try:
        connection = psycopg2.connect(**{**owner, "user": SUPERUSER, "password": None})
    except psycopg2.Error:
        return psycopg2.connect(**owner)
    with connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        # Indexes that are made anew are the owner's.
        cursor.execute(f"SET ROLE {owner['user']}")
    return connection


def main() -> None:
    """Fill the database that the environment names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.filling_tenants", description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=1, help="number of the first one")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alliance.settings")
    from alliance import embedded  # noqa: PLC0415 -- reads the environment

    with embedded.running():
        import django  # noqa: PLC0415

        django.setup()
        fill_tenants(options.count, first=options.first)


if __name__ == "__main__":
    main()
