# ruff: noqa: E501 -- a case a line is what makes the table readable
"""Worked cases of promises, one a line, worked out by hand.

Times are wall clock: booked and ready at the origin, the delivery at the destination. `booked` is left
out when it is the moment of being ready. Days without a year are of the year in the line. What the
tiers promise and how closures are written is in journeys.py. March 2, 2026 is a Monday.
"""

from datetime import datetime, timedelta

import pytest

from slas.promises.closures import ClosureCalendar
from slas.promises.rules import promise
from tests.slas.helpers.journeys import CITIES, TIERS, closure_rules, full_date, local

CASES = """
# tier |from to| booked         | ready             | closures      |handled|roll|pickup|delivery    | why
# Cut-off bugs of other systems: cut-offs ignored, no day-before cut-off, a silent roll (no countdown: below)
next  |HGH CTU|                |2026-03-02 18:30   |               |03-03|+1|20:00|03-04 20:00|bug: cut-off ignored, said 03-03
same  |HGH CTU|                |2026-03-02 11:30   |               |03-03|+1|13:00|03-03 22:00|bug: cut-off ignored, said today
eve   |HGH CTU|2026-03-02 22:30|2026-03-03 08:00   |               |03-04|+1|10:00|03-04 20:00|bug: a cut-off could not lie on the day before
eve   |HGH CTU|2026-03-02 21:30|2026-03-03 08:00   |               |03-03|+0|10:00|03-03 20:00|bug: nor be kept on the day before
next  |HGH CTU|2026-03-02 18:01|2026-03-02 18:01   |               |03-03|+1|20:00|03-04 20:00|bug: rolled to tomorrow without a word: here +1 says it
next  |TYO HGH|                |2026-03-02 18:30   |               |03-03|+1|20:00|03-04 20:00+08|bug: the server's clock (17:30) for the origin's
# The cut-off
next  |HGH CTU|                |2026-03-02 17:40   |               |03-02|+0|20:00|03-03 20:00|before the cut-off
next  |HGH CTU|                |2026-03-02 18:00   |               |03-02|+0|20:00|03-03 20:00|at the cut-off is in time
next  |HGH CTU|                |2026-03-02 18:00:01|               |03-03|+1|20:00|03-04 20:00|a second past it is not
next  |HGH CTU|                |2026-03-02 21:00   |               |03-03|+1|20:00|03-04 20:00|no pickup before it is ready
next  |HGH CTU|                |2026-03-02 23:59:59|               |03-03|+1|20:00|03-04 20:00|still Monday, rolls once
next  |HGH CTU|                |2026-03-03 00:00   |               |03-03|+0|20:00|03-04 20:00|midnight starts the day
same  |HGH CTU|                |2026-03-02 10:59   |               |03-02|+0|13:00|03-02 22:00|same day, before 11:00
same  |HGH CTU|                |2026-03-02 11:00   |               |03-02|+0|13:00|03-02 22:00|at 11:00
same  |HGH CTU|                |2026-03-02 11:01   |               |03-03|+1|13:00|03-03 22:00|rolls, and says so
same  |HGH HGH|                |2026-03-02 21:00   |               |03-03|+1|13:00|03-03 22:00|never today after 11:00
std   |HGH CTU|                |2026-03-02 17:40   |               |03-02|+0|20:00|03-05 20:00|three days on
std   |HGH CTU|                |2026-03-02 18:01   |               |03-03|+1|20:00|03-06 20:00|three days from Tuesday
late  |HGH CTU|                |2026-03-02 23:30   |               |03-02|+0|23:59|03-03 23:30|a cut-off close to midnight
late  |HGH CTU|                |2026-03-02 23:31   |               |03-03|+1|23:59|03-04 23:30|and past it
mid   |HGH CTU|                |2026-03-02 00:00   |               |03-02|+0|00:30|03-03 00:30|a cut-off at midnight
mid   |HGH CTU|                |2026-03-02 00:01   |               |03-03|+1|00:30|03-04 00:30|past it a minute later
# Booked before it is ready: the booking keeps the cut-off, the parcel the pickup deadline
next  |HGH CTU|2026-03-02 09:00|2026-03-02 19:00   |               |03-02|+0|20:00|03-03 20:00|ready before the pickup
next  |HGH CTU|2026-03-02 09:00|2026-03-02 20:00   |               |03-02|+0|20:00|03-03 20:00|ready at the pickup deadline
next  |HGH CTU|2026-03-02 09:00|2026-03-02 20:01   |               |03-03|+1|20:00|03-04 20:00|ready too late
next  |HGH CTU|2026-03-02 09:00|2026-03-04 10:00   |               |03-04|+0|20:00|03-05 20:00|handled when ready
next  |HGH CTU|2026-03-02 19:00|2026-03-02 19:00   |               |03-03|+1|20:00|03-04 20:00|booked past the cut-off
next  |HGH CTU|2026-03-02 19:00|2026-03-02 08:00   |               |03-03|+1|20:00|03-04 20:00|lay ready, booked too late
next  |HGH CTU|2026-03-03 09:00|2026-03-02 08:00   |               |03-03|+0|20:00|03-04 20:00|nothing before it is booked
same  |HGH CTU|2026-03-02 10:00|2026-03-02 12:30   |               |03-02|+0|13:00|03-02 22:00|booked by 11, ready by 13
same  |HGH CTU|2026-03-02 10:00|2026-03-02 13:30   |               |03-03|+1|13:00|03-03 22:00|booked by 11, ready past 13
# Cut-offs on the day before
eve   |HGH CTU|                |2026-03-02 21:59   |               |03-03|+1|10:00|03-03 20:00|Monday night is for Tuesday
eve   |HGH CTU|                |2026-03-02 22:00   |               |03-03|+1|10:00|03-03 20:00|at the cut-off
eve   |HGH CTU|                |2026-03-02 22:01   |               |03-04|+2|10:00|03-04 20:00|Tuesday is gone already
eve   |HGH CTU|2026-03-02 12:00|2026-03-03 08:00   |               |03-03|+0|10:00|03-03 20:00|booked the day before
eve   |HGH CTU|2026-03-02 23:00|2026-03-03 08:00   |               |03-04|+1|10:00|03-04 20:00|booked too late for Tuesday
eve   |HGH CTU|2026-03-02 12:00|2026-03-03 10:01   |               |03-04|+1|10:00|03-04 20:00|ready past Tuesday's pickup
eve   |HGH CTU|2026-03-02 12:00|2026-03-03 08:00   |HGH 03-02      |03-03|+0|10:00|03-03 20:00|one may book on a closed day
eve   |HGH CTU|                |2026-12-31 21:00   |               |2027-01-01|+1|10:00|2027-01-01 20:00|into the new year
# Weekdays: the shop tier has a 12:00 cut-off on Saturdays and rests on Sundays
shop  |HGH CTU|                |2026-03-06 17:00   |               |03-06|+0|20:00|03-07 20:00|Friday, there on Saturday
shop  |HGH CTU|                |2026-03-06 18:30   |               |03-07|+1|20:00|03-09 20:00|Saturday, there on Monday
shop  |HGH CTU|                |2026-03-07 11:00   |               |03-07|+0|20:00|03-09 20:00|before Saturday's cut-off
shop  |HGH CTU|                |2026-03-07 12:30   |               |03-09|+2|20:00|03-10 20:00|past it: Monday
shop  |HGH CTU|                |2026-03-08 09:00   |               |03-09|+1|20:00|03-10 20:00|no pickup on Sundays
shop  |HGH CTU|                |2026-03-06 17:00   |CTU 03-07      |03-06|+0|20:00|03-09 20:00|Saturday closed, then Sunday
office|HGH CTU|                |2026-03-05 10:00   |               |03-05|+0|20:00|03-10 20:00|Fri, Mon, Tue: three days
# Closures at the origin
next  |HGH CTU|                |2026-03-02 10:00   |HGH 03-02      |03-03|+1|20:00|03-04 20:00|closed today
next  |HGH CTU|                |2026-03-02 10:00   |HGH 03-02..03-04|03-05|+3|20:00|03-06 20:00|closed for three days
next  |HGH CTU|                |2026-03-02 19:00   |o:HGH 03-03    |03-04|+2|20:00|03-05 20:00|rolls, then over a closure
next  |HGH CTU|                |2026-03-02 10:00   |o:HGH 03-03    |03-02|+0|20:00|03-03 20:00|gone before it closes
next  |HGH CTU|                |2026-03-02 10:00   |d:HGH 03-02    |03-02|+0|20:00|03-03 20:00|closed for deliveries only
next  |HGH CTU|                |2026-03-02 10:00   |ZJ 03-02       |03-03|+1|20:00|03-04 20:00|its province is closed
next  |HGH CTU|                |2026-03-02 10:00   |SC 03-02       |03-02|+0|20:00|03-03 20:00|another province
next  |HGH CTU|                |2026-03-02 10:00   |CN 03-02       |03-03|+1|20:00|03-04 20:00|the country stands still
next  |HGH CTU|                |2026-03-02 10:00   |US 03-02       |03-02|+0|20:00|03-03 20:00|another country
# Closures at the destination
next  |HGH CTU|                |2026-03-02 10:00   |CTU 03-03      |03-02|+0|20:00|03-04 20:00|lands a day later
next  |HGH CTU|                |2026-03-02 10:00   |d:CTU 03-03..03-04|03-02|+0|20:00|03-05 20:00|two days later
next  |HGH CTU|                |2026-03-02 10:00   |o:CTU 03-03    |03-02|+0|20:00|03-03 20:00|closed for pickups only
next  |HGH CTU|                |2026-03-02 10:00   |SC 03-03       |03-02|+0|20:00|03-04 20:00|its province is closed
next  |HGH CTU|                |2026-03-02 10:00   |CN 03-03       |03-02|+0|20:00|03-04 20:00|the country, on landing
next  |HGH CTU|                |2026-03-02 10:00   |HGH 03-02, CTU 03-04|03-03|+1|20:00|03-05 20:00|closed at both ends
same  |HGH CTU|                |2026-03-02 10:00   |d:CTU 03-02    |03-02|+0|13:00|03-03 22:00|same day finds it closed
two   |HGH CTU|                |2026-09-30 17:40   |               |09-30|+0|20:00|10-02 20:00|Chengdu is two days
two   |HGH CTU|                |2026-09-30 17:40   |CTU 10-01      |09-30|+0|20:00|10-03 20:00|a closed day is not counted
two   |HGH CTU|                |2026-09-30 17:40   |CTU 10-02      |09-30|+0|20:00|10-03 20:00|nor is it landed on
two   |HGH CTU|                |2026-09-30 17:40   |HGH 10-01      |09-30|+0|20:00|10-02 20:00|on its way, the origin is past
# Closed for hours: a deadline within them keeps the working time it had
next  |HGH CTU|                |2026-03-02 10:00   |HGH 03-02 14:00-18:00|03-02|+0|20:00|03-03 20:00|open again by the deadline
next  |HGH CTU|                |2026-03-02 10:00   |HGH 03-02 18:00-21:00|03-02|+0|23:00|03-03 20:00|two hours before 20:00, two after
next  |HGH CTU|                |2026-03-02 10:00   |HGH 03-02 20:00-22:00|03-02|+0|22:00|03-03 20:00|closes at the deadline: when it opens
next  |HGH CTU|                |2026-03-02 10:00   |HGH 03-02 19:59-20:00|03-02|+0|20:00|03-03 20:00|open at 20:00 sharp
next  |HGH CTU|                |2026-03-02 10:00   |HGH 03-02 18:00-22:00|03-03|+1|20:00|03-04 20:00|midnight is no pickup any more
next  |HGH CTU|                |2026-03-02 10:00   |HGH 03-02 18:00-21:59|03-02|+0|23:59|03-03 20:00|a minute before it is
next  |HGH CTU|                |2026-03-02 10:00   |HGH 03-02 18:00-|03-03|+1|20:00|03-04 20:00|closed until midnight
next  |HGH CTU|                |2026-03-02 10:00   |HGH 03-02 -12:00|03-02|+0|20:00|03-03 20:00|closed in the morning
next  |HGH CTU|                |2026-03-02 17:40   |HGH 03-02 17:00-19:00|03-02|+0|20:00|03-03 20:00|the cut-off is for booking: it stays
next  |HGH CTU|2026-03-02 10:00|2026-03-02 20:30   |HGH 03-02 19:00-21:00|03-03|+1|20:00|03-04 20:00|pickup by 22:00, but ready after the usual 20:00
same  |HGH CTU|                |2026-03-02 10:00   |HGH 03-02 12:00-20:00|03-02|+0|21:00|03-02 22:00|an hour to drive to Chengdu, but so it says
same  |HGH CTU|                |2026-03-02 10:00   |HGH 03-02 12:00-21:00|03-02|+0|22:00|03-03 22:00|by 22:00 is too late for today's 22:00
next  |HGH CTU|                |2026-03-02 10:00   |CTU 03-03 14:00-18:00|03-02|+0|20:00|03-03 20:00|Chengdu opens before its deadline
next  |HGH CTU|                |2026-03-02 10:00   |CTU 03-03 18:00-21:00|03-02|+0|20:00|03-03 23:00|two hours after it opens
next  |HGH CTU|                |2026-03-02 10:00   |CTU 03-03 16:00-|03-02|+0|20:00|03-04 20:00|does not open again: the day after
next  |HGH CTU|                |2026-03-02 10:00   |CTU 03-03 08:00-19:00|03-02|+0|20:00|03-03 20:00|all day but the evening
next  |HGH CTU|                |2026-03-02 10:00   |CTU 03-03 18:00-21:00, CTU 03-03 22:00-23:00|03-02|+0|20:00|03-04 20:00|would be 24:00
next  |HGH CTU|                |2026-03-02 10:00   |CTU 03-03 18:00-20:30, CTU 03-03 21:00-22:00|03-02|+0|20:00|03-03 23:30|half an hour between, the rest after
next  |HGH CTU|                |2026-03-02 10:00   |CTU 03-03 18:00-20:30, CTU 03-03 19:00-21:00|03-02|+0|20:00|03-03 23:00|overlapping: one closure of three hours
next  |HGH CTU|                |2026-03-02 10:00   |CTU 03-03 18:00-20:30, CTU 03-03|03-02|+0|20:00|03-04 20:00|the whole day is closed anyway
next  |HGH CTU|                |2026-03-02 10:00   |SC 03-03 18:00-20:30, CTU 03-03 20:30-21:00|03-02|+0|20:00|03-03 23:00|its province, then the city
next  |HGH CTU|                |2026-03-02 10:00   |o:CTU 03-03 18:00-21:00|03-02|+0|20:00|03-03 20:00|pickups only
next  |HGH CTU|                |2026-03-02 10:00   |d:HGH 03-02 18:00-21:00|03-02|+0|20:00|03-03 20:00|deliveries only
next  |HGH CTU|                |2026-03-02 10:00   |CN 03-02..03-03 18:00-21:00|03-02|+0|23:00|03-03 23:00|both days, at both ends
std   |HGH CTU|                |2026-03-02 10:00   |CTU 03-04 18:00-21:00|03-02|+0|20:00|03-05 20:00|hours of a day under way
std   |HGH CTU|                |2026-03-02 10:00   |CTU 03-04 16:00-|03-02|+0|20:00|03-06 20:00|an evening that did not count
std   |HGH CTU|                |2026-03-02 10:00   |CTU 03-05h 18:00-21:00|03-02|+0|20:00|03-05 23:00|a holiday's evening counts for std
next  |HGH CTU|                |2026-03-02 10:00   |CTU 03-03h 18:00-21:00|03-02|+0|20:00|03-03 20:00|next works on holidays
eve   |HGH CTU|2026-03-02 12:00|2026-03-03 08:00   |HGH 03-03 08:00-12:00|03-03|+0|14:00|03-03 20:00|10:00 had two hours
eve   |HGH CTU|2026-03-02 12:00|2026-03-03 08:00   |HGH 03-02 12:00-|03-03|+0|10:00|03-03 20:00|one may book in closed hours
next  |HGH URC|                |2026-03-02 10:00   |URC 03-03 18:00-21:00|03-02|+0|20:00|03-03 23:00+06|on Urumqi's clock
next  |HGH CTU|                |2024-02-28 17:00   |CTU 02-29 18:00-21:00|02-28|+0|20:00|02-29 23:00|on the 29th
next  |HGH CTU|                |2026-12-30 17:00   |CTU 12-31 16:00-|12-30|+0|20:00|2027-01-01 20:00|over the year's end
dawn  |NYC NYC|                |2026-10-31 00:10   |NYC 11-01 01:30-03:00|10-31|+0|02:30|11-01 05:00-05|01:30-02:30 were two hours
dawn  |NYC NYC|                |2026-03-07 00:10   |NYC 03-08 01:00-04:00|03-07|+0|02:30|03-08 05:00-04|02:30 is 03:00: one hour was left
late  |SAO SAO|                |2018-02-16 12:00   |SAO 02-17 23:00-23:45|02-16|+0|23:59|02-17 23:15-03|23:45, then 23:15 again: half an hour
mid   |SAO SAO|                |2017-10-13 23:30   |SAO 10-15 00:00-02:00|10-14|+1|00:30|10-15 02:00-02|00:30 is skipped: nothing was left at 01:00
# Public holidays: next works on them, std does not
next  |HGH CTU|                |2026-10-01 10:00   |CN 10-01..10-07h|10-01|+0|20:00|10-02 20:00|works through Golden Week
std   |HGH CTU|                |2026-09-30 10:00   |CN 10-01..10-07h|09-30|+0|20:00|10-10 20:00|counts 8, 9, 10 October
std   |HGH CTU|                |2026-10-01 10:00   |CN 10-01..10-07h|10-08|+7|20:00|10-11 20:00|waits for the 8th
next  |HGH CTU|                |2026-10-01 10:00   |CN 10-01h, HGH 10-01|10-02|+1|20:00|10-03 20:00|a typhoon on a holiday
next  |HGH CTU|                |2026-10-01 10:00   |HGH 10-01h, HGH 10-01|10-02|+1|20:00|10-03 20:00|of the same city, too
# Zones: the cut-off is the origin's, the deadline the destination's
same  |TYO SHA|                |2026-03-02 10:30   |               |03-02|+0|13:00|03-02 22:00+08|Tokyo to Shanghai
same  |TYO SHA|                |2026-03-02 11:30   |               |03-03|+1|13:00|03-03 22:00+08|10:30 in Shanghai, no help
same  |SHA TYO|                |2026-03-02 10:30   |               |03-02|+0|13:00|03-02 22:00+09|11:30 in Tokyo, no harm
next  |URC HGH|                |2026-03-02 17:40   |               |03-02|+0|20:00|03-03 20:00+08|Urumqi's own time counts
next  |HGH URC|                |2026-03-02 17:40   |               |03-02|+0|20:00|03-03 20:00+06|and so does it there
next  |HGH NYC|                |2026-03-02 17:00   |               |03-02|+0|20:00|03-03 20:00-05|westwards
next  |NYC HGH|                |2026-03-02 17:00   |               |03-02|+0|20:00|03-03 20:00+08|picked up Tuesday 9:00 there
same  |LAX TYO|                |2026-03-02 10:00   |               |03-02|+0|13:00|03-03 22:00+09|Monday is over in Tokyo
same  |TYO LAX|                |2026-03-02 10:00   |               |03-02|+0|13:00|03-02 22:00-08|Monday has yet to begin
same  |KIR HNL|                |2026-03-02 10:00   |               |03-02|+0|13:00|03-02 22:00-10|a day behind
same  |HNL KIR|                |2026-03-02 10:00   |               |03-02|+0|13:00|03-03 22:00+14|a day ahead
next  |HNL KIR|                |2026-03-02 10:00   |               |03-02|+0|20:00|03-04 20:00+14|Tuesday 20:00 is the pickup
next  |APW APW|                |2011-12-29 19:00   |               |12-31|+2|20:00|2012-01-01 20:00+14|there is no 30 December
next  |HGH APW|                |2011-12-29 17:00   |               |12-29|+0|20:00|12-31 20:00+14|nor to land on
# Clock changes
next  |SAO SAO|                |2017-10-14 17:00   |               |10-14|+0|20:00|10-15 20:00-02|over a night of 23 hours
next  |SAO SAO|                |2017-10-14 18:01   |               |10-15|+1|20:00|10-16 20:00-02|into a day without midnight
mid   |SAO SAO|                |2017-10-14 23:30   |               |10-15|+1|01:00|10-16 00:30-02|00:30 is skipped: 01:00
mid   |SAO SAO|                |2017-10-13 23:30   |               |10-14|+1|00:30|10-15 01:00-02|and so on landing
late  |SAO SAO|                |2018-02-17 23:30   |               |02-17|+0|23:59|02-18 23:30-03|23:30 for the first time
late  |SAO SAO|                |2018-02-17 23:30'  |               |02-18|+1|23:59|02-19 23:30-03|for the second: too late
late  |SAO SAO|                |2018-02-16 12:00   |               |02-16|+0|23:59|02-17 23:30-02|by the first 23:30
next  |SAO SAO|                |2018-02-17 17:00   |               |02-17|+0|20:00|02-18 20:00-03|over a night of 25 hours
dawn  |NYC NYC|                |2026-03-07 00:10   |               |03-07|+0|02:30|03-08 03:00-04|02:30 is skipped: 03:00
dawn  |NYC NYC|                |2026-03-07 09:00   |               |03-08|+1|03:00|03-09 02:30-04|and so at the pickup
one   |NYC NYC|                |2026-11-01 01:30   |               |11-01|+0|01:45|11-02 01:30-05|01:30 for the first time
one   |NYC NYC|                |2026-11-01 01:30'  |               |11-02|+1|01:45|11-03 01:30-05|for the second: too late
one   |NYC NYC|                |2026-10-31 00:10   |               |10-31|+0|01:45|11-01 01:30-04|by the first 01:30
next  |NYC LON|                |2026-03-08 12:00   |               |03-08|+0|20:00|03-09 20:00+00|changed here, not yet there
one   |LON LON|                |2026-03-28 00:10   |               |03-28|+0|01:45|03-29 02:00+01|01:30 is skipped: 02:00
next  |LON LON|                |2026-03-28 17:59   |               |03-28|+0|20:00|03-29 20:00+01|over a night of 23 hours
one   |LON LON|                |2026-10-25 01:10   |               |10-25|+0|01:45|10-26 01:30+00|01:10, summer time
one   |LON LON|                |2026-10-25 01:10'  |               |10-26|+1|01:45|10-27 01:30+00|01:10 again, winter time
dawn  |LHI LHI|                |2026-10-03 00:10   |               |10-03|+0|02:30|10-04 02:30+11|02:00-02:30 skipped: just not it
# 29 February
next  |HGH CTU|                |2024-02-28 17:00   |               |02-28|+0|20:00|02-29 20:00|lands on the 29th
next  |HGH CTU|                |2024-02-29 17:00   |               |02-29|+0|20:00|03-01 20:00|leaves on the 29th
next  |HGH CTU|                |2024-02-28 19:00   |               |02-29|+1|20:00|03-01 20:00|rolls to the 29th
next  |HGH CTU|                |2023-02-28 17:00   |               |02-28|+0|20:00|03-01 20:00|no 29th in 2023
std   |HGH CTU|                |2024-02-27 17:00   |               |02-27|+0|20:00|03-01 20:00|28, 29, 1
std   |HGH CTU|                |2100-02-27 17:00   |               |02-27|+0|20:00|03-02 20:00|2100 is no leap year
# Year ends
next  |HGH CTU|                |2026-12-31 17:00   |               |12-31|+0|20:00|2027-01-01 20:00|into the new year
next  |HGH CTU|                |2026-12-31 18:30   |               |2027-01-01|+1|20:00|2027-01-02 20:00|rolls into it
std   |HGH CTU|                |2026-12-30 10:00   |CN 2027-01-01h|12-30|+0|20:00|2027-01-03 20:00|New Year's Day not counted
std   |HGH CTU|                |2026-12-31 18:30   |CN 2027-01-01h|2027-01-02|+2|20:00|2027-01-05 20:00|nor handled on
"""

