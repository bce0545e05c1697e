"""Whom each answer speaks for: base weights, non-response, known margins and totals, trimming, effective sample size.

Three things bear that name elsewhere, and they are never multiplied into one another silently. A *weight*, here,
is a respondent's: how many of the population the answer stands for. What a study decides that a class of customers or a
role shall count is a policy, applied beside it and shown. What an indicator counts in an index is its *importance*.
"""
