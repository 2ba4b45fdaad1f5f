"""The built-in data set ``us-daily``: four US shares, 2000-03-01 to 2013-03-01."""
