"""Whom each answer speaks for: base weights, calibration to known margins, trimming, effective sample size."""
