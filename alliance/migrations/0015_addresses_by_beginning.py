"""What begins an e-mail address is looked for there: parts of addresses may each be common to millions.

Of ten million `owner-00000001@...` the letters of `owner-00123`, three by three, are each in all or in a hundred
thousand: the index of parts took a second to find the thousand that have them all.
"""

from importlib import import_module
from typing import Any, ClassVar, Final

from django.db import migrations

functions = import_module("alliance.migrations.0009_functions_of_names")
steps = import_module("alliance.migrations.0014_names_by_steps")

# No person's name has a digit or one of these signs. Whether any address begins so is asked first, so that all pages
# of a search are of one kind. The text stands in the statement: an index of beginnings is of no use to a parameter.
USERS: Final = """
CREATE FUNCTION alliance_users_named(
    term text, beyond bigint, upwards boolean, most integer
) RETURNS SETOF bigint <declare>
    beginning text := format('email LIKE %L', lower(substr(pattern, 2)));
    is_known boolean;
BEGIN
    IF scope IS DISTINCT FROM 'all' THEN
        RETURN;
    END IF;
    walk := format('SELECT id, name, email FROM alliance_user WHERE id %s ORDER BY id %s', past, sort);
    IF NOT is_short AND term ~ '[0-9@._+-]' AND term !~ '[[:space:]]' THEN
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM alliance_user WHERE %s)', beginning) INTO is_known;
        IF is_known THEN
            matches := beginning;
            indexed := 'SELECT id FROM alliance_user WHERE ' || beginning;
            few := 200000;
        END IF;
    END IF;
<search>
END
$$
"""


def make(apps: Any, schema_editor: Any) -> None:
    [(_before, *others)] = [parts for parts in functions.FUNCTIONS.values() if parts[0] == functions.USERS]
    steps.replace_functions(schema_editor, [(USERS, *others)])


class Migration(migrations.Migration):
    lint_ignore: ClassVar = {"python-in-migration": "makes a function only"}
    dependencies = [("alliance", "0014_names_by_steps")]

    operations = [migrations.RunPython(make, steps.make)]
