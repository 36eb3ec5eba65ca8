"""Order, cache, execute, render: what ``./run_all.sh`` hands over to.

plan         which chapters there are, and which reads what
fingerprint  what a chapter's result depends on, as a hash
execute      one notebook through Papermill
driver       many of them, side by side, then the report
environment  is this machine able to run it
"""
