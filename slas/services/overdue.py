"""What is overdue now, and what stops being so without being reached: parcels that leave the database."""

from alliance.tenancy import raw_rows


def no_longer_overdue(commitments: str) -> None:
    """Take what is overdue in a detached month of commitments off the counts of what is overdue now.

    Once, in the transaction that notes it was done; needs the scope of everything.
    """
    # Waits for a fold that is adding, and lets the next one wait: each writes rows in an order of its own.
    raw_rows("LOCK TABLE slas_overduecount IN SHARE ROW EXCLUSIVE MODE")
    raw_rows(f"""
        WITH counted AS (
            SELECT merchant_id, courier_id, kind FROM {commitments} WHERE outcome = 'overdue'
        ),
        gone AS (
            SELECT organisation_id, counterpart_id, kind, count(*) AS overdue FROM (
                SELECT courier_id AS organisation_id, NULL::bigint AS counterpart_id, kind FROM counted
                UNION ALL SELECT merchant_id, courier_id, kind FROM counted
            ) AS x GROUP BY organisation_id, counterpart_id, kind
        )
        UPDATE slas_overduecount r SET overdue = r.overdue - gone.overdue FROM gone
        WHERE r.organisation_id = gone.organisation_id AND r.kind = gone.kind
            AND r.counterpart_id IS NOT DISTINCT FROM gone.counterpart_id
    """)  # noqa: S608 -- a name of the catalogue
