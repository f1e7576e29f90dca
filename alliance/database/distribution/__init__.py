"""Distributing a database over a cluster of servers by Citus, an extension of PostgreSQL.

`alliance.database.placements` says where each table belongs. `manage.py distribute` (plan.py) moves the
tables of one server there, once; each `migrate` takes along what a later release adds (following.py). The
owner of the tables does it: policies do not bind it, so its copies are whole.

On a cluster the tables have the names they had. A node has a *shell* of each, by which it asks the others,
and the *shards* that are placed on it: slas_breach_102044.
"""
