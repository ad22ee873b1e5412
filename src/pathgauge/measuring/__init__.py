"""The measuring loop: what is asked, the schedule, the stop, the document."""
