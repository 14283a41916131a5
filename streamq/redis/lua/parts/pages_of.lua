-- The pages of a job's log: bytes of each, and how many (`model/reports.py` says why).
local PAGE, PAGES = 4096, 16