# The answer to the fourth bug, no countdown: what one books before, and how long that is.
COUNTDOWNS = """
# tier |city| now               | closures  | cut-off        | for  | left     | why
next |HGH|2026-03-02 17:40   |           |2026-03-02 18:00|03-02| 0:20:00|twenty minutes
next |HGH|2026-03-02 18:00   |           |2026-03-02 18:00|03-02| 0:00:00|the very last moment
next |HGH|2026-03-02 18:00:01|           |2026-03-03 18:00|03-03|23:59:59|tomorrow's
eve  |HGH|2026-03-02 12:00   |           |2026-03-02 22:00|03-03|10:00:00|tonight's, for tomorrow
eve  |HGH|2026-03-02 22:01   |           |2026-03-03 22:00|03-04|23:59:00|tomorrow night's, for Wednesday
shop |HGH|2026-03-07 12:30   |           |2026-03-09 18:00|03-09|53:30:00|over the weekend
next |HGH|2026-03-02 19:00   |o:HGH 03-03|2026-03-04 18:00|03-04|47:00:00|over a closure
next |HGH|2026-03-02 17:00   |d:HGH 03-02|2026-03-02 18:00|03-02| 1:00:00|deliveries do not matter
same |TYO|2026-03-02 10:30   |           |2026-03-02 11:00|03-02| 0:30:00|on Tokyo's clock
next |HGH|2026-03-02 10:00   |HGH 03-02 14:00-18:00|2026-03-02 18:00|03-02| 8:00:00|closed hours leave cut-offs alone
next |HGH|2026-03-02 10:00   |HGH 03-02 16:00-|2026-03-03 18:00|03-03|32:00:00|unless nothing is picked up that day
next |NYC|2026-03-07 19:00   |           |2026-03-08 18:00|03-08|22:00:00|an hour is lost
next |NYC|2026-10-31 19:00   |           |2026-11-01 18:00|11-01|24:00:00|an hour is gained
"""


