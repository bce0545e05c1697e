"""Do the questions measure what they claim to: reliability, validity, item statistics."""
