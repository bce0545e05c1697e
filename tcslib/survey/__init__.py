"""Answers, and how the people who gave them were drawn."""
