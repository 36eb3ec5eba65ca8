"""Order, cache, execute, render: what ``./run_all.sh`` hands over to.

plan         which chapters there are, and which reads what
fingerprint  what a chapter's result depends on, as a hash
execute      one notebook through Papermill, in a kernel of its own
driver       many of them, side by side, then the report
state        what the last run left behind
leftovers    what a killed one did
rendering    from executed notebooks to the report
compare      do two runs agree
"""
