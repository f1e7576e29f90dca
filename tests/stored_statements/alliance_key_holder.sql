-- alliance_key_holder, volatile
-- takes prefix text
-- returns key_id bigint
-- returns key_name text
-- returns hash text
-- returns granted text[]
-- returns by_resource text[]
-- returns ends_at timestamptz
-- returns ended_at timestamptz
-- returns allowed_from text[]
-- returns used_at timestamptz
-- returns creator_id bigint
-- returns holder_id bigint
-- returns holder_kind text
-- returns holder_status text
-- returns creator_role text

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
        home_id := holder_id %% 1000000000000000;
        EXECUTE 'SET LOCAL alliance.scope = ' || quote_literal(
            CASE holder_kind WHEN 'courier' THEN 'courier:' ELSE 'merchant:' END
            || home_id);
        creator_role := (SELECT m.role FROM alliance_member m
            WHERE m.organisation_id = home_id AND m.user_id = creator_id
                AND (SELECT u.is_active FROM alliance_user u WHERE u.id = creator_id));
    END IF;
    RETURN NEXT;
END
