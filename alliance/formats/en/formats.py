DATE_FORMAT = "j M Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j M Y, H:i"
YEAR_MONTH_FORMAT = "F Y"
MONTH_DAY_FORMAT = "j M"
SHORT_DATE_FORMAT = DATE_FORMAT
SHORT_DATETIME_FORMAT = DATETIME_FORMAT
# Ours: a moment and a day with the weekday, for recipients.
MOMENT_FORMAT = "D j M Y, H:i"
DAY_FORMAT = "D j M Y"
# Ours: the same in this year (alliance.dates).
MONTH_DAY_TIME_FORMAT = "j M, H:i"
WEEKDAY_FORMAT = "D j M"
WEEKDAY_TIME_FORMAT = "D j M, H:i"
FIRST_DAY_OF_WEEK = 1
