DATE_FORMAT = "Y年n月j日"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "Y年n月j日 H:i"
MONTH_DAY_FORMAT = "n月j日"
SHORT_DATE_FORMAT = DATE_FORMAT
SHORT_DATETIME_FORMAT = DATETIME_FORMAT
# Ours: a moment and a day with the weekday, for recipients.
MOMENT_FORMAT = "Y年n月j日（D）H:i"
DAY_FORMAT = "Y年n月j日（D）"
# Ours: the same in this year (alliance.dates).
MONTH_DAY_TIME_FORMAT = "n月j日 H:i"
WEEKDAY_FORMAT = "n月j日（D）"
WEEKDAY_TIME_FORMAT = "n月j日（D）H:i"
FIRST_DAY_OF_WEEK = 1
