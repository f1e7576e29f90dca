-- alliance_say_together, volatile
-- returns is_said boolean

BEGIN
    DELETE FROM "alliance_retiredmonth" WHERE month = '0001-01-01';
    RETURN true;
END
