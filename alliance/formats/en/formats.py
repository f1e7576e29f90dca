DATE_FORMAT = "j M Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j M Y, H:i"
MONTH_DAY_FORMAT = "j M"
SHORT_DATE_FORMAT = "Y-m-d"
SHORT_DATETIME_FORMAT = "Y-m-d H:i"
# Ours: a moment and a day with the weekday, for recipients.
MOMENT_FORMAT = "D j M Y, H:i"
DAY_FORMAT = "D j M Y"
FIRST_DAY_OF_WEEK = 1
