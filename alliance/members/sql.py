"""The look-up of an API key, as a database function: every call of a program begins with it.

One message instead of six: the key is found in its own scope, which shows nothing but the key and its
organisation; its creator's role in the organisation's, which the function enters for the rest of the
message. No joins, so the planner needs no settings.
"""

from typing import Final

from alliance.choices import OrganisationKind
from alliance.database.stored_functions import StoredStatement
from alliance.sandboxes import OFFSET
from alliance.tenancy import SETTING

# One row, or none if there is no key with the prefix. The role is NULL if the creator is no active member any
# more, and of keys that no person created. Keys that ended are found as well: their programs are told so.
KEY_HOLDER: Final = StoredStatement(
    "alliance_key_holder",
    parameters={"prefix": "text"},
    returns={
        "key_id": "bigint",
        "key_name": "text",
        "hash": "text",
        "granted": "text[]",
        "by_resource": "text[]",
        "ends_at": "timestamptz",
        "ended_at": "timestamptz",
        "allowed_from": "text[]",
        "used_at": "timestamptz",
        "creator_id": "bigint",
        "holder_id": "bigint",
        "holder_kind": "text",
        "holder_status": "text",
        "creator_role": "text",
    },
    is_plain=True,
    body=f"""
DECLARE
    home_id bigint;
BEGIN
    SELECT k.id, k.name, k.secret_hash, k.scopes, k.resources, k.expires_at, k.revoked_at, k.networks,
        k.last_used_at, k.created_by_id, k.organisation_id
    INTO key_id, key_name, hash, granted, by_resource, ends_at, ended_at, allowed_from,
        used_at, creator_id, holder_id
    FROM alliance_apikey k WHERE k.prefix = %(prefix)s;
    IF key_id IS NULL THEN
        RETURN;
    END IF;
    SELECT o.kind, o.status INTO holder_kind, holder_status
    FROM alliance_organisation o WHERE o.id = holder_id;
    IF creator_id IS NOT NULL THEN
        -- A sandbox has the members of its merchant.
        home_id := holder_id %% {OFFSET};
        EXECUTE 'SET LOCAL {SETTING} = ' || quote_literal(
            CASE holder_kind WHEN '{OrganisationKind.COURIER}' THEN 'courier:' ELSE 'merchant:' END
            || home_id);
        creator_role := (SELECT m.role FROM alliance_member m
            WHERE m.organisation_id = home_id AND m.user_id = creator_id
                AND (SELECT u.is_active FROM alliance_user u WHERE u.id = creator_id));
    END IF;
    RETURN NEXT;
END""",  # noqa: S608 -- built of constants
)
