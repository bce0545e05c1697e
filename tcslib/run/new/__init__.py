"""``tcs new``: a study proposed from a file of answers, and the next wave of one."""
