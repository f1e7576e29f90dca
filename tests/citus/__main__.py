"""Runs pytest on the cluster that CITUS_URL names: a superuser's address of the coordinator.

The cluster's database is only asked for its nodes. Databases of tests are made beside it, on every node, and
dropped. The roles are those of DATABASE_URL and OWNER_DATABASE_URL, or `alliance` and `alliance_owner`, made
where they are missing, which then have to get in without a password.
"""

import os
import sys

import pytest

from tests.citus import servers

SKIPPED = """
************************************************************************
*  NO CLUSTER HERE: the tests on Citus are SKIPPED. Set CITUS_URL to a
*  superuser's address of the coordinator, in a database that has the
*  extension and the workers (docs/deployment.md, "On a cluster"):
*  CITUS_URL=postgres://postgres@127.0.0.1:5432/app make test-citus
************************************************************************
"""


def main() -> int:
    if not servers.URL:
        sys.stderr.write(SKIPPED)
        return 0
    os.environ.update(servers.addresses())
    servers.make_roles()
    # With the reasons of what is skipped.
    return int(pytest.main(["-rs", *sys.argv[1:]]))


if __name__ == "__main__":
    sys.exit(main())
