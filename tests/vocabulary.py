"""The words of the API: what a name means to a program is its kind. See docs/api-changes.md, "Names".

A closed list: `tests/test_vocabulary.py` refuses a property, parameter or column that is not in it, or is of
another kind than here. Before a word is added: is there one already that says it? Is its kind the same at
every door? Moments end in _at or _by, durations in _seconds, shares between 0 and 1 in _rate, counts beside a
list in _count; money has `currency` beside it; an id has the prefix of its kind.
"""

from typing import Final

_BY_KIND: Final = {
    "address": """
        next next_counterparties previous
    """,
    "clock time": """
        deliver_by_time pickup_by_time time
    """,
    "day": """
        day final_on from pickup_date settled_on to week
    """,
    "file": """
        file
    """,
    "flag": """
        active again allowed consent few full has_more in_force is_default is_excused is_late is_masked
        is_public_holiday is_test judged lower_is_better on_sale open provisional recommended repeated
        reported reprint rolled stops unmask withdrawn works_on_holidays
    """,
    "id": """
        counterparty courier id merchant organisation pickup_address recipient_id surcharge_id withdrawn_by
        withdraws
    """,
    "list of day": """
        full_on
    """,
    "list of object": """
        announced bands by_cause by_counterparty by_tier components counts_by_reason couriers credit_entries
        cut_offs errors events excuses extra_results grades items legs log missing_parcels missing_results
        offers parcels pieces possible_days rejections removed_parcels resources results revisions rules
        scans secrets steps unavailable versions warnings weight_bands
    """,
    "list of text": """
        extra_numbers missing_numbers reasons scopes to_do topics tracking_numbers
    """,
    "list of whole number": """
        delivery_weekdays
    """,
    "moment": """
        announced_at answered_at at attempted_at booked_at cancelled_at claim_by claimed_at closed_at
        computed_at counted_at created_at current cut_off_at decided_at deliver_by delivered_at ends_at
        expected_deliver_by expected_pickup_by expires_at finished_at first_failed_at judged_by last_scan_at
        last_used_at lost_at new_promise next_attempt_at occurred_at oldest_waiting_at opened_at original
        p50_at p90_at picked_up_at pickup_by previous_promise quoted_at reached_at ready_at received_at
        recipient_erased_at refreshed_at requested_at return_cancelled_at stage_at starts_at status_at
        stopped_at updated_at uploaded_at withdrawn_at written_at
    """,
    "money": """
        amount amount_due cancellations credited credits declared_value expected_price fees highest_price
        least_declared_value most_declared_value price surcharge surcharges taken_back total total_price
    """,
    "month": """
        first_month month
    """,
    "number": """
        accountable_rate chance_late first_attempt_rate least_accountable_rate lower_bound pickup_rate
        raw_rate rows_per_second share success_rate threshold upper_bound value within_48h_rate
        within_72h_rate
    """,
    "object": """
        attribution available band body counts equivalents example excused_by expected instead key
        label_file last_day late_by_days lost manifest next_band on_time pickup_place promise proposed
        ranking_reason recipient rule sender totals window
    """,
    "object or text": """
        corrects
    """,
    "text": """
        about action address aftership answer api_version ask basis cause city city_name claimed_by code
        component contact_name contact_phone content content_base64 content_type contradiction country
        courier_name courier_remark currency decision_note description destination destination_name
        destination_province destination_time_zone detail docs_url easypost ending entry error event
        event_id events_next evidence explanation facility file_url format grade ground group_by handover
        hours if_full kind kuaidi100 leg manifest_number merchant_name merchant_remark moved_by name name_en
        name_zh next_after next_step note order organisation_kind organisation_name origin origin_name
        origin_province origin_time_zone outcome party phone pointer precision prefix problem proposal_note
        proposed_by province reason reference reference_prefix refusal remark request_id requested_by
        results_url return_of returned_by scans_next schema_url scope secret settled_note settled_reference
        side size stage state status_text template text tier time_zone title topic tracking_number type url
        why
    """,
    r"text like ^-?\d{0,3}(?:\.\d{0,2})?$": """
        adds score
    """,
    "whole number": """
        accepted accountable_n attempted attempts booked cancelled capacity_left claim_days column count
        cut_off_in_seconds daily_capacity day_offset days days_in_transit delivered deliveries dpi duplicate
        duration_seconds entries excused extra final_on_day first_attempt index late late_by_seconds
        late_p50_seconds late_p90_seconds late_p95_seconds least_g least_score line lines_done lines_total
        listed made met milliseconds minimum_volume missed missing more most_g n number number_of_day
        one_day overdue p50_milliseconds p95_milliseconds page parcel_count pending percent picked_up
        pickup_met pickup_n piece piece_count points position rank ranked refused rejected remaining_seconds
        removed rolled_days rows_done rows_total rules_version sequence size_bytes three_days tier_version
        to_pick_up two_days up_to_g version void weekday weight_g weight_percent window_days within_48h
        within_72h
    """,
}
WORDS: Final[dict[str, set[str]]] = {
    **{word: {kind} for kind, words in _BY_KIND.items() for word in words.split()},
    # The status of a parcel or of an item; of a problem, the number that RFC 9457 wants.
    "status": {"text", "whole number"},
}
# Of requests' addresses and filters alone.
_PARAMETERS_BY_KIND: Final = {
    "day": "booked_from booked_to",
    "id": "excuse_id export_id file_id message_id offer_id pickup_id webhook_id",
    "moment": "known_at",
    "text": """after before cursor due events_after expires file_type has_return is_missed is_return
        scans_after search signature""",
    "whole number": "page_size",
}
PARAMETERS: Final[dict[str, set[str]]] = {
    **{word: {kind} for kind, words in _PARAMETERS_BY_KIND.items() for word in words.split()},
    # Which late parcels to list; in rates it is how many were.
    "late": {"text"},
}
# Of files alone. Where JSON has an object, a column has both names: promise.original is promise_original.
COLUMNS: Final = {
    *("arrived_at", "attempted_at", "departed_at", "out_for_delivery_at", "due_date", "excuse_reason"),
    *("promise_original", "promise_current", "recipient_name", "recipient_phone", "recipient_address"),
    *("counterparty_name", "balance", "result", "what_to_do"),
}
# Moments whose names do not end in _at or _by: a step's, and those of `promise` and its changes.
OTHER_MOMENTS: Final = {"at", "original", "current", "previous_promise", "new_promise"}
# What an event was before.
OF_EVENTS: Final = {"previous_status", "previous_grade"}