def rows(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line and not line.startswith("#")]
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def shown(moment: datetime, like: str) -> str:
    """A moment in the notation of the table: the offset only where the table has it."""
    offset = f"{moment:%z}"[:3] if "+" in like or like.count("-") > 2 else ""
    return f"{moment:%Y-%m-%d %H:%M}{offset}"


def test_table_has_the_sixty_cases_it_owes():
    assert len(rows(CASES)) >= 60


@pytest.mark.parametrize("row", rows(CASES), ids=lambda row: f"{row[0]} {row[3]} {row[-1]}")
def test_promise_matches_the_table(row):
    tier, journey, booked, ready, closed, handled, rolled, pickup, delivery, _why = row
    origin, destination = journey.split()
    year = ready[:4]
    outcome = promise(
        TIERS[tier],
        CITIES[origin],
        CITIES[destination],
        local(ready, origin),
        ClosureCalendar(closure_rules(closed, year)),
        booked_at=local(booked, origin) if booked else None,
    )
    delivery = delivery if delivery[4] == "-" else f"{year}-{delivery}"
    assert outcome.effective_date == full_date(handled, year)
    assert (outcome.rolled_days, outcome.rolled) == (int(rolled), int(rolled) > 0)
    assert shown(outcome.pickup_by, "") == f"{outcome.effective_date} {pickup}"
    assert shown(outcome.deliver_by, delivery) == delivery


@pytest.mark.parametrize("row", rows(COUNTDOWNS), ids=lambda row: f"{row[0]} {row[2]} {row[-1]}")
def test_countdown_matches_the_table(row):
    tier, city, now, closed, cut_off, day, left, _why = row
    year = now[:4]
    calendar = ClosureCalendar(closure_rules(closed, year))
    moment = local(now, city)
    outcome = promise(TIERS[tier], CITIES[city], CITIES[city], moment, calendar)
    hours, minutes, seconds = map(int, left.split(":"))
    assert shown(outcome.cut_off_at, "") == cut_off
    assert outcome.effective_date == full_date(day, year)
    assert outcome.cut_off_at - moment == timedelta(hours=hours, minutes=minutes, seconds=seconds)
