DATE_FORMAT = "Y年n月j日"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "Y年n月j日 H:i"
MONTH_DAY_FORMAT = "n月j日"
SHORT_DATE_FORMAT = "Y-m-d"
SHORT_DATETIME_FORMAT = "Y-m-d H:i"
# Ours: a moment and a day with the weekday, for recipients.
MOMENT_FORMAT = "Y年n月j日 l H:i"
DAY_FORMAT = "Y年n月j日 l"
FIRST_DAY_OF_WEEK = 1
