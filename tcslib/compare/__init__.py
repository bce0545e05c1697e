"""Brands and segments set side by side on one measure."""
